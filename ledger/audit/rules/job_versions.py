"""Rules about the versions of jobs: each serves only through its gates, and gives way as it may.

It goes back only to what it replaced; where another one serves already, nothing is left to do.
"""

from typing import Any

from ledger.audit.event import AuditedEvent
from ledger.audit.job_lapses import is_unclear, lapse_again, untested_again
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.audit.rules.jobs import step_fault
from ledger.events.jobs import (
    GateJudged,
    JobDeployed,
    JobLapsed,
    JobLeased,
    JobProposed,
    JobRolledBack,
)
from ledger.jobs.changes import untested
from ledger.jobs.machine import Job


@rule("jobs.deployed", JobDeployed.TYPE, JobRolledBack.TYPE)
def jobs_deployed(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A job's version serves only through its gates, and gives way only to what it replaced."""
    if fault := step_fault(event, fold):
        return fault
    before, data = fold.jobs.deployed, event.known
    if before is None or before.name != fold.jobs.known.jobs[event.name].model:
        return "no deployment of its model is right before it"
    if before.data is None:
        return Unchecked(fold.absences.reason(before.position))
    if (before.actor, before.request_id) != (event.actor, event.request_id):
        return f"the deployment at position {before.position} was not recorded with it"
    return _difference(data, before.data)


@rule("jobs.fall_back", JobProposed.TYPE, JobRolledBack.TYPE)
def jobs_fall_back(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A job may fall back to exactly the versions that are registered, then and when it does."""
    data = event.known
    if event.type == JobProposed.TYPE:
        registered = fold.recipes.benchmarks.fall_back(data["model"])
        if data["fall_back"] == registered:
            return None
        return f"it may fall back to {data['fall_back']}, and registered were {registered}"
    job = fold.jobs.known.jobs.get(event.name)
    if job is None or job.deployed is None or data["model_version"] == job.deployed.replaces:
        return None
    if data["model_version"] in fold.recipes.benchmarks.fall_back(job.model):
        return _training_fault(fold, job.model, data["model_version"])
    return f"{data['model_version']} did not serve before it, and is not registered"


def _training_fault(fold: LedgerState, model: str, version: str) -> str | None:
    """Return what a deployment says of a benchmark's training that was not registered."""
    deployed, said = fold.jobs.deployed, fold.recipes.benchmarks.training(model, version)
    if deployed is None or deployed.data is None or said is None:
        return None  # another rule's business
    if deployed.data["kind"] != "trained":
        return None  # it served before, which says it
    for name in ("trained_through", "baseline_loss"):
        if deployed.data[name] != getattr(said, name):
            return f"its {name} is {deployed.data[name]}, and registered was {getattr(said, name)}"
    return None


@rule(
    "jobs.lapsed",
    JobLapsed.TYPE,
    GateJudged.TYPE,
    JobLeased.TYPE,
    JobDeployed.TYPE,
    JobRolledBack.TYPE,
)
def jobs_lapsed(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A job lapses once its model is retired or another version serves, and by that alone.

    No version of it, nor one that is put back, goes into service before one that serves. None is
    leased to be deployed, or deployed, in the place of one that it was not tested against.
    """
    job, data = fold.jobs.known.jobs.get(event.name), event.known
    if event.type == JobLapsed.TYPE and (fault := step_fault(event, fold)):
        return fault
    if job is None:
        return None  # another rule's business
    fault = ""
    if event.type == JobLapsed.TYPE:
        lapse = lapse_again(fold, job, event.position - 1)
        if data != lapse:
            fault = "nothing happened by which it lapses" if lapse is None else _other(data, lapse)
    elif event.type == GateJudged.TYPE:
        if job.state == "observing" and (lapse := lapse_again(fold, job, event.position - 1)):
            fault = f"position {lapse['ended_by']} had left nothing to judge of it"
    elif event.type == JobLeased.TYPE:
        fault = _untested(fold, job, event.position - 1)
    else:
        fault = _unserved(event, fold, job.model)
        if event.type == JobDeployed.TYPE and not fault and (made := fold.jobs.deployed):
            fault = _untested(fold, job, made.position - 1)
    if fault and is_unclear(fold, job):
        return Unchecked("a body is not there that may say which version serves")
    return fault or None


def _untested(fold: LedgerState, job: Job, as_of: int) -> str:
    """Return which version served, at a position, that a job's own was not tested against."""
    found = untested_again(fold, job, as_of)
    if found is None:
        return ""
    said = untested(found["tested_against"], found["model_version"])
    return f"{said}, by position {found['ended_by']}"


def _other(data: dict[str, Any], lapse: dict[str, Any]) -> str:
    name = next(name for name in lapse if data[name] != lapse[name])
    return f"its {name} is {data[name]}, and what ended it gives {lapse[name]}"


def _unserved(event: AuditedEvent, fold: LedgerState, model: str) -> str:
    """Return which version serves, before a return or after a deployment, instead of the job's."""
    facts, deployed = fold.models.get(f"models/{model}"), fold.jobs.deployed
    if facts is None or deployed is None or deployed.data is None:
        return ""  # another rule's business
    named = [(event.position - 1, deployed.data["model_version"])]
    if event.type == JobRolledBack.TYPE:
        named.append((deployed.position - 1, event.known["replaces"]))
    for as_of, version in named:
        latest = facts.latest(as_of)
        if latest is not None and latest.version != version:
            return f"{latest.version} served, by position {latest.position}, and not {version}"
    return ""


def _difference(data: dict[str, Any], deployed: dict[str, Any]) -> str | None:
    shared = [name for name in ("model_version", "replaces", "in_service_at") if name in data]
    for name in shared:
        if data[name] != deployed[name]:
            return f"its {name} is {data[name]}, and the model's deployment says {deployed[name]}"
    return None
