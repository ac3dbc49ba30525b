"""The steps of jobs: each is judged as the auditor judges it, and recorded with what follows.

A report and its verdict are one append, and so are the event that ends a job and its end. What
time brings to jobs is in `due.py`.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Final

from ledger.application.appender import Addition, Appender, MakeData, Proposal
from ledger.application.authority.authority import Authority, unchanged
from ledger.application.budgets.budgets import Budgets
from ledger.application.commands import (
    Caller,
    fields_named,
    ledger_time,
    model_stream,
    no_erasure_after,
    none_after,
    while_unobserved,
    work_time,
)
from ledger.application.jobs.basis import JobBasis
from ledger.application.jobs.lapses import while_served
from ledger.application.jobs.lease_watch import LeaseWatch
from ledger.application.jobs.payments import payment
from ledger.application.jobs.reader import JobReader
from ledger.application.jobs.refusals import job_refused, job_unknown, lease_lost
from ledger.authority.state import Subject
from ledger.clock import Clock, uuid7
from ledger.errors import invalid_field
from ledger.events.base import EventData
from ledger.events.jobs import (
    JOB_TYPES,
    GateJudged,
    GateReported,
    JobApproved,
    JobCancelled,
    JobData,
    JobDenied,
    JobEnvironmentRecorded,
    JobGivenUp,
    JobLeased,
    JobLeaseExtended,
    JobStage,
)
from ledger.events.models import DESCRIBING
from ledger.events.registry import known_data, typed
from ledger.events.values import SECOND, format_time
from ledger.governance.requirements import holds
from ledger.jobs.changes import missing_approvals
from ledger.jobs.conclusions import following
from ledger.jobs.holdouts import HOLDOUT_TYPES
from ledger.jobs.machine import Job, Jobs
from ledger.jobs.moment import JobMoment
from ledger.jobs.windows import timed_report
from ledger.storage.records import AppendResult, Guard, Head, LedgerInfo
from ledger.storage.store import Store

TRIES: Final = 5
_WORDS: Final = {
    JobApproved.TYPE: "approved",
    JobDenied.TYPE: "denied",
    JobCancelled.TYPE: "cancelled",
    JobLeased.TYPE: "leased",
    JobLeaseExtended.TYPE: "kept",
    JobGivenUp.TYPE: "given up",
    JobEnvironmentRecorded.TYPE: "reported on",
    GateReported.TYPE: "reported on",
}
Step = Callable[[Job, int], JobData]
"""Makes the event of a step of a job, at a time."""
MakeEvents = Callable[[int], list[EventData]]
"""Makes the events of a step, given the position of the first."""


class JobCommands:
    """The steps of one ledger's jobs. Safe between threads."""

    def __init__(
        self,
        store: Store,
        info: LedgerInfo,
        authority: Authority,
        reader: JobReader,
        budgets: Budgets,
        clock: Clock,
        turn: threading.Lock,
    ) -> None:
        """`turn` is held while a job changes: by one step at a time, or by a plan in its stead."""
        self._store = store
        self._info = info
        self._authority = authority
        self._reader = reader
        self._budgets = budgets
        self._clock = clock
        self.watch = LeaseWatch(clock)
        self._turn = turn
        self.unit_of_cost = info.unit_of_cost
        self.appender = Appender(store, info.origin)

    # ---- people ----------------------------------------------------------------------------------

    def approve(self, caller: Caller, job: str, seen: int, role: str, note: str) -> AppendResult:
        """Record a person's approval; without a role, in the one that is asked for and held.

        `seen` is the position of the newest evidence that the person saw: JOB_REFUSED where other
        evidence is the newest one.
        """

        def decide(basis: JobBasis) -> Proposal:
            known = basis.job(job)
            described = basis.with_labels(self._labels(known.model, basis.head))
            with fields_named():
                data = JobApproved(
                    job=job,
                    stage=_stage(known),
                    role=role or _role(known, described.moment),
                    seen_position=seen,
                    note=note,
                )
            described.check(known, data, _WORDS[data.TYPE])
            made = self.proposal(described, known, lambda _: [data])
            same = none_after(basis.head.position, model_stream(known.model), *DESCRIBING)
            return replace(made, guards=[*made.guards, same])

        return self.append(caller, JobApproved.METHOD, decide)

    def deny(self, caller: Caller, job: str, reason: str) -> AppendResult:
        """Record that a person denied a job, which ends it."""
        return self.record(
            caller,
            JobDenied.METHOD,
            job,
            lambda known, _: JobDenied(job=job, stage=_stage(known), reason=reason),
        )

    def cancel(self, caller: Caller, job: str, reason: str) -> AppendResult:
        """Record that a job is not wanted any more: it ends, or its version is taken back."""
        return self.record(
            caller, JobCancelled.METHOD, job, lambda *_: JobCancelled(job=job, reason=reason)
        )

    def _labels(self, model: str, head: Head) -> Mapping[str, str]:
        """Return the labels of a model at the head; none where they are not known."""
        newest = self._store.events.latest(
            self._info.origin, model_stream(model), DESCRIBING, at_or_before=head.position
        )
        data = None if newest is None else known_data(newest)
        labels: Mapping[str, str] = {} if data is None else data["labels"]
        return labels

    # ---- executors -------------------------------------------------------------------------------

    def lease(self, caller: Caller, job: str) -> tuple[AppendResult, Job]:
        """Give a job to the executor that calls; JOB_REFUSED where another one has it.

        Also where another version serves than its own was tested against, and it is to end.
        LEASE_LOST for a repeat whose lease has ended meanwhile: the token of another lease, perhaps
        given to another process of the same actor, is no answer to it.
        """

        def decide(basis: JobBasis) -> Proposal:
            known = basis.job(job)
            with fields_named():
                data = JobLeased(
                    job=job,
                    attempt=known.attempt,
                    token=known.token + 1,
                    expires_at=_until(known, basis.moment.now),
                )
            basis.check(known, data, _WORDS[data.TYPE])
            self.check_tested(known, _WORDS[data.TYPE])
            made = self.proposal(basis, known, lambda _: [data])
            served = while_served(known, basis.head.position) if known.tested_since else []
            return replace(made, guards=[*made.guards, *served])

        written = self.append(caller, JobLeased.METHOD, decide)
        known = self.job(job)
        if known.changed_at != written.first_position:  # perhaps the repeat of one that has ended
            given = typed(self.appender.event(written.first_position), JobLeased)
            if known.lease is None or known.lease.token != given.token:
                raise lease_lost(known, given.token, "it has ended")
        return written, known

    def heartbeat(self, caller: Caller, job: str, token: int) -> tuple[AppendResult, Job]:
        """Keep a job: its lease is made longer once less than half of it is left.

        LEASE_LOST where another lease followed, this one has run out, or another version serves
        than the job's was tested against. It counts as heard also where it cannot be recorded: the
        executor is alive.
        """
        found = self.job(job)
        if found.lease is not None and (found.lease.executor, found.token) == (caller.actor, token):
            self.watch.heard(found)

        def decide(basis: JobBasis) -> Proposal:
            known, now = basis.job(job), basis.moment.now
            data = JobLeaseExtended(job=job, token=token, expires_at=_until(known, now))
            lease = known.lease
            if lease is None or (lease.executor, lease.token) != (caller.actor, token):
                basis.check(known, data, "kept")
            assert lease is not None, "its check has refused that"
            if fault := self._reader.untested(known):
                raise lease_lost(known, token, fault)
            half = known.proposed["limits"]["lease_seconds"] * SECOND // 2
            if lease.expires_at - now > half:
                return Proposal([])
            basis.check(known, data, "kept")
            return self.proposal(basis, known, lambda _: [data])

        return self.append(caller, JobLeaseExtended.METHOD, decide), self.job(job)

    def give_up(
        self, caller: Caller, job: str, token: int, reason: str, cost_micros: int | None = None
    ) -> AppendResult:
        """End a lease before its time: the attempt is lost, and the job open for the next one.

        `cost_micros` is the cost of the job so far; None where nothing came to it. LEASE_LOST where
        another lease followed, JOB_REFUSED while a version is to be taken back, BUDGET_EXHAUSTED
        where the cost is more than the job's budget has.
        """

        def make(known: Job, _: int) -> JobData:
            cost = known.cost_micros if cost_micros is None else cost_micros
            return JobGivenUp(job=job, token=token, reason=reason, cost_micros=str(cost))

        return self.record(caller, JobGivenUp.METHOD, job, make)

    def record_environment(self, caller: Caller, recorded: JobEnvironmentRecorded) -> AppendResult:
        """Record in which environment the step of the next gate has run; LEASE_LOST as `report`."""
        return self.record(caller, JobEnvironmentRecorded.METHOD, recorded.job, lambda *_: recorded)

    def report(self, caller: Caller, reported: GateReported) -> AppendResult:
        """Record an executor's evidence for a gate, with the ledger's verdict right behind it.

        LEASE_LOST where its token is stale, JOB_REFUSED where another gate is next. That for the
        gate `deployment` comes with the version: FIELD_INVALID.
        """
        if reported.gate == "deployment":
            why = "is reported together with the version that serves"
            raise invalid_field("gate", why, remedy="Call DeployJobVersion.")
        method, job = GateReported.METHOD, reported.job
        return self.record(caller, method, job, lambda *at: timed_report(reported, *at))

    def verdict(self, written: AppendResult) -> GateJudged | None:
        """Return the verdict that was recorded with a report; None where it is not due yet."""
        if written.first_position == written.last_position:
            return None
        event = self.appender.event(written.first_position + 1)
        return typed(event, GateJudged) if event.type == GateJudged.TYPE else None

    def check_tested(self, job: Job, what: str) -> None:
        """Refuse a step of a job that would replace a version that its own was not tested against.

        `what` as `job_refused` has it.
        """
        if fault := self._reader.untested(job):
            remedy = (
                "Nothing is to be done: the ledger ends the job by itself. Propose another one, "
                "which is tested against the version that serves: `decision-ledger job propose`."
            )
            raise job_refused(job.name, what, fault, remedy)

    # ---- shared ----------------------------------------------------------------------------------

    def new_id(self) -> str:
        """Return a fresh id, for a job or its run."""
        return uuid7(self._clock)

    def time_of_plans(self, head: Head) -> int:
        """Return the ledger's time at a head, by which plans are dated and their age is told."""
        return ledger_time(self._info, self._store, head)

    def job(self, name: str) -> Job:
        """Return a job as it is now; JOB_UNKNOWN where it was never proposed."""

        def found(jobs: Jobs, _: Head) -> Job:
            if name not in jobs.jobs:
                raise job_unknown(name, jobs.jobs)
            return jobs.jobs[name]

        return self._reader.at_head(found)

    def record(self, caller: Caller, method: str, name: str, make: Step) -> AppendResult:
        """Record one event of a job that may be, and what must come right behind it."""

        def decide(basis: JobBasis) -> Proposal:
            job = basis.job(name)
            with fields_named():
                data = make(job, basis.moment.now)
            basis.check(job, data, _WORDS.get(data.TYPE, "taken on"))
            return self.proposal(basis, job, lambda _: [data])

        return self.append(caller, method, decide)

    def append(
        self, caller: Caller, method: str, decide: Callable[[JobBasis], Proposal]
    ) -> AppendResult:
        """Append what is decided of the jobs at the head, again if they have changed.

        One step at a time within a server: steps of many executors would else keep meeting the
        guards of each other, and one of them would run out of tries.
        """

        def proposed() -> Proposal:
            def judged(jobs: Jobs, head: Head) -> Proposal:
                self._authority.refresh(head.position)
                now = work_time(self._info, self._store, head)
                by, state = self._clock.now_micros(), self._authority.state
                moment = JobMoment(caller.actor, now, now, by, state)
                made = decide(JobBasis(jobs, moment, head))
                return replace(made, guards=[*made.guards, *while_unobserved(head)])

            return self._reader.at_head(judged)

        with self._turn:
            return self.appender.append(caller, method, proposed, tries=TRIES)

    def proposal(self, basis: JobBasis, job: Job, make: MakeEvents) -> Proposal:
        """Propose events of a job, with the verdict, the end and the money that follow from them.

        BUDGET_EXHAUSTED where the job costs more than its budget has for it.
        """
        actor, at = basis.moment.actor, basis.head.position

        @cache  # each addition asks for its own part of it, behind the lock of the head
        def whole(first: int) -> list[EventData]:
            found = make(first)
            known = _after(basis.jobs, job, found, first, actor)
            return [*found, *following(basis.jobs, known, first + len(found), actor)]

        events = whole(at + 1)
        after = _after(basis.jobs, job, events, at + 1, actor)
        paid = payment(self._budgets, job, after)
        additions = [
            Addition(
                data.stream_name,
                data.TYPE,
                _nth(whole, index),
                run_id=job.run_id,
                cause=None if index else job.changed_at,
                follows=index - 1 if index else None,
            )
            for index, data in enumerate(events)
        ]
        last = len(events) - 1
        additions += [Addition.of(one, run_id=job.run_id, follows=last) for one in paid.events]
        guards = [
            *paid.guards,
            unchanged(basis.moment.authority),
            Guard(f"jobs/{job.name}", JOB_TYPES, expected_count=job.events),
        ]
        if _nears_holdout(job) and any(one.TYPE in HOLDOUT_TYPES for one in events):
            guards.append(none_after(at, None, *HOLDOUT_TYPES))
        if any(isinstance(one, GateJudged) and one.observed for one in events):
            guards += [
                Guard(model_stream(job.model), None, after_position=at),
                no_erasure_after(at),
            ]
        return Proposal(additions, guards)


def _after(jobs: Jobs, job: Job, events: list[EventData], first: int, actor: str) -> Job:
    """Return a job after those of some events that are its own."""
    for place, data in enumerate(events, first):
        if isinstance(data, JobData):
            job = jobs.after(job, place, data.TYPE, actor, data.to_data())
    return job


def _nth(whole: Callable[[int], list[EventData]], index: int) -> MakeData:
    return lambda place: whole(place.first_position)[index]


def _nears_holdout(job: Job) -> bool:
    """Whether an event of a job may begin a use of a holdout, or end one that no executor had."""
    return any(one["holdout"] for one in job.proposed["gates"][job.passed : job.passed + 2])


def _until(job: Job, now: int) -> str:
    return format_time(now + job.proposed["limits"]["lease_seconds"] * SECOND)


def _stage(job: Job) -> JobStage:
    return "deployment" if job.state == "awaiting_approval" else "start"


def _role(job: Job, moment: JobMoment) -> str:
    """Return the role in which an approval of an actor counts; the first asked where none."""
    asked = [role for role, _ in missing_approvals(job, job.approvals)]
    extent = Subject(job.model, None, moment.labels)
    by, actor = moment.authority, moment.actor
    held = [one for one in asked if one and holds(by, actor, one, moment.grants_at, extent)]
    return (held or asked or [""])[0]
