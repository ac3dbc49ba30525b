"""Schedules of plans: when the next plan by a policy is due, under what money, which are theirs.

A plan is due at each whole multiple of a schedule's span, counted from 1970-01-01, that comes after
the schedule was recorded, by the ledger's time. It is made as soon as the clockwork looks; a turn
in which it did not look is not made up for, as the next plan sees all of it. Money is saved up:
each period of the policy adds to what is left, up to the cap. Times are microseconds since 1970.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from ledger.events.cases import GOVERNOR
from ledger.events.plans import PLAN_TYPES, PlanScheduled
from ledger.events.values import SECOND, format_time, parse_time

SCHEDULE_TYPES: Final = (PlanScheduled.TYPE, *PLAN_TYPES)
_OF_SCHEDULE: Final = re.compile(r"scheduled-([1-9][0-9]{0,17})-([1-9][0-9]{0,17})")


@dataclass(frozen=True, slots=True)
class PlanSchedule:
    """A schedule that runs, and the turn of its newest plan."""

    policy: str
    position: int
    every_micros: int
    purse_micros: str
    """The money of its first plan, which each period adds later."""
    purse_cap_micros: str
    reason: str
    turn: int
    """That in which it was recorded, before its first plan."""
    newest_plan: str = ""
    """Its id; empty before the first."""

    @property
    def due_at(self) -> int:
        """The time from which on its next plan is due."""
        return (self.turn + 1) * self.every_micros

    def plan_at(self, now: int) -> str:
        """Return the id of its plan that is made at a time."""
        return f"scheduled-{self.position}-{now // self.every_micros}"


class ScheduledBefore(NamedTuple):
    """The newest plan of a schedule that is not made again: the next one goes on from its money."""

    position: int
    as_of: int
    made_at: int
    money_micros: int
    named: tuple[int, str]
    """Version and digest of its policy."""
    is_stepped: bool
    """Whether it is of a planner whose plans can be made again in their period."""


class PlanSchedules:
    """The schedules that run, folded from events in order."""

    def __init__(self) -> None:
        self.running: dict[str, PlanSchedule] = {}
        """By their policies."""

    def apply(self, position: int, stream: str, type_: str, data: Mapping[str, Any] | None) -> None:
        """Take in an event of `SCHEDULE_TYPES`; `data` None where its body is gone."""
        name = stream.partition("/")[2]
        if type_ == PlanScheduled.TYPE:
            self.running.pop(name, None)
            if data is not None and data["every_seconds"] is not None:
                every = data["every_seconds"] * SECOND
                turn = parse_time(data["since"]) // every
                stated = data["purse_micros"], data["purse_cap_micros"], data["reason"]
                self.running[name] = PlanSchedule(name, position, every, *stated, turn)
        elif (found := self.of_plan(name)) is not None:
            one, turn = found
            self.running[one.policy] = replace(one, turn=max(one.turn, turn), newest_plan=name)

    def of_plan(self, plan: str) -> tuple[PlanSchedule, int] | None:
        """Return the schedule that a plan's id is of, and its turn; None where it is of none."""
        match = _OF_SCHEDULE.fullmatch(plan)
        if match is None:
            return None
        position, turn = int(match[1]), int(match[2])
        for one in self.running.values():
            if one.position == position:
                return one, turn
        return None


def is_of_schedule(plan: str) -> bool:
    """Whether an id of a plan has the form that schedules give."""
    return _OF_SCHEDULE.fullmatch(plan) is not None


def is_plan_of(schedule: PlanSchedule, stream: str) -> bool:
    """Whether a stream is that of a plan that a schedule gave its id."""
    match = _OF_SCHEDULE.fullmatch(stream.partition("/")[2])
    return match is not None and int(match[1]) == schedule.position


def is_made_again(
    before: ScheduledBefore, named: tuple[int, str], made_at: int, period_micros: int
) -> bool:
    """Whether a plan at a time, by a version and digest, is that of the newest one's period again.

    Its money is then what the jobs of that one left.
    """
    is_same = before.named == named and before.is_stepped
    return is_same and before.made_at // period_micros == made_at // period_micros


def money_of(
    schedule: PlanSchedule,
    before: ScheduledBefore | None,
    taken_micros: int,
    made_at: int,
    period_micros: int,
) -> int:
    """Return the money of the next plan of a schedule that is not made again.

    What the newest one had, less what jobs took since, with what each period since then adds.
    """
    if before is None:
        return int(schedule.purse_micros)
    periods = made_at // period_micros - before.made_at // period_micros
    saved = before.money_micros - taken_micros + periods * int(schedule.purse_micros)
    return max(0, min(saved, int(schedule.purse_cap_micros)))


def plan_fault(
    schedules: PlanSchedules, actor: str, data: Mapping[str, Any], cause: int | None
) -> str:
    """Return why a plan may not be by this actor; empty where it may, if its money is right.

    The governor makes those of schedules, when they are due and as they say; no other actor does.
    """
    found = schedules.of_plan(data["plan"])
    if actor != GOVERNOR:
        return "" if found is None else f"its id is of the schedule at position {found[0].position}"
    if found is None:
        return f"{actor} makes plans of schedules only, and its id is of none that runs"
    one, _ = found
    made_at = parse_time(data["made_at"])
    if made_at < one.due_at:
        return f"the next plan of its schedule is due at {format_time(one.due_at)}"
    stated = {
        "plan": one.plan_at(made_at),
        "policy": one.policy,
        "purse_cap_micros": one.purse_cap_micros,
    }
    for name, value in stated.items():
        if data[name] != value:
            return f"its {name} is {data[name]}, and by its schedule {value}"
    if cause != one.position:
        return f"it cites position {cause}, and its schedule is at {one.position}"
    return ""


def schedule_fault(recorded_at: int, data: Mapping[str, Any]) -> str:
    """Return why a schedule may not be; empty where it may."""
    if parse_time(data["since"]) > recorded_at:
        return f"it counts from {data['since']}, and is recorded before that"
    if int(data["purse_micros"]) > int(data["purse_cap_micros"]):
        return "its budget is above its cap"
    return ""
