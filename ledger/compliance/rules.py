"""How each rule of each policy version fared: how often it fired, how often it was overruled.

A rule fires where a decision of a model comes into force by it: a decision that repeats the rule in
force is counted as a decision, and is no new firing. An override overrules the rule by which the
decision came out over which it was set, if it sets another action than that rule gave. A task is
counted with the rule that gave its action; a rule's precision is the share of its closed tasks that
were no false alarm.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from ledger.compliance.facts import Fact, FactFilter, FactSource
from ledger.compliance.policies import TYPES as POLICY_TYPES
from ledger.compliance.policies import Policies
from ledger.compliance.tables import Table, table_of
from ledger.events.cases import TaskClosed, TaskOpened
from ledger.events.decisions import DECISION_TYPES, DecisionOverridden
from ledger.events.values import PPM

OTHERWISE: Final = "otherwise"
_CASES: Final = (TaskOpened.TYPE, TaskClosed.TYPE)
_TYPES: Final = (*POLICY_TYPES, *DECISION_TYPES, DecisionOverridden.TYPE, *_CASES)

RuleKey: TypeAlias = tuple[str, int, str]
"""Policy, version, rule; `otherwise` where no rule matched."""


@dataclass(slots=True)
class RuleRecord:
    """How one rule of one policy version fared."""

    decisions: int = 0
    fires: int = 0
    overruled: int = 0
    failures: int = 0
    by: Counter[str] = field(default_factory=Counter)
    last_fired: int | None = None
    last_overruled: int | None = None
    tasks: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def precision_ppm(self) -> int | None:
        """The share of its closed tasks that were no false alarm; None without any."""
        closed = self.outcomes.total()
        return (closed - self.outcomes["false_alarm"]) * PPM // closed if closed else None


@dataclass(frozen=True, slots=True)
class _Made:
    """The outcome of the rules in one decision, before any override."""

    rule: RuleKey
    action: str


class RuleRecords:
    """The record of each rule by the facts so far; facts come in order of position."""

    def __init__(self, scope: FactFilter) -> None:
        self.records: dict[RuleKey, RuleRecord] = {}
        self.policies = Policies()
        self._scope = scope
        self._made: dict[int, _Made] = {}
        self._in_force: dict[str, _Made] = {}
        self._asked: dict[int, RuleKey] = {}

    def apply(self, fact: Fact) -> None:
        """Fold one fact; a decision or override outside the scope is seen and not counted."""
        self.policies.apply(fact)
        if fact.data is None:
            return
        if fact.type in DECISION_TYPES and not fact.data["historical"]:
            self._decided(fact, fact.data)
        elif fact.type == DecisionOverridden.TYPE:
            self._overridden(fact, fact.data)
        elif fact.type in _CASES:
            self._task(fact, fact.data)

    def _decided(self, fact: Fact, data: dict[str, Any]) -> None:
        overridden = data["overridden"]
        rule = data["policy"], data["policy_version"], data["rule"] or OTHERWISE
        made = _Made(rule, data["action"] if overridden is None else overridden["action"])
        before = self._in_force.get(data["model"])
        self._made[fact.position] = self._in_force[data["model"]] = made
        if not (self._scope.takes(fact) and self._scope.has_model(data["model"])):
            return
        record = self._record(rule)
        record.decisions += 1
        record.failures += data["reason"] == "RULE_ERROR"
        if before is None or before.rule != rule:
            record.fires += 1
            record.last_fired = fact.recorded_at

    def _overridden(self, fact: Fact, data: dict[str, Any]) -> None:
        made = self._made.get(fact.causation_position or 0)
        is_asked = self._scope.takes(fact) and self._scope.has_model(data["model"])
        if made is None or made.action == data["action"] or not is_asked:
            return
        record = self._record(made.rule)
        record.overruled += 1
        record.by[fact.actor] += 1
        record.last_overruled = fact.recorded_at

    def _task(self, fact: Fact, data: dict[str, Any]) -> None:
        made = self._made.get(data["task"])
        if fact.type == TaskOpened.TYPE and made is not None and made.action == data["action"]:
            self._asked[data["task"]] = made.rule
        rule = self._asked.get(data["task"])
        if rule is None or not (self._scope.takes(fact) and self._scope.has_model(data["model"])):
            return
        record = self._record(rule)
        if fact.type == TaskOpened.TYPE:
            record.tasks += 1
        else:
            record.outcomes[data["outcome"]] += 1

    def _record(self, rule: RuleKey) -> RuleRecord:
        return self.records.setdefault(rule, RuleRecord())


def rule_records(source: FactSource, scope: FactFilter) -> dict[RuleKey, RuleRecord]:
    """Return how each rule fared in a scope, in order of policy, version and name.

    Of all models and persons, also the rules of every version that was in force and never fired.
    """
    found = RuleRecords(scope)
    for fact in source.facts(_TYPES):
        found.apply(fact)
    is_of_all = not (scope.model or scope.actor)
    for one in found.policies.activations if is_of_all else ():
        version = found.policies.versions.get((one.policy, one.version))
        for rule in version.document["decision"]["rules"] if version else ():
            found.records.setdefault((one.policy, one.version, rule["id"]), RuleRecord())
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
            "overruled_ppm": one.overruled * PPM // one.fires if one.fires else None,
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
