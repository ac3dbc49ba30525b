"""The parts of a review pack that are counted event by event: outcomes, cost, sources, shadows.

Pure folds of facts in order of position. Of two periods of one length the later one is reviewed:
`before` begins the earlier one, `since` ends it, `until` ends the later one.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ledger.events.decisions import DECISION_TYPES
from ledger.events.facts import Fact
from ledger.events.models import DESCRIBING, ModelDeployed, ModelRetired
from ledger.events.shadows import (
    SHADOW_DECISION_TYPES,
    SHADOW_TYPES,
    PolicyShadowed,
    ShadowScored,
)
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import PPM, SECOND, format_time, parse_time
from ledger.governance.lifecycle import LifecycleState, ScopeKey, scope_key

RETRAINING: Final = "SCHEDULE_RETRAINING"
NOTHING: Final = "NO_ACTION"
"""The action that is in force until the first decision."""
SILENT_MAX: Final = 500
"""Silent sources that a pack names; it counts all of them."""
PART_TYPES: Final = frozenset(
    {
        *DECISION_TYPES,
        *DESCRIBING,
        ModelDeployed.TYPE,
        ModelRetired.TYPE,
        *OBSERVED_TYPES,
        *SHADOW_TYPES,
        ShadowScored.TYPE,
        *SHADOW_DECISION_TYPES,
    }
)


class ReviewSubject(NamedTuple):
    """The version and scope that are reviewed, and the time: events after one position up to one.

    `until` is when the last of them was recorded. `since` is when the review or activation was from
    which on it is reviewed, at position `after`; where a beginning was stated, when the first was.
    """

    policy: str
    version: int
    scope: ScopeKey
    after: int
    as_of: int
    since: int
    until: int

    @property
    def named(self) -> tuple[str, int]:
        """The version as one looks it up."""
        return self.policy, self.version

    @property
    def before(self) -> int:
        """The beginning of the period before, which is as long."""
        return max(self.since - (self.until - self.since), 0)


def holds(state: LifecycleState, scope: ScopeKey, model: str) -> bool:
    """Whether a scope holds a model, by the labels that it has now."""
    return state.shares_now(scope, ScopeKey("model", model, ()))


def decides(state: LifecycleState, named: tuple[str, int], model: str) -> bool:
    """Whether a version decides about a model: the most specific scope, then the latest."""
    found = [one for one in state.in_force.values() if holds(state, one.scope, model)]
    best = max(found, key=lambda one: (one.scope.rank, one.position), default=None)
    return best is not None and best.named == named


class Spell(NamedTuple):
    """The action that is in force for a model, and since when."""

    action: str
    since: int


@dataclass(slots=True)
class ActionRecord:
    """One action in both periods: decisions for it, and how long it was in force."""

    decisions: int = 0
    micros: int = 0
    decisions_before: int = 0
    micros_before: int = 0


class OutcomeMix:
    """The outcomes of both periods for the models of a scope, and the retrainings among them."""

    def __init__(self, subject: ReviewSubject, state: LifecycleState) -> None:
        self._subject = subject
        self._state = state
        self._spells: dict[str, Spell] = {}
        self._costs: dict[str, int | None] = {}
        self.actions: dict[str, ActionRecord] = {}
        self.scheduled: Counter[str] = Counter()
        """Retrainings that were decided: how many, at what cost, and of how many it is unknown."""
        self.done: Counter[str] = Counter()
        """The same of versions that were trained and deployed while one was decided."""

    def take(self, fact: Fact) -> None:
        """Take in a fact; the state has taken in all before it."""
        if fact.type in DESCRIBING:
            model = fact.stream.partition("/")[2]
            self._costs[model] = None if fact.data is None else int(fact.data["cost_micros"])
            self._spells.setdefault(model, Spell(NOTHING, fact.recorded_at))
        elif fact.type == ModelRetired.TYPE:
            self._close(fact.stream.partition("/")[2], fact.recorded_at)
        elif fact.type == ModelDeployed.TYPE and fact.data is not None:
            spell = self._spells.get(fact.data["model"])
            is_due = spell is not None and spell.action == RETRAINING
            if is_due and fact.data["kind"] == "trained" and self._is_asked(fact):
                self._cost(self.done, fact.data["model"])
        elif fact.type in DECISION_TYPES and fact.data is not None and not fact.data["historical"]:
            self._decided(fact, fact.data)

    def _decided(self, fact: Fact, data: Mapping[str, Any]) -> None:
        model, action = data["model"], data["action"]
        before = self._spells.get(model)
        self._close(model, fact.recorded_at)
        self._spells[model] = Spell(action, fact.recorded_at)
        if not holds(self._state, self._subject.scope, model):
            return
        record = self.actions.setdefault(action, ActionRecord())
        is_own = (data["policy"], data["policy_version"]) == self._subject.named
        if fact.position > self._subject.after:
            record.decisions += is_own
            if is_own and action == RETRAINING and (before is None or before.action != action):
                self._cost(self.scheduled, model)
        elif fact.recorded_at > self._subject.before:
            record.decisions_before += 1

    def _is_asked(self, fact: Fact) -> bool:
        model = fact.stream.partition("/")[2]
        is_in = holds(self._state, self._subject.scope, model)
        return is_in and fact.position > self._subject.after

    def _cost(self, kept: Counter[str], model: str) -> None:
        cost = self._costs.get(model)
        kept["retrainings"] += 1
        kept["unknown"] += cost is None
        kept["micros"] += cost or 0

    def _close(self, model: str, at: int) -> None:
        """End what is in force for a model, and count how long it was in each period."""
        spell = self._spells.pop(model, None)
        subject = self._subject
        if spell is None or not holds(self._state, subject.scope, model):
            return
        record = self.actions.setdefault(spell.action, ActionRecord())
        record.micros_before += _overlap(spell.since, at, subject.before, subject.since)
        if decides(self._state, subject.named, model):
            record.micros += _overlap(spell.since, at, subject.since, subject.until)

    def finish(self) -> None:
        """End what is still in force at the end of the period."""
        for model in list(self._spells):
            self._close(model, self._subject.until)


def _overlap(first: int, last: int, begin: int, end: int) -> int:
    return max(min(last, end) - max(first, begin), 0)


@dataclass(slots=True)
class SourceRecord:
    """The reports of one actor about one signal of one model, in both periods."""

    newest: int = 0
    position: int = 0
    count: int = 0
    count_before: int = 0


class SourceRecords:
    """Sources of both periods: those that reported, and those that a policy expects."""

    def __init__(self, subject: ReviewSubject) -> None:
        self._subject = subject
        self._reports: dict[tuple[str, str, str], SourceRecord] = {}
        self._retired: set[str] = set()

    def take(self, fact: Fact) -> None:
        """Take in a fact."""
        if fact.type == ModelRetired.TYPE:
            self._retired.add(fact.stream.partition("/")[2])
        if fact.type not in OBSERVED_TYPES or fact.data is None or fact.data.get("corrects"):
            return
        if fact.position <= self._subject.after and fact.recorded_at <= self._subject.before:
            return
        key = fact.stream.partition("/")[2], fact.data["signal"], fact.actor
        record = self._reports.setdefault(key, SourceRecord())
        observed_at = parse_time(fact.data["observed_at"])
        if fact.position > self._subject.after:
            record.count += 1
        else:
            record.count_before += 1
        if observed_at >= record.newest:
            record.newest, record.position = observed_at, fact.position

    def silent(
        self, state: LifecycleState, document: Mapping[str, Any]
    ) -> tuple[int, list[dict[str, Any]]]:
        """Return how many sources report, and those that are silent, in order."""
        allowed = document["evaluation"]["silence_seconds"]
        signals = [one["signal"] for one in document["scoring"]["signals"]]
        models = [model for model in state.labels if self._is_expected(state, model)]
        found = [
            self._row(*key, record)
            for key, record in self._reports.items()
            if key[0] in models and self._quiet(record) > allowed * SECOND
        ]
        reporting = sum(key[0] in models for key in self._reports) - len(found)
        heard = {(model, signal) for model, signal, _ in self._reports}
        found += [
            self._row(model, signal, "", SourceRecord())
            for model in models
            for signal in signals
            if (model, signal) not in heard
        ]
        found.sort(key=lambda one: (one["model"], one["signal"], one["actor"]))
        return reporting, found

    def _is_expected(self, state: LifecycleState, model: str) -> bool:
        subject = self._subject
        is_in = holds(state, subject.scope, model) and decides(state, subject.named, model)
        return is_in and model not in self._retired

    def _quiet(self, record: SourceRecord) -> int:
        return self._subject.until - record.newest

    def _row(self, model: str, signal: str, actor: str, record: SourceRecord) -> dict[str, Any]:
        """Return a silent source; one without an actor was not heard of in either period."""
        is_heard = record.position > 0
        return {
            "model": model,
            "signal": signal,
            "actor": actor,
            "last_observed_at": format_time(record.newest) if is_heard else None,
            "last_position": record.position or None,
            "silent_seconds": self._quiet(record) // SECOND if is_heard else None,
            "observations": record.count,
            "observations_before": record.count_before,
        }


@dataclass(slots=True)
class ShadowTally:
    """A shadow on a scope, and what came of it in the period."""

    policy: str
    version: int
    scope: ScopeKey
    begun_at: int
    until: str
    ended: int | None = None
    scores: int = 0
    decisions: int = 0
    differing: int = 0
    actions: dict[str, str] = field(default_factory=dict)
    """Its own action by model."""
    scored: set[str] = field(default_factory=set)
    """Models whose newest score is not compared yet."""


class ShadowRecords:
    """Shadows that ran beside, compared with what was in force at each of their scores."""

    def __init__(self, subject: ReviewSubject, state: LifecycleState) -> None:
        self._subject = subject
        self._state = state
        self._shadows: dict[int, ShadowTally] = {}
        self._real: dict[str, str] = {}

    def take(self, fact: Fact) -> None:
        """Take in a fact."""
        data = fact.data
        if data is None:
            return
        if fact.type == PolicyShadowed.TYPE:
            scope = scope_key(data["scope"])
            if self._state.may_share(scope, self._subject.scope):
                self._shadows[fact.position] = ShadowTally(
                    data["policy"], data["version"], scope, fact.recorded_at, data["until"]
                )
        elif fact.type in SHADOW_TYPES:
            if (record := self._shadows.get(data["shadow"])) is not None:
                record.ended = fact.position
        elif fact.type in DECISION_TYPES and not data["historical"]:
            for record in self._shadows.values():
                self._compare(record, data["model"])
            self._real[data["model"]] = data["action"]
        elif fact.type == ShadowScored.TYPE or fact.type in SHADOW_DECISION_TYPES:
            self._shadowed(fact, data)

    def _shadowed(self, fact: Fact, data: Mapping[str, Any]) -> None:
        record, model = self._shadows.get(data["shadow"]), data["model"]
        if record is None:
            return
        is_counted = fact.position > self._subject.after
        if fact.type == ShadowScored.TYPE:
            self._compare(record, model)
            if is_counted:
                record.scores += 1
                record.scored.add(model)
        else:
            record.decisions += is_counted
            record.actions[model] = data["action"]

    def _compare(self, record: ShadowTally, model: str) -> None:
        """Compare both actions after the newest score of a model, which are known by now."""
        if model in record.scored:
            record.scored.discard(model)
            own, real = record.actions.get(model, NOTHING), self._real.get(model, NOTHING)
            record.differing += own != real

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the shadows that ran in the period, by position."""
        for position, record in self._shadows.items():
            if record.ended is not None and record.ended <= self._subject.after:
                continue
            for model in sorted(record.scored):
                self._compare(record, model)
            yield {
                "position": position,
                "policy": record.policy,
                "version": record.version,
                "scope": scope_data(record.scope),
                "begun_at": format_time(record.begun_at),
                "until": record.until,
                "ended": record.ended,
                "scores": record.scores,
                "decisions": record.decisions,
                "differing": record.differing,
            }


def scope_data(scope: ScopeKey) -> dict[str, Any]:
    """Return a scope as events have it."""
    return {"kind": scope.kind, "labels": dict(scope.labels), "model": scope.model}


def share(part: int, parts: Iterable[int]) -> int | None:
    """Return a part's share of a whole; None of nothing."""
    whole = sum(parts)
    return part * PPM // whole if whole else None
