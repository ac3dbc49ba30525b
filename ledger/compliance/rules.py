"""How each rule of each policy version fared, as a table; `RuleRecords` says how it is counted."""

from typing import Final

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.policies import TYPES as POLICY_TYPES
from ledger.compliance.policies import Policies
from ledger.compliance.tables import Table, table_of
from ledger.events.facts import Fact
from ledger.governance.rule_records import RULE_TYPES, RuleKey, RuleRecord, RuleRecords

_TYPES: Final = (*POLICY_TYPES, *RULE_TYPES)


def rule_records(source: FactSource, scope: FactFilter) -> dict[RuleKey, RuleRecord]:
    """Return how each rule fared in a scope, in order of policy, version and name.

    Of all models and persons, also the rules of every version that was in force and never fired.
    """

    def counts(fact: Fact, model: str) -> bool:
        return scope.takes(fact) and scope.has_model(model)

    found, policies = RuleRecords(counts), Policies()
    for fact in source.facts(_TYPES):
        policies.apply(fact)
        found.apply(fact)
    is_of_all = not (scope.model or scope.actor)
    for one in policies.activations if is_of_all else ():
        version = policies.versions.get((one.policy, one.version))
        for rule in version.document["decision"]["rules"] if version else ():
            found.record((one.policy, one.version, rule["id"]))
    return dict(sorted(found.records.items()))


def rules_table(source: FactSource, scope: FactFilter) -> Table:
    """Return how often each rule fired in the period, and was overruled, and by whom."""
    records = (
        {
            "policy": policy,
            "policy_version": version,
            "rule": rule,
            "decisions": one.decisions,
            "fires": one.fires,
            "failures": one.failures,
            "overruled": one.overruled,
            "overruled_ppm": one.overruled_ppm,
            "overruled_by": ", ".join(
                f"{actor} {count}" for actor, count in sorted(one.by.items())
            ),
            "last_fired": one.last_fired,
            "last_overruled": one.last_overruled,
            "tasks": one.tasks,
            "outcomes": ", ".join(
                f"{outcome.replace('_', ' ')} {count}"
                for outcome, count in sorted(one.outcomes.items())
            ),
            "precision_ppm": one.precision_ppm,
        }
        for (policy, version, rule), one in rule_records(source, scope).items()
    )
    return table_of(
        "rules",
        "How rules fared",
        (
            ("policy", "text", "which policy"),
            ("policy_version", "integer", "which version of it"),
            ("rule", "text", "which rule; `otherwise` where none matched"),
            ("decisions", "integer", "decisions that came out by it, repeats among them"),
            ("fires", "integer", "times that a model's decision came to be by it"),
            ("failures", "integer", "decisions in which its expression had no value"),
            ("overruled", "integer", "overrides that set another action than it gave"),
            ("overruled_ppm", "share", "overrides for each firing, parts per million"),
            ("overruled_by", "prose", "the persons who overruled it, each with how often"),
            ("last_fired", "time", "when it last fired, by the ledger's clock"),
            ("last_overruled", "time", "when it was last overruled, by the ledger's clock"),
            ("tasks", "integer", "tasks that it opened"),
            ("outcomes", "prose", "how its closed tasks ended, each with how often"),
            ("precision_ppm", "share", "its closed tasks that were no false alarm"),
        ),
        records,
        page=(
            ("Policy", ("policy", "policy_version")),
            ("Rule", ("rule",)),
            ("Fired", ("fires", "decisions", "failures", "last_fired")),
            ("Overruled", ("overruled", "overruled_ppm", "last_overruled")),
            ("By", ("overruled_by",)),
            ("Tasks", ("precision_ppm", "tasks", "outcomes")),
        ),
    )
