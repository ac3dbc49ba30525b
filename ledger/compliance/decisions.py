"""Decisions and what is around them: reasons, overrides, places in plans."""

from collections.abc import Collection
from typing import Any, Final

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.policies import TYPES as POLICY_TYPES
from ledger.compliance.policies import Policies
from ledger.compliance.tables import Table, table_of
from ledger.events.decisions import DECISION_TYPES, OVERRIDDEN_TYPES
from ledger.events.facts import Fact, readable
from ledger.events.notation import budget_name
from ledger.events.plans import PLAN_TYPES

_REASONS: Final = {
    "RULE": "the rule matched",
    "OTHERWISE": "no rule matched",
    "RULE_ERROR": "a rule could not be evaluated",
}


class Explainer:
    """Tells why decisions came out as they did, in the sentences of `decision explain`.

    Given from outside, since this room computes nothing; this one has nothing to say.
    """

    types: Collection[str] = ()
    """Types of events that it has to see, beside policies and decisions."""

    def see(self, fact: Fact) -> None:
        """Take notice of a fact; they come in order of position."""

    def why(self, decision: Fact) -> str:  # noqa: ARG002 - for those that can tell
        """Return why a decision came out as it did; empty where that cannot be told."""
        return ""


UNEXPLAINED: Final = Explainer()


def reason_text(data: dict[str, Any], policies: Policies) -> str:
    """Return a decision's reason in a sentence, from its policy's own words."""
    version = policies.versions.get((data["policy"], data["policy_version"]))
    rule = version.rule(data["rule"]) if version and data["rule"] else None
    parts = []
    if data["overridden"] is not None:
        parts.append(
            f"Overridden by the event at position {data['overridden']['position']}; without it: "
            f"{data['overridden']['action']}."
        )
    if data["reason"] == "RULE" and rule is not None:
        parts.append(f"Rule {rule['id']}: {rule['rationale']}")
    elif data["reason"] == "RULE":
        parts.append(f"Rule {data['rule']}; its policy version is not readable here.")
    else:
        rule_named = f" ({data['rule']})" if data["rule"] else ""
        parts.append(f"{_REASONS[data['reason']].capitalize()}{rule_named}.")
    if data["held_back"]:
        parts.append(f"Held back: {data['held_back'].replace('_', ' ').lower()}.")
    return " ".join(parts)


def decisions_table(
    source: FactSource, scope: FactFilter, explainer: Explainer = UNEXPLAINED
) -> Table:
    """Return every decision in the period with its reason; `actor` caused its recording.

    Where the explainer has nothing to say, the reason is told in the policy's own words.
    """
    policies = Policies()
    records: list[dict[str, Any]] = []
    erased = 0
    for fact in source.facts((*POLICY_TYPES, *explainer.types, *DECISION_TYPES)):
        policies.apply(fact)
        explainer.see(fact)
        if fact.type not in DECISION_TYPES or not scope.has_time(fact):
            continue
        if fact.data is None:
            erased += scope.has_model(fact.stream.partition("/")[2])
            continue
        if scope.has_actor(fact) and scope.has_model(fact.data["model"]):
            why = explainer.why(fact) or reason_text(fact.data, policies)
            priority = fact.data["environment"]["priority"]
            records.append(fact.record | {"reason": why, "priority": priority})
    return table_of(
        "decisions",
        "Decisions and their reasons",
        (
            ("position", "integer", "where it is recorded"),
            ("recorded_at", "time", "when, by the ledger's clock"),
            ("evaluated_at", "time", "the time that it is about"),
            ("model", "text", "which model"),
            ("model_version", "text", "which version served"),
            ("action", "text", "what to do"),
            ("tier", "text", "whom it reaches"),
            ("reason", "prose", "why, as `decision explain` says"),
            ("rule", "text", "the rule that matched"),
            ("priority_ppm", "share", "priority of the model, parts per million"),
            ("policy", "text", "under which policy"),
            ("policy_version", "integer", "and which version of it"),
            ("policy_digest", "text", "SHA-256 of that document"),
            ("as_of", "integer", "last position that it could know"),
            ("score_position", "integer", "where its score is recorded"),
            ("since", "time", "when this action came into force"),
            ("historical", "boolean", "evaluated at an earlier time; changes nothing in force"),
            ("actor", "text", "who had it recorded"),
            ("run_id", "text", "the run it belongs to"),
        ),
        records,
        f"Decisions without a readable body: {erased}." if erased else "",
        page=(
            ("Decision", ("evaluated_at", "position", "recorded_at")),
            ("Model", ("model", "model_version")),
            ("Action", ("action", "tier", "since", "historical")),
            ("Why", ("reason", "rule")),
            ("Priority", ("priority_ppm",)),
            ("Policy", ("policy", "policy_version", "policy_digest")),
            ("By", ("actor", "run_id", "as_of", "score_position")),
        ),
    )


def overrides_table(source: FactSource, scope: FactFilter) -> Table:
    """Return every override in the period: who, in which role, which action, for how long, why."""
    facts = (fact for fact, _ in scope.facts_of_model(source, *OVERRIDDEN_TYPES))
    records = ({"role": None} | fact.record for fact in facts)  # the first version has none
    return table_of(
        "overrides",
        "Overrides of decisions",
        (
            ("position", "integer", "where it is recorded"),
            ("recorded_at", "time", "when, by the ledger's clock"),
            ("actor", "text", "who overrode"),
            ("role", "text", "in which role, if any was held then"),
            ("model", "text", "which model"),
            ("action", "text", "the action set"),
            ("tier", "text", "whom it reaches"),
            ("effective_from", "time", "from when"),
            ("effective_until", "time", "until when"),
            ("rationale", "prose", "the reason given"),
        ),
        records,
        page=(
            ("Recorded", ("recorded_at", "position")),
            ("Model", ("model",)),
            ("Action", ("action", "tier")),
            ("In effect from", ("effective_from", "effective_until")),
            ("Why", ("rationale",)),
            ("By", ("actor", "role")),
        ),
    )


def plan_rows_table(source: FactSource, scope: FactFilter) -> Table:
    """Return each model's place in each plan of the period, and why it was or was not admitted."""
    records = (
        fact.record
        | row
        | {"outcome": budget_name(row["outcome"])}
        | {"place": place, "budget_micros": data["purse_micros"]}
        for fact, data in readable(source.facts(PLAN_TYPES))
        if scope.takes(fact)
        for place, row in enumerate(data["backlog"], 1)
        if scope.has_model(row["model"])
    )
    return table_of(
        "plan_places",
        "Places in plans",
        (
            ("position", "integer", "where the plan is recorded"),
            ("made_at", "time", "the time that the plan is about"),
            ("plan", "text", "which plan"),
            ("place", "integer", "place in the backlog, from 1"),
            ("model", "text", "which model"),
            ("outcome", "text", "admitted, or why not"),
            ("reason", "prose", "the outcome in a sentence"),
            ("rank", "ratio", "benefit for cost, parts per million"),
            ("benefit_micros", "money", "expected benefit, millionths"),
            ("cost_micros", "money", "cost of a retraining, millionths"),
            ("price", "ratio", "the rank from which a job is worth it, parts per million"),
            ("budget_micros", "money", "what the plan could spend, millionths"),
            ("actor", "text", "who had it made"),
        ),
        records,
        page=(
            ("Plan", ("plan", "made_at", "position")),
            ("Place", ("place",)),
            ("Model", ("model",)),
            ("Outcome", ("outcome",)),
            ("Why", ("reason",)),
            ("Benefit", ("benefit_micros", "cost_micros", "budget_micros")),
            ("Rank", ("rank", "price")),
            ("By", ("actor",)),
        ),
    )
