"""Exports of one ledger: asked for, written on threads of their own, kept, handed out.

The scope of a bundle is settled when it is asked for: checkpoint, positions, seal. So it can be
written at any pace, and a server that was stopped goes on with what it had begun. At the end the
ledger records what was issued.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from ledger.application.appender import Appender
from ledger.application.commands import Caller
from ledger.application.erasure import PositionRange
from ledger.application.exports.jobs import ExportJob, ExportRequest, JobFolder
from ledger.application.exports.settlement import settle
from ledger.application.exports.writing import ExportWriting, LeftUnfinishedError
from ledger.application.ledger import LedgerApplication
from ledger.clock import Clock, uuid7
from ledger.errors import LedgerError, Reason, request_id_reused
from ledger.events.proving import BodyErased, ExportIssued
from ledger.events.registry import typed
from ledger.limits import EXPORTS_KEPT_MAX, EXPORTS_MAX
from ledger.storage.store import Store

_log: Final = structlog.get_logger("ledger.exports")


class Exports:
    """The exports of one ledger. Safe between threads; call `start` before anything else."""

    def __init__(
        self,
        ledger: LedgerApplication,
        store: Store,
        folder: Path,
        clock: Clock,
        slots: threading.BoundedSemaphore | None = None,
    ) -> None:
        """Keep jobs below a folder. `slots` are how many bundles all ledgers may write at once."""
        self._ledger = ledger
        self._store = store
        self._origin = ledger.info.origin
        self._appender = Appender(store, self._origin)
        self._folder = JobFolder(folder / self._origin.replace("/", "~"))  # no origin has a tilde
        self._writing = ExportWriting(ledger, store, self._folder)
        self._clock = clock
        self._slots = slots or threading.BoundedSemaphore(EXPORTS_MAX)
        self._lock = threading.RLock()
        self._jobs: dict[str, ExportJob] = {}
        self._unwanted: dict[str, threading.Event] = {}
        self._threads: dict[str, threading.Thread] = {}

    def start(self) -> None:
        """Take up what was kept, and go on writing what was not finished."""
        with self._lock:
            self._jobs = {job.export: job for job in self._folder.load()}
        if self._jobs:  # an erasure may have been recorded just before the last stop
            for event in self._store.events.of_types(self._origin, (BodyErased.TYPE,)):
                ranges = [(first, last) for first, last in typed(event, BodyErased).positions]
                self.remove_containing(event.position, ranges)
        with self._lock:
            for job in self.all():
                if job.state == "writing":
                    self._begin(job)

    def stop(self) -> None:
        """Leave what is being written as it is; the next `start` goes on with it."""
        with self._lock:
            threads = list(self._threads.values())
            for unwanted in self._unwanted.values():
                unwanted.set()
        for thread in threads:
            thread.join()

    # ---- asking ------------------------------------------------------------------------------

    def create(self, caller: Caller, request: ExportRequest) -> ExportJob:
        """Begin a bundle and return at once; a repeat of the request gets the same export.

        FIELD_INVALID, POSITION_BEYOND_HEAD, BODY_PERMANENT; LIMIT_REACHED while as many as may be
        are being written or kept; REQUEST_ID_REUSED for another request under the same id.
        """
        known = self._asked_before(caller)
        if known is not None:
            return known
        self._refuse_one_too_many()  # before a seal is recorded for it
        self._take_slot()
        with ExitStack() as unless_begun:
            unless_begun.callback(self._slots.release)
            job = settle(self._ledger, self._store, caller, request, uuid7(self._clock))
            with self._lock:
                known = self._asked_before(caller)  # by another thread, meanwhile
                if known is not None:
                    return known
                self._refuse_one_too_many()
                self._keep(job)
                self._begin(job, has_slot=True)
            unless_begun.pop_all()
        return job

    def _take_slot(self) -> None:
        if not self._slots.acquire(blocking=False):
            raise LedgerError(
                Reason.LIMIT_REACHED,
                f"{EXPORTS_MAX} exports are being written, as many as this server writes.",
                remedy="Try again when one of them is done.",
                retry_after_seconds=5.0,
                metadata={"limit": str(EXPORTS_MAX)},
            )

    def _refuse_one_too_many(self) -> None:
        if len(self._jobs) >= EXPORTS_KEPT_MAX:
            raise LedgerError(
                Reason.LIMIT_REACHED,
                f"{len(self._jobs)} exports of this ledger are kept, as many as the server keeps.",
                remedy="Have an operator delete some with `decision-ledger export delete`.",
                metadata={"limit": str(EXPORTS_KEPT_MAX)},
            )

    def _asked_before(self, caller: Caller) -> ExportJob | None:
        if caller.request_id is None:
            return None
        with self._lock:
            for job in self._jobs.values():
                if (job.requested_by, job.request_id) == (caller.actor, caller.request_id):
                    if job.digest == caller.digest.hex():
                        return job
                    raise request_id_reused(caller.request_id, caller.actor, ExportIssued.METHOD)
        if self._appender.answered(caller, ExportIssued.METHOD) is not None:
            raise LedgerError(
                Reason.EXPORT_UNKNOWN,
                f"The export under request id {caller.request_id!r} is not kept any more.",
                remedy="Use a fresh request id to export it again.",
                metadata={"request_id": caller.request_id},
            )
        return None

    def get(self, export: str) -> ExportJob:
        """Return an export and how far it has come; EXPORT_UNKNOWN if there is none."""
        with self._lock:
            job = self._jobs.get(export)
        if job is None:
            raise LedgerError(
                Reason.EXPORT_UNKNOWN,
                f"There is no export {export!r} here.",
                remedy="List the exports, or create one.",
                metadata={"export": export},
            )
        return job

    def all(self) -> list[ExportJob]:
        """Return every export, newest first."""
        with self._lock:
            return sorted(self._jobs.values(), key=lambda job: job.export, reverse=True)

    def read(self, export: str, offset: int, chunk: int) -> tuple[int, Iterator[bytes]]:
        """Return the size of a finished bundle's archive, and its bytes from a byte on.

        EXPORT_NOT_READY before it is finished.
        """
        job = self.get(export)
        if job.state != "ready":
            why = "is still being written" if job.state == "writing" else f"failed: {job.failure}"
            raise LedgerError(
                Reason.EXPORT_NOT_READY,
                f"The export {export} {why}.",
                remedy="Wait until it is ready." if job.state == "writing" else "Create another.",
                metadata={"export": export, "state": job.state},
            )
        return job.archive_bytes, self._folder.archive(job).read(offset, chunk)

    def folder_of(self, export: str) -> Path:
        """Return the folder of an export's bundle."""
        return self._folder.bundle(self.get(export))

    def delete(self, export: str) -> ExportJob:
        """Delete a bundle and its record here, and return what it was; the ledger's stays.

        EXPORT_UNKNOWN if there is none. One that is being written is broken off first.
        """
        return self._forget(self.get(export))

    # ---- erasure -----------------------------------------------------------------------------

    def remove_containing(self, position: int, ranges: Sequence[PositionRange]) -> None:
        """Delete bundles that may hold bodies which the erasure at a position removed.

        Those begun after it hold none. Where the event is erased that says who was handed an
        export, its record goes too. Doing it again changes nothing.
        """
        for job in self.all():
            if any(first <= job.issued_position <= last for first, last in ranges):
                self._forget(job)
                continue
            if job.checkpoint_size >= position or job.state == "failed":
                continue
            if not any(self._covers(job, first, last) for first, last in ranges):
                continue
            self._abandon(job.export)
            why = f"bodies in it were erased by the event at position {position}; create another"
            with self._lock:
                known = self._jobs.get(job.export)
                if known is not None:  # an operator may have deleted it meanwhile
                    self._keep(known.failed(why))
            self._folder.clear(job)

    def _covers(self, job: ExportJob, first: int, last: int) -> bool:
        first, last = max(first, job.first_position), min(last, job.last_position)
        if first > last or job.stream is None:
            return first <= last
        found = self._store.events.read(
            self._origin, after=first - 1, until=last, limit=1, streams=[job.stream]
        )
        return bool(found)

    def _forget(self, job: ExportJob) -> ExportJob:
        self._abandon(job.export)
        with self._lock:
            job = self._jobs.pop(job.export, job)
        self._folder.forget(job)
        return job

    def _abandon(self, export: str) -> None:
        """Have the thread of a job end, and wait for it."""
        with self._lock:
            thread = self._threads.get(export)
            if thread is not None:
                self._unwanted[export].set()
        if thread is not None:
            thread.join()

    # ---- writing -----------------------------------------------------------------------------

    def _keep(self, job: ExportJob) -> None:
        self._folder.save(job)
        self._jobs[job.export] = job

    def _begin(self, job: ExportJob, *, has_slot: bool = False) -> None:
        unwanted = self._unwanted[job.export] = threading.Event()
        thread = threading.Thread(
            target=self._work,
            args=(job, unwanted, has_slot),
            name=f"export-{job.export}",
            daemon=True,
        )
        self._threads[job.export] = thread
        thread.start()

    def _work(self, job: ExportJob, unwanted: threading.Event, has_slot: bool) -> None:  # noqa: FBT001
        """Write one bundle on a thread of its own; keep how it ended."""
        while not has_slot:
            if unwanted.is_set():
                return
            has_slot = self._slots.acquire(timeout=0.1)
        try:
            self._end(self._ended(job, unwanted))
        except LeftUnfinishedError:
            pass  # the next start goes on with it
        finally:
            self._slots.release()
            with self._lock:
                self._threads.pop(job.export, None)

    def _ended(self, job: ExportJob, unwanted: threading.Event) -> ExportJob:
        """Write a bundle; return the job as it ended, well or not."""
        try:
            return self._writing.written(job, unwanted, lambda done: self._move(job, done))
        except LeftUnfinishedError:
            raise
        except LedgerError as error:
            return self.get(job.export).failed(error.message)
        except OSError as error:
            return self.get(job.export).failed(f"it cannot be written: {error.strerror}")
        except Exception as error:  # noqa: BLE001 - after any error the job must say that it failed
            _log.exception("export.failed", export=job.export)
            return self.get(job.export).failed(f"the server failed: {type(error).__name__}")

    def _end(self, job: ExportJob) -> None:
        """Keep how a job ended; where the disk does not take it, until the next start only."""
        with self._lock:
            try:
                self._keep(job)
            except OSError as error:
                _log.error("export.not_kept", export=job.export, why=error.strerror)
                self._jobs[job.export] = job

    def _move(self, job: ExportJob, events_done: int) -> None:
        """Note how far a job has come; nothing of that is kept."""
        with self._lock:
            self._jobs[job.export] = replace(job, events_done=events_done)
