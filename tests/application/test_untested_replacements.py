"""A version goes live only in the place of one that it was tested against.

Method: a job tests its version, and another one comes to serve before it is deployed: by a person
at each stage of the job, or as the ledger proposed to put one back. Each life is audited, and one
whose service looks away is found by the auditor.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.application.jobs import reader
from ledger.application.jobs.roll_backs import RollBackSpec
from ledger.errors import LedgerError, Reason
from ledger.events.cases import GOVERNOR
from ledger.events.jobs import JobLapsed
from ledger.events.policies import ScopePart
from ledger.events.reuse import ReuseProposed
from ledger.events.values import SECOND
from ledger.jobs.changes import untested
from ledger.jobs.moment import JobMoment
from ledger.jobs.steps import job_fault
from tests.application.test_lapses import by_hand, passes_its_audit, types
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.job_worlds import LEASE_SECONDS, ONE, RECIPE, TWO, Working
from tests.support.world import ANA, DAY, HOUR, START, World, policy_text

SAID = "its version was tested against v1, and v3 serves now"
UNCOMPARED = (
    RECIPE[: RECIPE.index("  - gate: candidate")] + RECIPE[RECIPE.index("  - gate: holdout") :]
)


@pytest.fixture
def working(tmp_path: Path) -> Working:
    world = World(tmp_path / "ledger.db", clock="wall")
    return Working.of(world.begin("alpha"))


def begun(working: Working) -> int:
    """Take a job as far as the test of its candidate is next; return the token."""
    working.propose()
    working.approve()
    token = working.lease()
    working.report("data_integrity", token)
    return token


def compared(working: Working) -> int:
    """Take a job as far as its candidate was tested against v1; return the token."""
    token = begun(working)
    working.report("candidate", token)
    return token


def refused(act: Callable[[], object]) -> LedgerError:
    with pytest.raises(LedgerError) as found:
        act()
    return found.value


def test_a_leased_job_deploys_nothing_in_the_place_of_a_version_that_it_was_not_tested_against(
    working: Working,
) -> None:
    world = working.world
    token = compared(working)
    working.report("holdout", token)
    position = by_hand(working)
    at = world.clock.now_micros()
    error = refused(lambda: working.deploy(token, "v2", at=at))
    assert error.reason is Reason.JOB_REFUSED
    assert error.message == f"Job j1 cannot be deployed: {SAID}."
    assert "the ledger ends the job by itself" in error.remedy
    beat = refused(lambda: world.ledger.jobs.heartbeat(ONE, "j1", token))
    assert beat.reason is Reason.LEASE_LOST, "a worker that is about to act on the world learns it"
    assert SAID in beat.message
    before = world.head
    assert world.govern() == 1
    assert types(working, before) == ["job.lapsed", "job.closed"]
    job = working.job()
    assert (job.state, job.outcome, job.deployed) == ("closed", "lapsed", None)
    assert job.why == f"Nothing is left to do: {SAID}, put there by users/ana."
    [lapsed] = world.events("job.lapsed.v1")
    assert lapsed.data == {
        "job": "j1", "ended_by": position, "by": "users/ana", "model_version": "v3",
        "tested_against": "v1",
    }  # fmt: skip
    assert world.govern() == 0
    assert working.propose("j2").proposed["serving"] == "v3"
    passes_its_audit(working)


def test_a_job_that_waits_for_an_executor_is_leased_no_more_and_lapses(working: Working) -> None:
    world = working.world
    token = compared(working)
    world.ledger.jobs.give_up(ONE, "j1", token, "The disk is full.")
    by_hand(working)
    error = refused(lambda: working.lease(by=TWO))
    assert (error.reason, error.message) == (
        Reason.JOB_REFUSED, f"Job j1 cannot be leased: {SAID}.",
    )  # fmt: skip
    assert world.govern() == 1
    assert working.job().outcome == "lapsed"
    passes_its_audit(working)


def test_a_version_that_comes_to_serve_while_a_candidate_is_tested_ends_its_job_with_the_verdict(
    working: Working,
) -> None:
    """Which of the two the numbers are about is not known: the test began against the first."""
    token = begun(working)
    by_hand(working)
    assert working.world.govern() == 0, "its report may come yet, with what it has cost"
    working.report("candidate", token)
    assert working.world.govern() == 1
    assert SAID in working.job().why
    passes_its_audit(working)


@pytest.mark.parametrize("when", ["before the test", "as of an earlier time", "and back"])
def test_a_job_goes_on_where_the_version_serves_that_it_was_tested_against(
    working: Working, when: str
) -> None:
    world = working.world
    replaced = "v1"
    if when == "before the test":
        working.propose()
        working.approve()
        token, replaced = working.lease(), "v3"
        by_hand(working)
        working.report("data_integrity", token)
        working.report("candidate", token)
    else:
        token = compared(working)
        by_hand(working, at=world.clock.now_micros() if when == "and back" else START - HOUR)
    if when == "and back":
        world.clock.advance(SECOND)
        by_hand(working, "v1")
    assert world.govern() == 0
    working.report("holdout", token)
    working.deploy(token, "v2", at=world.clock.now_micros())
    version = working.job().deployed
    assert version is not None
    assert version.replaces == replaced
    passes_its_audit(working)


def test_a_job_whose_gates_compare_nothing_goes_on_whatever_serves(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db", clock="wall").begin("alpha")
    working = Working.of(world, UNCOMPARED)
    token = begun(working)
    by_hand(working)
    assert world.govern() == 0
    working.report("holdout", token)
    working.deploy(token, "v2", at=world.clock.now_micros())
    passes_its_audit(working)


def test_a_test_against_a_version_whose_record_was_erased_is_one_against_no_known_version(
    working: Working,
) -> None:
    world = working.world
    by_hand(working, "v9")
    deployed = world.head
    world.clock.advance(SECOND)
    compared(working)
    world.erase(deployed)
    assert world.govern() == 0, "which version serves is not known"
    by_hand(working, "v1")
    assert world.govern() == 1
    assert "tested against no version that is known, and v1 serves now" in working.job().why


@pytest.mark.parametrize(
    ("version", "why"), [("v1", "v1 is its own version, or that of its test"), ("v3", "")]
)
def test_a_job_lapses_by_its_test_only_where_another_version_serves(
    working: Working, version: str, why: str
) -> None:
    compared(working)
    lapsed = JobLapsed(
        job="j1", ended_by=1, by="users/ana", model_version=version, tested_against="v1"
    )
    state = working.world.ledger.authority.state
    moment = JobMoment(GOVERNOR, START, START, START, state)
    found = working.world.ledger.job_reader.at_head(
        lambda jobs, _: job_fault(jobs, "j1", lapsed.TYPE, lapsed.to_data(), moment)
    )
    assert found == why


# ---- versions that the ledger puts back ----------------------------------------------------------

PERIOD = HOUR // 6
BEGIN = START + 2 * DAY


@pytest.fixture
def reusing(tmp_path: Path) -> Working:
    """A model whose second version serves since a period, under a policy that puts versions back.

    The first did better in that period.
    """
    world = World(tmp_path / "ledger.db", clock="data").begin("alpha")
    working = Working.of(world, RECIPE.replace("lease: 1h", "lease: 2d"))
    world.deploy("alpha", "v2", at=BEGIN + PERIOD, through=BEGIN + PERIOD - 1)
    planning = {"planner": "excess/2", "period": "10m", "common": "0%", "min_models": 1}
    document = json.loads(governed(policy_text(planning=planning)))
    gated = document | {"jobs": {"budget": "optional", "deployments": "gated"}}
    scope = ScopePart(kind="model", model="alpha", labels={})
    world.activate(json.dumps(gated), policy="reusing", scope=scope)
    see(world, 1)
    return working


def see(world: World, period: int) -> int:
    """Report both versions of a period; return the time."""
    at = BEGIN + period * PERIOD + PERIOD // 2
    world.observe(("alpha", "loss", "v1", "0.1", at, 100), ("alpha", "loss", "v2", "0.6", at, 100))
    return at


def put_back(working: Working, at: int) -> None:
    """Have the ledger propose to put the first version back, and do so."""
    world = working.world
    world.ledger.plans.propose_reuse(ANA, "reusing")
    proposed = world.events(ReuseProposed.TYPE)[-1]
    world.ledger.stated_deployments.put_back(TWO, "alpha", proposed.position, at)


@pytest.mark.parametrize("stage", ["while it is tested", "behind its test"])
def test_no_version_is_put_back_while_an_executor_has_a_job_from_its_test_on(
    reusing: Working, stage: str
) -> None:
    world = reusing.world
    token = begun(reusing) if stage == "while it is tested" else compared(reusing)
    at = see(world, 2)
    error = refused(lambda: put_back(reusing, at))
    assert error.reason is Reason.DEPLOYMENT_REFUSED
    assert "job j1 decides otherwise" in error.message
    assert world.ledger.job_reader.workable(world.ledger.put_backs.open()) == []
    if stage == "while it is tested":
        reusing.report("candidate", token)
    reusing.report("holdout", token)
    reusing.deploy(token, "v3", at=at + SECOND)
    version = reusing.job().deployed
    assert version is not None
    assert version.replaces == "v2"
    passes_its_audit(reusing)


def test_a_version_is_put_back_where_no_executor_has_the_job_which_lapses_by_that(
    reusing: Working,
) -> None:
    world = reusing.world
    world.ledger.jobs.give_up(ONE, "j1", compared(reusing), "The disk is full.")
    put_back(reusing, see(world, 2))
    assert world.govern() == 1
    assert reusing.job().why == (
        "Nothing is left to do: its version was tested against v2, and v1 serves now, put there by "
        "services/worker-2."
    )
    passes_its_audit(reusing)


def test_what_a_person_asks_to_be_put_back_waits_for_no_test(reusing: Working) -> None:
    world = reusing.world
    token = compared(reusing)
    world.ledger.roll_backs.ask(ANA, RollBackSpec("alpha", "v1", "It is worse at night."))
    [(asked, _)] = world.ledger.job_reader.workable(world.ledger.put_backs.open())
    at = world.ledger.log.head().recorded_at
    world.ledger.stated_deployments.put_back(TWO, "alpha", asked.position, max(at, see(world, 2)))
    assert refused(lambda: reusing.report("holdout", token, by=TWO)).reason is Reason.LEASE_LOST
    assert world.govern() == 1
    assert reusing.job().outcome == "lapsed"
    passes_its_audit(reusing)


# ---- a service that looks away -------------------------------------------------------------------


@pytest.mark.parametrize("step", ["lease", "deployment"])
def test_the_auditor_names_a_step_towards_the_place_of_a_version_that_was_not_tested_against(
    working: Working, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    world = working.world
    monkeypatch.setattr(reader, "untested_of", lambda *_: None)
    token = compared(working)
    if step == "lease":
        world.ledger.jobs.give_up(ONE, "j1", token, "The disk is full.")
        by_hand(working)
        working.lease(by=TWO)
        place = world.head
        world.clock.advance(LEASE_SECONDS * SECOND)
        world.govern()
    else:
        working.report("holdout", token)
        by_hand(working)
        working.deploy(token, "v2", at=world.clock.now_micros())
        [place] = [one.position for one in world.events("job.deployed.v1")]
    path = Path(world.path)
    world.close()
    found = audited(path).findings
    assert [(one.rule, one.position) for one in found] == [("jobs.lapsed", place)]
    assert untested("v1", "v3") in found[0].what
