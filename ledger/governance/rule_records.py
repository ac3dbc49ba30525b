"""How each rule of each policy version fared: how often it fired, how often it was overruled.

A rule fires where a decision of a model comes into force by it: a decision that repeats the rule in
force is counted as a decision, and is no new firing. An override overrules the rule by which the
decision came out over which it was set, if it sets another action than that rule gave. A task is
counted with the rule that gave its action; a rule's precision is the share of its closed tasks that
were no false alarm.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias

from ledger.events.cases import TaskClosed, TaskOpened
from ledger.events.decisions import DECISION_TYPES, OVERRIDDEN_TYPES
from ledger.events.facts import Fact
from ledger.events.values import PPM

OTHERWISE: Final = "otherwise"
_CASES: Final = (TaskOpened.TYPE, TaskClosed.TYPE)
RULE_TYPES: Final = (*DECISION_TYPES, *OVERRIDDEN_TYPES, *_CASES)
"""The types of events that say how a rule fared."""

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

    @property
    def overruled_ppm(self) -> int | None:
        """The overrides for each firing; None where it never fired."""
        return self.overruled * PPM // self.fires if self.fires else None


class _Made(NamedTuple):
    """The outcome of the rules in one decision, before any override."""

    rule: RuleKey
    action: str


class RuleRecords:
    """The record of each rule by the facts so far; facts come in order of position."""

    def __init__(self, counts: Callable[[Fact, str], bool]) -> None:
        """Begin; `counts` says whether a fact about a model is asked about: others are seen too."""
        self.records: dict[RuleKey, RuleRecord] = {}
        self._counts = counts
        self._made: dict[int, _Made] = {}
        self._in_force: dict[str, _Made] = {}
        self._asked: dict[int, RuleKey] = {}

    def record(self, rule: RuleKey) -> RuleRecord:
        """Return the record of a rule."""
        return self.records.setdefault(rule, RuleRecord())

    def apply(self, fact: Fact) -> None:
        """Fold one fact, of any type."""
        if fact.data is None:
            return
        if fact.type in DECISION_TYPES and not fact.data["historical"]:
            self._decided(fact, fact.data)
        elif fact.type in OVERRIDDEN_TYPES:
            self._overridden(fact, fact.data)
        elif fact.type in _CASES:
            self._task(fact, fact.data)

    def _decided(self, fact: Fact, data: dict[str, Any]) -> None:
        overridden = data["overridden"]
        rule = data["policy"], data["policy_version"], data["rule"] or OTHERWISE
        made = _Made(rule, data["action"] if overridden is None else overridden["action"])
        before = self._in_force.get(data["model"])
        self._made[fact.position] = self._in_force[data["model"]] = made
        if not self._counts(fact, data["model"]):
            return
        record = self.record(rule)
        record.decisions += 1
        record.failures += data["reason"] == "RULE_ERROR"
        if before is None or before.rule != rule:
            record.fires += 1
            record.last_fired = fact.recorded_at

    def _overridden(self, fact: Fact, data: dict[str, Any]) -> None:
        made = self._made.get(fact.causation_position or 0)
        is_asked = self._counts(fact, data["model"])
        if made is None or made.action == data["action"] or not is_asked:
            return
        record = self.record(made.rule)
        record.overruled += 1
        record.by[fact.actor] += 1
        record.last_overruled = fact.recorded_at

    def _task(self, fact: Fact, data: dict[str, Any]) -> None:
        made = self._made.get(data["task"])
        if fact.type == TaskOpened.TYPE and made is not None and made.action == data["action"]:
            self._asked[data["task"]] = made.rule
        rule = self._asked.get(data["task"])
        if rule is None or not self._counts(fact, data["model"]):
            return
        record = self.record(rule)
        if fact.type == TaskOpened.TYPE:
            record.tasks += 1
        else:
            record.outcomes[data["outcome"]] += 1
