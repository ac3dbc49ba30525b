"""The few threads that do what recurs for every ledger of a server: follow, sign, seal, record.

A ledger adds tasks and no threads. A task is done again and again: when it is woken, when its time
is up, until it is stopped; never twice at once. Of the tasks that are due the one that is due
longest comes first, so a busy ledger delays the others by one of its turns and no more.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from ledger.clock import Clock

THREADS_MAX: Final = 8
_RETRY_SECONDS: Final = 1.0
_log: Final = structlog.get_logger("ledger.workers")


@dataclass(frozen=True, slots=True)
class TaskInterval:
    """Seconds until the next turn: `least` once the task was woken, `most` if it was not."""

    least: float
    most: float


class Task:
    """Something that recurs. Made by `Workers.recur`; safe between threads."""

    def __init__(self, workers: "Workers", name: str, do: Callable[[], TaskInterval]) -> None:
        self.name = name
        self.do = do
        self.due = 0.0  # this and the rest: owned by the workers' lock
        self.earliest = 0.0  # when it may be done if it is woken
        self.is_woken = self.is_hurried = self.is_running = False
        self._workers = workers

    def wake(self) -> None:
        """Have it done once more, as soon as its least pause is over."""
        if not self.is_woken:  # read without the lock: a commit wakes several tasks each time
            self._workers.wake(self)

    def hurry(self) -> None:
        """Have it done once more at once."""
        if not self.is_hurried:
            self._workers.wake(self, is_hurried=True)

    def stop(self) -> None:
        """End it; returns when its turn under way, if there is one, is over."""
        self._workers.remove(self)


class Workers:
    """Threads that share tasks. They start when they are needed and end with `stop`."""

    def __init__(self, clock: Clock, threads: int = THREADS_MAX, name: str = "worker") -> None:
        self._clock = clock
        self._threads_max = threads
        self._name = name
        lock = threading.RLock()
        self._condition = threading.Condition(lock)  # threads wait on it for a task that is due
        self._ended = threading.Condition(lock)  # callers wait on it for the end of a turn
        self._tasks: list[Task] = []
        self._threads: list[threading.Thread] = []
        self._is_stopping = False
        self._others: dict[str, Workers] = {}

    def of(self, name: str) -> "Workers":
        """Return one thread apart, by name, for work that may wait long for a server outside."""
        with self._condition:
            if name not in self._others:
                self._others[name] = Workers(self._clock, 1, name)
            return self._others[name]

    def recur(self, name: str, do: Callable[[], TaskInterval]) -> Task:
        """Begin a task: its first turn is due now. What `do` raises is reported, and it goes on."""
        task = Task(self, name, do)
        with self._condition:
            task.due = task.earliest = self._clock.monotonic_seconds()
            self._tasks.append(task)
            if len(self._threads) < min(self._threads_max, len(self._tasks)):
                thread = threading.Thread(
                    target=self._work, name=f"{self._name} {len(self._threads) + 1}", daemon=True
                )
                self._threads.append(thread)
                thread.start()
            self._condition.notify()
        return task

    def wake(self, task: Task, *, is_hurried: bool = False) -> None:
        """Bring a task's next turn forward."""
        with self._condition:
            task.is_woken = True
            task.is_hurried = task.is_hurried or is_hurried
            if not task.is_running:
                now = self._clock.monotonic_seconds()  # not before what is due already
                task.due = min(task.due, now if is_hurried else task.earliest)
                self._condition.notify()

    def remove(self, task: Task) -> None:
        """Take a task out, and wait until it is not being done."""
        with self._condition:
            if task in self._tasks:
                self._tasks.remove(task)
            self._ended.wait_for(lambda: not task.is_running)

    def stop(self) -> None:
        """End every thread; turns under way are finished first."""
        with self._condition:
            self._is_stopping = True
            self._condition.notify_all()
        for thread in self._threads:
            thread.join()
        for other in self._others.values():
            other.stop()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            try:
                pause = task.do()
            except Exception:  # noqa: BLE001 - a defect must not end what recurs
                with suppress(Exception):  # standard error may be closed, and the thread goes on
                    _log.exception("worker.failed", task=task.name)
                pause = TaskInterval(_RETRY_SECONDS, _RETRY_SECONDS)
            with self._condition:
                ended = self._clock.monotonic_seconds()
                task.is_running = False
                task.earliest = ended + pause.least
                task.due = ended + (pause.least if task.is_woken else pause.most)
                if task.is_hurried:
                    task.due = ended
                self._ended.notify_all()

    def _next(self) -> Task | None:
        """Wait for the task that is due first and take it; None at the end."""
        with self._condition:
            while not self._is_stopping:
                waiting = [task for task in self._tasks if not task.is_running]
                first = min(waiting, key=lambda task: task.due, default=None)
                left = first.due - self._clock.monotonic_seconds() if first is not None else None
                if first is not None and left is not None and left <= 0:
                    first.is_running = True
                    first.is_woken = first.is_hurried = False
                    if len(waiting) > 1:
                        self._condition.notify()  # another thread looks after the rest
                    return first
                self._condition.wait(left)
            return None
