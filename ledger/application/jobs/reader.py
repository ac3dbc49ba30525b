"""The jobs of one ledger as their events left them, now or at a position."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

from ledger.application.commands import none_after
from ledger.application.fleet.fleet import Fleet
from ledger.application.jobs.lapses import untested_of
from ledger.events.envelope import RecordedEvent
from ledger.events.environment import EnvironmentPart
from ledger.events.jobs import (
    JOB_TYPES,
    GateJudged,
    GateReported,
    JobEnvironmentRecorded,
    JobProposed,
)
from ledger.events.registry import known_data, typed
from ledger.jobs.changes import untested
from ledger.jobs.environments import EnvironmentsOfReports
from ledger.jobs.machine import Job, Jobs
from ledger.jobs.put_backs import OpenPutBack
from ledger.storage.records import Guard, Head, LedgerInfo
from ledger.storage.store import Store

T = TypeVar("T")


class RecordedReport(NamedTuple):
    """A report on a gate as recorded, and in which environment its step ran."""

    position: int
    executor: str
    data: GateReported
    environment: EnvironmentPart | None


class JobReader:
    """Follows the jobs of one ledger. Safe between threads; a job is a value."""

    def __init__(self, store: Store, info: LedgerInfo, fleet: Fleet) -> None:
        self._store = store
        self._fleet = fleet
        self._origin = info.origin
        self._lock = threading.Lock()
        self._jobs = Jobs()
        self._position = 0

    def at_head(self, make: Callable[[Jobs, Head], T]) -> T:
        """Return what is made of the jobs at the head; `make` keeps none of them but as values."""
        with self._lock:
            head = self._store.events.head(self._origin)
            if head.position > self._position:
                self._fold(self._jobs, self._read(self._position, head.position))
                self._position = head.position
            return make(self._jobs, head)

    def model_of(self, job: str) -> str | None:
        """Return the model of a job, which never changes; None where it was never proposed."""
        with self._lock:
            known = self._jobs.jobs.get(job)
        if known is None:
            known = self.at_head(lambda jobs, _: jobs.jobs.get(job))
        return None if known is None else known.model

    def against(self, model: str, version: str, *, is_asked: bool) -> tuple[Job | None, Job | None]:
        """Return the job that decides which version serves, and the one that took a version back.

        Where either is there, the version is not to be put back; `is_asked`: by a person.
        """
        return self.at_head(
            lambda jobs, _: (
                jobs.deciding(model, is_asked=is_asked),
                jobs.refusing(model, version),
            )
        )

    def untested(self, job: Job) -> str:
        """Return which version serves that a job's own was not tested against; empty for none.

        It is to replace that one then, and lapses: as a part of a sentence.
        """
        self._fleet.refresh()
        found = untested_of(job, self._fleet)
        if found is None or found.model_version is None:
            return ""
        return untested(found.tested_against, found.model_version)

    def unmoved(self, model: str, after: int) -> list[Guard]:
        """Return the guard that the open job of a model took no step behind a position.

        Where none is open, that none was proposed.
        """
        job = self.at_head(lambda jobs, _: jobs.open_of(model))
        if job is None:
            return [none_after(after, None, JobProposed.TYPE)]
        return [Guard(f"jobs/{job.name}", None, after_position=after)]

    def workable(self, proposals: Sequence[OpenPutBack]) -> list[tuple[OpenPutBack, Job | None]]:
        """Return the proposals that no job is against, each with the job whose recipe does it.

        That deployed the version, else the newest that deployed any version of the model.
        """

        def found(jobs: Jobs, _: Head) -> list[tuple[OpenPutBack, Job | None]]:
            return [
                (one, jobs.deployer(one.model, one.put_back))
                for one in proposals
                if not jobs.against(one.model, one.put_back, is_asked=one.is_asked)
            ]

        return self.at_head(found)

    def every(self, as_of: int | None = None) -> tuple[int, list[Job]]:
        """Return a position and the jobs there, in order of their proposals: the head, or another.

        A body that was erased since is not there for an earlier position either.
        """
        if as_of is None:
            return self.at_head(lambda jobs, head: (head.position, list(jobs.jobs.values())))
        jobs = Jobs()
        self._fold(jobs, self._read(0, as_of))
        return as_of, list(jobs.jobs.values())

    def by_plan(self, position: int) -> list[Job]:
        """Return the jobs that were proposed by the plan at a position, in that order, as now."""
        return [job for job in self.every()[1] if job.proposed["plan"] == position]

    def verdicts(self, job: str) -> list[GateJudged]:
        """Return the verdicts on a job's gates, in order."""
        events = self._store.events.of_types(self._origin, (GateJudged.TYPE,), stream=f"jobs/{job}")
        return [typed(one, GateJudged) for one in events if one.body_bytes is not None]

    def reports(self, job: str) -> list[RecordedReport]:
        """Return what executors reported of a job, in order, each with its environment if known."""
        types = (JobEnvironmentRecorded.TYPE, GateReported.TYPE)
        found: list[RecordedReport] = []
        environments = EnvironmentsOfReports()
        for event in self._store.events.of_types(self._origin, types, stream=f"jobs/{job}"):
            if event.body_bytes is None:
                continue
            ran = environments.take(event.position, event.type, event.data)
            if event.type == GateReported.TYPE:
                of_it = None if ran is None else EnvironmentPart.model_validate(ran.environment)
                data = typed(event, GateReported)
                found.append(RecordedReport(event.position, event.body.actor, data, of_it))
        return found

    def _read(self, after: int, until: int) -> Iterable[RecordedEvent]:
        return self._store.events.of_types(self._origin, JOB_TYPES, after=after, at_or_before=until)

    @staticmethod
    def _fold(jobs: Jobs, events: Iterable[RecordedEvent]) -> None:
        for event in events:
            data = known_data(event)
            actor = "" if data is None else event.body.actor
            run_id = None if data is None else event.body.run_id
            jobs.apply(
                event.position, event.stream, event.type, actor, data, run_id,
                recorded_at=event.recorded_at,
            )  # fmt: skip
