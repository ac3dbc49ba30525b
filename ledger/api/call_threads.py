"""The threads on which servicers run, and the way back from any thread to the event loop.

Calls wait for a thread by connection, and the connections take turns: one that sends a
thousand calls at once delays another's next call by one of them, not by a thousand. No connection
has more than three quarters of the threads, so that its long calls leave some to the others. The
threads are daemons, so that one that hangs cannot keep the process from ending.
"""

import asyncio
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ledger.errors import LedgerError, Reason
from ledger.limits import QUEUED_CALLS_MAX, QUEUED_CALLS_PER_CONNECTION

_Done = Callable[[], None]


class LoopCallbacks:
    """Functions to be run on the event loop, handed over from any thread with few wake-ups."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[_Done] = deque()
        self._is_waking = False

    def post(self, function: _Done) -> None:
        """Run a function on the loop soon; nothing happens once the loop has ended."""
        self._waiting.append(function)
        if not self._is_waking:
            self._is_waking = True
            try:
                self._loop.call_soon_threadsafe(self._run)
            except RuntimeError:  # the loop has ended, and no caller waits any more
                self._is_waking = False

    def _run(self) -> None:
        self._is_waking = False  # before looking: what is posted from now on wakes again
        while self._waiting:
            self._waiting.popleft()()


class _Job(NamedTuple):
    peer: str
    function: Callable[[], Any]
    future: "asyncio.Future[Any]"


class CallThreads:
    """So many threads. `run` belongs to the event loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, callbacks: LoopCallbacks, count: int
    ) -> None:
        self._loop = loop
        self._callbacks = callbacks
        self._free = count
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._count: Final = count
        self._share: Final = count - max(count // 4, 1)  # of them at most for one connection
        self._running: Counter[str] = Counter()
        self._turns: dict[str, deque[_Job]] = {}
        self._queued = 0
        for number in range(count):
            threading.Thread(target=self._work, name=f"call-{number}", daemon=True).start()

    def run(self, peer: str, function: Callable[[], Any]) -> "asyncio.Future[Any]":
        """Run a function on a thread, in the connection's turn, and return its outcome.

        LIMIT_REACHED where too many wait for a thread already.
        """
        job = _Job(peer, function, self._loop.create_future())
        if self._free and self._running[peer] < self._share:
            self._begin(job)
        else:
            self._queue(job)
        return job.future

    def leave(self, peer: str, function: Callable[[], Any]) -> None:
        """Run a function that must be run, however many wait; no caller waits for its outcome."""
        self._append(_Job(peer, function, self._loop.create_future()))
        self._next()

    def _queue(self, job: _Job) -> None:
        jobs = self._turns.get(job.peer, ())
        if len(jobs) >= QUEUED_CALLS_PER_CONNECTION or self._queued >= QUEUED_CALLS_MAX:
            raise LedgerError(
                Reason.LIMIT_REACHED,
                f"{self._queued} calls wait for their turn, as many as this server lets wait.",
                remedy="Slow down and send the same request again.",
                retry_after_seconds=0.5,
            )
        self._append(job)

    def _append(self, job: _Job) -> None:
        self._turns.setdefault(job.peer, deque()).append(job)
        self._queued += 1

    def _begin(self, job: _Job) -> None:
        self._free -= 1
        self._running[job.peer] += 1
        self._jobs.put(job)

    def close(self) -> None:
        """Let the threads end that do nothing."""
        for _ in range(self._count):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                outcome, failure = job.function(), None
            except BaseException as error:  # noqa: BLE001 - the caller's, not this thread's
                outcome, failure = None, error
            self._callbacks.post(
                lambda job=job, outcome=outcome, failure=failure: self._done(  # type: ignore[misc]
                    job, outcome, failure
                )
            )

    def _done(self, job: _Job, outcome: object, failure: BaseException | None) -> None:
        self._free += 1
        self._running[job.peer] -= 1
        if not self._running[job.peer]:
            del self._running[job.peer]
        self._next()
        if job.future.cancelled():
            return  # no caller waits for it any more
        if failure is None:
            job.future.set_result(outcome)
        else:
            job.future.set_exception(failure)

    def _next(self) -> None:
        """Give threads that are free to the connections whose turn it is."""
        while self._free:
            may_run = (peer for peer in self._turns if self._running[peer] < self._share)
            if (peer := next(may_run, None)) is None:
                return
            jobs = self._turns.pop(peer)
            job = jobs.popleft()
            self._queued -= 1
            if jobs:
                self._turns[peer] = jobs  # at the end of the line
            if not job.future.cancelled():
                self._begin(job)
