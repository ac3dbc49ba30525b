"""A clock that is behind the record is used, and may leap: no score is owed for time that leapt.

Method: a `wall` service begins with its clock behind the newest event, leaps ahead unnoticed, and
its honest ledger is audited; then, as a key holder would, a score is taken out of an ordinary one.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.audit.report import Report
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.audits import audited
from tests.support.stepped import SteppedWorld
from tests.support.world import HOUR, ORIGIN, START, policy_text

MINUTE = 60_000_000


def began(folder: Path, accounts: float) -> SteppedWorld:
    """Return a world with two models that were just scored."""
    world = SteppedWorld(folder / "ledger.db", 1, clock="wall", accounts__seconds=accounts)
    world.begin("alpha", "beta", silence="12h", interval="10m")
    world.see("alpha", 0.5, START)
    world.settle()
    return world


def begin_again(world: SteppedWorld, step: int) -> None:
    """Stop the server, set its clock, and start it."""
    world.close()
    world.clock.step(step)
    world.start()


def leapt(folder: Path, accounts: float, act: Callable[[SteppedWorld], object]) -> Report:
    """Audit a ledger whose server began behind the record and leapt; `act` is what was ahead."""
    world = began(folder, accounts)
    begin_again(world, 2 * HOUR)
    act(world)
    world.settle()
    begin_again(world, -2 * HOUR)
    world.settle()
    world.clock.step(30 * HOUR)  # nothing notices it
    for _ in range(12):  # others are scored again and again
        world.see("alpha", 0.5, world.clock.now_micros())
        world.pass_time(11 * MINUTE)
    world.pass_time(2 * HOUR)
    world.close()
    report = audited(folder / "ledger.db")
    assert report.passed, report.text()
    return report


def late(report: Report) -> list[str]:
    return [one for one in report.remarks if " beta w" in one]


@pytest.mark.parametrize("accounts", [600.0, 3_600.0, 0.0])
def test_a_clock_that_a_score_shows_behind_the_record_makes_no_score_due_when_it_leaps(
    tmp_path: Path, accounts: float
) -> None:
    assert late(leapt(tmp_path, accounts, lambda world: world.update("alpha"))) == []


@pytest.mark.parametrize("accounts", [600.0, 3_600.0])
def test_what_only_a_leap_that_nothing_shows_makes_due_is_a_gap_and_no_finding(
    tmp_path: Path, accounts: float
) -> None:
    (gap,) = late(leapt(tmp_path, accounts, lambda world: world.draft(policy_text())))
    assert "2 scores of models alpha, beta were due" in gap
    assert "its clock leapt" in gap


def test_a_score_that_a_silence_makes_due_is_missed_of_a_service_that_ran_all_the_time(
    tmp_path: Path,
) -> None:
    world = began(tmp_path, 600.0)
    for _ in range(60):
        world.see("alpha", 0.5, world.clock.now_micros())
        world.pass_time(HOUR)
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    silent = paper.find("score.computed.v1", model="beta", trigger="schedule")
    assert len(silent) > 4
    paper.remove(*silent[2:4])
    for at in paper.find("service.accounted.v3"):
        paper.at(at).data["scores"] = 0
    found = audit_of(paper, tmp_path).findings
    assert {one.rule for one in found} == {"scores.due"}
    assert "model beta was due for a score there" in found[0].what
