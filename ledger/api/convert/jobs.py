"""Jobs, their gates, and the evidence of executors."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from ledger.api.checks import Checks
from ledger.api.convert.basics import inverse, message_of, numbers, timestamp
from ledger.application.jobs.reader import RecordedReport
from ledger.events.budgets import Envelope
from ledger.events.environment import EnvironmentPart
from ledger.events.gate_names import GateName
from ledger.events.job_parts import ArtifactPart
from ledger.events.jobs import GateJudged, GateReported, JobEnvironmentRecorded, JobOutcome
from ledger.jobs.changes import missing_approvals
from ledger.jobs.conclusions import closing
from ledger.jobs.evidence_words import ReportAt, evidence_words
from ledger.jobs.machine import Job
from ledger.jobs.money import JOBS, TESTS, set_aside
from ledger.jobs.observed import realised
from ledger.jobs.put_backs import OpenPutBack
from ledger.v1 import job_pb2, job_service_pb2, plan_pb2

GATE_NUMBERS: Final = numbers(job_pb2.JobGate, GateName)
GATES: Final[dict[int, GateName]] = inverse(GATE_NUMBERS)
_OUTCOMES: Final = numbers(job_pb2.JobOutcome, JobOutcome)
_STATES: Final[Mapping[str, Any]] = {
    "proposed": job_pb2.JOB_STATE_PROPOSED,
    "ready": job_pb2.JOB_STATE_READY,
    "leased": job_pb2.JOB_STATE_LEASED,
    "awaiting_approval": job_pb2.JOB_STATE_AWAITING_APPROVAL,
    "observing": job_pb2.JOB_STATE_OBSERVING,
    "rolling_back": job_pb2.JOB_STATE_ROLLING_BACK,
    "closed": job_pb2.JOB_STATE_CLOSED,
}


def job(known: Job) -> job_pb2.Job:
    """Return a job."""
    data, version = known.proposed, known.deployed
    waits = known.state in {"proposed", "awaiting_approval"}
    missing = missing_approvals(known, known.approvals) if waits else []
    return message_of(
        job_pb2.Job,
        data,
        name=f"models/{known.model}/jobs/{known.name}",
        job=known.name,
        state=state_of(known),
        outcome=_OUTCOMES.get(known.outcome, 0),
        reason=known.why,
        proposer=known.proposer,
        position=known.position,
        changed_position=known.changed_at,
        evidence_position=known.evidence_at,
        returns_to=known.returns_to,
        return_due_at=None if known.return_due_at is None else timestamp(known.return_due_at),
        is_return_overdue=known.is_overdue and known.state == "rolling_back",
        realised=_realised(known),
        run_id=known.run_id or "",
        plan_position=data["plan"] or 0,
        gates=[GATE_NUMBERS[one["gate"]] for one in data["gates"]],
        gates_passed=known.passed,
        attempt=known.attempt,
        attempts=data["limits"]["attempts"],
        lease=None if known.lease is None else message_of(job_pb2.JobLease, known.lease),
        deployment=None
        if version is None
        else job_pb2.JobDeployment(
            model_version=version.model_version,
            replaces=version.replaces or "",
            observed_until=None
            if version.observed_until is None
            else timestamp(version.observed_until),
        ),
        missing_approvals=[
            job_pb2.MissingApprovals(role=role, count=count) for role, count in missing
        ],
        cost_micros=str(known.cost_micros),
        expected_micros=data["expected"]["cost_micros"],
        unit=data["expected"]["unit"],
        budget=data["budget"] or "",
        reserved_micros=_kept(known, JOBS),
        expected_test_micros=data["expected"]["test_micros"],
        test_cost_micros="" if known.stated_test_cost is None else str(known.stated_test_cost),
        reserved_test_micros=_kept(known, TESTS),
        forecast_error=_forecast_error(known),
        is_margin_unjudged=data["margin"] == "not_judged",
    )


def plan_job(known: Job) -> plan_pb2.PlanJob:
    """Return a job as its plan tells of it."""
    return plan_pb2.PlanJob(
        name=f"models/{known.model}/jobs/{known.name}",
        model=known.model,
        job=known.name,
        state=state_of(known),
        outcome=_OUTCOMES.get(known.outcome, 0),
    )


def _kept(known: Job, envelope: Envelope) -> str:
    return str(0 if known.is_over else set_aside(known, envelope))


def _forecast_error(known: Job) -> job_pb2.JobForecastError | None:
    """Return how far the cost of a job is from its forecast; None while that says nothing."""
    end = closing(known) if known.is_over else None
    if end is None or end.forecast_error_micros is None:
        return None
    return job_pb2.JobForecastError(
        error_micros=end.forecast_error_micros, is_within=bool(end.is_within_forecast)
    )


def _realised(known: Job) -> job_pb2.JobBenefit | None:
    found = realised(known) if known.is_over else None
    return None if found is None else job_pb2.JobBenefit(**found)


def state_of(known: Job) -> Any:  # noqa: ANN401 - a number of the enumeration
    """Return the state of a job; unset where the body of an event of it is gone."""
    return _STATES.get(known.state, 0)


def verdict(judged: GateJudged) -> job_pb2.JudgedGate:
    """Return the verdict on a gate."""
    return message_of(job_pb2.JudgedGate, judged)


def report(recorded: RecordedReport) -> job_pb2.JobReport:
    """Return a report as recorded, with the environment of its step."""
    data, environment = recorded.data, recorded.environment
    return message_of(
        job_pb2.JobReport,
        data,
        executor=recorded.executor,
        position=recorded.position,
        artifacts={one.name: one.sha256 for one in data.artifacts},
        environment=None
        if environment is None
        else message_of(job_pb2.JobEnvironment, environment),
    )


def observation_evidence(
    known: Job, verdicts: Sequence[GateJudged], reports: Sequence[RecordedReport]
) -> str:
    """Return in words which report the observation of a job rests on; empty for none."""
    gate = known.gate_of("observation")
    judged = next((one.to_data() for one in verdicts if one.gate == "observation"), None)
    told = [ReportAt(one.position, one.data.to_data()) for one in reports]
    return "" if gate is None else evidence_words(gate, judged, told)


def environment(
    checks: Checks, request: job_service_pb2.RecordEnvironmentRequest, known: Job
) -> JobEnvironmentRecorded | None:
    """Return the environment that an executor records; None where it is refused."""
    sent = request.environment
    names = [field.name for field in sent.DESCRIPTOR.fields]
    stated: dict[str, Any] = {name: getattr(sent, name) for name in names}
    for name in ("code_commit", "image", "packages_sha256", "seed", "shuffle_sha256"):
        stated[name] = stated[name] or None
    stated["snapshots"] = [
        {"name": one.name, "sha256": one.sha256, "rows": one.rows} for one in sent.snapshots
    ]
    try:
        return JobEnvironmentRecorded(
            job=known.name,
            attempt=known.attempt,
            token=request.token,
            gate=GATES[request.gate],
            environment=EnvironmentPart.model_validate(stated),
        )
    except ValidationError as error:
        checks.model_errors("environment", error)
        return None


def reported(
    checks: Checks, known: tuple[str, int, Job | None], gate: int, sent: job_pb2.GateEvidence
) -> GateReported | None:
    """Return what an executor reports of a job, under a token; None where it is refused."""
    name, token, job_ = known
    if gate not in GATES:
        checks.refuse("gate", "is required: one of " + ", ".join(GATE_NUMBERS).upper())
        return None
    cost = sent.cost_micros or str(0 if job_ is None else job_.cost_micros)
    try:
        return GateReported(
            job=name,
            attempt=1 if job_ is None else job_.attempt,
            token=token,
            gate=GATES[gate],
            metrics=dict(sent.metrics),
            samples=dict(sent.samples),
            champion=dict(sent.champion),
            candidate=dict(sent.candidate),
            cost_micros=cost,
            artifacts=[
                ArtifactPart(name=one.name, sha256=one.sha256.hex()) for one in sent.artifacts
            ],
            links=list(sent.links),
            log_sha256=sent.log_sha256.hex() or None,
            window_ppm=None,  # the ledger's own time says
        )
    except ValidationError as error:
        checks.model_errors("evidence", error)
        return None


def put_back(one: OpenPutBack, by: Job | None) -> plan_pb2.PutBack:
    """Return a version that is to serve again, with the recipe of the job that deployed it."""
    proposed = {} if by is None else by.proposed
    return plan_pb2.PutBack(
        name=f"{'roll_backs' if one.asked_by else 'reuse'}/{one.model}/{one.position}",
        model=one.model,
        put_back=one.put_back,
        in_service=one.in_service,
        reason=one.reason,
        recipe=proposed.get("recipe", ""),
        recipe_version=proposed.get("recipe_version", 0),
        recipe_digest=proposed.get("recipe_digest", ""),
        position=one.position,
        asked_by=one.asked_by,
    )
