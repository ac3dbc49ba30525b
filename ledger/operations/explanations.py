"""What explains decisions to compliance tables: the server, or a bundle's own events."""

from typing import TYPE_CHECKING, Any

from ledger.compliance.decisions import Explainer
from ledger.events.decisions import MADE, ScoreComputed
from ledger.events.policies import DRAFTED_TYPES

if TYPE_CHECKING:
    from ledger.client import LedgerClient
    from ledger.compliance.facts import Fact
    from ledger.rules.procedure import RuleSet


class ServerExplainer(Explainer):
    """Asks the server, as `decision explain` does."""

    def __init__(self, client: "LedgerClient") -> None:
        self._client = client

    def why(self, decision: "Fact") -> str:
        """Return the server's explanation; empty if it has none, since a body was erased, say."""
        from ledger.client.errors import LedgerRefusedError

        model = decision.stream.partition("/")[2]
        name = f"models/{model}/decisions/{decision.position}"
        try:
            return self._client.explain_decision(name).explanation.paragraph
        except LedgerRefusedError:
            return ""


class BundleExplainer(Explainer):
    """Explains from the scores and policies of a bundle what the server would, without one."""

    types = (ScoreComputed.TYPE,)

    def __init__(self) -> None:
        self._rules: dict[tuple[str, int], RuleSet] = {}
        self._newest: dict[str, tuple[int, dict[str, Any]]] = {}

    def see(self, fact: "Fact") -> None:
        """Keep the rules of policies, and each model's newest score: that of its next decision."""
        if fact.data is None:
            return
        if fact.type in DRAFTED_TYPES:
            self._keep_rules(fact.data)
        elif fact.type == ScoreComputed.TYPE:
            self._newest[fact.stream] = fact.position, fact.data

    def why(self, decision: "Fact") -> str:
        """Return the explanation; empty where score or policy are not in the bundle."""
        from pydantic import ValidationError

        from ledger.application.decisions.decisions import explained

        data = decision.data or {}
        rules = self._rules.get((data.get("policy", ""), data.get("policy_version", 0)))
        position, score = self._newest.get(decision.stream, (0, {}))
        if rules is None or position != data.get("score_position"):
            return ""
        try:
            made, scored = MADE[data["procedure"]].from_data(data), ScoreComputed.from_data(score)
            return explained(made, scored, rules).paragraph
        except (ValidationError, KeyError, ValueError, AssertionError):
            return ""  # it is not what this service writes

    def _keep_rules(self, data: dict[str, Any]) -> None:
        from pydantic import ValidationError

        from ledger.application.policies.compiled import rules_of
        from ledger.events.policy_document import DOCUMENTS

        try:
            document = data["document"]
            read = DOCUMENTS[document["decision"]["procedure"]].model_validate(document)
        except (ValidationError, KeyError):
            return
        self._rules[data["policy"], data["version"]] = rules_of(read)
