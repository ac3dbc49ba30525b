"""The golden instances of a job: each type once, in an order in which a job could have them."""

from typing import Final

from ledger.events.base import EventData
from ledger.events.cases import GOVERNOR
from ledger.events.environment import EnvironmentPart, SnapshotPart
from ledger.events.jobs import (
    GateReported,
    JobApproved,
    JobCancelled,
    JobDenied,
    JobDeployed,
    JobEnvironmentRecorded,
    JobGivenUp,
    JobLapsed,
    JobLeased,
    JobLeaseExpired,
    JobLeaseExtended,
    JobProposed,
    JobReturnOverdue,
    JobRolledBack,
)
from ledger.events.recipe_document import CriterionPart, GatePart, MetricPart
from ledger.events.values import parse_time
from ledger.jobs.conclusions import closing, verdict
from ledger.jobs.forecast import forecast
from ledger.jobs.machine import Jobs
from tools.golden_proving import Appender

_JOB: Final = "fraud-eu-spring"
_WORKER: Final = "services/worker-1"
_MODEL: Final = "fraud-eu"


def run(ledger: Appender) -> None:
    """Propose a job, pass its gate, deploy, go back, and close it; then what else there is."""
    minutes, jobs = iter(range(60)), Jobs()

    def note(data: EventData, actor: str) -> int:
        at = f"2027-02-02T10:{next(minutes):02d}:00.000000Z"
        position = ledger.append(data, data.stream_name, at, actor=actor)
        told = position, data.stream_name, data.TYPE, actor, data.to_data()
        jobs.apply(*told, recorded_at=parse_time(at))
        return position

    seen = note(_proposed(), "users/ada")
    note(
        JobApproved(
            job=_JOB, stage="start", role="", seen_position=seen, note="The feed is mended."
        ),
        "users/bo",
    )
    note(JobLeased(job=_JOB, attempt=1, token=1, expires_at="2027-02-02T11:02:00.000000Z"), _WORKER)
    note(JobLeaseExtended(job=_JOB, token=1, expires_at="2027-02-02T11:03:00.000000Z"), _WORKER)
    note(_reported(), _WORKER)
    note(verdict(jobs.jobs[_JOB]), _WORKER)
    note(
        JobDeployed(
            job=_JOB,
            token=1,
            model_version="2026-09",
            replaces="2026-02",
            in_service_at="2027-02-02T10:05:00.000000Z",
            observed_until=None,
        ),
        _WORKER,
    )
    note(JobCancelled(job=_JOB, reason="Its features changed meanwhile."), "users/bo")
    note(JobRolledBack(job=_JOB, token=2, model_version="2026-02", replaces="2026-09"), _WORKER)
    note(closing(jobs.jobs[_JOB]), _WORKER)
    note(JobDenied(job=_JOB, stage="start", reason="One at a time."), "users/bo")
    note(JobLeaseExpired(job=_JOB, token=1), GOVERNOR)
    note(_environment(), _WORKER)
    note(JobGivenUp(job=_JOB, token=1, reason="The disk is full.", cost_micros="1000000"), _WORKER)


def lapse(ledger: Appender) -> None:
    """Have a return wait for too long, and then another version serve in the place of a job's."""
    overdue = JobReturnOverdue(job=_JOB, due_at="2027-03-01T09:55:00.000000Z")
    ledger.append(overdue, overdue.stream_name, "2027-03-01T09:55:00.000000Z", actor=GOVERNOR)
    lapsed = JobLapsed(
        job=_JOB, ended_by=88, by="users/ada", model_version="2026-11", tested_against=None
    )
    ledger.append(lapsed, lapsed.stream_name, "2027-03-01T10:00:00.000000Z", actor=GOVERNOR)


def _proposed() -> JobProposed:
    metric = MetricPart(name="missing", unit="ppm", meaning="Rows without a label.", of="run")
    criterion = CriterionPart(
        name="few-missing",
        when='metrics["missing"] <= 20000',
        rationale="More than 2% without labels was a broken feed each time.",
    )
    gate = GatePart(
        gate="data_integrity",
        metrics=[metric],
        samples=[],
        criteria=[criterion],
        holdout=None,
        approvals=[],
        signals=[],
        window_seconds=None,
        evidence_after_ppm=None,
    )
    return JobProposed.from_data(
        {
            "job": _JOB,
            "model": _MODEL,
            "recipe": "weekly",
            "recipe_version": 1,
            "recipe_digest": "ab" * 32,
            "plan": None,
            "decision": None,
            "serving": "2026-02",
            "budget": None,
            "reserved_micros": "0",
            "expected": {
                "cost_micros": "40000000",
                "test_micros": "4000000",
                "unit": "EUR",
                "duration_seconds": 2_700,
            },
            "limits": {
                "time_seconds": 7_200,
                "memory_mib": 8_192,
                "attempts": 2,
                "lease_seconds": 3_600,
                "heartbeat_seconds": 600,
            },
            "gates": [gate.model_dump()],
            "approvals": 1,
            "roles": [],
            "fall_back": ["2026-02"],
            "unit_value_micros": "2000000",
            "policy": None,
            "policy_version": None,
            "forecast": forecast([], _MODEL, 40_000_000, None).model_dump(),
            "margin": "none",
            "reason": "Labels were late for a week, and are complete again.",
        }
    )


def _environment() -> JobEnvironmentRecorded:
    return JobEnvironmentRecorded(
        job=_JOB,
        attempt=1,
        token=1,
        gate="data_integrity",
        environment=EnvironmentPart(
            code_commit="5a" * 20,
            code_changed=False,
            code_sha256="ab" * 32,
            image=None,
            interpreter="CPython 3.11.7",
            platform="Linux-6.1-x86_64-with-glibc2.36",
            packages=41,
            packages_sha256="cd" * 32,
            snapshots=[SnapshotPart(name="recent", sha256="ef" * 32, rows=48_000)],
            schema_version="3",
            features_version="12",
            architecture="gbdt-200",
            seed="7",
            shuffle_sha256="12" * 32,
        ),
    )


def _reported() -> GateReported:
    return GateReported.from_data(
        {
            "job": _JOB,
            "attempt": 1,
            "token": 1,
            "gate": "data_integrity",
            "metrics": {"missing": 3_100},
            "samples": {},
            "champion": {},
            "candidate": {},
            "cost_micros": "1200000",
            "artifacts": [{"name": "snapshot", "sha256": "cd" * 32}],
            "links": ["https://runs.example.com/7"],
            "log_sha256": "ef" * 32,
            "window_ppm": None,
        }
    )
