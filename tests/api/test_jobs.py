"""Jobs over the wire: people decide, executors lease and report, and answers say what is next.

Method: a served ledger with an approved recipe; two executors and people call by the client, and
what has no client's form by stubs.
"""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ledger.client import AsyncLedgerClient, LedgerClient, LedgerRefusedError
from ledger.client.jobs import Artifact, JobForecast, JobForecastError, ReportedEvidence
from ledger.v1 import job_pb2
from ledger.v1 import job_service_pb2 as pb
from ledger.v1.job_service_pb2_grpc import JobServiceStub as Stub
from tests.support.audits import audited
from tests.support.job_worlds import RECIPE
from tests.support.live_fleet import START, furnish
from tests.support.served import TIMEOUT, Served, refused, serving

FARES = "models/fares/jobs/j1"
COMPARED = ReportedEvidence(champion={"loss": 100}, candidate={"loss": 1}, cost_micros=2_000_000)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as found:
        found.create()
        with found.client(actor="users/ana") as client:
            furnish(client, ("fares", "hotels"))
            made = client.draft_recipe("weekly", RECIPE, "because")
        with found.client(actor="users/bob") as client:
            client.approve_recipe("weekly", 1, made.version.digest)
        yield found
    report = audited(tmp_path / "ledger.sqlite")
    assert report.passed, report.text()


def proposed(served: Served) -> None:
    with served.client(actor="users/ana") as client:
        client.propose_job("fares", "weekly", reason="it got worse", job_id="j1")
    with served.client(actor="users/bob") as client:
        client.approve_job(FARES, client.get_job(FARES).job.evidence_position, note="fine")


@pytest.fixture
def worker(served: Served) -> Iterator[LedgerClient]:
    proposed(served)
    with served.client(actor="services/worker-1") as client:
        yield client


def missing(rows: int) -> ReportedEvidence:
    return ReportedEvidence(metrics={"missing": rows})


def token_of(worker: LedgerClient) -> int:
    lease = worker.lease_job(FARES).job.lease
    assert lease is not None
    return lease.token


def test_an_executor_takes_a_job_through_its_gates(served: Served, worker: LedgerClient) -> None:
    [ready] = worker.list_jobs(state="ready")
    assert (ready.name, ready.gates_passed, ready.expected_micros, ready.unit) == (
        FARES, 0, 5_000_000, "EUR",
    )  # fmt: skip
    token = token_of(worker)
    evidence = ReportedEvidence(
        metrics={"missing": 3}, artifacts=(Artifact("rows", "ab" * 32),), log_sha256="cd" * 32
    )
    reported = worker.report_gate(FARES, token, "data-integrity", evidence)
    assert reported.verdict is not None
    assert reported.verdict.is_passed
    assert reported.verdict.criteria[0].sentence.startswith("whole is met")
    worker.heartbeat_job(FARES, token)
    worker.report_gate(FARES, token, "candidate", COMPARED)
    worker.report_gate(FARES, token, "holdout", ReportedEvidence(metrics={"loss": 7}))
    deployed = worker.deploy_job_version(
        FARES, token, "v2", in_service_at=START, trained_through=START, baseline_loss=0.3
    )
    assert deployed.job.deployment is not None
    assert (deployed.job.deployment.model_version, deployed.job.deployment.replaces) == ("v2", "v1")
    judged = worker.get_job(FARES)
    assert [one.gate for one in judged.verdicts] == [
        "DATA_INTEGRITY", "CANDIDATE", "HOLDOUT", "DEPLOYMENT",
    ]  # fmt: skip
    assert (judged.job.state, judged.job.cost_micros) == ("OBSERVING", 2_000_000)
    with served.client(actor="users/bob") as person:
        cancelled = person.cancel_job(FARES, "the wrong rows")
        assert cancelled.job.state == "ROLLING_BACK"
    token = token_of(worker)
    over = worker.roll_back_job(FARES, token, in_service_at=START)
    assert (over.job.state, over.job.outcome) == ("CLOSED", "ROLLED_BACK")
    assert over.job.forecast_error == JobForecastError(error_micros=-3_000_000, is_within=True)
    assert worker.get_model("fares").version_in_service == "v1"


def test_a_report_that_lacks_a_number_is_refused_and_one_that_fails_ends_the_job(
    worker: LedgerClient,
) -> None:
    token = token_of(worker)
    with pytest.raises(LedgerRefusedError, match="is not reported") as lacking:
        worker.report_gate(FARES, token, "data-integrity")
    assert lacking.value.reason == "JOB_REFUSED"
    with pytest.raises(LedgerRefusedError) as stale:
        worker.report_gate(FARES, token + 1, "data-integrity", missing(1))
    assert stale.value.reason == "LEASE_LOST"
    failed = worker.report_gate(FARES, token, "data-integrity", missing(99))
    assert failed.verdict is not None
    assert (failed.verdict.is_passed, failed.job.outcome) == (False, "FAILED")


def test_a_job_is_given_up_with_a_reason(worker: LedgerClient) -> None:
    token = token_of(worker)
    with pytest.raises(LedgerRefusedError, match="reason") as unsaid:
        worker.give_up_job(FARES, token, " ")
    assert unsaid.value.reason == "FIELD_INVALID"
    given = worker.give_up_job(FARES, token, "its disk is full")
    assert (given.job.state, given.job.attempt, given.job.lease) == ("READY", 2, None)
    last = worker.give_up_job(FARES, token_of(worker), "its disk is full")
    assert (last.job.outcome, "because: its disk is full" in last.job.reason) == ("FAILED", True)


def test_a_job_is_denied_by_a_person_and_listed_with_its_end(served: Served) -> None:
    with served.client(actor="users/ana") as client:
        job = client.propose_job("hotels", "weekly", reason="it got worse").job
        assert (job.state, job.missing_approvals[0].count) == ("PROPOSED", 1)
    with served.client(actor="users/bob") as client:
        client.deny_job(job.name, "too dear")
        [one] = client.list_jobs("hotels")
        assert (one.outcome, one.reason) == ("DENIED", "users/bob denied it, because: too dear.")
        assert client.list_jobs("fares") == []


def test_a_job_states_the_policy_and_the_forecast_that_it_was_proposed_with(
    served: Served,
) -> None:
    proposed(served)
    with served.client(actor="users/ana") as client:
        job = client.get_job(FARES).job
        assert (job.policy, job.policy_version) == ("fleet", 1)
        assert job.forecast == JobForecast(
            jobs=0, jobs_of_model=0, cost_micros=5_000_000, cost_low_micros=0,
            cost_high_micros=10_000_000, success_ppm=500_000, benefit_micros=None,
            benefit_low_micros=None, benefit_high_micros=None, planned_micros=None,
            gains=0, gain_ppm=1_000_000,
        )  # fmt: skip
        assert job.forecast_error is None
        cancelled = client.cancel_job(FARES, "no machine is free").job
        assert (cancelled.outcome, cancelled.forecast_error) == ("CANCELLED", None)
        later = client.propose_job("hotels", "weekly", reason="it got worse").job
        assert later.forecast == job.forecast, "what no executor worked on teaches nothing"


def test_a_job_that_was_cancelled_says_nothing_of_forecasts_though_it_was_worked_on(
    served: Served, worker: LedgerClient
) -> None:
    worker.report_gate(FARES, token_of(worker), "data-integrity", missing(1))
    with served.client(actor="users/ana") as client:
        cancelled = client.cancel_job(FARES, "no machine is free").job
        assert (cancelled.outcome, cancelled.forecast_error) == ("CANCELLED", None)
        later = client.propose_job("hotels", "weekly", reason="it got worse").job
        assert later.forecast.jobs == 0


def test_a_job_rests_its_forecast_on_those_that_were_worked_on(
    served: Served, worker: LedgerClient
) -> None:
    failed = worker.report_gate(FARES, token_of(worker), "data-integrity", missing(99)).job
    assert failed.forecast_error == JobForecastError(error_micros=-5_000_000, is_within=True)
    with served.client(actor="users/ana") as client:
        later = client.propose_job("hotels", "weekly", reason="it got worse").job.forecast
    assert (later.jobs, later.jobs_of_model) == (1, 0)
    assert later.cost_micros == 4_000_000
    assert later.success_ppm == 400_000


def test_a_job_is_named_with_its_model(served: Served, worker: LedgerClient) -> None:
    jobs = Stub(served.channel)
    for name, reason in (
        ("models/hotels/jobs/j1", "JOB_UNKNOWN"),
        ("models/fares/jobs/j2", "JOB_UNKNOWN"),
        ("jobs/j1", "FIELD_INVALID"),
        ("", "FIELD_INVALID"),
    ):
        request = pb.GetJobRequest(name=name)
        assert refused(lambda: jobs.GetJob(request, timeout=TIMEOUT)).reason == reason  # noqa: B023
    listed = jobs.ListJobs(pb.ListJobsRequest(page_size=1), timeout=TIMEOUT)
    assert [one.state for one in listed.jobs] == [job_pb2.JOB_STATE_READY]
    assert worker.get_job(FARES).job.position == listed.jobs[0].position


def test_the_asynchronous_client_leases_a_job_as_well(served: Served) -> None:
    proposed(served)

    async def lease() -> str:
        async with AsyncLedgerClient(served.server.address, actor="services/worker-2") as client:
            job = (await client.lease_job(FARES)).job
            return job.lease.executor if job.lease else ""

    assert asyncio.run(lease()) == "services/worker-2"


def test_a_plan_tells_which_job_came_of_a_model_that_it_admitted(served: Served) -> None:
    with served.client(actor="users/ana") as client:
        at = START + timedelta(days=8)
        client.submit([("fares", "log-loss", 0.9, at, "v1", 10_000)])
        made = client.make_plan(1_000_000_000, plan="week-1")
        assert made.plan.admitted == 1
        assert made.plan.jobs == client.get_plan("week-1").jobs == ()
        client.propose_job("fares", "weekly", plan="week-1", job_id="j1")
        [told] = client.get_plan("week-1").jobs
        assert (told.name, told.model, told.job) == (FARES, "fares", "j1")
        assert (told.state, told.outcome) == ("READY", None)
        client.cancel_job(FARES, reason="not now")
        client.make_plan(1_000_000_000, plan="week-2")
        [told] = client.get_plan("week-1").jobs
        assert (told.state, told.outcome) == ("CLOSED", "CANCELLED")
        assert client.get_plan("week-2").jobs == ()
        assert [one.jobs for one in client.list_plans()] == [(), ()]
