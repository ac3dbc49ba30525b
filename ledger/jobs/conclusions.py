"""Conclusions of the ledger about a job: the verdict on a report, and the end of what is over.

Each comes right behind the event that it follows from, in the same append.
"""

from collections.abc import Sequence

from ledger.events.base import EventData
from ledger.events.job_parts import ObservedSignalPart
from ledger.events.jobs import GateJudged, JobClosed, JobDeployed
from ledger.events.models import ModelDeployed
from ledger.events.recipe_document import GatePart
from ledger.events.values import SECOND, TIME_LIMIT, format_time
from ledger.jobs.changes import Data
from ledger.jobs.machine import Job, Jobs
from ledger.jobs.observed import realised, with_observed
from ledger.rules.gates import GateEvidence, judge, report_fault


def owed_types(job: Job) -> tuple[str, ...]:
    """Return the types that must come right behind the newest event of a job, in order."""
    if job.state == "judging":
        return (GateJudged.TYPE,)
    if job.state == "deploying":
        return (ModelDeployed.TYPE, JobDeployed.TYPE)
    return (JobClosed.TYPE,) if job.state == "closing" else ()


def following(jobs: Jobs, job: Job, position: int, actor: str) -> list[EventData]:
    """Return the verdict and the end that come right behind a job's newest event, from a position.

    `jobs`: all of the ledger before that event. Empty where a deployment has to come first.
    """
    found: list[EventData] = []
    while (owed := owed_types(job)) and owed[0] in {GateJudged.TYPE, JobClosed.TYPE}:
        data = verdict(job) if owed[0] == GateJudged.TYPE else closing(job)
        found.append(data)
        job = jobs.after(job, position, data.TYPE, actor, data.to_data())
        position += 1
    return found


def verdict(job: Job, observed: Sequence[ObservedSignalPart] = ()) -> GateJudged:
    """Return the verdict on the gate that is next, by the job's own criteria and its evidence.

    `observed`: what the ledger itself holds of the signals that the gate names.
    """
    assert job.gate is not None, "a gate is next"
    gate = GatePart.model_validate(job.gate)
    evidence = GateEvidence(cost_micros=job.cost_micros, attempt=job.attempt)
    if job.report is not None:
        evidence = evidence_of(job.evidence)
    evidence = with_observed(evidence, observed)
    found = judge(gate, evidence)
    texts = {one.name: one.when for one in gate.criteria}
    others = [data for position, data in job.reports if position != job.report]
    unmet = [
        one
        for one in others
        if not judge(gate, with_observed(evidence_of(one), observed)).is_passed
    ]
    return GateJudged.from_data(
        {
            "job": job.name,
            "gate": gate.gate,
            "report": job.report,
            "observed": [one.model_dump() for one in observed],
            "is_passed": found.is_passed and not report_fault(gate, evidence),
            "criteria": [
                {
                    "name": one.name,
                    "when": texts[one.name],
                    "is_met": one.is_met,
                    "values": {path: str(value) for path, value in one.values.items()},
                    "sentence": one.sentence,
                }
                for one in found.criteria
            ],
            "others": len(others),
            "others_unmet": len(unmet),
        }
    )


def evidence_of(data: Data) -> GateEvidence:
    """Return the evidence of a report."""
    return GateEvidence(
        data["metrics"], data["samples"], data["champion"], data["candidate"],
        int(data["cost_micros"]), data["attempt"],
    )  # fmt: skip


def closing(job: Job) -> JobClosed:
    """Return the end of a job that is over."""
    made, cost = job.proposed["forecast"], job.cost_micros
    is_within = int(made["cost_low_micros"]) <= cost <= int(made["cost_high_micros"])
    return JobClosed.from_data(
        {
            "job": job.name,
            "outcome": job.outcome,
            "cost_micros": str(cost),
            "expected_micros": job.proposed["expected"]["cost_micros"],
            "forecast_error_micros": str(cost - int(made["cost_micros"])) if job.teaches else None,
            "is_within_forecast": is_within if job.teaches else None,
            "realised": realised(job),
            "reason": job.why,
        }
    )


def observed_until(job: Job, in_service_at: int, now: int) -> str | None:
    """Return until when the version of a job that is being deployed is observed; None for never.

    The window begins when the version is stated to serve, but not before the ledger is told so:
    what is stated cannot shorten it.
    """
    window = None if job.gate is None else job.gate["window_seconds"]
    if window is None:
        return None
    return format_time(min(max(in_service_at, now) + window * SECOND, TIME_LIMIT - 1))
