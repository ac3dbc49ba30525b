"""All by which a step of a job is judged, and the refusal of one that may not be."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from ledger.application.jobs.refusals import job_refused, job_unknown, lease_lost, not_a_person
from ledger.events.jobs import (
    GateReported,
    JobCancelled,
    JobData,
    JobEnvironmentRecorded,
    JobGivenUp,
    JobLeaseExtended,
    JobRolledBack,
)
from ledger.jobs.machine import Job, Jobs
from ledger.jobs.moment import JobMoment
from ledger.jobs.steps import job_fault
from ledger.storage.records import Head

_OF_EXECUTORS: Final = (
    JobLeaseExtended,
    JobGivenUp,
    JobEnvironmentRecorded,
    GateReported,
    JobRolledBack,
)

_RETURNING: Final = (
    "An executor takes it up as soon as one leases the job: `decision-ledger job list` shows it."
)


@dataclass(frozen=True, slots=True)
class JobBasis:
    """All by which a step is judged: the jobs, when, under which authority, and the head."""

    jobs: Jobs
    moment: JobMoment
    head: Head

    def job(self, name: str) -> Job:
        """Return a job; JOB_UNKNOWN where it was never proposed."""
        job = self.jobs.jobs.get(name)
        if job is None:
            raise job_unknown(name, self.jobs.jobs)
        return job

    def with_labels(self, labels: Mapping[str, str]) -> "JobBasis":
        """Return the same with the labels of a job's model."""
        return replace(self, moment=self.moment._replace(labels=labels))

    def check(self, job: Job, data: JobData, what: str) -> None:
        """Refuse an event that may not be."""
        if fault := job_fault(self.jobs, job.name, data.TYPE, data.to_data(), self.moment):
            if isinstance(data, _OF_EXECUTORS):
                self.check_token(job, data.token, fault)
            if fault.endswith("is not a person"):
                raise not_a_person(self.moment.actor, job.name, what)
            is_return = isinstance(data, JobCancelled) and job.is_rolling_back
            raise job_refused(job.name, what, fault, _RETURNING if is_return else "")

    def check_token(self, job: Job, token: int, why: str) -> None:
        """Refuse what an executor does with LEASE_LOST where its token counts no more."""
        if not _counts(job, self.moment.actor, token):
            raise lease_lost(job, token, why)


def _counts(job: Job, actor: str, token: int) -> bool:
    """Whether an actor's token is that of the lease, or the last one of a job that needs none."""
    if job.lease is not None:
        return (job.lease.executor, job.lease.token) == (actor, token)
    return token == job.token and (job.is_over or job.state == "observing")
