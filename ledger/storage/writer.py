"""The one thread that writes: it drains a queue, commits requests in groups, then answers.

Whatever waits when the writer comes round shares one transaction and one flush to disk. A future is
fulfilled only after the commit. After the first error that leaves the disk in doubt the writer
stops for good: only a restart, which recovers from the log, knows again what is stored.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ledger.clock import Clock
from ledger.errors import LedgerError, Reason
from ledger.limits import GROUP_EVENTS_MAX, QUEUE_EVENTS_MAX, QUEUE_REQUESTS_MAX
from ledger.storage.chains import Chain
from ledger.storage.checks import request_key
from ledger.storage.database import Database, unavailable
from ledger.storage.group import Group
from ledger.storage.sealed_keys import SealedKeys
from ledger.storage.store import AppendRequest, AppendResult, LedgerInfo

T = TypeVar("T")

# After a group of several small requests the writer gives the next such group a moment to gather:
# one commit for all of them is quicker for each than a commit for the first few, then another. The
# moment is in proportion to what the last commit took, so a few callers hardly notice it.
_GATHER_COMMITS: Final = 2
_GATHER_SECONDS_MAX: Final = 0.015
_GATHER_EVENTS_MAX: Final = 64  # beyond that a transaction is worth its price already

_log: Final = structlog.get_logger("ledger.storage")


@dataclass(slots=True)
class _Append:
    """A request that waits, and who waits for it."""

    info: LedgerInfo
    request: AppendRequest
    future: "Future[AppendResult]"


@dataclass(slots=True)
class _Call:
    """A function that needs the writer's connection, in a transaction of its own."""

    function: Callable[["Turn"], Any]
    future: "Future[Any]"


@dataclass(slots=True)
class _Chore:
    """A function that needs the writer to hold still, outside any transaction."""

    function: Callable[[], None]
    future: "Future[None]"


@dataclass(slots=True)
class Turn:
    """What a call may use while it has the writer: its transaction, and a group to append with."""

    connection: Connection
    group: Group


class Writer:
    """Serialises every write of one process. Safe to submit to from any thread."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        keys: SealedKeys,
        on_commit: Callable[[str, int], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._on_commit = on_commit
        self._queue: deque[_Append | _Call | _Chore] = deque()
        self._queued_events = 0
        self._changed = threading.Condition()
        self._closing = False
        self._wanted = 1  # how many queued jobs the writer waits for
        self._last_group = 1
        self._last_seconds = 0.0
        self._failure: LedgerError | None = None
        self._on_failure: list[Callable[[], None]] = []
        self._chains: dict[int, Chain] = {}
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> LedgerError | None:
        """Why the writer has stopped for good, or None."""
        return self._failure

    def on_failure(self, callback: Callable[[], None]) -> None:
        """Call back once the writer has stopped for good; at once if it has."""
        with self._changed:
            self._on_failure.append(callback)
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
            self._queue.append(_Append(info, request, future))
            if len(self._queue) >= self._wanted or self._queued_events > _GATHER_EVENTS_MAX:
                self._changed.notify()
        return future

    def call(self, function: Callable[[Turn], T]) -> T:
        """Run a function on the writer's thread in its own transaction, and return its result."""
        future: Future[T] = Future()
        self._enqueue(_Call(function, future))
        return future.result()

    def pause_for(self, function: Callable[[], None]) -> None:
        """Run a function on the writer's thread between transactions."""
        future: Future[None] = Future()
        self._enqueue(_Chore(function, future))
        future.result()

    def _enqueue(self, job: _Call | _Chore) -> None:
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
        if self._failure is not None:
            raise _again(self._failure)
        if self._closing:
            raise LedgerError(
                Reason.DRAINING,
                "The store is closing and takes no more requests.",
                remedy="Send the request again when the server is back.",
                retry_after_seconds=1.0,
            )

    # ---- the writer's thread -----------------------------------------------------------------

    def _run(self) -> None:
        while jobs := self._take():
            if isinstance(jobs[0], _Call):
                self._serve_call(jobs[0])
            elif isinstance(jobs[0], _Chore):
                _serve_chore(jobs[0])
            else:
                self._serve([job for job in jobs if isinstance(job, _Append)])
        self._disconnect()

    def _take(self) -> list[_Append | _Call | _Chore]:
        """Wait for work; return one call, or as many appends as one transaction should hold."""
        with self._changed:
            while not self._queue:
                if self._closing:
                    return []
                self._changed.wait()
            self._gather()
            taken: list[_Append | _Call | _Chore] = []
            count = 0
            while self._queue:
                job = self._queue[0]
                if not isinstance(job, _Append):
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

    def _serve(self, jobs: list[_Append]) -> None:
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
                job.future.set_exception(_again(failure))
            return
        self._last_seconds = self._clock.monotonic_seconds() - started
        for job, answer in zip(jobs, answers, strict=True):
            if isinstance(answer, AppendResult):
                job.future.set_result(answer)
            else:
                job.future.set_exception(answer)
        self._tell(moved)

    def _transact(
        self, jobs: list[_Append]
    ) -> tuple[list[AppendResult | LedgerError], dict[int, Chain]]:
        """Decide each request alone, write all that were admitted, commit."""
        connection = self._connect()
        answers: list[AppendResult | LedgerError] = []
        with connection.begin():
            group = self._group(connection)
            infos = {job.info.ledger_id: job.info for job in jobs}
            keys = [key for job in jobs if (key := request_key(job.info, job.request))]
            group.begin(infos.values(), keys)
            for job in jobs:
                try:
                    answers.append(group.admit(job.info, job.request))
                except LedgerError as refusal:
                    answers.append(refusal)
            moved = group.write()
        self._database.after_commit()
        return answers, moved

    def _serve_call(self, job: _Call) -> None:
        """Run a call in its transaction and answer it."""
        if not job.future.set_running_or_notify_cancel():
            return
        try:
            connection = self._connect()
            with connection.begin():
                group = self._group(connection)
                result = job.function(Turn(connection, group))
                moved = group.write()
            self._database.after_commit()
        except LedgerError as refusal:  # rolled back; what the group placed is not there
            self._chains.clear()
            job.future.set_exception(refusal)
            return
        except BaseException as error:  # noqa: BLE001 - the waiter must hear of it
            job.future.set_exception(self._fail(error))
            return
        job.future.set_result(result)
        self._tell(moved)

    def _group(self, connection: Connection) -> Group:
        return Group(self._database, connection, self._clock, self._chains, self._keys)

    def _tell(self, moved: dict[int, Chain]) -> None:
        for chain in moved.values():
            self._on_commit(chain.info.origin, chain.position)

    def _connect(self) -> Connection:
        if self._connection is None:
            self._connection = self._database.writer.connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.close()
        except DBAPIError as error:  # it is gone already
            _log.info("closing the writer's connection failed", error=str(error))

    def _fail(self, error: BaseException) -> LedgerError:
        """Forget what may not be stored; stop for good unless the error is one that passes."""
        self._chains.clear()
        if isinstance(error, LedgerError):
            self._disconnect()
            return error
        self._disconnect()
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(error, DBAPIError) and self._database.is_passing(error):
            _log.warning("the database did not take a group", error=str(cause))
            return unavailable(
                f"The database did not answer: {cause}. Whether the request was stored is unknown.",
                remedy="Send the same request with the same request id again.",
            )
        _log.error("the writer stopped", error=repr(cause))
        failure = unavailable(
            f"The writer stopped after an error of the database: {cause!r}.",
            remedy="See `decision-ledger doctor`; correct the cause, then start the server again.",
            retry=False,
        )
        self._stop(failure)
        return failure

    def _stop(self, failure: LedgerError) -> None:
        """Refuse all that waits and all that will come."""
        with self._changed:
            self._failure = failure
            self._closing = True
            waiting, self._queue = list(self._queue), deque()
            callbacks = tuple(self._on_failure)
        for job in waiting:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(_again(failure))
        for callback in callbacks:
            callback()


def _serve_chore(job: _Chore) -> None:
    """Run a chore and answer it; whatever it raises is its caller's."""
    if not job.future.set_running_or_notify_cancel():
        return
    try:
        job.function()
    except BaseException as error:  # noqa: BLE001 - the waiter must hear of it
        job.future.set_exception(error)
    else:
        job.future.set_result(None)


def _again(failure: LedgerError) -> LedgerError:
    """Return a copy to raise in one more thread: a raised error collects that thread's frames."""
    return LedgerError(
        failure.reason,
        failure.message,
        remedy=failure.remedy,
        retry_after_seconds=failure.retry_after_seconds,
        metadata=failure.metadata,
    )
