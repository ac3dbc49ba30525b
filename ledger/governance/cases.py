"""Cases: the escalation and the tasks that decisions have left open for each model.

Folded from events in order. `consequences` says what a decision begins and ends, `passed_on` what
follows where no answer comes, and `case_fault` whether an event may be. Times are microseconds
since the epoch.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from ledger.events.cases import (
    GOVERNOR,
    LAPSED_CLASSES,
    EscalationAcknowledged,
    EscalationData,
    EscalationEnded,
    EscalationEscalated,
    EscalationLapsed,
    EscalationRaised,
    EscalationResolved,
    TaskClosed,
    TaskData,
    TaskLapsed,
    TaskOpened,
    TaskOverdue,
    TaskTaken,
)
from ledger.events.models import ModelRetired
from ledger.events.values import SECOND, format_time, parse_time

_HOUR: Final = 3_600 * SECOND
_NO_TIERS: Final = frozenset({"", "none"})
_TASKS: Final = {
    "INVESTIGATE": "investigate_seconds",
    "ADJUST_DATA_COLLECTION": "adjust_seconds",
}
_LATEST: Final = 253_402_300_799 * SECOND  # the last time that can be written


class Decided(NamedTuple):
    """The part of a decision that asks something of people."""

    model: str
    position: int
    action: str
    tier: str
    recorded_at: int
    """When it is recorded; all that it asks for is counted from then on."""


@dataclass(frozen=True, slots=True)
class OpenEscalation:
    """An escalation that is open."""

    model: str
    escalation: int
    action: str
    raised_to: str
    """The tier that it was raised to, and `tier` the one that it has reached."""
    tier: str
    route: str
    raised_at: int
    acknowledge_until: int | None
    position: int
    """Of the event that raised it."""
    reached_at: int
    """When it reached its tier."""
    acknowledged_by: str | None = None

    def is_due(self, now: int) -> bool:
        """Whether it goes on to the next tier, if there is one."""
        until = self.acknowledge_until
        return self.acknowledged_by is None and until is not None and until <= now

    def is_overdue(self, now: int) -> bool:
        """Whether it was not answered in time: it went on, or the time of its last tier is over."""
        went_on = self.acknowledged_by is None and self.tier != self.raised_to
        return went_on or self.is_due(now)


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task that is open."""

    model: str
    task: int
    action: str
    owner: str
    opened_at: int
    due_at: int
    position: int
    """Of the event that opened it."""
    taken_by: str | None = None
    is_overdue: bool = False


@dataclass(frozen=True, slots=True)
class ModelCases:
    """The cases that are open for one model; a value."""

    escalation: OpenEscalation | None = None
    tasks: Mapping[str, OpenTask] = field(default_factory=dict)
    """By action: of each at most one is open."""
    versions: Mapping[str, int] = field(default_factory=dict)
    """How many events each of the two streams has."""
    retired_at: int = 0
    """Where the model was retired; 0 while it is not."""

    def applied(
        self, position: int, type_: str, actor: str, data: dict[str, Any] | None
    ) -> "ModelCases":
        """Return what is open after an event of the model; `data` None where they are erased."""
        if type_ == ModelRetired.TYPE:
            return replace(self, retired_at=position)
        changed = _CHANGES[type_](self, position, actor, data)
        kind = "escalations" if type_.startswith("escalation.") else "tasks"
        versions = {**self.versions, kind: self.versions.get(kind, 0) + 1}
        return replace(changed, versions=versions)

    def count(self, stream: str) -> int:
        """Return how many events one of its two streams has."""
        return self.versions.get(stream.partition("/")[0], 0)

    def about(self, data: Mapping[str, Any]) -> "OpenEscalation | OpenTask | None":
        """Return what an answer, or what time brings, is about; None where it is not open."""
        if "task" in data:
            return self.task(data["task"])
        open_ = self.escalation
        return open_ if open_ is not None and open_.escalation == data["escalation"] else None

    def task(self, task: int) -> OpenTask | None:
        """Return the open task that is named by a decision's position."""
        return next((one for one in self.tasks.values() if one.task == task), None)


# ---- what follows --------------------------------------------------------------------------------


def consequences(
    cases: ModelCases, decided: Decided, document: Mapping[str, Any] | None, owner: str
) -> list[EscalationData | TaskData]:
    """Return the events that are recorded with a decision, in order.

    `document`: of the policy that decided, as stored; one without governance begins nothing. An
    escalation stays open while action and tier stay what they are, a task until a person closes it.
    """
    found: list[EscalationData | TaskData] = []
    open_ = cases.escalation
    is_governed = document is not None and "governance" in document
    is_reached = is_governed and decided.tier not in _NO_TIERS
    goes_on = (
        open_ is not None
        and is_reached
        and (open_.action, open_.raised_to) == (decided.action, decided.tier)
    )
    if goes_on:
        is_reached, open_ = False, None
    if open_ is not None:
        found.append(
            EscalationEnded(
                model=decided.model, escalation=open_.escalation, decision=decided.position
            )
        )
    if document is None or not is_governed:
        return found
    if is_reached:
        tier = tier_of(document, decided.tier)
        found.append(
            EscalationRaised.from_data(
                {
                    "model": decided.model,
                    "escalation": decided.position,
                    "action": decided.action,
                    "tier": decided.tier,
                    "route": tier.get("route", ""),
                    "raised_at": format_time(decided.recorded_at),
                    "acknowledge_until": _until(decided.recorded_at, tier),
                }
            )
        )
    if decided.action in _TASKS and decided.action not in cases.tasks:
        due_at = decided.recorded_at + document["governance"][_TASKS[decided.action]] * SECOND
        found.append(
            TaskOpened.from_data(
                {
                    "model": decided.model,
                    "task": decided.position,
                    "action": decided.action,
                    "owner": owner,
                    "opened_at": format_time(decided.recorded_at),
                    "due_at": format_time(min(due_at, _LATEST)),
                }
            )
        )
    return found


def asks(action: str, tier: str) -> bool:
    """Whether a decision asks something of people, under a policy with governance."""
    return tier not in _NO_TIERS or action in _TASKS


def next_tier(open_: OpenEscalation, document: Mapping[str, Any]) -> str:
    """Return the tier to which an escalation goes on without an answer; empty where none follows.

    `document`: of the policy by which it was raised.
    """
    name: str = tier_of(document, open_.tier).get("next", "")
    return "" if name in _NO_TIERS or open_.acknowledge_until is None else name


def passed_on(
    open_: OpenEscalation, document: Mapping[str, Any], recorded_at: int
) -> EscalationEscalated | None:
    """Return how an escalation without an answer goes on; None where no tier follows.

    `recorded_at`: when that is recorded, since the time of the next tier is counted from then on.
    """
    name = next_tier(open_, document)
    if not name:
        return None
    tier = tier_of(document, name)
    return EscalationEscalated.from_data(
        {
            "model": open_.model,
            "escalation": open_.escalation,
            "tier": name,
            "route": tier.get("route", ""),
            "reached_at": format_time(recorded_at),
            "acknowledge_until": _until(recorded_at, tier),
        }
    )


def lapses(model: str, cases: ModelCases) -> Iterator[EscalationData | TaskData]:
    """Yield the ends of what a model's retirement has left open."""
    named = {"model": model, "retirement": cases.retired_at}
    if cases.retired_at and cases.escalation is not None:
        yield EscalationLapsed.from_data(named | {"escalation": cases.escalation.escalation})
    if cases.retired_at:
        for task in cases.tasks.values():
            yield TaskLapsed.from_data(named | {"task": task.task})


def tier_of(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a tier as a stored document declares it; nothing where it does not."""
    found: dict[str, Any] = next((one for one in document["tiers"] if one["name"] == name), {})
    return found


def _until(begins_at: int, tier: Mapping[str, Any]) -> str | None:
    hours = tier.get("acknowledge_hours", 0)
    return format_time(min(begins_at + hours * _HOUR, _LATEST)) if hours else None


# ---- judging -------------------------------------------------------------------------------------


def case_fault(cases: ModelCases, type_: str, actor: str, data: Mapping[str, Any]) -> str:
    """Return why an event about what is open cannot be; empty where it may.

    Not judged here: what a decision begins or ends, and whether the time has come.
    """
    has_lapsed = type_ in _LAPSED
    by_time = has_lapsed or type_ in (EscalationEscalated.TYPE, TaskOverdue.TYPE)
    if by_time and actor != GOVERNOR:
        return f"{actor} recorded it, and {GOVERNOR} does"
    if not by_time and not actor.startswith("users/"):
        return f"{actor} is not a person"
    if has_lapsed and data["retirement"] != cases.retired_at:
        return f"position {data['retirement']} did not retire the model"
    judge = _escalation_fault if type_.startswith("escalation.") else _task_fault
    return judge(cases, type_, actor, data)


_LAPSED: Final = frozenset(cls.TYPE for cls in LAPSED_CLASSES)
_AFTER_ALL: Final = frozenset({EscalationResolved.TYPE, EscalationLapsed.TYPE})
"""Types that may follow once a person has acknowledged an escalation."""


def _escalation_fault(cases: ModelCases, type_: str, _: str, data: Mapping[str, Any]) -> str:
    open_ = cases.escalation
    if open_ is None or open_.escalation != data["escalation"]:
        return f"no escalation of position {data['escalation']} is open for the model"
    if open_.acknowledged_by is not None and type_ not in _AFTER_ALL:
        return f"it was acknowledged by {open_.acknowledged_by or 'a person'} before"
    return ""


def _task_fault(cases: ModelCases, type_: str, actor: str, data: Mapping[str, Any]) -> str:
    task = cases.task(data["task"])
    if task is None:
        return f"no task of position {data['task']} is open for the model"
    if type_ == TaskOverdue.TYPE and task.is_overdue:
        return "it is overdue already"
    if type_ == TaskTaken.TYPE and task.taken_by == actor:
        return f"{actor} has taken it already"
    return ""


# ---- folding -------------------------------------------------------------------------------------


def _raised(cases: ModelCases, position: int, _: str, data: dict[str, Any] | None) -> ModelCases:
    if data is None:
        return replace(cases, escalation=None)
    opened = OpenEscalation(
        data["model"], data["escalation"], data["action"], data["tier"], data["tier"],
        data["route"], parse_time(data["raised_at"]), _time(data["acknowledge_until"]), position,
        parse_time(data["raised_at"]),
    )  # fmt: skip
    return replace(cases, escalation=opened)


def _escalated(cases: ModelCases, _: int, __: str, data: dict[str, Any] | None) -> ModelCases:
    if data is None or cases.escalation is None:
        return cases
    until = _time(data["acknowledge_until"])
    reached = replace(
        cases.escalation, tier=data["tier"], route=data["route"], acknowledge_until=until,
        reached_at=parse_time(data["reached_at"]),
    )  # fmt: skip
    return replace(cases, escalation=reached)


def _acknowledged(cases: ModelCases, _: int, actor: str, data: dict[str, Any] | None) -> ModelCases:
    if cases.escalation is None:
        return cases
    by = actor if data is not None else ""
    return replace(cases, escalation=replace(cases.escalation, acknowledged_by=by))


def _over(cases: ModelCases, *_: object) -> ModelCases:
    return replace(cases, escalation=None)


def _opened(cases: ModelCases, position: int, _: str, data: dict[str, Any] | None) -> ModelCases:
    if data is None:
        return cases
    task = OpenTask(
        data["model"], data["task"], data["action"], data["owner"],
        parse_time(data["opened_at"]), parse_time(data["due_at"]), position,
    )  # fmt: skip
    return _with(cases, task)


def _taken(cases: ModelCases, _: int, actor: str, data: dict[str, Any] | None) -> ModelCases:
    task = None if data is None else cases.task(data["task"])
    return cases if task is None else _with(cases, replace(task, taken_by=actor))


def _overdue(cases: ModelCases, _: int, __: str, data: dict[str, Any] | None) -> ModelCases:
    task = None if data is None else cases.task(data["task"])
    return cases if task is None else _with(cases, replace(task, is_overdue=True))


def _closed(cases: ModelCases, _: int, __: str, data: dict[str, Any] | None) -> ModelCases:
    if data is None:
        return replace(cases, tasks={})
    left = {name: one for name, one in cases.tasks.items() if one.task != data["task"]}
    return replace(cases, tasks=left)


def _with(cases: ModelCases, task: OpenTask) -> ModelCases:
    return replace(cases, tasks={**cases.tasks, task.action: task})


def _time(text: str | None) -> int | None:
    return None if text is None else parse_time(text)


_Change = Callable[[ModelCases, int, str, dict[str, Any] | None], ModelCases]
_CHANGES: Final[dict[str, _Change]] = {
    EscalationRaised.TYPE: _raised,
    EscalationEscalated.TYPE: _escalated,
    EscalationAcknowledged.TYPE: _acknowledged,
    EscalationResolved.TYPE: _over,
    EscalationEnded.TYPE: _over,
    EscalationLapsed.TYPE: _over,
    TaskOpened.TYPE: _opened,
    TaskTaken.TYPE: _taken,
    TaskOverdue.TYPE: _overdue,
    TaskClosed.TYPE: _closed,
    TaskLapsed.TYPE: _closed,
}
