"""The one thread that writes: it drains a queue, commits requests in groups, then answers.

All requests in the queue share one transaction and one flush to disk. A future is
fulfilled only after the commit. After the first error that leaves the disk in doubt the writer
stops for good: only a restart, which recovers from the log, knows again what is stored.

Where a database may fail and come back (PostgreSQL), the writer refuses what waits, and asks each
second, as it does when idle, whether it may write again. On every fresh connection it looks first
whether the events that it has acknowledged are still there: a fail-over may have lost them.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ledger.clock import Clock
from ledger.errors import LedgerError, Reason
from ledger.limits import GROUP_EVENTS_MAX, QUEUE_EVENTS_MAX, QUEUE_REQUESTS_MAX
from ledger.storage.chains import Chain
from ledger.storage.checks import request_key
from ledger.storage.commit_group import CommitGroup
from ledger.storage.connection import WriterConnection
from ledger.storage.database import Database, unavailable
from ledger.storage.locked_file import FileLostError
from ledger.storage.records import AppendRequest, AppendResult, LedgerInfo
from ledger.storage.vault import SealedKeys
from ledger.storage.wall_clock import WallClock
from ledger.storage.write_queue import (
    Job,
    QueuedAppend,
    QueuedCall,
    QueuedMaintenance,
    WriteTransaction,
    again,
    refuse,
    serve_chore,
)

T = TypeVar("T")

# After a group of several small requests the writer gives the next such group a moment to gather:
# one commit for all of them is quicker for each than a commit for the first few, then another. The
# moment is in proportion to what the last commit took, so a few callers hardly notice it.
_GATHER_COMMITS: Final = 2
_GATHER_SECONDS_MAX: Final = 0.015
_GATHER_EVENTS_MAX: Final = 64  # beyond that a transaction is worth its price already
_LOOK_SECONDS: Final = 1.0  # how often a writer without work looks at its database

# The writer must not go on after these: events that were acknowledged are not there.
_LOST: Final = frozenset({Reason.LEDGER_BEHIND, Reason.CHAIN_BROKEN})

_log: Final = structlog.get_logger("ledger.storage")


class Writer:
    """Serialises every write of one process. Safe to submit to from any thread."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keys: SealedKeys,
        times: WallClock,
        on_commit: Callable[[str, int], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._times = times
        self._on_commit = on_commit
        self._queue: deque[Job] = deque()
        self._queued_events = 0
        self._changed = threading.Condition()
        self._closing = False
        self._wanted = 1  # how many queued jobs the writer waits for
        self._last_group = 1
        self._last_seconds = 0.0
        self._failure: LedgerError | None = None
        self._is_final = False
        self._on_change: list[Callable[[], None]] = []
        self._chains: dict[int, Chain] = {}
        self._connection = WriterConnection(database)
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> LedgerError | None:
        """Why nothing can be appended at the moment, or any more; None while all is well."""
        return self._failure

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, whenever `failure` has changed; at once if there is one."""
        with self._changed:
            self._on_change.append(callback)
            has_failed = self._failure is not None
        if has_failed:
            callback()

    def submit(self, info: LedgerInfo, request: AppendRequest) -> "Future[AppendResult]":
        """Queue an append; LIMIT_REACHED where too much waits already."""
        count = len(request.events)
        future: Future[AppendResult] = Future()
        with self._changed:
            self._check_open()
            if len(self._queue) >= QUEUE_REQUESTS_MAX or (
                self._queued_events and self._queued_events + count > QUEUE_EVENTS_MAX
            ):
                raise LedgerError(
                    Reason.LIMIT_REACHED,
                    f"{len(self._queue)} requests with {self._queued_events} events are waiting.",
                    remedy="Slow down and send the same request again.",
                    retry_after_seconds=0.5,
                )
            self._queued_events += count
            self._queue.append(QueuedAppend(info, request, future))
            if len(self._queue) >= self._wanted or self._queued_events > _GATHER_EVENTS_MAX:
                self._changed.notify()
        return future

    def call(self, function: Callable[[WriteTransaction], T]) -> T:
        """Run a function on the writer's thread in its own transaction, and return its result."""
        future: Future[T] = Future()
        self._enqueue(QueuedCall(function, future))
        return future.result()

    def pause_for(self, function: Callable[[], None]) -> None:
        """Run a function on the writer's thread between transactions."""
        future: Future[None] = Future()
        self._enqueue(QueuedMaintenance(function, future))
        future.result()

    def _enqueue(self, job: QueuedCall | QueuedMaintenance) -> None:
        with self._changed:
            self._check_open()
            self._queue.append(job)
            self._changed.notify()

    def close(self) -> None:
        """Finish what is queued, then stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _check_open(self) -> None:
        if self._failure is not None and self._is_final:
            raise again(self._failure)
        if self._closing:
            raise LedgerError(
                Reason.DRAINING,
                "The store is closing and takes no more requests.",
                remedy="Send the request again when the server is back.",
                retry_after_seconds=1.0,
            )

    # ---- the writer's thread -----------------------------------------------------------------

    def _run(self) -> None:
        """Serve until there is no more to do; a failure of this thread itself leaves no caller."""
        jobs: list[Job] | None = []
        try:
            while (jobs := self._take()) is not None:
                self._do(jobs)
            self._connection.close()
        except BaseException as defect:  # noqa: BLE001 - else no caller would get an answer
            failure = self._failure or unavailable(
                f"The writer ended: {defect!r}.",
                remedy="See `decision-ledger doctor`, then start the server again.",
                retry=False,
            )
            with suppress(Exception):  # a callback may be what failed
                self._stop(failure)
            for job in jobs or []:
                refuse(job, failure)

    def _do(self, jobs: list[Job]) -> None:
        if not jobs or self._failure is not None:
            failure = self._look()
            if failure is not None:  # nothing of it was stored
                for job in jobs:
                    refuse(job, failure)
                return
        if not jobs:
            return
        if isinstance(jobs[0], QueuedCall):
            self._serve_call(jobs[0])
        elif isinstance(jobs[0], QueuedMaintenance):
            serve_chore(jobs[0])
        else:
            self._serve([job for job in jobs if isinstance(job, QueuedAppend)])

    def _take(self) -> list[Job] | None:
        """Wait for work; return one call, or as many appends as one transaction should hold.

        Nothing where it is time to look at the database, None where there is no more to do.
        """
        with self._changed:
            while not self._queue:
                if self._closing:
                    return None
                if not self._changed.wait(_LOOK_SECONDS):
                    return []
            self._gather()
            taken: list[Job] = []
            count = 0
            while self._queue:
                job = self._queue[0]
                if not isinstance(job, QueuedAppend):
                    if not taken:
                        taken.append(self._queue.popleft())
                    break
                size = len(job.request.events)
                if taken and count + size > GROUP_EVENTS_MAX:
                    break
                self._queue.popleft()
                self._queued_events -= size
                count += size
                taken.append(job)
            self._last_group = len(taken)
        return taken

    def _gather(self) -> None:
        """Let as many small requests come together as last time, if they come within a moment."""
        is_small = self._queued_events <= _GATHER_EVENTS_MAX and not self._closing
        if is_small and len(self._queue) < self._last_group:
            self._wanted = self._last_group
            self._changed.wait(min(_GATHER_COMMITS * self._last_seconds, _GATHER_SECONDS_MAX))
            self._wanted = 1

    def _serve(self, jobs: list[QueuedAppend]) -> None:
        """Commit a group and answer each of its requests."""
        jobs = [job for job in jobs if job.future.set_running_or_notify_cancel()]
        if not jobs:
            return
        started = self._clock.monotonic_seconds()
        try:
            answers, moved = self._transact(jobs)
        except BaseException as error:  # noqa: BLE001 - every waiter must hear of it
            failure = self._fail(error)
            for job in jobs:
                job.future.set_exception(again(failure))
            return
        self._last_seconds = self._clock.monotonic_seconds() - started
        for job, answer in zip(jobs, answers, strict=True):
            if isinstance(answer, AppendResult):
                job.future.set_result(answer)
            else:
                job.future.set_exception(answer)
        self._tell(moved)

    def _transact(
        self, jobs: list[QueuedAppend]
    ) -> tuple[list[AppendResult | LedgerError], dict[int, Chain]]:
        """Decide each request alone, write all that were admitted, commit."""
        answers: list[AppendResult | LedgerError] = []
        with self._connection.begin() as transaction:
            group = self._group(transaction.connection)
            infos = {job.info.ledger_id: job.info for job in jobs}
            keys = [key for job in jobs if (key := request_key(job.info, job.request))]
            group.begin(infos.values(), keys)
            for job in jobs:
                try:
                    answers.append(group.admit(job.info, job.request))
                except LedgerError as refusal:
                    answers.append(refusal)
            moved = group.write()
            self._database.check_held()
        self._database.after_commit()
        return answers, moved

    def _serve_call(self, job: QueuedCall) -> None:
        """Run a call in its transaction and answer it."""
        if not job.future.set_running_or_notify_cancel():
            return
        try:
            with self._connection.begin() as transaction:
                group = self._group(transaction.connection)
                result = job.function(WriteTransaction(transaction.connection, group))
                moved = group.write()
                self._database.check_held()
            self._database.after_commit()
        except BaseException as error:  # noqa: BLE001 - the waiter must hear of it
            if self._connection.has_begun and isinstance(error, LedgerError):
                self._chains.clear()  # rolled back; what the group placed is not there
                job.future.set_exception(error)
            else:
                job.future.set_exception(again(self._fail(error)))
            return
        job.future.set_result(result)
        self._tell(moved)

    def _group(self, connection: Connection) -> CommitGroup:
        return CommitGroup(
            self._database, connection, self._clock, self._chains, self._keys, self._times
        )

    def _tell(self, moved: dict[int, Chain]) -> None:
        for chain in moved.values():
            self._connection.acknowledge(chain)
            self._on_commit(chain.info.origin, chain.position)

    # ---- failure and return --------------------------------------------------------------------

    def _look(self) -> LedgerError | None:
        """Look whether the database can be written to, and note it; return why it cannot."""
        try:
            self._database.check_held()
            if self._database.shared or self._failure is not None:
                self._connection.look()
        except BaseException as error:  # noqa: BLE001 - it decides whether the writer stops
            return self._fail(error)
        if self._failure is not None:
            _log.info("database.available", ended=self._failure.message)
            self._change(None)
        return None

    def _fail(self, error: BaseException) -> LedgerError:
        """Forget what may not be stored, note why nothing can be, and return what to answer.

        The writer stops for good unless the database may come back by itself.
        """
        self._chains.clear()
        self._connection.close()
        if isinstance(error, LedgerError):
            if error.reason in _LOST and not self._connection.has_begun:
                self._stop(error)
                _log.error("the writer stopped", why=error.message)
            elif error.reason is Reason.STORE_UNAVAILABLE:
                self._note(error)
            return error
        if isinstance(error, FileLostError):
            self._stop(error.failure)
            _log.error("the writer stopped", why=error.failure.message)
            return error.failure
        if isinstance(error, DBAPIError):
            fault, code = self._database.fault_of(error)
            if self._database.may_go_on(fault):
                self._database.after_failure(code)
                failure = self._database.refusal(error, doing="take a write")
                assert isinstance(failure, LedgerError), "a defect does not pass"
                self._note(failure)
                return _in_doubt(failure) if self._connection.has_begun else failure
        cause = error.orig if isinstance(error, DBAPIError) else error
        failure = unavailable(
            f"The writer stopped after an error of the database: {cause!r}.",
            remedy="See `decision-ledger doctor`; correct the cause, then start the server again.",
            retry=False,
        )
        self._stop(failure)
        _log.error("the writer stopped", error=repr(cause))
        return failure

    def _note(self, failure: LedgerError) -> None:
        """Remember why nothing can be appended at the moment; say it once for each kind."""
        before = self._failure
        if before is None or not _is_same(before, failure):
            _log.warning("database.unavailable", why=failure.message, todo=failure.remedy)
        self._change(failure)

    def _change(self, failure: LedgerError | None) -> None:
        """Set why nothing can be appended, and tell all that want to know."""
        with self._changed:
            is_news = (self._failure is None) != (failure is None)
            self._failure = failure
            callbacks = tuple(self._on_change) if is_news else ()
        for callback in callbacks:
            callback()

    def _stop(self, failure: LedgerError) -> None:
        """Refuse all that waits and all that will come; then tell all that want to know."""
        with self._changed:
            self._closing = self._is_final = True
            waiting, self._queue = list(self._queue), deque()
        for job in waiting:  # first, since a callback may fail
            refuse(job, failure)
        self._change(failure)


def _is_same(before: LedgerError, failure: LedgerError) -> bool:
    """Return whether one outage goes on, in any words; a session that is refused is none."""
    refused = (error.retry_after_seconds is None for error in (before, failure))
    return next(refused) == next(refused)


def _in_doubt(failure: LedgerError) -> LedgerError:
    """Return the answer to a request that was under way: it may be stored all the same."""
    answer = again(failure)
    answer.message += " Whether the request was stored is unknown."
    return answer
