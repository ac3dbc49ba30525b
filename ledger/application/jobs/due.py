"""The events that time, or a change of its model, brings to a job: the governor records them.

A lease runs out, an observation is over, a return is taken up by no executor, a job lapses.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from ledger.application.appender import Proposal
from ledger.application.commands import Caller, work_time
from ledger.application.fleet.fleet import Fleet
from ledger.application.jobs.basis import JobBasis
from ledger.application.jobs.commands import JobCommands
from ledger.application.jobs.lapses import lapse_of, while_served
from ledger.application.jobs.observed_windows import ObservedWindows
from ledger.application.jobs.reader import JobReader
from ledger.application.jobs.refusals import job_refused
from ledger.application.periodic_task import GovernorTurn, record_each
from ledger.errors import Reason
from ledger.events.cases import GOVERNOR
from ledger.events.jobs import JobData, JobLeaseExpired, JobReturnOverdue
from ledger.events.values import format_time
from ledger.jobs.conclusions import verdict
from ledger.jobs.machine import Job
from ledger.storage.records import AppendResult, LedgerInfo
from ledger.storage.store import Store

_GOVERNOR: Final = Caller(GOVERNOR)
_METHOD: Final = "Governor"
_SOONER: Final = frozenset({Reason.JOB_REFUSED, Reason.VERSION_CONFLICT})
"""Another server, an executor or a person was sooner."""
_log: Final = structlog.get_logger("ledger.jobs")


class DueJobs:
    """Records what is due of one ledger's jobs."""

    def __init__(
        self, store: Store, info: LedgerInfo, jobs: JobCommands, reader: JobReader, fleet: Fleet
    ) -> None:
        self._store = store
        self._info = info
        self._jobs = jobs
        self._reader = reader
        self._fleet = fleet
        self._windows = ObservedWindows(store, info)

    def run(self) -> GovernorTurn:
        """Record the leases that ran out, what was observed, late returns, and jobs that lapse.

        A lease that is over by the ledger's time and is waited for counts as overtaken: it is left.
        """
        now, jobs = self._reader.at_head(
            lambda jobs, head: (
                work_time(self._info, self._store, head),
                [one for one in jobs.jobs.values() if not one.is_over],
            )
        )
        self._fleet.refresh()
        lapsing, going_on = list[Job](), list[Job]()
        for one in jobs:
            (going_on if lapse_of(one, self._fleet) is None else lapsing).append(one)
        leased = [one for one in going_on if one.lease is not None]
        past = [one for one in leased if one.lease is not None and one.lease.expires_at <= now]
        over = past
        if self._info.clock == "wall":
            over = self._jobs.watch.over(leased, now)
        due: list[tuple[Callable[[str], AppendResult], str]] = [
            *((self._end, one.name) for one in lapsing),
            *((self._expire, one.name) for one in over),
            *((self._judge, one.name) for one in going_on if _is_observed(one, now)),
            *((self._call_overdue, one.name) for one in going_on if _is_overdue(one, now)),
        ]
        turn = record_each(due, lambda one: one[0](one[1]), _SOONER)
        return turn + GovernorTurn(overtaken=len(past) - len(over))

    def _expire(self, name: str) -> AppendResult:
        def expired(job: Job, _: int) -> JobData:
            return JobLeaseExpired(job=job.name, token=max(1, job.token))

        return self._jobs.record(_GOVERNOR, _METHOD, name, expired)

    def _call_overdue(self, name: str) -> AppendResult:
        def overdue(job: Job, now: int) -> JobData:
            return JobReturnOverdue(job=job.name, due_at=format_time(job.return_due_at or now))

        written = self._jobs.record(_GOVERNOR, _METHOD, name, overdue)
        _log.warning("job.return_overdue", ledger=self._info.origin, job=name)
        return written

    def _judge(self, name: str) -> AppendResult:
        """Record the verdict on what was observed of a version that still serves."""

        def decide(basis: JobBasis) -> Proposal:
            job = basis.job(name)
            if self._lapse(job) is not None:
                raise job_refused(name, "judged", "another version serves in its place")
            data = verdict(job, self._windows.of(job))
            basis.check(job, data, "judged")
            return self._guarded(basis, job, data)

        return self._jobs.append(_GOVERNOR, _METHOD, decide)

    def _end(self, name: str) -> AppendResult:
        """Record that nothing is left to do of a job."""

        def decide(basis: JobBasis) -> Proposal:
            job = basis.job(name)
            if (data := self._lapse(job)) is None:
                raise job_refused(name, "ended", "something is left to do")
            basis.check(job, data, "ended")
            return self._guarded(basis, job, data)

        return self._jobs.append(_GOVERNOR, _METHOD, decide)

    def _lapse(self, job: Job) -> JobData | None:
        self._fleet.refresh()
        return lapse_of(job, self._fleet)

    def _guarded(self, basis: JobBasis, job: Job, data: JobData) -> Proposal:
        """Return a proposal that holds only while the model is what it was."""
        made = self._jobs.proposal(basis, job, lambda _: [data])
        return replace(made, guards=[*made.guards, *while_served(job, basis.head.position)])


def _is_overdue(job: Job, now: int) -> bool:
    due_at = job.return_due_at
    return due_at is not None and due_at <= now and not job.is_overdue


def _is_observed(job: Job, now: int) -> bool:
    until = None if job.deployed is None else job.deployed.observed_until
    return job.state == "observing" and until is not None and until <= now
