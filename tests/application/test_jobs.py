"""Jobs in the ledger: each step is one append with what follows, for one executor at a time.

Method: a ledger in one process on a manual clock; people, two executors and the governor act.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.errors import LedgerError, Reason
from ledger.events.jobs import JOB_TYPES
from ledger.events.models import ModelDeployed
from ledger.events.values import SECOND
from tests.support.audits import audited
from tests.support.job_worlds import BOB, LEASE_SECONDS, ONE, TWO, WINDOW_SECONDS, Working
from tests.support.world import ANA, DAY, HOUR, ORIGIN, START, World, reason_of, request

_SEEN = JOB_TYPES | {ModelDeployed.TYPE}


@pytest.fixture
def working(tmp_path: Path) -> Working:
    world = World(tmp_path / "ledger.db", clock="wall")
    return Working.of(world.begin("alpha", "beta"))


def types(working: Working, after: int) -> list[str]:
    events = working.world.store.events.of_types(ORIGIN, _SEEN, after=after)
    return [one.type.removesuffix(".v1") for one in events]


def passes_its_audit(working: Working) -> None:
    path = Path(working.world.path)
    working.world.close()
    report = audited(path)
    assert report.passed, report.text()


def test_a_job_goes_live_through_its_gates_and_is_closed_when_its_observation_is_over(
    working: Working,
) -> None:
    world = working.world
    before = world.head
    job = working.propose()
    assert (job.state, job.attempt, job.proposed["serving"]) == ("proposed", 1, "v1")
    working.approve()
    token = working.lease()
    working.pass_gates(token)
    working.deploy(token, "v2", at=world.clock.now_micros())
    assert world.model("alpha").model.in_service is not None
    assert working.job().deployed is not None
    working.report("observation", token, loss=99)
    assert world.govern() == 0
    world.clock.advance(WINDOW_SECONDS * SECOND)
    assert world.govern() == 1
    assert (working.job().state, working.job().outcome) == ("closed", "succeeded")
    assert types(working, before) == [
        "job.proposed", "job.approved", "job.leased",
        *["gate.reported", "gate.judged"] * 3,
        "gate.reported", "gate.judged", "model.deployed", "job.deployed",
        "gate.reported", "gate.judged", "job.closed",
    ]  # fmt: skip
    passes_its_audit(working)


def test_a_failed_gate_ends_the_job_in_the_same_append(working: Working) -> None:
    working.propose()
    working.approve()
    token = working.lease()
    before = working.world.head
    written = working.report("data_integrity", token, loss=500)
    assert types(working, before) == ["gate.reported", "gate.judged", "job.closed"]
    assert written.last_position - written.first_position == 2
    judged = working.world.ledger.jobs.verdict(written)
    assert judged is not None
    assert judged.criteria[0].values == {'metrics["missing"]': "50"}
    job = working.job()
    assert (job.outcome, job.cost_micros) == ("failed", 1_000_000)
    with pytest.raises(LedgerError, match="is over") as refused:
        working.report("candidate", token)
    assert reason_of(refused) is Reason.JOB_REFUSED
    passes_its_audit(working)


def test_an_executor_whose_lease_ran_out_is_told_to_stop_and_another_goes_on(
    working: Working,
) -> None:
    world = working.world
    working.propose()
    working.approve()
    first = working.lease()
    working.report("data_integrity", first)
    assert world.govern() == 0
    world.clock.advance(LEASE_SECONDS * SECOND)
    assert world.govern() == 1
    second = working.lease(by=TWO)
    assert (second, working.job().attempt) == (2, 2)
    for act in (
        lambda: working.report("candidate", first),
        lambda: world.ledger.jobs.heartbeat(ONE, "j1", first),
        lambda: working.deploy(first, "v2"),
    ):
        with pytest.raises(LedgerError) as refused:
            act()
        assert reason_of(refused) is Reason.LEASE_LOST
        assert refused.value.remedy.startswith("Stop the work")
    working.report("candidate", second, by=TWO)
    passes_its_audit(working)


def test_a_heartbeat_is_an_event_only_where_it_makes_the_lease_longer(working: Working) -> None:
    world = working.world
    working.propose()
    working.approve()
    token = working.lease()
    before = world.head
    first = world.ledger.jobs.heartbeat(ONE, "j1", token)[1]
    assert world.head == before
    world.clock.advance(LEASE_SECONDS // 2 * SECOND)
    later = world.ledger.jobs.heartbeat(ONE, "j1", token)[1]
    assert types(working, before) == ["job.lease_extended"]
    assert first.lease is not None
    assert later.lease is not None
    assert later.lease.expires_at - first.lease.expires_at == LEASE_SECONDS // 2 * SECOND
    world.clock.advance(LEASE_SECONDS // 2 * SECOND)
    assert world.govern() == 0


def test_a_clock_that_leaps_takes_no_job_from_an_executor(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db", clock="wall")
    working = Working.of(world.begin("alpha"))
    working.propose()
    working.approve()
    token = working.lease()
    assert world.govern() == 0
    real = world.clock.monotonic_seconds
    waited = real()
    world.clock.monotonic_seconds = lambda: waited  # type: ignore[method-assign]
    world.clock.advance(LEASE_SECONDS * SECOND)
    assert world.govern() == 0
    world.ledger.jobs.heartbeat(ONE, "j1", token)
    world.clock.advance(LEASE_SECONDS * SECOND)
    world.restart()
    assert world.govern() == 0, "a server that begins waits for the lease in full"
    waited += LEASE_SECONDS
    assert world.govern() == 1
    working.world.close()


def test_a_version_that_does_worse_is_taken_back_to_the_one_that_it_replaced(
    working: Working,
) -> None:
    world = working.world
    working.observing("v2", at=world.clock.now_micros())
    token = working.job().token
    working.report("observation", token, loss=500)
    world.clock.advance(WINDOW_SECONDS * SECOND)
    assert world.govern() == 1
    assert working.job().state == "rolling_back"
    with pytest.raises(LedgerError, match="waits for an executor that takes it back"):
        working.take_back(token)
    token = working.lease(by=TWO)
    before = world.head
    working.take_back(token, by=TWO, at=world.clock.now_micros())
    assert types(working, before) == ["model.deployed", "job.rolled_back", "job.closed"]
    serving = world.model("alpha").model.in_service
    assert serving is not None
    assert (serving.model_version, serving.kind) == ("v1", "reinstated")
    passes_its_audit(working)


def test_a_version_goes_back_with_the_loss_that_was_stated_of_it_last(working: Working) -> None:
    world = working.world
    through = world.trained["alpha", "v1"]
    for version, baseline in (("v2", "0.4"), ("v1", "0.7")):
        world.clock.advance(HOUR)
        at = world.clock.now_micros()
        trained = through if version == "v1" else at
        world.deploy("alpha", version, at=at, through=trained, baseline=baseline)
    world.clock.advance(HOUR)
    token = working.observing("v3", at=world.clock.now_micros())
    working.report("observation", token, loss=500)
    world.clock.advance(WINDOW_SECONDS * SECOND)
    assert world.govern() == 1
    working.take_back(working.lease(by=TWO), by=TWO, at=world.clock.now_micros())
    serving = world.model("alpha").model.in_service
    assert serving is not None
    assert (serving.model_version, serving.baseline_loss) == ("v1", "0.7")
    passes_its_audit(working)


def test_a_model_has_one_job_at_a_time_and_a_plan_gives_it_one(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha", "beta")
    working = Working.of(world)
    for day in range(1, 8):
        world.see("alpha", 0.5 + day * 0.2, START + day * DAY)
        world.settle()
    plan = world.plan(5_000_000)
    admitted = [row.model for row in plan.backlog if row.outcome == "admitted"]
    assert admitted == ["alpha"]
    job = working.propose(plan=plan.plan, reason="", caller=ONE)
    assert (job.state, job.proposed["approvals"]) == ("ready", 0)
    with pytest.raises(LedgerError, match="job j1 of model alpha is not over"):
        working.propose("j2", plan=plan.plan)
    with pytest.raises(LedgerError, match="did not admit beta"):
        working.propose("j2", "beta", plan=plan.plan)
    world.ledger.jobs.cancel(ANA, "j1", "no machine is free")
    with pytest.raises(LedgerError, match="does not know job j1 of model alpha, proposed since"):
        working.propose("j2", plan=plan.plan)
    passes_its_audit(working)


def test_people_decide_and_services_do_not(working: Working) -> None:
    with pytest.raises(LedgerError, match="is not a person, and no plan admitted it"):
        working.propose(caller=ONE)
    working.propose()
    with pytest.raises(LedgerError) as refused:
        working.approve(by=ONE)
    assert reason_of(refused) is Reason.ACTOR_NOT_AUTHORISED
    with pytest.raises(LedgerError, match="is the person who proposed it"):
        working.approve(by=ANA)
    working.world.ledger.jobs.deny(BOB, "j1", "too dear")
    assert working.job().outcome == "denied"
    with pytest.raises(LedgerError, match="No job 'j7' was proposed") as unknown:
        working.job("j7")
    assert reason_of(unknown) is Reason.JOB_UNKNOWN
    passes_its_audit(working)


def test_a_holdout_is_used_no_oftener_than_its_recipe_allows_over_all_jobs(
    working: Working,
) -> None:
    used = "spring was used 3 times, and 3 are allowed"
    jobs = working.world.ledger.jobs
    working.propose("late", "beta")
    working.approve("late")
    late = working.lease("late")
    for number in range(1, 4):
        name = f"j{number}"
        working.propose(name)
        working.approve(name)
        token = working.lease(name)
        if number < 3:
            working.pass_gates(token, name)
            jobs.cancel(ANA, name, "only the test counts")
            continue
        working.report("data_integrity", token, name)
        working.report("candidate", token, name)
        jobs.give_up(ONE, name, token, "it has seen the data")
        assert used in working.job(name).why  # a second attempt would look at it again
    with pytest.raises(LedgerError, match=used):
        working.propose("j4")
    working.report("data_integrity", late, "late")
    working.report("candidate", late, "late")
    ended = working.job("late")  # before its executor could look at the data
    assert (ended.state, ended.outcome) == ("closed", "failed")
    assert used in ended.why
    with pytest.raises(LedgerError, match=used):
        working.report("holdout", late, "late")
    passes_its_audit(working)


def test_a_repeated_report_gets_its_first_answer(working: Working) -> None:
    working.propose()
    working.approve()
    token = working.lease()
    caller = request("r1", "x", actor=ONE.actor)
    report = working.reported("data_integrity", token)
    first = working.world.ledger.jobs.report(caller, report)
    before = working.world.head
    again = working.world.ledger.jobs.report(caller, report)
    assert (again.first_position, again.repeated) == (first.first_position, True)
    assert working.world.head == before


def test_a_job_that_is_given_up_is_open_to_another_executor_at_once(working: Working) -> None:
    jobs = working.world.ledger.jobs
    working.propose()
    working.approve()
    token = working.lease()
    working.report("data_integrity", token)
    with pytest.raises(LedgerError, match="holds the lease, not") as other:
        jobs.give_up(TWO, "j1", token, "I want it")
    assert reason_of(other) is Reason.LEASE_LOST
    written = jobs.give_up(request("r1", "x", actor=ONE.actor), "j1", token, "its disk is full")
    again = jobs.give_up(request("r1", "x", actor=ONE.actor), "j1", token, "its disk is full")
    assert (again.first_position, again.repeated) == (written.first_position, True)
    with pytest.raises(LedgerError) as late:
        jobs.give_up(ONE, "j1", token, "its disk is full")
    assert reason_of(late) is Reason.LEASE_LOST
    token = working.lease(by=TWO)
    assert working.job().attempt == 2
    working.report("candidate", token, by=TWO)
    passes_its_audit(working)


def test_two_servers_expire_a_lease_once(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db")
    working = Working.of(world.begin("alpha"))
    working.propose()
    working.approve()
    working.lease()
    other = World(tmp_path / "ledger.db", shared=world)
    world.see("alpha", 0.4, START + LEASE_SECONDS * SECOND + HOUR)
    before = world.head
    assert world.govern() + other.govern() == 1
    assert types(working, before) == ["job.lease_expired"]


def test_steps_of_many_callers_at_once_do_not_refuse_each_other(tmp_path: Path) -> None:
    models = [f"m{number}" for number in range(24)]
    working = Working.of(World(tmp_path / "ledger.db", clock="wall").begin(*models))
    with ThreadPoolExecutor(len(models)) as threads:
        made = list(threads.map(lambda model: working.propose(model, model), models))
    assert [one.state for one in made] == ["proposed"] * len(models)
    passes_its_audit(working)
