"""A whole service without a thread of its own: what recurs is done when the test lets time pass.

The parts are those of a server, built, started and stopped by the composition root. Only the
threads that would share what recurs are replaced, so that one seed gives one life.
"""

import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random  # noqa: TID251 - always from a seed
from typing import Final

from ledger.application.workers import Task, TaskInterval
from ledger.events.values import SECOND
from ledger.service import Service
from tests.support.hooks import (
    abandon,
    evaluations_due,
    evaluator_of,
    period_over,
    replace_workers,
    writer_of,
)
from tests.support.world import OFFICER, ORIGIN, START, StillClock, World
from tools.quiet import quiet

_TURNS_MAX: Final = 10_000
_PAUSE: Final = SECOND // 2


class SeededClock(StillClock):
    """A clock whose steady side is only ever advanced, and whose random bytes follow a seed."""

    def __init__(self, seed: int) -> None:
        super().__init__(START)
        self._bytes = Random(seed)
        self._drawing = threading.Lock()

    def monotonic_seconds(self) -> float:
        """Return how far it was advanced."""
        return self.elapsed_seconds()

    def random_bytes(self, count: int) -> bytes:
        """Return bytes as random as those of a machine, and the same for the same seed."""
        with self._drawing:
            return self._bytes.randbytes(count)


class Turns:
    """Takes the place of `Workers`: has tasks, and does those that are due when `run` is called."""

    def __init__(self, clock: SeededClock) -> None:
        self._clock = clock
        self.tasks: list[Task] = []

    def of(self, name: str) -> "Turns":
        """Return itself: nothing here waits for a server outside."""
        return self

    def recur(self, name: str, do: Callable[[], TaskInterval]) -> Task:
        """Begin a task: its first turn is due now."""
        task = Task(self, name, do)  # type: ignore[arg-type]
        task.due = task.earliest = self._clock.monotonic_seconds()
        self.tasks.append(task)
        return task

    def wake(self, task: Task, *, is_hurried: bool = False) -> None:
        """Bring a task's next turn forward."""
        task.is_woken = True

    def remove(self, task: Task) -> None:
        """End a task."""
        if task in self.tasks:
            self.tasks.remove(task)

    def stop(self) -> None:
        """End all of them."""
        self.tasks.clear()

    def run(self) -> bool:
        """Give each task that is due one turn; return whether there was one."""
        now = self._clock.monotonic_seconds()
        due = [task for task in self.tasks if now >= self.wanted(task)]
        for task in due:
            task.is_woken = False
            pause = task.do()
            task.earliest, task.due = now + pause.least, now + pause.most
        return bool(due)

    def wanted(self, task: Task) -> float:
        """Return when a task has its next turn."""
        return task.earliest if task.is_woken else task.due


class SteppedWorld(World):
    """A world over a service that is stopped, killed and started again; a test moves its time."""

    def __init__(self, path: Path, seed: int, *, clock: str, **settings: object) -> None:
        self.path = self._file = path
        self.clock: SeededClock = SeededClock(seed)
        self.trained = {}
        self.settings = settings
        self.moments: list[int] = []
        """Times by the clock at which something may be due that no policy's period says."""
        self._kind = clock
        self._looked: dict[str, tuple[float, int]] = {}
        self.start()

    # ---- the service's life ----------------------------------------------------------------------

    def start(self) -> None:
        """Start a server on the file; the first one creates the ledger."""
        self.service = Service(
            quiet(
                str(self._file),
                erasure__actors=(OFFICER.actor,),
                service__project=False,
                **self.settings,
            ),
            self.clock,
        )
        self.turns = Turns(self.clock)
        replace_workers(self.service, self.turns)
        self.service.start()
        if not self.service.ledgers():
            self.service.create_ledger(ORIGIN, clock=self._kind, actor="users/ana")
        self.ledger, self.store = self.service.ledger(), self.service.store
        self.follower = self.service.follower()

    def close(self) -> None:
        """Stop the server as an operator does."""
        self.service.stop()

    def kill(self) -> None:
        """Leave the file as a server leaves it whose process was killed."""
        writer_of(self.store).pause_for(lambda: None)
        beside = [self._file, *(self._file.with_name(self._file.name + end) for end in _LEFT)]
        images = {file: file.read_bytes() for file in beside if file.exists()}
        abandon(self.service)
        for file, image in images.items():
            file.write_bytes(image)

    # ---- its time --------------------------------------------------------------------------------

    @property
    def true_time(self) -> int:
        """The time that a right clock would show."""
        return START + round(self.clock.elapsed_seconds() * SECOND)

    def pass_time(self, micros: int) -> None:
        """Let so much time pass, and everything be done in it that is due, when it is due."""
        end = self._elapsed + micros
        self._run()
        for _ in range(_TURNS_MAX):
            if self._elapsed >= end:
                return
            upcoming = [at for at in self._upcoming() if at > self._elapsed]
            self.clock.advance(min([end, *upcoming]) - self._elapsed)
            self._run()
        raise AssertionError(f"more than {_TURNS_MAX} turns in {micros} microseconds")

    def settle(self) -> None:
        """Let time pass until the evaluator has nothing left to do at once."""
        before = -1
        while before < self.head:
            before = self.head
            self.pass_time(_PAUSE)
        failure = self.follower.failure  # a clock that is wrong keeps it from writing
        assert failure is None or failure.startswith("The server's clock says"), failure

    @property
    def _elapsed(self) -> int:
        return round(self.clock.elapsed_seconds() * SECOND)

    def _run(self) -> None:
        """Give turns to whatever is due, once the writer has told of its commits."""
        for _ in range(_TURNS_MAX):
            writer_of(self.store).pause_for(lambda: None)
            if not self.turns.run():
                return
        raise AssertionError("what recurs never comes to rest")

    def _upcoming(self) -> Iterator[int]:
        """Yield when something may have to be done, in microseconds that have passed."""
        for task in self.turns.tasks:
            if task.is_woken:
                yield _micros(task.earliest)
            elif task.name.startswith(("seal", "account")):
                if self._has_news(task):
                    yield _micros(max(period_over(task), task.due))
            elif task.name.startswith("follow"):
                evaluator = evaluator_of(self.follower)
                for at in evaluations_due(evaluator) if evaluator is not None else ():
                    if math.isfinite(at) and _micros(at) > self._elapsed:
                        yield _micros(max(at, task.due))
        for moment in self.moments:
            yield self._elapsed + moment - self.clock.now_micros()

    def _has_news(self, task: Task) -> bool:
        """Whether the task that seals or accounts has not looked yet at what was recorded."""
        if self._looked.get(task.name, (0.0, 0))[0] != task.due:
            self._looked[task.name] = task.due, self.head
        return period_over(task) > task.due or self._looked[task.name][1] < self.head


_LEFT: Final = ("-wal", "-shm")


def _micros(seconds: float) -> int:
    return math.ceil(seconds * SECOND)
