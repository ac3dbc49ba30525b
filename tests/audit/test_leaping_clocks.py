"""A clock that is behind the record is used, and may leap: no score is owed for time that leapt.

Method: a `wall` service begins with its clock behind the newest event, leaps ahead unnoticed, and
its honest ledger is audited; then, as a key holder would, a score is taken out of an ordinary one.
"""

from pathlib import Path

import pytest

from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.audits import audited
from tests.support.stepped import SteppedWorld
from tests.support.world import HOUR, ORIGIN, START

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


@pytest.mark.parametrize("is_recorded_behind", [True, False])
@pytest.mark.parametrize("accounts", [600.0, 3_600.0, 0.0])
def test_a_clock_that_leaps_from_behind_the_record_makes_no_score_due(
    tmp_path: Path, accounts: float, *, is_recorded_behind: bool
) -> None:
    world = began(tmp_path, accounts)
    begin_again(world, 2 * HOUR)
    world.update("alpha")
    world.settle()
    begin_again(world, -2 * HOUR)
    world.settle()
    if is_recorded_behind:
        world.see("alpha", 0.5, START)
    world.clock.step(30 * HOUR)  # nothing notices it
    for _ in range(12):  # others are scored again and again
        world.see("alpha", 0.5, world.clock.now_micros())
        world.pass_time(11 * MINUTE)
    world.pass_time(2 * HOUR)
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


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
    for at in paper.find("service.accounted.v1"):
        paper.at(at).data["scores"] = 0
    found = audit_of(paper, tmp_path).findings
    assert {one.rule for one in found} == {"scores.due"}
    assert "model beta was due for a score there" in found[0].what
