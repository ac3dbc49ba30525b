"""Plans by the clock: made when they are due, as their schedule says, by the governor alone.

Method: one ledger whose time comes with its data, governed when the test says so; whatever comes of
it replays and is audited.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.application.planning.schedules import PlanTimes
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent
from ledger.events.plans import PLAN_TYPES
from ledger.events.values import DAY
from ledger.storage.events import Events
from tests.audit.left_out import say_that_all_was_governed
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.audits import audited
from tests.support.world import ANA, ORIGIN, START, World, policy_text

WEEK = 7 * DAY
FIRST = START // WEEK * WEEK + WEEK
"""A Thursday, on which weeks begin."""
BUDGET = (2_000_000, 3_000_000)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "ledger.db", clock="data")
    made.begin("alpha", "beta", policy=policy_text(planning={"min_models": 1}))
    made.see("alpha", "0.5", FIRST - DAY)
    yield made
    made.check_replay()
    report = audited(Path(made.path))
    assert report.passed, report.text()
    assert {one.rule: one.checked for one in report.rules}["plans.due"] > 0
    made.close()


def schedule(world: World, every: int | None = 7 * 86_400, money: tuple[int, int] = BUDGET) -> int:
    times = PlanTimes("main", every)
    return world.ledger.scheduled_plans.set(ANA, times, money, "each week").last_position


def govern(world: World, at: int) -> list[str]:
    """Have time come to a moment, and the governor look; return the plans there are."""
    world.see("alpha", "0.5", at)
    world.ledger.governor.run_due()
    return [event.stream.partition("/")[2] for event in world.events(*PLAN_TYPES)]


def test_a_plan_is_made_once_in_each_turn_from_its_boundary_on(world: World) -> None:
    at, turn = schedule(world), FIRST // WEEK
    assert govern(world, FIRST - 1) == []
    assert govern(world, FIRST) == [f"scheduled-{at}-{turn}"]
    assert govern(world, FIRST + DAY) == [f"scheduled-{at}-{turn}"]
    later = [f"scheduled-{at}-{turn}", f"scheduled-{at}-{turn + 3}"]
    assert govern(world, FIRST + 3 * WEEK + DAY) == later  # the turns between are not made up for
    made, event = world.ledger.plans.get(later[0])
    assert (event.body.actor, event.body.causation_position) == ("system/governor", at)
    assert (made.policy, made.purse_micros, made.purse_cap_micros) == ("main", "2000000", "3000000")


def test_schedules_are_told_as_of_a_position_with_their_newest_plan(world: World) -> None:
    at, running = schedule(world), world.ledger.scheduled_plans.running
    names = govern(world, FIRST)
    [made] = world.events(*PLAN_TYPES)
    govern(world, FIRST + WEEK)
    [now], [then] = running().running.values(), running(made.position).running.values()
    assert (then.newest_plan, then.due_at) == (names[0], FIRST + WEEK)
    assert (now.newest_plan, now.due_at) == (f"scheduled-{at}-{now.turn}", FIRST + 2 * WEEK)
    assert now.turn == FIRST // WEEK + 1
    assert running(at - 1).running == {}


def test_the_governor_reads_no_plan_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule(world)
    govern(world, FIRST)
    govern(world, FIRST + WEEK)
    read: list[str] = []
    ask = Events.of_types

    def of_types(self: Events, *args: Any, **named: Any) -> list[RecordedEvent]:  # noqa: ANN401
        found = ask(self, *args, **named)
        read.extend(event.type for event in found)
        return found

    monkeypatch.setattr(Events, "of_types", of_types)
    for _ in range(2):
        world.ledger.governor.run_due()
    assert read == []


def test_another_schedule_takes_its_place_and_one_that_is_ended_makes_none(world: World) -> None:
    schedule(world)
    at = schedule(world, money=(1, 1))
    assert govern(world, FIRST) == [f"scheduled-{at}-{FIRST // WEEK}"]
    schedule(world, every=None, money=(0, 0))
    assert len(govern(world, FIRST + 2 * WEEK)) == 1
    with pytest.raises(LedgerError, match="could end"):
        schedule(world, every=None, money=(0, 0))


def test_a_schedule_is_of_a_policy_that_is_there_and_waits_until_it_plans(world: World) -> None:
    unknown = PlanTimes("nowhere", 86_400)
    with pytest.raises(LedgerError) as error:
        world.ledger.scheduled_plans.set(ANA, unknown, BUDGET, "")
    assert error.value.reason is Reason.POLICY_UNKNOWN
    with pytest.raises(LedgerError, match="purse_micros"):
        schedule(world, money=(2, 1))
    at = schedule(world)
    document = json.loads(policy_text())
    del document["planning"]
    world.activate(json.dumps(document))
    assert govern(world, FIRST) == []
    world.activate(policy_text(planning={"min_models": 1}))
    assert govern(world, FIRST + DAY) == [f"scheduled-{at}-{FIRST // WEEK}"]


def test_no_other_plan_has_the_id_of_a_scheduled_one(world: World) -> None:
    at = schedule(world)
    with pytest.raises(LedgerError, match="plan_id"):
        world.ledger.plans.make(
            ANA, policy="main", budget_micros=1, budget_cap_micros=1, plan_id=f"scheduled-{at}-9"
        )


def test_by_a_schedule_whose_body_is_erased_no_plan_is_made(world: World) -> None:
    schedule(world, money=(1, 1))
    world.erase(schedule(world))
    assert govern(world, FIRST) == []


@pytest.fixture
def paper(tmp_path: Path) -> Paper:
    """A ledger on paper with a schedule and its first plan, a week later than another was due."""
    path = tmp_path / "ledger.db"
    world = World(path, clock="data")
    world.begin("alpha", "beta", policy=policy_text(planning={"min_models": 1}))
    world.see("alpha", "0.5", FIRST - DAY)
    schedule(world)
    govern(world, FIRST)
    world.see("alpha", "0.5", FIRST + WEEK + DAY)
    world.settle()
    world.close()
    return Paper.copied(path, ORIGIN)


def findings(paper: Paper, tmp_path: Path) -> list[tuple[str, str]]:
    return [(one.rule, one.what) for one in audit_of(paper, tmp_path).findings]


def test_a_plan_that_was_due_is_missed_once_an_account_covers_the_time(
    paper: Paper, tmp_path: Path
) -> None:
    report = audit_of(paper, tmp_path)
    assert report.passed, report.text()
    assert any("a plan by main was due" in one for one in report.remarks)
    say_that_all_was_governed(paper)
    [(rule, why)] = findings(paper, tmp_path)
    assert rule == "plans.due"
    assert "a plan by main was due" in why


def test_a_plan_is_missed_only_where_it_could_be_made(paper: Paper, tmp_path: Path) -> None:
    found = paper.find("plan.scheduled.v1")[0]
    paper.at(found).data["policy"] = "other"
    paper.at(found).stream = "plan_schedules/other"
    paper.remove(*paper.find("plan.made.v1"))
    say_that_all_was_governed(paper)
    assert findings(paper, tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"purse_micros": "1999999"}, "its schedule has come to 1999999"),
        ({"purse_cap_micros": "9000000"}, "its purse_cap_micros is 3000000"),
        ({"every_seconds": None}, "of none that runs"),
        ({"every_seconds": 14 * 86_400 * 4}, "is due at"),
    ],
)
def test_a_plan_that_its_schedule_does_not_say_is_refused(
    paper: Paper, tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    paper.at(paper.find("plan.scheduled.v1")[0]).data.update(changes)
    [(rule, said)] = findings(paper, tmp_path)
    assert rule == "plans.scheduled"
    assert why in said


def test_a_plan_of_a_schedule_by_somebody_else_is_refused(paper: Paper, tmp_path: Path) -> None:
    made = paper.at(paper.find("plan.made.v1")[0])
    assert isinstance(made.body, dict)
    made.body.update(actor="users/ana", causation_position=None)
    assert [rule for rule, _ in findings(paper, tmp_path)] == ["plans.scheduled"]
