"""Versions that jobs fall back to: those registered at the proposal and still, and no others.

Method: a ledger in one process on a manual clock; the observation of a version is not passed.
"""

from pathlib import Path

import pytest

from ledger.application.jobs.deployments import ReturnSpec
from ledger.application.recipes.benchmarks import Training
from ledger.errors import LedgerError, Reason
from ledger.events.recipes import BenchmarkKind
from ledger.events.values import SECOND
from tests.support.audits import audited
from tests.support.job_worlds import TWO, WINDOW_SECONDS, Working
from tests.support.world import ANA, World


@pytest.fixture
def working(tmp_path: Path) -> Working:
    world = World(tmp_path / "ledger.db", clock="wall")
    return Working.of(world.begin("alpha", "beta"))


def passes_its_audit(working: Working) -> None:
    path = Path(working.world.path)
    working.world.close()
    report = audited(path)
    assert report.passed, report.text()


ARTIFACT = "ab" * 32


def fails_in_service(working: Working, **proposed: str) -> None:
    """Take a job of a model as far as a failed observation."""
    world = working.world
    working.propose(**proposed)
    working.approve()
    token = working.lease()
    working.pass_gates(token)
    working.deploy(token, "v2", at=world.clock.now_micros())
    working.report("observation", token, loss=500)
    world.clock.advance(WINDOW_SECONDS * SECOND)
    world.govern()


def returned(working: Working, version: str = "") -> None:
    token = working.lease(by=TWO)
    wanted = ReturnSpec("j1", token, working.world.clock.now_micros(), version)
    working.world.ledger.job_deployments.roll_back(TWO, wanted)


def register(working: Working, model: str, version: str) -> None:
    """Register a benchmark that may be fallen back to."""
    training = Training("2026-02-27T00:00:00.000000Z", "0.5")
    benchmarks = working.world.ledger.benchmarks
    benchmarks.register(ANA, model, version, "benchmark", ARTIFACT, "", training)


def test_a_version_that_replaced_none_gives_way_to_one_that_is_registered(working: Working) -> None:
    world = working.world
    world.register("novel")
    register(working, "novel", "rule-of-thumb")
    fails_in_service(working, model="novel")
    job = working.job()
    assert (job.state, job.returns_to) == ("rolling_back", ("rule-of-thumb",))
    returned(working)
    serving = world.model("novel").model.deployments[-1]
    assert (working.job().outcome, serving.model_version) == ("rolled_back", "rule-of-thumb")
    stated = serving.trained_through, serving.baseline_loss
    assert stated == ("2026-02-27T00:00:00.000000Z", "0.5")
    assert working.job().why.endswith("rule-of-thumb is fallen back to.")
    passes_its_audit(working)


def test_an_executor_may_choose_no_benchmark_where_a_version_served_before(
    working: Working,
) -> None:
    world = working.world
    register(working, "alpha", "v0")
    world.ledger.benchmarks.register(ANA, "alpha", "v1", "known_good", ARTIFACT, "")
    fails_in_service(working)
    assert working.job().returns_to == ("v1",)
    token, now = working.lease(by=TWO), world.clock.now_micros()
    deployments = world.ledger.job_deployments
    with pytest.raises(LedgerError, match="what may serve instead of v2 is v1"):
        deployments.roll_back(TWO, ReturnSpec("j1", token, now, "v0"))
    deployments.roll_back(TWO, ReturnSpec("j1", token, now))
    assert working.job().outcome == "rolled_back"
    passes_its_audit(working)


def test_an_executor_may_choose_among_those_that_are_registered(working: Working) -> None:
    world = working.world
    world.register("novel")
    for version in ("v0", "v00"):
        register(working, "novel", version)
    fails_in_service(working, model="novel")
    assert working.job().returns_to == ("v00", "v0")
    with pytest.raises(LedgerError, match="what may serve instead of v2 is v00, v0"):
        returned(working, "v9")
    now = world.clock.now_micros()
    wanted = ReturnSpec("j1", working.job().token, now, "v0")
    world.ledger.job_deployments.roll_back(TWO, wanted)
    assert working.job().outcome == "rolled_back"
    passes_its_audit(working)


def test_a_version_that_is_not_registered_any_more_is_not_fallen_back_to(working: Working) -> None:
    world = working.world
    world.register("novel")
    benchmarks = world.ledger.benchmarks
    register(working, "novel", "v0")
    fails_in_service(working, model="novel")
    benchmarks.retire(ANA, "novel", "v0", "benchmark", "it was wrong too")
    with pytest.raises(LedgerError, match="v0 is not registered to fall back to any more"):
        returned(working, "v0")
    with pytest.raises(LedgerError, match="v2 is being taken back") as refused:
        world.ledger.jobs.cancel(ANA, "j1", "nothing is left to serve")
    assert "An executor takes it up" in refused.value.remedy
    passes_its_audit(working)


def test_a_version_registered_after_the_proposal_is_not_one_of_it(working: Working) -> None:
    world = working.world
    world.register("novel")
    working.propose(model="novel")
    register(working, "novel", "v0")
    assert working.job().proposed["fall_back"] == []
    passes_its_audit(working)


def test_a_benchmark_whose_training_is_not_stated_is_only_measured_by(working: Working) -> None:
    world = working.world
    world.register("novel")
    world.ledger.benchmarks.register(ANA, "novel", "v0", "benchmark", ARTIFACT, "")
    fails_in_service(working, model="novel")
    assert (working.job().outcome, working.job().returns_to) == ("failed", ())
    passes_its_audit(working)


@pytest.mark.parametrize(
    ("kind", "training", "fault"),
    [
        ("benchmark", Training("2026-02-27T00:00:00.000000Z", None), "without its loss then"),
        ("benchmark", Training(None, "0.5"), "or its loss alone"),
        ("benchmark", Training("2026-02-27T00:00:00.000000Z", "0"), "is not above 0"),
        ("known_good", Training("2026-02-27T00:00:00.000000Z", "0.5"), "its deployment says"),
    ],
)
def test_the_training_of_a_benchmark_is_stated_whole_or_not(
    working: Working, kind: BenchmarkKind, training: Training, fault: str
) -> None:
    with pytest.raises(LedgerError, match=fault) as refused:
        working.world.ledger.benchmarks.register(ANA, "alpha", "v1", kind, ARTIFACT, "", training)
    assert refused.value.reason is Reason.BENCHMARK_REFUSED
