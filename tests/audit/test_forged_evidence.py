"""A verdict that rests on evidence which came too early is found, however the log words it.

Method: an honest ledger in which an executor reports in the first second and in the middle of the
window of a version, and never late; events are changed, and all is hashed and signed again.
"""

from pathlib import Path

import pytest

from ledger.events.values import SECOND
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.audits import audited
from tests.support.job_worlds import RECIPE, WINDOW_SECONDS, Working
from tests.support.world import ORIGIN, START, World

LATE = RECIPE + "    evidence_after: 90%\n"


def ledger(folder: Path, clock: str) -> World:
    world = World(folder / "ledger.db", clock=clock).begin("alpha", "beta")
    working = Working.of(world, LATE)
    start = START if clock == "data" else world.clock.now_micros()
    token = working.observing("v2", at=start)
    begin = max(start, world.clock.now_micros()) if clock == "wall" else START

    def pass_time(seconds: int) -> None:
        if clock == "wall":
            world.clock.advance(seconds * SECOND)
        else:
            passed.append(seconds)
            world.see("beta", 0.4, begin + sum(passed) * SECOND)

    passed: list[int] = []
    working.report("observation", token, loss=1)
    pass_time(WINDOW_SECONDS // 2)
    working.report("observation", token, loss=1)
    pass_time(WINDOW_SECONDS)
    world.govern()
    return world


@pytest.mark.parametrize("clock", ["data", "wall"])
def test_evidence_that_came_early_passes_no_observation(tmp_path: Path, clock: str) -> None:
    world = ledger(tmp_path, clock)
    job = world.ledger.jobs.job("j1")
    assert (job.state, job.why) == ("rolling_back", "The gate observation was not passed.")
    shares = [one.data["window_ppm"] for one in world.events("gate.reported.v1")]
    assert shares[:4] == [None] * 4
    assert shares[4] < 10_000
    assert 490_000 <= shares[5] <= 510_000
    world.close()
    report = audited(Path(world.path))
    assert report.passed, report.text()


@pytest.fixture(params=["data", "wall"])
def paper(tmp_path: Path, request: pytest.FixtureRequest) -> Paper:
    world = ledger(tmp_path, request.param)
    world.close()
    return Paper.copied(Path(world.path), ORIGIN)


def found(paper: Paper, folder: Path) -> set[tuple[str, int]]:
    return {(one.rule, one.position) for one in audit_of(paper, folder).findings}


def test_a_verdict_on_early_evidence_is_found(paper: Paper, tmp_path: Path) -> None:
    early = paper.find("gate.reported.v1", gate="observation")[-1]
    judged = paper.find("gate.judged.v1", gate="observation")[0]
    data = paper.at(judged).data
    data["report"], data["is_passed"] = early, True
    data["criteria"][0] |= {
        "is_met": True,
        "values": {'metrics["loss"]': "1"},
        "sentence": 'holds is met, metrics["loss"] < 100: metrics["loss"] is 1 nano.',
    }
    assert ("gates.judged", judged) in found(paper, tmp_path)


def test_early_evidence_that_is_said_to_be_late_is_found(paper: Paper, tmp_path: Path) -> None:
    early = paper.find("gate.reported.v1", gate="observation")[-1]
    paper.at(early).data["window_ppm"] = 950_000
    assert ("gates.reported", early) in found(paper, tmp_path)
