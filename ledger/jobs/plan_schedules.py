"""Schedules of plans: when the next one is due, its money, and the recipe of its jobs.

A plan is due at each whole multiple of a schedule's span, counted from 1970-01-01, that comes after
the schedule was recorded, by the ledger's time. It is made as soon as the clockwork looks; a turn
in which it did not look is not made up for, as the next plan sees all of it. Money is saved up:
each period of the policy adds to what is left, up to the cap. Times are microseconds since 1970.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final, NamedTuple

from ledger.events.cases import GOVERNOR
from ledger.events.notation import time
from ledger.events.plans import PLAN_TYPES, PlanScheduled
from ledger.events.values import SECOND, parse_time
from ledger.jobs.recipes import RecipeShelf

SCHEDULE_TYPES: Final = (PlanScheduled.TYPE, *PLAN_TYPES)
_OF_SCHEDULE: Final = re.compile(
    r"scheduled-([1-9][0-9]{0,17})-([1-9][0-9]{0,17})(?:-([1-9][0-9]{0,8}))?"
)


_JOB: Final = re.compile(r"scheduled-[1-9][0-9]*-.+")
_ID_LENGTH_MAX: Final = 128
_DIGEST_DIGITS: Final = 16


class _Place(NamedTuple):
    """The place of a plan that its id tells: of which schedule, in which turn, and which."""

    schedule: int
    turn: int
    making: int
    """1 for the plan of the turn, then one more each time that it is made again."""

    @classmethod
    def of(cls, plan: str) -> "_Place | None":
        match = _OF_SCHEDULE.fullmatch(plan)
        if match is None:
            return None
        return cls(int(match[1]), int(match[2]), int(match[3] or 1))


@dataclass(frozen=True, slots=True)
class PlanSchedule:
    """A schedule that runs, and the turn of its newest plan."""

    policy: str
    position: int
    every_micros: int
    purse_micros: str
    """The money of its first plan, which each period adds later."""
    purse_cap_micros: str
    recipe: str | None
    """By which the governor proposes the jobs of its plans; None where people do."""
    reason: str
    turn: int
    """That in which it was recorded, before its first plan."""
    newest_plan: str = ""
    """Its id; empty before the first."""
    newest_plan_at: int = 0
    """Its position."""
    made: int = 0
    """How many plans of that turn there are."""

    @property
    def due_at(self) -> int:
        """The time from which on its next plan is due."""
        return (self.turn + 1) * self.every_micros

    @property
    def plan_again(self) -> str:
        """The id of the next plan of its newest turn, which is made again."""
        return f"scheduled-{self.position}-{self.turn}-{self.made + 1}"

    def plan_at(self, now: int) -> str:
        """Return the id of its plan that is due and made at a time."""
        return f"scheduled-{self.position}-{now // self.every_micros}"


class PlanTurn(NamedTuple):
    """A plan to be made by a schedule: the one that is due, or the newest one again."""

    schedule: PlanSchedule
    is_again: bool = False

    def plan_at(self, now: int) -> str:
        """Return the id of the plan if it is made at a time."""
        return self.schedule.plan_again if self.is_again else self.schedule.plan_at(now)


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
                self.running[name] = PlanSchedule(
                    name,
                    position,
                    every,
                    data["purse_micros"],
                    data["purse_cap_micros"],
                    data["recipe"],
                    data["reason"],
                    turn,
                )
        elif (one := self.of_plan(name)) is not None:
            place = _Place.of(name)
            assert place is not None, "it is of a schedule"
            turn = max(one.turn, place.turn)
            self.running[one.policy] = replace(
                one, turn=turn, newest_plan=name, newest_plan_at=position, made=place.making
            )

    def of_plan(self, plan: str) -> PlanSchedule | None:
        """Return the schedule that a plan's id is of; None where it is of none that runs."""
        place = _Place.of(plan)
        if place is None:
            return None
        of_it = (one for one in self.running.values() if one.position == place.schedule)
        return next(of_it, None)


def is_of_schedule(plan: str) -> bool:
    """Whether an id of a plan has the form that schedules give."""
    return _Place.of(plan) is not None


def job_of_plan(plan: int, model: str) -> str:
    """Return the id of the job of a model by the plan of a schedule at a position.

    It ends with the model's name; of one that is too long with a digest instead of the rest of it.
    """
    job = f"scheduled-{plan}-{model}"
    if len(job) <= _ID_LENGTH_MAX:
        return job
    digest = sha256(model.encode()).hexdigest()[:_DIGEST_DIGITS]
    return f"{job[: _ID_LENGTH_MAX - 1 - _DIGEST_DIGITS]}-{digest}"


def is_job_of_plan(job: str) -> bool:
    """Whether an id of a job has the form of those by plans of schedules."""
    return _JOB.fullmatch(job) is not None


def is_within_turn(plan: str) -> bool:
    """Whether an id of a plan is that of one that was made again within its turn."""
    place = _Place.of(plan)
    return place is not None and place.making > 1


def is_plan_of(schedule: PlanSchedule, stream: str) -> bool:
    """Whether a stream is that of a plan that a schedule gave its id."""
    place = _Place.of(stream.partition("/")[2])
    return place is not None and place.schedule == schedule.position


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
    one = schedules.of_plan(data["plan"])
    if actor != GOVERNOR:
        return "" if one is None else f"its id is of the schedule at position {one.position}"
    if one is None:
        return f"{actor} makes plans of schedules only, and its id is of none that runs"
    made_at = parse_time(data["made_at"])
    turn = PlanTurn(one, is_within_turn(data["plan"]))
    if turn.is_again == (made_at >= one.due_at):
        due = f"the next plan of its schedule is due at {time(one.due_at)}"
        return f"{due}, and none is made again then" if turn.is_again else due
    stated = {
        "plan": turn.plan_at(made_at),
        "policy": one.policy,
        "purse_cap_micros": one.purse_cap_micros,
    }
    for name, value in stated.items():
        if data[name] != value:
            return f"its {name} is {data[name]}, and by its schedule {value}"
    if cause != one.position:
        return f"it cites position {cause}, and its schedule is at {one.position}"
    return ""


def schedule_fault(recorded_at: int, data: Mapping[str, Any], shelf: RecipeShelf) -> str:
    """Return why a schedule may not be; empty where it may."""
    if parse_time(data["since"]) > recorded_at:
        return f"it counts from {data['since']}, and is recorded before that"
    if int(data["purse_micros"]) > int(data["purse_cap_micros"]):
        return "its budget is above its cap"
    recipe = data["recipe"]
    if recipe is not None and not shelf.approved(recipe):
        return f"no version of recipe {recipe} is approved"
    return ""


def recipe_due(shelf: RecipeShelf, schedule: PlanSchedule, own: str) -> tuple[str, int]:
    """Return the recipe of a model's job by a schedule that names one, and its newest version.

    `own` is the recipe that the model's description names: it comes first if the ledger has it. The
    version is 0 where none is approved.
    """
    recipe = own if own in shelf.newest else schedule.recipe or ""
    return recipe, shelf.approved(recipe)


def by_schedule_fault(
    schedule: PlanSchedule | None, actor: str, data: Mapping[str, Any], due: tuple[str, int]
) -> str:
    """Return why a part of the service may not propose a job; empty where it may.

    `schedule` is that of the job's plan, and `due` the recipe and version by it. Of people and
    other services it judges the job's id alone.
    """
    if not actor.startswith("system/"):
        is_by_plan = is_job_of_plan(data["job"])
        return f"its id {data['job']} has the form of those by schedules" if is_by_plan else ""
    if actor != GOVERNOR:
        return f"{actor} proposes no jobs"
    if schedule is None:
        return f"{actor} proposes jobs by plans of schedules that run, and its plan is of none"
    if schedule.recipe is None:
        return "the schedule of its plan names no recipe, so people propose its jobs"
    if (data["recipe"], data["recipe_version"]) != due:
        stated = f"version {data['recipe_version']} of {data['recipe']}"
        return f"it is by {stated}, and by its schedule it is by version {due[1]} of {due[0]}"
    job = job_of_plan(data["plan"] or 0, data["model"])
    return "" if data["job"] == job else f"its id is {data['job']}, and by its plan {job}"
