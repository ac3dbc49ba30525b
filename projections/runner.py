"""Keeps one projection of one ledger current: batches in, rows out, progress stored.

Rows are served from memory; each batch's changed rows, position and digest are stored in one
transaction, so that a restart goes on where the last one was. If they cannot be stored, the
projection stays current all the same, says so in its status, and tries again with the next batch.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from ledger.clock import Clock
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent
from ledger.events.proving import BodyErased
from projections.fold import Fold, OnPoison, ProjectionStatus, Snapshot, State
from projections.projection import Changes, EventReader, ProjectionFactory, Row
from projections.store import ProjectionStore
from projections.tables import AdvanceResult, Generation
from projections.watch import Watch

CATCH_UP_EVENTS: Final = 5_000  # events a read: a few megabytes, and one transaction

_RETRY_FIRST_SECONDS: Final = 0.125
_RETRY_MOST_SECONDS: Final = 30.0


class Runner:
    """One projection. `consume` and `catch_up` may be called from any thread."""

    def __init__(
        self,
        factory: ProjectionFactory,
        reader: EventReader,
        ledger: str,
        store: ProjectionStore,
        *,
        clock: Clock,
        on_poison: OnPoison = OnPoison.STOP,
    ) -> None:
        self.factory = factory
        self.reader = reader
        self.ledger = ledger
        self.store = store
        self.on_poison = on_poison
        self.rebuilt_position: int | None = None
        projection = factory()
        self.name = projection.name
        self.version = projection.version
        self.stored_name = f"{self.name}/{self.version}"
        self._clock = clock
        self._fold = Fold(projection, on_poison=on_poison)
        self._generation = Generation(ledger, self.stored_name, 0)
        self._folding = threading.RLock()  # one thread folds; readers take only the next
        self._publishing = threading.Lock()
        self._snapshot_position = 0
        self._watches: list[Watch] = []
        self._is_erasure_due = False  # what is stored may still hold what was erased
        self._trouble = ""
        self._attempts = 0
        self._retry_at = 0.0

    # ---- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up the stored rows if they are whole and of this ledger, else begin from nothing.

        STORE_UNAVAILABLE where the tables cannot be read.
        """
        with self._folding:
            self.store.forget_versions(self.ledger, self.name, self.stored_name)
            self._take_up_stored()

    def close(self) -> None:
        """End every watch."""
        with self._publishing:
            watches, self._watches = self._watches, []
        for watch in watches:
            watch.close()

    def _take_up_stored(self) -> None:
        """Load the generation in use; one that cannot be used is replaced by an empty one."""
        generation = self.store.claim(self.ledger, self.stored_name)
        fold = self.restore(generation)
        stored_until = fold.position if fold is not None else 0
        if fold is None:
            generation = self.store.claim(self.ledger, self.stored_name, stale=generation.number)
            fold = self.restore(generation) or self.begin()
        before = self._fold.position
        if self._newest_erasure() > stored_until:
            self._fold_again(max(before, fold.position))
            return
        if fold.position < before:
            self._feed_from_ledger(fold, before)  # no reader goes back in time
        self._replace(fold, generation)

    def begin(self) -> Fold:
        """Return an empty fold, which will see bodies as they are from now on."""
        head = self.reader.head(self.ledger).position
        return Fold(self.factory(), on_poison=self.on_poison, clean_until=head)

    def restore(self, generation: Generation) -> Fold | None:
        """Return a stored generation's fold; None where its rows are damaged or of another history.

        Another history: a ledger deleted and begun again under the same name, or put back from a
        backup, whose event at the tracking position is another one or does not exist.
        """
        loaded = self.store.load(generation)
        if loaded is None:
            return None
        tracking, rows = loaded
        if tracking.position:
            event = self.reader.event(self.ledger, tracking.position)
            if event is None or event.event_hash != tracking.event_hash:
                return None
        fold = Fold(self.factory(), on_poison=self.on_poison)
        return fold if fold.load(tracking, rows) else None

    def _feed_from_ledger(self, fold: Fold, until: int) -> None:
        while fold.position < until and fold.halt is None:
            events = self.reader.read(
                self.ledger, after=fold.position, until=until, limit=CATCH_UP_EVENTS
            )
            if not events:
                return
            fold.apply(events)
            fold.publish()

    # ---- erasure ---------------------------------------------------------------------------------

    def purge(self, position: int) -> None:
        """Leave nothing of bodies that were erased up to a position, in rows or in files.

        Reads go on from the old rows until the new ones are there. STORE_UNAVAILABLE where the
        tables cannot be written: the next batch or call tries again.
        """
        with self._folding:
            if self._fold.clean_until < position:
                self._fold_again(self._fold.position)
            if self._is_erasure_due:
                self._store_again()

    def _newest_erasure(self) -> int:
        newest = self.reader.of_types(self.ledger, {BodyErased.TYPE}, limit=1, descending=True)
        return newest[0].position if newest else 0

    def _fold_again(self, until: int) -> None:
        """Fold from the start, at least beyond the newest erasure, and put the result into use."""
        fold = self.begin()
        self._feed_from_ledger(fold, max(until, self._newest_erasure()))
        self._is_erasure_due = True
        self._replace(fold, self._generation)
        self._save()

    def _store_again(self) -> None:
        """Put all rows in the place of everything that is stored, then scrub the tables."""
        generation = self._fold.save_again(self.store, self.ledger, self.stored_name)
        with self._publishing:
            self._generation = generation
        self.store.scrub()
        self._is_erasure_due = False

    # ---- folding ---------------------------------------------------------------------------------

    def consume(self, events: Sequence[RecordedEvent]) -> None:
        """Fold events that were read already, ascending and dense.

        Those already folded are passed over; those missing before them are read from the ledger.
        """
        with self._folding:
            if not events or events[-1].position <= self._fold.position or not self._may_fold():
                return
            if events[0].position > self._fold.position + 1:
                self._catch_up(events[0].position - 1)
            done = self._fold.position - events[0].position + 1
            if done >= 0:
                self._feed(events[done:] if done else events)

    def catch_up(self, until: int | None = None) -> int:
        """Read and fold up to a position, by default the head; return the position reached."""
        with self._folding:
            if self._may_fold():
                self._catch_up(until)
            return self._fold.position

    def _catch_up(self, until: int | None) -> None:
        while True:
            events = self.reader.read(
                self.ledger, after=self._fold.position, until=until, limit=CATCH_UP_EVENTS
            )
            if not events:
                return
            self._feed(events)
            if self._fold.halt is not None:
                return

    def _may_fold(self) -> bool:
        if self._fold.halt is None:
            return True
        return (
            self.on_poison is OnPoison.RETRY and self._clock.monotonic_seconds() >= self._retry_at
        )

    def _feed(self, events: Sequence[RecordedEvent]) -> None:
        """Fold a batch, publish it, store it."""
        fold = self._fold
        if fold.is_outdated_by(events):
            self._fold_again(events[-1].position)
            return
        at_first = fold.position
        fold.apply(events)
        self._pause_or_go_on(moved=fold.position > at_first)
        with self._publishing:
            changed = fold.publish()
            self._snapshot_position = fold.position
            self._offer(fold.position, changed)
        self._save()

    def _pause_or_go_on(self, *, moved: bool) -> None:
        """Set when to try a poison event again: pauses double while it stays the same one."""
        if self._fold.halt is None or moved:
            self._attempts = 0
        if self._fold.halt is not None:
            pause = min(_RETRY_FIRST_SECONDS * 2 ** min(self._attempts, 20), _RETRY_MOST_SECONDS)
            self._attempts += 1
            self._retry_at = self._clock.monotonic_seconds() + pause

    def _save(self) -> None:
        try:
            if self._is_erasure_due:
                self._store_again()
                self._trouble = ""
                return
            outcome = self._fold.save(self.store, self._generation, only_live=True)
            if outcome is AdvanceResult.NOT_LIVE:  # another server has rebuilt and switched
                self._take_up_stored()
            self._trouble = ""
        except LedgerError as error:
            if error.reason is not Reason.STORE_UNAVAILABLE:
                raise
            self._trouble = error.message

    # ---- for the rebuild -------------------------------------------------------------------------

    @contextmanager
    def standing_still(self) -> Iterator[Fold]:
        """Hold the projection at its position, and give its fold to compare with."""
        with self._folding:
            yield self._fold

    @property
    def generation(self) -> Generation:
        """The generation in use."""
        return self._generation

    def adopt(self, fold: Fold, generation: Generation) -> None:
        """Go on with another fold, at the same position, whose generation is in use now."""
        with self._folding:
            assert fold.position == self._fold.position
            self._replace(fold, generation)

    def _replace(self, fold: Fold, generation: Generation) -> None:
        with self._publishing:
            changed = _difference(self._fold, fold)
            self._fold, self._generation = fold, generation
            self._snapshot_position = fold.position
            if changed:
                self._offer(fold.position, changed)

    def _offer(self, position: int, changed: Changes) -> None:
        """Hand changes to every watch.

        Under the lock that publishes the position: its reader knows that its watch has all
        changes up to there.
        """
        for watch in self._watches:
            watch.offer(position, changed)

    # ---- reading ---------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """The tracking position: every event up to it is in the rows."""
        return self._snapshot_position

    @property
    def is_halted(self) -> bool:
        """Whether it is halted before a poison event and it is not time to try again."""
        return not self._may_fold()

    def snapshot(self) -> Snapshot:
        """Return the rows of this moment, with their position and digest."""
        with self._publishing:
            fold = self._fold
            return Snapshot(self._snapshot_position, fold.digest, fold.rows.snapshot())

    def is_settled(self, position: int) -> bool:
        """Return whether it is no use to wait: the rows include it, or are halted before."""
        return self._snapshot_position >= position or self._fold.halt is not None

    def check(self, position: int) -> None:
        """Raise PROJECTION_BEHIND unless the rows include a position."""
        with self._publishing:
            halt, reached = self._fold.halt, self._snapshot_position
        if reached >= position:
            return
        why = f": it stopped at position {halt.position}, {halt.why}" if halt else ""
        raise LedgerError(
            Reason.PROJECTION_BEHIND,
            f"Projection {self.name} has reached position {reached}, not {position}{why}.",
            remedy="Run `decision-ledger projection status`." if halt else "Try again.",
            retry_after_seconds=1.0,
            metadata={
                "projection": self.name,
                "position": str(reached),
                "min_position": str(position),
            },
        )

    def watch(self) -> Watch:
        """Return a watch that begins with all rows."""
        with self._publishing:
            self._watches = [watch for watch in self._watches if not watch.is_closed]
            watch = Watch(self._snapshot_position, self._fold.rows.snapshot())
            self._watches.append(watch)
            return watch

    def status(self) -> ProjectionStatus:
        """Return how it is doing, the lag measured against the ledger's head."""
        head = self.reader.head(self.ledger).position
        with self._publishing:
            fold, halt = self._fold, self._fold.halt
            state: State = "stopped" if halt else "live"
            if self.rebuilt_position is not None:
                state = "rebuilding"
            parts = [f"position {halt.position}: {halt.why}"] if halt else []
            return ProjectionStatus(
                name=self.name,
                version=self.version,
                generation=self._generation.number,
                state=state,
                why=" ".join([*parts, self._trouble]).strip(),
                position=self._snapshot_position,
                stored_position=fold.saved_position,
                lag=max(0, head - self._snapshot_position),
                digest=fold.digest,
                rows=len(fold.rows),
                applied=fold.applied,
                skipped=fold.skipped,
                quarantined=fold.quarantined,
                rebuilt_position=self.rebuilt_position,
            )


def _difference(before: Fold, after: Fold) -> dict[str, Row | None]:
    """Return the rows in which two folds differ, as the second has them."""
    old, new = before.rows.snapshot(), after.rows.snapshot()
    changed: dict[str, Row | None] = {key: row for key, row in new.items() if old.get(key) != row}
    changed.update(dict.fromkeys(key for key in old if key not in new))
    return changed
