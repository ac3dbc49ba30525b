"""Jobs of which nothing is left to do: another version serves already, or the model was retired.

Method: a ledger in one process on a manual clock; a person deploys or retires by hand, before and
after the verdict, and while an executor holds the lease of the return. Each life is audited.
"""

from pathlib import Path

import pytest

from ledger.errors import LedgerError, Reason
from ledger.events.jobs import JOB_TYPES
from ledger.events.values import SECOND
from tests.support.audits import audited
from tests.support.job_worlds import BOB, LEASE_SECONDS, ONE, TWO, WINDOW_SECONDS, Working
from tests.support.world import ANA, HOUR, ORIGIN, World, reason_of


@pytest.fixture
def working(tmp_path: Path) -> Working:
    world = World(tmp_path / "ledger.db", clock="wall")
    return Working.of(world.begin("alpha"))


def passes_its_audit(working: Working) -> None:
    path = Path(working.world.path)
    working.world.close()
    report = audited(path)
    assert report.passed, report.text()


def by_hand(working: Working, version: str = "v3", *, at: int | None = None) -> int:
    """Deploy a version of alpha by hand; return the position."""
    world = working.world
    world.deploy("alpha", version, at=world.clock.now_micros() if at is None else at)
    return world.head


def observed(working: Working) -> int:
    """Take a job as far as its observation, and have it reported that its version does worse."""
    token = working.observing("v2", at=working.world.clock.now_micros())
    working.report("observation", token, loss=500)
    return token


def types(working: Working, after: int) -> list[str]:
    events = working.world.store.events.of_types(ORIGIN, JOB_TYPES, after=after)
    return [one.type.removesuffix(".v1") for one in events]


def over(working: Working) -> None:
    working.world.clock.advance(WINDOW_SECONDS * SECOND)


@pytest.mark.parametrize("when", ["before the verdict", "after it", "while it is leased"])
def test_a_job_whose_version_was_replaced_by_hand_ends_by_that(working: Working, when: str) -> None:
    world = working.world
    observed(working)
    why = ""
    if when != "before the verdict":
        over(working)
        assert world.govern() == 1
        why = "The gate observation was not passed. "
    token = working.lease(by=TWO) if when == "while it is leased" else 0
    position = by_hand(working)
    if token:
        with pytest.raises(LedgerError, match="v3 serves in the place of v2 already") as refused:
            working.take_back(token, by=TWO, at=world.clock.now_micros())
        assert (reason_of(refused), refused.value.remedy) == (
            Reason.JOB_REFUSED, "Nothing is to be done: the ledger ends the job by itself.",
        )  # fmt: skip
    before = world.head
    assert world.govern() == 1
    assert types(working, before) == ["job.lapsed", "job.closed"]
    job = working.job()
    assert (job.state, job.outcome) == ("closed", "lapsed")
    assert job.why == f"{why}Nothing is left to do: v3 was put in its place by users/ana."
    [lapsed] = world.events("job.lapsed.v1")
    assert lapsed.data["ended_by"] == position
    if token:
        with pytest.raises(LedgerError, match=r"the job is over: .*v3 was put in its place"):
            working.take_back(token, by=TWO)
    over(working)
    assert world.govern() == 0
    assert working.propose("j2").state == "proposed"
    passes_its_audit(working)


def test_a_job_whose_version_is_replaced_after_its_window_has_no_verdict_on_it(
    working: Working,
) -> None:
    """The window is over, and before anybody looked another version serves."""
    token = working.observing("v2", at=working.world.clock.now_micros())
    working.report("observation", token)
    over(working)
    by_hand(working)
    assert working.world.govern() == 1
    assert working.job().outcome == "lapsed"
    passes_its_audit(working)


def test_a_version_that_was_put_back_by_hand_ends_the_return(working: Working) -> None:
    observed(working)
    working.world.ledger.jobs.cancel(BOB, "j1", "it does worse")
    by_hand(working, "v1")
    assert working.world.govern() == 1
    assert (working.job().outcome, "v1 was put in its place" in working.job().why) == (
        "lapsed",
        True,
    )
    passes_its_audit(working)


@pytest.mark.parametrize("state", ["ready", "leased", "observing", "rolling_back"])
def test_a_job_lapses_with_its_model(working: Working, state: str) -> None:
    world = working.world
    if state in {"ready", "leased"}:
        working.propose()
        working.approve()
    else:
        observed(working)
    if state == "leased":
        working.lease()
    if state == "rolling_back":
        working.world.ledger.jobs.cancel(BOB, "j1", "it does worse")
    assert working.job().state == state
    world.ledger.commands.retire_model(ANA, "alpha", "gone")
    position = world.head
    assert world.govern() == 1
    assert working.job().outcome == "lapsed"
    assert working.job().why.endswith("its model was retired by users/ana.")
    [lapsed] = world.events("job.lapsed.v1")
    assert lapsed.data["ended_by"] == position
    passes_its_audit(working)


def test_a_deployment_that_is_stated_for_an_earlier_time_replaces_nothing(working: Working) -> None:
    now = working.world.clock.now_micros()
    observed(working)
    by_hand(working, "v0", at=now - HOUR)
    assert working.world.govern() == 0
    assert working.job().state == "observing"
    passes_its_audit(working)


def test_a_job_deploys_no_version_that_would_not_serve(working: Working) -> None:
    world = working.world
    working.propose()
    working.approve()
    world.clock.advance(60 * SECOND)
    now = world.clock.now_micros()
    by_hand(working, at=now)
    token = working.lease()
    working.pass_gates(token)
    with pytest.raises(LedgerError, match="v3 is stated to serve since") as refused:
        working.deploy(token, "v2", at=now - SECOND)
    assert reason_of(refused) is Reason.JOB_REFUSED
    working.deploy(token, "v2", at=now)
    version = working.job().deployed
    assert version is not None
    assert (version.replaces, working.job().returns_to) == ("v3", ("v3",))
    passes_its_audit(working)


def test_a_lease_that_runs_out_meanwhile_is_no_second_end(working: Working) -> None:
    observed(working)
    over(working)
    assert working.world.govern() == 1
    working.lease(by=ONE)
    by_hand(working)
    working.world.clock.advance(LEASE_SECONDS * SECOND)
    assert working.world.govern() == 1
    assert working.job().outcome == "lapsed"
    passes_its_audit(working)


def test_a_return_where_the_version_in_service_is_not_known_is_ended_by_a_deployment_by_hand(
    working: Working,
) -> None:
    world = working.world
    observed(working)
    world.ledger.jobs.cancel(BOB, "j1", "it does worse")
    token = working.lease(by=TWO)
    [deployed] = [one for one in world.events("model.deployed.v1") if one.data["replaces"] == "v1"]
    world.erase(deployed.position)
    with pytest.raises(LedgerError, match="which version serves is not known") as refused:
        working.take_back(token, by=TWO, at=world.clock.now_micros())
    assert "by hand" in refused.value.remedy
    assert world.govern() == 0
    by_hand(working, "v1")
    assert world.govern() == 1
    assert working.job().outcome == "lapsed"
    passes_its_audit(working)
