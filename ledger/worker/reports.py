"""Reports on tasks: facts, which are remembered as JSON, and the call that sends them."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ledger.client import LedgerClient
from ledger.client.jobs import (
    Artifact,
    DataSnapshot,
    JobEnvironment,
    ReportedEvidence,
    ReportedGate,
    RetrainingJob,
)
from ledger.worker.state import PendingReport
from ledger.worker.steps import RETURN, StepError, StepReport

DEPLOYMENT: Final = "deployment"
OBSERVATION: Final = "observation"
_NUMBERS: Final = ("metrics", "samples", "champion", "candidate", "links")


class Found(NamedTuple):
    """The leavings of a step that ended well: its report, files, log."""

    report: StepReport
    artifacts: tuple[Artifact, ...]
    log_sha256: str
    """Empty where it has no log."""


def served_instead(job: RetrainingJob, serving: str) -> str:
    """Return the version that serves in the place of a job's; empty where none is known to.

    Then nothing is to be put back, and the ledger ends the job by itself.
    """
    ours = None if job.deployment is None else job.deployment.model_version
    return serving if ours is not None and serving != ours else ""


def states_no_time(task: str, report: StepReport) -> bool:
    """Whether a step leaves it to the worker to say when a version began to serve."""
    if task == DEPLOYMENT:
        return report.version is not None and not report.version.in_service_at
    return task == RETURN and not report.in_service_at


def facts_of(job: RetrainingJob, task: str, found: Found, now_text: str) -> dict[str, Any]:
    """Return what is reported of a task's end; StepError where the step left something out."""
    report = found.report
    if task == RETURN:
        put_back = next(iter(job.returns_to), "")
        return {"in_service_at": report.in_service_at or now_text, "model_version": put_back}
    cost = None if report.cost_micros is None else job.cost_micros + report.cost_micros
    facts = {name: getattr(report, name) for name in _NUMBERS} | {
        "cost_micros": cost,
        "artifacts": {one.name: one.sha256 for one in found.artifacts},
        "log_sha256": found.log_sha256,
    }
    if report.environment is not None and task != OBSERVATION:
        facts["environment"] = report.environment.model_dump()
    if task != DEPLOYMENT:
        return facts
    if report.version is None:
        raise StepError("Its report has no `version`, and it is the step of the deployment.")
    version = report.version.model_dump()
    return facts | version | {"in_service_at": version["in_service_at"] or now_text}


def send(
    client: LedgerClient, job: RetrainingJob, token: int, pending: PendingReport
) -> tuple[RetrainingJob, ReportedGate | None]:
    """Send a report once; return the job after it, and the answer to a report on a gate."""
    facts, request_id = pending.facts, pending.request_id
    if pending.task == RETURN:
        changed = client.roll_back_job(job.name, token, **facts, request_id=request_id)
        return changed.job, None
    if "environment" in facts:
        client.record_environment(
            job.name,
            token,
            pending.task,
            environment_of(facts["environment"]),
            request_id=f"{request_id}-environment",
        )
    evidence = _evidence(facts)
    if pending.task == DEPLOYMENT:
        reported = client.deploy_job_version(
            job.name,
            token,
            facts["model_version"],
            in_service_at=facts["in_service_at"],
            trained_through=facts["trained_through"],
            baseline_loss=facts["baseline_loss"],
            evidence=evidence,
            request_id=request_id,
        )
    else:
        reported = client.report_gate(
            job.name, token, pending.task, evidence, request_id=request_id
        )
    return reported.job, reported


def environment_of(facts: Mapping[str, Any]) -> JobEnvironment:
    """Return the environment of a step as calls take it: empty for what there is not."""
    stated: dict[str, Any] = {name: "" if value is None else value for name, value in facts.items()}
    stated["snapshots"] = tuple(DataSnapshot(**one) for one in facts["snapshots"])
    stated["seed"] = None if facts["seed"] is None else int(facts["seed"])
    return JobEnvironment(**stated)


def _evidence(facts: Mapping[str, Any]) -> ReportedEvidence:
    return ReportedEvidence(
        metrics=facts["metrics"],
        samples=facts["samples"],
        champion=facts["champion"],
        candidate=facts["candidate"],
        links=tuple(facts["links"]),
        cost_micros=facts["cost_micros"],
        artifacts=tuple(Artifact(name, digest) for name, digest in facts["artifacts"].items()),
        log_sha256=facts["log_sha256"],
    )
