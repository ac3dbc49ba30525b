"""Escalations and tasks: by which rule each came to be, who answered it, after how long, and how.

A body that was erased leaves its event: what is known of its place, type and time is told, and no
more.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.tables import Table, table_of
from ledger.events.cases import (
    CASE_TYPES,
    EscalationAcknowledged,
    EscalationEnded,
    EscalationEscalated,
    EscalationLapsed,
    EscalationRaised,
    EscalationResolved,
    TaskClosed,
    TaskLapsed,
    TaskOpened,
    TaskOverdue,
    TaskTaken,
)
from ledger.events.decisions import DECISION_TYPES
from ledger.events.facts import Fact
from ledger.events.values import SECOND

_ENDED: Final = {
    EscalationEnded.TYPE: "ended",
    EscalationLapsed.TYPE: "lapsed",
    TaskLapsed.TYPE: "lapsed",
}
_TYPES: Final = (*DECISION_TYPES, *sorted(CASE_TYPES))


@dataclass(slots=True)
class RecordedCase:
    """An escalation or a task from its first event to its last."""

    opened: Fact
    data: dict[str, Any]
    """Of its first event."""
    decision: dict[str, Any]
    """Of the decision that it was opened for; empty where that cannot be read."""
    reached: str = ""
    """The tier that an escalation reached."""
    passed_on: int = 0
    """How often no answer came in time; of a task 1 where it is overdue."""
    taken: Fact | None = None
    """The acknowledgement, or the newest taking of a task."""
    closed: Fact | None = None
    """How it ended: resolved, closed, or ended by another decision."""

    @property
    def position(self) -> int:
        """The position of the decision by which it is named."""
        return int(self.data.get("escalation", self.data.get("task", 0)))

    @property
    def outcome(self) -> str:
        """The outcome of a closed task; empty where it is open, or where that was erased."""
        said = self.closed.data if self.closed is not None else None
        return str((said or {}).get("outcome", ""))

    def concerns(self, scope: FactFilter) -> bool:
        """Whether it was opened in a scope: a person asked for is one who opened or answered it."""
        actors = {fact.actor for fact in (self.opened, self.taken, self.closed) if fact is not None}
        return (
            scope.has_time(self.opened)
            and scope.has_model(self.data["model"])
            and (not scope.actor or scope.actor in actors)
        )


@dataclass(slots=True)
class RecordedCases:
    """Every escalation and task by the facts so far; facts come in order of position."""

    escalations: list[RecordedCase] = field(default_factory=list)
    tasks: list[RecordedCase] = field(default_factory=list)
    unreadable: dict[str, int] = field(default_factory=dict)
    """How many openings cannot be read, by type."""
    _decisions: dict[int, dict[str, Any]] = field(default_factory=dict)
    _open: dict[str, list[RecordedCase]] = field(default_factory=dict)
    """By stream."""

    def apply(self, fact: Fact) -> None:
        """Fold one fact; those of other types change nothing."""
        if fact.type in DECISION_TYPES and fact.data is not None:
            self._decisions[fact.position] = fact.data
        elif fact.type in (EscalationRaised.TYPE, TaskOpened.TYPE):
            self._begin(fact)
        elif fact.type in CASE_TYPES:
            for case in self._meant(fact):
                self._go_on(case, fact)

    def _begin(self, fact: Fact) -> None:
        is_task = fact.type == TaskOpened.TYPE
        if fact.data is None:
            self.unreadable[fact.type] = self.unreadable.get(fact.type, 0) + 1
            if not is_task:  # it took the place of the one before it
                self._open.pop(fact.stream, None)
            return
        made = RecordedCase(fact, fact.data, {}, fact.data.get("tier", ""))
        made.decision = self._decisions.get(made.position, {})
        (self.tasks if is_task else self.escalations).append(made)
        before = self._open.get(fact.stream, []) if is_task else []
        self._open[fact.stream] = [*before, made]

    def _meant(self, fact: Fact) -> list[RecordedCase]:
        """Return the open cases that a fact is about: all of the model's, where it was erased."""
        found = self._open.get(fact.stream, [])
        if fact.data is None:
            return [] if fact.type in (TaskTaken.TYPE, TaskOverdue.TYPE) else list(found)
        named = fact.data.get("escalation", fact.data.get("task"))
        return [one for one in found if one.position == named]

    def _go_on(self, case: RecordedCase, fact: Fact) -> None:
        if fact.type in (EscalationEscalated.TYPE, TaskOverdue.TYPE):
            case.passed_on += 1
            case.reached = (fact.data or {}).get("tier", case.reached)
        elif fact.type in (EscalationAcknowledged.TYPE, TaskTaken.TYPE):
            case.taken = fact
        else:
            assert fact.type in (*_ENDED, EscalationResolved.TYPE, TaskClosed.TYPE)
            case.closed = fact
            self._open[fact.stream] = [one for one in self._open[fact.stream] if one is not case]


def recorded_cases(source: FactSource) -> RecordedCases:
    """Return every escalation and task that a source tells of."""
    found = RecordedCases()
    for fact in source.facts(_TYPES):
        found.apply(fact)
    return found


def escalations_table(source: FactSource, scope: FactFilter) -> Table:
    """Return the escalations that were raised in the period, and how each was answered."""
    found = recorded_cases(source)
    return table_of(
        "escalations",
        "Escalations and their answers",
        (
            ("position", "integer", "where it is recorded"),
            ("raised_at", "time", "when, by the ledger's clock"),
            ("model", "text", "which model"),
            ("decision_position", "integer", "the decision that it was raised for"),
            ("action", "text", "the action of that decision"),
            ("policy", "text", "by which policy"),
            ("policy_version", "integer", "by which version of it"),
            ("rule", "text", "by which rule"),
            ("raised_to", "text", "to which tier"),
            ("route", "text", "the people of that tier"),
            ("acknowledge_until", "time", "until when they were to answer"),
            ("passed_on", "integer", "how often it went on to another tier without an answer"),
            ("tier", "text", "the tier that it reached"),
            ("acknowledged_by", "text", "who took it on"),
            ("acknowledged_at", "time", "when"),
            ("acknowledged_after_seconds", "span", "how long after it was raised"),
            (
                "state",
                "text",
                "open, acknowledged, resolved, ended by a decision, or lapsed with its model",
            ),
            ("closed_by", "text", "who resolved it, or whose decision ended it"),
            ("closed_at", "time", "when"),
            ("closed_after_seconds", "span", "how long after it was raised"),
            ("resolution", "prose", "how it was dealt with"),
        ),
        [_escalation(one) for one in found.escalations if one.concerns(scope)],
        _note(found, EscalationRaised.TYPE, "Escalations"),
        page=(
            ("Raised", ("raised_at", "position", "acknowledge_until")),
            ("Model", ("model", "action", "decision_position")),
            ("Rule", ("rule", "policy", "policy_version")),
            ("Tier", ("tier", "raised_to", "passed_on", "route")),
            ("Acknowledged", ("acknowledged_by", "acknowledged_at", "acknowledged_after_seconds")),
            ("State", ("state", "closed_by", "closed_at", "closed_after_seconds")),
            ("Resolution", ("resolution",)),
        ),
    )


def tasks_table(source: FactSource, scope: FactFilter) -> Table:
    """Return the tasks that were opened in the period, and what came of each."""
    found = recorded_cases(source)
    return table_of(
        "tasks",
        "Tasks and their outcomes",
        (
            ("position", "integer", "where it is recorded"),
            ("opened_at", "time", "when, by the ledger's clock"),
            ("model", "text", "which model"),
            ("decision_position", "integer", "the decision that it was opened for"),
            ("work", "text", "the work that it asks for"),
            ("policy", "text", "by which policy"),
            ("policy_version", "integer", "by which version of it"),
            ("rule", "text", "by which rule"),
            ("owner", "text", "the owner of the model then"),
            ("due_at", "time", "until when it was to be closed"),
            ("overdue", "boolean", "whether it was not closed in time"),
            ("taken_by", "text", "who took it last"),
            ("state", "text", "open, taken, closed, or lapsed with its model"),
            ("closed_by", "text", "who closed it"),
            ("closed_at", "time", "when"),
            ("closed_after_seconds", "span", "how long after it was opened"),
            ("outcome", "text", "how it ended"),
            ("note", "prose", "the remark beside it"),
        ),
        [_task(one) for one in found.tasks if one.concerns(scope)],
        _note(found, TaskOpened.TYPE, "Tasks"),
        page=(
            ("Opened", ("opened_at", "position")),
            ("Model", ("model", "owner", "work", "decision_position")),
            ("Rule", ("rule", "policy", "policy_version")),
            ("Due", ("due_at", "overdue")),
            ("State", ("state", "taken_by", "closed_by", "closed_at", "closed_after_seconds")),
            ("Outcome", ("outcome", "note")),
        ),
    )


def _note(found: RecordedCases, type_: str, what: str) -> str:
    count = found.unreadable.get(type_, 0)
    return f"{what} without a readable body: {count}." if count else ""


def _escalation(case: RecordedCase) -> dict[str, Any]:
    closed = case.closed
    state = "acknowledged" if case.taken is not None else "open"
    if closed is not None:
        state = _ENDED.get(closed.type, "resolved")
    return (
        _common(case)
        | {f"acknowledged_{name}": value for name, value in _answer(case, case.taken)}
        | {
            "raised_at": case.data["raised_at"],
            "action": case.data["action"],
            "raised_to": case.data["tier"],
            "route": case.data["route"],
            "acknowledge_until": case.data["acknowledge_until"],
            "passed_on": case.passed_on,
            "tier": case.reached,
            "state": state,
            "resolution": _said(closed, "resolution"),
        }
    )


def _task(case: RecordedCase) -> dict[str, Any]:
    taken, closed = case.taken, case.closed
    state = "open" if taken is None else "taken"
    if closed is not None:
        state = _ENDED.get(closed.type, "closed")
    return _common(case) | {
        "opened_at": case.data["opened_at"],
        "work": case.data["action"],
        "owner": case.data["owner"],
        "due_at": case.data["due_at"],
        "overdue": bool(case.passed_on),
        "taken_by": taken.actor if taken is not None else None,
        "state": state,
        "outcome": case.outcome.replace("_", " ") or None,
        "note": _said(case.closed, "note"),
    }


def _common(case: RecordedCase) -> dict[str, Any]:
    return {
        "position": case.opened.position,
        "model": case.data["model"],
        "decision_position": case.position,
        **{name: case.decision.get(name) for name in ("policy", "policy_version", "rule")},
        **{f"closed_{name}": value for name, value in _answer(case, case.closed)},
    }


def _answer(case: RecordedCase, fact: Fact | None) -> Iterator[tuple[str, Any]]:
    """Yield by whom and when, and how long after the beginning; nothing of it where not so."""
    yield "by", fact.actor or None if fact is not None else None
    yield "at", fact.recorded_at if fact is not None else None
    after = None if fact is None else (fact.recorded_at - case.opened.recorded_at) // SECOND
    yield "after_seconds", after


def _said(fact: Fact | None, name: str) -> str | None:
    return None if fact is None or fact.data is None else fact.data.get(name)


def outcomes_of(cases: Iterable[RecordedCase]) -> dict[str, int]:
    """Return how often each outcome of a task was recorded, in order of its name."""
    counts: dict[str, int] = {}
    for name in sorted(one.outcome for one in cases if one.outcome):
        counts[name] = counts.get(name, 0) + 1
    return counts
