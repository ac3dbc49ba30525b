"""Refusals about jobs: each says what happened, why, and what to do next."""

from collections.abc import Iterable

from ledger.application.names import did_you_mean, nearest
from ledger.errors import LedgerError, Reason
from ledger.jobs.machine import Job


def job_unknown(name: str, known: Iterable[str]) -> LedgerError:
    """Return the refusal of a job that was never proposed."""
    names = list(known)
    return LedgerError(
        Reason.JOB_UNKNOWN,
        f"No job {name!r} was proposed.",
        remedy=did_you_mean(name, names) + "List the jobs: `decision-ledger job list`.",
        metadata={"job": name, "nearest": nearest(name, names)},
    )


def job_refused(name: str, what: str, why: str, remedy: str = "") -> LedgerError:
    """Return the refusal of a step of a job; `what` is the step as a sentence goes on with it."""
    return LedgerError(
        Reason.JOB_REFUSED,
        f"Job {name} cannot be {what}: {why}.",
        remedy=remedy or f"See what it waits for: `decision-ledger job show {name}`.",
        metadata={"job": name, "why": why},
    )


def lease_lost(job: Job, token: int, why: str) -> LedgerError:
    """Return the refusal of an executor that has not, or no longer, the lease of a job."""
    return LedgerError(
        Reason.LEASE_LOST,
        f"The lease of job {job.name} with token {token} is not in force: {why}.",
        remedy="Stop the work and throw its results away; lease a job again.",
        metadata={"job": job.name, "token": str(token), "newest_token": str(job.token)},
    )


def not_a_person(actor: str, name: str, what: str) -> LedgerError:
    """Return the refusal of a service that does what a person has to."""
    return LedgerError(
        Reason.ACTOR_NOT_AUTHORISED,
        f"Job {name} cannot be {what}: {actor} is not a person.",
        remedy="Call as the person who decides, users/NAME.",
        metadata={"actor": actor},
    )
