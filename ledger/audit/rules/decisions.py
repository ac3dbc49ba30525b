"""Rules about scores, decisions and plans that need no arithmetic: policies, citations, runs.

Also what a deployment cites; `fleet` has the other rule about it, and `horizons` those about
moments.
"""

from typing import Final

from ledger.audit.assessor import policy_in_force
from ledger.audit.event import OBSERVED, AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.horizons import FLEET_TYPES
from ledger.events.models import ModelDeployed
from ledger.events.policies import ACTIVATED_TYPES

_SCORE: Final = ScoreComputed.TYPE
_DECISIONS: Final = DECISION_TYPES
_DEPLOYED: Final = ModelDeployed.TYPE
_SHARED: Final = (
    "model", "as_of", "evaluated_at", "model_version", "policy", "policy_version",
    "policy_digest", "kernel", "trigger", "historical",
)  # fmt: skip


@rule("policies.in_force", _SCORE, *_DECISIONS, *FLEET_TYPES)
def policies_in_force(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Scores and decisions name the policy in force for the model, plans one that is in force."""
    data, facts = event.known, fold.models.get(event.stream)
    named = data["policy"], data["policy_version"], data["policy_digest"]
    if event.type in FLEET_TYPES:
        current = {
            (one["policy"], one["version"], one["digest"])
            for _, one in fold.in_force(data["as_of"])
        }
        is_in_force, shown = named in current, "another version"
    else:
        if facts is None or facts.description(data["as_of"]) is None:
            return Unchecked("the model is not described at its horizon")
        expected = policy_in_force(fold, facts, data["as_of"])
        is_in_force = expected == named
        shown = "none" if expected is None else f"{expected[0]} version {expected[1]}"
    if is_in_force:
        return None
    if fold.gone.lacks(ACTIVATED_TYPES):
        return Unchecked("a body is not there that may bring a policy into force")
    return f"it names {named[0]} version {named[1]}, and in force was {shown}"


@rule("citations", _SCORE, *_DECISIONS)
def citations(event: AuditedEvent, fold: LedgerState) -> Verdict:  # noqa: PLR0911 - each says another thing
    """A decision rests on the score before it, and a score's cause is an observation it could see.

    Score and decision are recorded together, so they share horizon, actor, request and run.
    """
    data = event.known
    if event.type == _SCORE:
        if event.cause is None:
            return None
        if data["trigger"] != "ingest" or event.cause > data["as_of"]:
            return f"its cause at position {event.cause} cannot have caused it"
        facts = fold.models.get(event.stream)
        if facts is not None and event.cause in facts.observed:
            return None
        source = fold.source_of(event.cause)
        if source is not None and (source[0] != event.stream or source[1] not in OBSERVED):
            return f"its cause at position {event.cause} is not an observation of the model"
        return None
    cited = fold.scored
    place = data["score_position"]
    if place != event.position - 1 or event.cause != place:
        return f"it cites a score at position {place} and a cause at {event.cause}"
    if cited is None or cited.stream != event.stream:
        return f"there is no score of the model at position {place}"
    if cited.data is None:
        return Unchecked(fold.absences.reason(cited.position))
    if any(cited.data[name] != data[name] for name in _SHARED):
        return "the score that it cites has another horizon"
    if (cited.actor, cited.request_id) != (event.actor, event.request_id):
        return "the score that it cites was recorded by another actor"
    return None


@rule("runs", _SCORE, *_DECISIONS)
def runs(event: AuditedEvent, fold: LedgerState) -> Verdict:  # noqa: PLR0911 - each says another thing
    """Scores and decisions carry the run that is open, and an action without one begins its own."""
    data, facts = event.known, fold.models.get(event.stream)
    if facts is None:
        return None
    scored = fold.scored if event.type in _DECISIONS else None
    if scored is not None and scored.raw is not None and scored.run_id != event.run_id:
        return "it belongs to another run than its score"
    if data["historical"]:
        return "a historical evaluation belongs to no run" if event.run_id else None
    if missed := fold.absences.missed_of(facts.gone_by_type, _DECISIONS, data["as_of"]):
        return Unchecked(missed)
    try:
        prior = facts.in_force(data["as_of"])
    except LookupError as error:
        return Unchecked(str(error))
    if prior is not None and prior.data["action"] != "NO_ACTION":
        if event.run_id != prior.run_id:
            return f"the run {prior.run_id} was open, and it carries {event.run_id}"
        return None
    if event.type == _SCORE:
        is_used = event.run_id is not None and event.run_id in fold.runs
        return f"the run {event.run_id} was used before" if is_used else None
    if (data["action"] != "NO_ACTION") != (event.run_id is not None):
        return f"its action is {data['action']}, and its run is {event.run_id}"
    return None


@rule("deployments.follow", ModelDeployed.TYPE)
def deployments_follow(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A deployment that belongs to a run cites the decision of that run."""
    if event.cause is None and event.run_id is None:
        return None
    facts = fold.models.get(event.stream)
    decided = [] if facts is None else list(facts.decisions)
    cited = next((one for one in decided if one.position == event.cause), None)
    if cited is None:
        if facts is not None and (
            facts.gone_by_type.keys() & set(_DECISIONS) or facts.decided > len(decided)
        ):
            return Unchecked("the decision that it cites is not at hand")
        return f"there is no decision of the model at position {event.cause}"
    if cited.run_id != event.run_id or cited.data["action"] == "NO_ACTION":
        return f"the decision that it cites has run {cited.run_id}"
    return None
