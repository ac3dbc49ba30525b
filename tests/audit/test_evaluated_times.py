"""A time that no observation gives is the ledger's, as of the horizon; forgeries, and honest lives.

Method: in a ledger whose clock is its data the time is derived, so any other is refused; by a
machine's clock it is held to what was recorded before, and honest clocks that were behind pass.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.application.commands import Caller
from ledger.audit.report import Report
from ledger.events.values import SECOND, format_time, parse_time
from tests.audit.paper import Paper
from tests.audit.test_forgeries import EVALUATOR, SCORE, audit_of
from tests.support.audits import audited
from tests.support.world import DAY, HOUR, MONITOR, ORIGIN, START, World

RULE = "times.evaluated"
PLAN = "plan.made.v1"


def found(report: Report) -> list[tuple[str, int]]:
    return [(one.rule, one.position) for one in report.findings]


def unchecked(report: Report) -> dict[str, int]:
    return {gap.reason: gap.count for gap in report.gaps if gap.rule == RULE}


@pytest.fixture
def wall(tmp_path: Path) -> Iterator[World]:
    """A ledger on the machine's clock with a model that fell silent and was scored for it."""
    world = World(tmp_path / "wall.db", clock="wall")
    world.begin("alpha")
    world.see("alpha", 0.4, START)
    world.settle()
    for _ in range(2):
        world.clock.advance(8 * DAY)
        world.settle()
    yield world
    world.close()


def on_paper(world: World) -> Paper:
    return Paper.copied(Path(world.path), ORIGIN)


def scored_again(paper: Paper, about: int, at: int | None = None) -> int:
    """Append the newest score by schedule again, of another time, from a horizon that holds."""
    newest = paper.at(paper.find(SCORE, trigger="schedule")[-1])
    data = newest.data | {"as_of": len(paper.events), "evaluated_at": format_time(about)}
    return paper.append(newest.stream, SCORE, data, actor=EVALUATOR, at=at)


@pytest.mark.parametrize("shift", [-DAY, -1, 1])
def test_where_the_data_are_the_clock_a_schedule_is_at_their_time_to_the_microsecond(
    paper: Paper, tmp_path: Path, shift: int
) -> None:
    last = paper.find(SCORE, trigger="schedule")[-1]
    time = parse_time(paper.at(last).data["evaluated_at"])
    paper.at(last).data["evaluated_at"] = format_time(time + shift)
    assert (RULE, last) in found(audit_of(paper, tmp_path))


def test_a_plan_of_another_time_than_the_ledgers_is_refused(paper: Paper, tmp_path: Path) -> None:
    last = paper.find(PLAN)[-1]
    time = parse_time(paper.at(last).data["made_at"])
    paper.at(last).data["made_at"] = format_time(time - SECOND)
    assert found(audit_of(paper, tmp_path)) == [(RULE, last)]


def test_a_request_where_nothing_is_selected_is_at_the_ledgers_time(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha", "beta")
    world.see("beta", 0.4, START + DAY)
    world.evaluate("alpha")
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    assert audit_of(paper, tmp_path).passed
    scored = paper.find(SCORE, trigger="request")[0]
    for position in (scored, scored + 1):
        paper.at(position).data["evaluated_at"] = format_time(START + HOUR)
    assert (RULE, scored) in found(audit_of(paper, tmp_path))


def test_a_newest_time_that_lies_alone_is_not_yet_that_of_a_schedule(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha", "beta")
    world.see("alpha", 0.4, START)
    world.see("beta", 0.4, START)
    world.settle()
    world.see("alpha", 0.4, START + 60 * DAY, caller=replace(MONITOR, may_leap=True))
    world.see("alpha", 0.4, START + 8 * DAY)
    world.settle()
    silent = world.scores("beta")[-1]
    assert (silent.trigger, silent.evaluated_at) == ("schedule", format_time(START + 8 * DAY))
    world.plan(1_000_000)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    assert report.gaps == ()


def test_a_ledger_whose_first_time_was_a_slip_passes_although_its_times_ran_back(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha", "beta")
    world.see("alpha", 0.4, START + 90 * DAY)
    world.settle()
    for day in range(2):
        world.see("alpha", 0.4, START + day * DAY)
    world.update("beta", tier="low")
    world.clock.advance(2 * HOUR)
    world.settle()
    times = [parse_time(one.evaluated_at) for one in world.scores("beta")]
    assert times == [START + 90 * DAY, START + DAY]
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def test_what_is_scored_at_an_older_time_than_was_recorded_when_it_was_read_is_refused(
    wall: World, tmp_path: Path
) -> None:
    paper = on_paper(wall)
    newest = paper.events[-1].recorded_at
    position = scored_again(paper, newest - DAY, at=newest + SECOND)
    assert (RULE, position) in found(audit_of(paper, tmp_path))


def test_what_is_dated_like_the_event_before_it_is_said_to_be_by_a_clock_that_was_behind(
    wall: World, tmp_path: Path
) -> None:
    paper = on_paper(wall)
    newest = paper.events[-1].recorded_at
    position = scored_again(paper, newest - DAY)
    report = audit_of(paper, tmp_path)
    assert (RULE, position) not in found(report)
    assert unchecked(report) == {"the server's clock was behind the newest event": 1}


def test_a_clock_may_be_off_by_what_the_ledger_allows(wall: World, tmp_path: Path) -> None:
    paper = on_paper(wall)
    newest = paper.events[-1].recorded_at
    position = scored_again(paper, newest - 300 * SECOND, at=newest + SECOND)
    assert (RULE, position) not in found(audit_of(paper, tmp_path))


def test_a_server_that_began_with_a_clock_that_was_behind_leaves_a_gap_and_no_finding(
    wall: World, tmp_path: Path
) -> None:
    wall.clock.advance(9 * DAY)
    wall.see("alpha", 0.5, wall.clock.now_micros())
    wall.settle()
    wall.clock.step(-2 * HOUR)
    wall.restart()
    wall.plan(1_000_000)
    wall.close()
    report = audited(Path(wall.path))
    assert report.passed, report.text()
    assert unchecked(report) == {"the server's clock was behind the newest event": 1}
    wall.restart()


def test_a_time_is_derived_from_bodies_that_are_there(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha", "beta")
    world.see("beta", 0.4, START)
    world.settle()
    seen = world.see("alpha", 0.4, START + 9 * DAY, caller=Caller("services/monitor-2"))
    world.settle()
    assert world.scores("beta")[-1].trigger == "schedule"
    world.erase(seen.last_position)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    assert unchecked(report) == {"erased": 1}


def test_an_erased_observation_that_was_the_newest_leaves_the_times_after_it_unchecked(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha", "beta", silence="1d")
    world.see("alpha", 0.4, START + HOUR)
    newest = world.see("beta", 0.4, START + 5 * DAY).last_position
    world.settle()
    world.erase(newest)
    world.register("gamma")
    world.deploy("gamma", "v1")
    world.settle()  # at the time that was erased, which still counts
    assert world.scores("gamma")[-1].evaluated_at == format_time(START + 5 * DAY)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    assert unchecked(report)["erased"] >= 1


@pytest.mark.parametrize("type_", ["model.deployed", "signal.observed"])
def test_an_evaluation_on_request_is_unchecked_where_what_dated_it_was_erased(
    tmp_path: Path, type_: str
) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha", "beta")
    world.see("alpha", 0.4, START + HOUR)
    world.see("beta", 0.4, START + DAY)
    world.settle()
    world.evaluate("alpha")
    world.erase(next(one.position for one in world.events() if one.type.startswith(type_)))
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
    assert unchecked(report)["erased"] >= 1
