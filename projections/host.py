"""All projections of one ledger behind one door: started, fed, asked and rebuilt here."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.clock import Clock
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent
from projections.as_of import as_of
from projections.fold import OnPoison, ProjectionStatus
from projections.priorities import PrioritiesProjection, visible
from projections.projection import EventReader, ProjectionFactory
from projections.ranking import Order, RankedModel, ranked
from projections.rebuild import RebuildResult, rebuild
from projections.runner import CATCH_UP_EVENTS, Runner
from projections.signal_rows import SignalRow, signal_rows
from projections.signals import SignalsProjection
from projections.store import ProjectionStore
from projections.watch import Watch

PROJECTIONS: Final[tuple[ProjectionFactory, ...]] = (PrioritiesProjection, SignalsProjection)


@dataclass(frozen=True, slots=True)
class RankedFleet:
    """The ranked fleet at a position."""

    position: int
    ranked: list[RankedModel]


@dataclass(frozen=True, slots=True)
class Signals:
    """Rows of signals at a position, by model and signal."""

    position: int
    rows: list[SignalRow]


class ProjectionHost:
    """The projections of one ledger. Safe between threads.

    `store` may be shared by hosts of several ledgers; its owner closes it. The owner of the host
    calls `consume` or `catch_up` as the ledger grows.
    """

    def __init__(
        self,
        reader: EventReader,
        ledger: str,
        store: ProjectionStore,
        *,
        clock: Clock,
        on_poison: OnPoison = OnPoison.STOP,
        projections: Sequence[ProjectionFactory] = PROJECTIONS,
    ) -> None:
        self._reader = reader
        self._ledger = ledger
        self._clock = clock
        runners = [
            Runner(factory, reader, ledger, store, clock=clock, on_poison=on_poison)
            for factory in projections
        ]
        self._runners = {runner.name: runner for runner in runners}
        self.on_wait: Callable[[], None] | None = None
        """Called when a reader waits for a position that is not folded yet: to hurry the feeder."""
        self.on_news: Callable[[], None] | None = None
        """Called when rows have moved, so that waiting readers look again."""
        self._rebuilding: set[str] = set()
        self._rebuilding_lock = threading.Lock()

    # ---- life ------------------------------------------------------------------------------------

    def start(self, *, catch_up: bool = True) -> None:
        """Take up stored rows, and unless told otherwise fold what they are missing."""
        for runner in self._runners.values():
            runner.start()
        if catch_up:
            self.catch_up()

    def close(self) -> None:
        """End every watch."""
        for runner in self._runners.values():
            runner.close()

    def consume(self, events: Sequence[RecordedEvent]) -> None:
        """Give every projection events that were read already, ascending and dense."""
        for runner in self._runners.values():
            runner.consume(events)
        if self.on_news is not None:
            self.on_news()

    def catch_up(self, stop: Callable[[], bool] | None = None) -> int:
        """Read the ledger to its head, once for all projections; return the position reached.

        That of the one furthest behind, of those that do not stand still. `stop` is asked between
        batches.
        """
        while True:
            running = [runner for runner in self._runners.values() if not runner.is_halted]
            if not running:
                return self.position
            after = min(runner.position for runner in running)
            events = self._reader.read(self._ledger, after=after, limit=CATCH_UP_EVENTS)
            if not events or (stop is not None and stop()):
                return after
            for runner in running:
                runner.consume(events)

    # ---- reading ---------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """The names of the projections."""
        return list(self._runners)

    @property
    def position(self) -> int:
        """The position that every projection has reached."""
        return min(runner.position for runner in self._runners.values())

    def priorities(self, order: Order = "priority") -> RankedFleet:
        """Return the fleet as it is now, in order of priority or of the newest plan."""
        now = self._runner(PrioritiesProjection.name).snapshot()
        return RankedFleet(now.position, ranked(visible(now.rows), order))

    def as_of(self, position: int, order: Order = "priority") -> RankedFleet:
        """Return the fleet as it was live at a position; POSITION_BEYOND_HEAD if it is not there.

        Read from the ledger by index, so it works however far the projection has come.
        """
        return RankedFleet(position, ranked(as_of(self._reader, self._ledger, position), order))

    def signals(self, model: str | None = None) -> Signals:
        """Return the latest of every signal, of one model or of all."""
        now = self._runner(SignalsProjection.name).snapshot()
        return Signals(now.position, signal_rows(now.rows, model))

    def status(self) -> list[ProjectionStatus]:
        """Return how each projection is doing."""
        return [runner.status() for runner in self._runners.values()]

    def is_settled(self, name: str, position: int) -> bool:
        """Return whether it is no use to wait: a projection includes a position, or is halted."""
        return self._runner(name).is_settled(position)

    def hurry(self) -> None:
        """Have what is not folded yet fed without a pause: a reader waits for it."""
        if self.on_wait is not None:
            self.on_wait()

    def check(self, name: str, position: int) -> None:
        """Raise PROJECTION_BEHIND unless a projection includes a position."""
        self._runner(name).check(position)

    def watch(self, name: str) -> Watch:
        """Return a watch of a projection's rows; it begins with all of them. Close it when done."""
        return self._runner(name).watch()

    # ---- erasure ---------------------------------------------------------------------------------

    def purge(self, position: int) -> None:
        """Leave nothing of bodies that were erased up to a position; returns when that is done.

        STORE_UNAVAILABLE where the tables cannot be written.
        """
        for runner in self._runners.values():
            runner.purge(position)

    # ---- mending ---------------------------------------------------------------------------------

    def rebuild(
        self,
        name: str,
        *,
        stop: Callable[[], bool] | None = None,
        keep_before: bool = False,
    ) -> RebuildResult:
        """Fold a projection again beside itself, compare, switch; returns when that is done.

        PROJECTION_UNKNOWN for other names, LIMIT_REACHED while a rebuild of it is running here.
        """
        runner = self._runner(name)
        with self._rebuilding_lock:
            if name in self._rebuilding:
                raise LedgerError(
                    Reason.LIMIT_REACHED,
                    f"Projection {name} is being rebuilt already.",
                    remedy="Wait for that rebuild; GetProjection shows how far it has come.",
                    retry_after_seconds=5.0,
                    metadata={"projection": name},
                )
            self._rebuilding.add(name)
        try:
            return rebuild(runner, clock=self._clock, stop=stop, keep_before=keep_before)
        finally:
            with self._rebuilding_lock:
                self._rebuilding.discard(name)

    def _runner(self, name: str) -> Runner:
        runner = self._runners.get(name)
        if runner is None:
            raise LedgerError(
                Reason.PROJECTION_UNKNOWN,
                f"There is no projection {name[:160]!r}.",
                remedy=f"The projections are {', '.join(self._runners)}.",
                metadata={"projection": name[:160]},
            )
        return runner
