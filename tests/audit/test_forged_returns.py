"""A return that nobody takes up is owed: that it is overdue is not left out, nor said too early.

Method: an honest ledger in which a version was to go back, nobody came for longer than a lease
lasts, and then an executor put the version before back; events of it are changed, and all is hashed
and signed again.
"""

from pathlib import Path

import pytest

from ledger.application.recipes.benchmarks import Training
from ledger.events.values import SECOND, format_time, parse_time
from tests.audit.left_out import say_that_all_was_governed
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.audits import audited
from tests.support.job_worlds import LEASE_SECONDS, TWO, WINDOW_SECONDS, Working
from tests.support.world import ANA, HOUR, ORIGIN, START, World

OVERDUE = "job.return_overdue.v1"


@pytest.fixture
def late(tmp_path: Path) -> World:
    """A ledger whose clock is its data, with a return that was taken up late."""
    world = World(tmp_path / "ledger.db").begin("alpha", "beta")
    working = Working.of(world)
    token = working.observing("v2", at=START)
    working.report("observation", token, loss=500)
    over = START + (LEASE_SECONDS + WINDOW_SECONDS) * SECOND
    for passed in (0, LEASE_SECONDS - 1, LEASE_SECONDS):
        world.see("beta", 0.4, over + passed * SECOND)
        world.govern()
    token = working.lease(by=TWO)
    working.take_back(token, by=TWO, at=over + LEASE_SECONDS * SECOND)
    world.see("beta", 0.4, over + 2 * HOUR)
    world.govern()
    return world


@pytest.fixture
def paper(late: World) -> Paper:
    late.close()
    return Paper.copied(Path(late.path), ORIGIN)


def test_a_return_that_nobody_takes_up_is_called_overdue_once_and_the_audit_holds(
    late: World, tmp_path: Path
) -> None:
    [overdue] = late.events(OVERDUE)
    [judged] = [one for one in late.events("gate.judged.v1") if one.data["gate"] == "observation"]
    assert parse_time(overdue.data["due_at"]) == judged.recorded_at + LEASE_SECONDS * SECOND
    assert overdue.recorded_at == parse_time(overdue.data["due_at"])
    late.close()
    report = audited(Path(late.path))
    assert report.passed, report.text()
    paper = Paper.copied(Path(late.path), ORIGIN)
    say_that_all_was_governed(paper)
    assert audit_of(paper, tmp_path).passed


def test_a_late_return_that_is_not_called_so_is_missed_where_a_service_governed(
    paper: Paper, tmp_path: Path
) -> None:
    found = paper.find(OVERDUE)[0]
    judged = paper.find("gate.judged.v1", gate="observation")[0]
    del paper.events[found - 1 :]
    paper.checkpoint_sizes = [len(paper.events)]
    assert audit_of(paper, tmp_path).passed
    say_that_all_was_governed(paper)
    report = audit_of(paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [("jobs.time", judged)]


@pytest.fixture
def fallen_back(tmp_path: Path) -> Paper:
    """A ledger in which a version that replaced none gave way to a benchmark."""
    world = World(tmp_path / "ledger.db").begin("alpha")
    world.register("novel")
    training = Training(format_time(START), "0.5")
    world.ledger.benchmarks.register(ANA, "novel", "v0", "benchmark", "ab" * 32, "", training)
    working = Working.of(world)
    working.observing("v2", model="novel", at=START)
    world.ledger.jobs.cancel(ANA, "j1", "it does worse")
    working.take_back(working.lease(by=TWO), by=TWO, at=START + HOUR)
    world.close()
    return Paper.copied(Path(world.path), ORIGIN)


@pytest.mark.parametrize(
    ("name", "stated"),
    [("baseline_loss", "0.6"), ("trained_through", format_time(START - HOUR))],
)
def test_a_benchmark_serves_with_the_training_that_was_registered(
    fallen_back: Paper, tmp_path: Path, name: str, stated: str
) -> None:
    assert audit_of(fallen_back, tmp_path).passed
    found = fallen_back.find("model.deployed.v1", model="novel", model_version="v0")[0]
    fallen_back.at(found).data[name] = stated
    report = audit_of(fallen_back, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [("jobs.fall_back", found + 1)]


@pytest.fixture
def relearned(tmp_path: Path) -> Paper:
    """A ledger in which a version goes back of which a second loss was stated since."""
    world = World(tmp_path / "ledger.db").begin("alpha", "beta")
    through = world.trained["alpha", "v1"]
    world.deploy("alpha", "v2", at=START + 1)
    world.deploy("alpha", "v1", at=START + 2, through=through, baseline="0.7")
    working = Working.of(world)
    working.observing("v3", at=START + 3)
    world.ledger.jobs.cancel(ANA, "j1", "it does worse")
    working.take_back(working.lease(by=TWO), by=TWO, at=START + HOUR)
    world.close()
    return Paper.copied(Path(world.path), ORIGIN)


def test_a_version_goes_back_with_no_other_loss_than_the_one_stated_last(
    relearned: Paper, tmp_path: Path
) -> None:
    assert audit_of(relearned, tmp_path).passed
    found = relearned.find("model.deployed.v1", model="alpha", model_version="v1")[-1]
    assert relearned.at(found).data["baseline_loss"] == "0.7"
    relearned.at(found).data["baseline_loss"] = "0.4"  # as it was stated first
    report = audit_of(relearned, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [("jobs.replaced", found + 1)]


def test_a_return_is_not_called_overdue_before_its_time(paper: Paper, tmp_path: Path) -> None:
    found = paper.find(OVERDUE)[0]
    data = paper.at(found).data
    data["due_at"] = format_time(parse_time(data["due_at"]) - HOUR)
    report = audit_of(paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [("jobs.leases", found)]
