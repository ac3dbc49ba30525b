"""A projection at a position: the fold, its rows, what is not stored yet, what it tells of itself.

The runner and the rebuild share it. Not safe between threads; its owner sees to that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

from ledger.errors import LedgerError
from ledger.events.canonical import encode
from ledger.events.envelope import RecordedEvent
from ledger.events.proving import BodyErased
from ledger.events.registry import BY_TYPE
from projections.projection import Projection, Row, RowSet, decode_row
from projections.store import ProjectionStore
from projections.tables import AdvanceResult, DeadLetter, Generation, Tracking


class OnPoison(StrEnum):
    """The remedy for an event that cannot be folded."""

    STOP = "stop"
    """Stand still before it until it is rebuilt."""
    RETRY = "retry"
    """Stand still before it, and try again after growing pauses."""
    QUARANTINE = "quarantine"
    """Note it as a dead letter in the batch's own transaction, and go on."""


class Halt(NamedTuple):
    """The poison event before which a fold is halted."""

    position: int
    why: str


State = Literal["live", "rebuilding", "stopped"]


class Snapshot(NamedTuple):
    """Rows of one moment, which share a position and a digest. Do not change them."""

    position: int
    digest: bytes
    rows: dict[str, Row]


@dataclass(frozen=True, slots=True)
class ProjectionStatus:
    """How a projection of a ledger is doing.

    `stopped`: it is halted before an event it cannot fold, and `why` says which; `rebuilding`: it
    serves while `rebuilt_position` approaches `position`. `lag` counts events up to the head.
    `why` may also say why rows are not being stored.
    """

    name: str
    version: int
    generation: int
    state: State
    why: str
    position: int
    stored_position: int
    lag: int
    digest: bytes
    rows: int
    applied: int
    skipped: int
    quarantined: int
    rebuilt_position: int | None


class Fold:
    """One projection's state in memory, at a position."""

    def __init__(
        self, projection: Projection, *, on_poison: OnPoison, clean_until: int = 0
    ) -> None:
        """`clean_until`: erasures up to this position were done before the first event is read."""
        self.projection = projection
        self.clean_until = clean_until
        self.rows = RowSet()
        self.position = 0
        self.event_hash = b""
        self.applied = 0
        self.skipped = 0
        self.quarantined = 0
        self.halt: Halt | None = None
        self._on_poison = on_poison
        self._unsaved: dict[str, bytes | None] = {}
        self._unsaved_letters: list[DeadLetter] = []
        self._letters: list[DeadLetter] = []  # all of this fold's own
        self.saved_position = 0
        """The position that was last stored by this fold, or loaded."""

    @property
    def digest(self) -> bytes:
        """The digest of the published rows."""
        return self.rows.digest

    @property
    def is_saved(self) -> bool:
        """Whether everything published is stored."""
        return self.saved_position == self.position

    def load(self, tracking: Tracking, stored: dict[str, bytes]) -> bool:
        """Take up stored rows; False, and unusable, where they do not have their digest."""
        assert self.position == 0
        try:
            rows = {key: decode_row(data) for key, data in stored.items()}
        except ValueError:
            return False
        self.rows.put(rows)
        if self.digest != tracking.digest:
            return False
        self.projection.load(rows)
        # A runner that stored a position beyond an erasure had folded everything again.
        self.position = self.saved_position = self.clean_until = tracking.position
        self.event_hash = tracking.event_hash
        self.applied = tracking.applied
        self.skipped = tracking.skipped
        self.quarantined = tracking.quarantined
        return True

    def apply(self, events: Sequence[RecordedEvent]) -> None:
        """Fold events that follow on the position, up to a poison one. Publishes nothing yet.

        Types this release does not know are skipped and counted; so are erased bodies, though the
        projection sees their headers.
        """
        if not events:
            return
        assert events[0].position == self.position + 1, "a fold leaves nothing out"
        assert events[-1].position == self.position + len(events), "positions are dense"
        self.halt = None
        handles, apply = self.projection.handles, self.projection.apply
        applied = 0
        done: RecordedEvent | None = None
        for event in events:
            if event.type in handles:
                try:
                    apply(event)
                except Exception as error:  # noqa: BLE001 - any error is this event's
                    if not self._survives(event, error):
                        break
                else:
                    if event.body_bytes is None:
                        self.skipped += 1
                    else:
                        applied += 1
            elif event.type not in BY_TYPE:
                self.skipped += 1
            done = event
        self.applied += applied
        if done is not None:
            self.position, self.event_hash = done.position, done.event_hash

    def is_outdated_by(self, events: Iterable[RecordedEvent]) -> bool:
        """Whether an erasure among these events may name what was folded with its body."""
        return any(
            event.type == BodyErased.TYPE and event.position > self.clean_until for event in events
        )

    def publish(self) -> dict[str, Row | None]:
        """Publish what was folded; return the rows that changed."""
        written, changed = self.rows.put(self.projection.changes())
        self._unsaved.update(written)
        return {key: self.rows.row(key) for key in changed}

    def save(
        self, store: ProjectionStore, generation: Generation, *, only_live: bool
    ) -> AdvanceResult:
        """Store all that was published since the last save, with the position.

        Where another runner was ahead the rows stay unsaved, and go with the next position: a
        superset of what it did not write is correct at any later position.
        """
        if self.is_saved:
            return AdvanceResult.BEHIND
        outcome = store.advance(
            generation, self._tracking(), self._unsaved, self._unsaved_letters, only_live=only_live
        )
        if outcome is AdvanceResult.MOVED:
            self._unsaved.clear()
            self._unsaved_letters.clear()
            self.saved_position = self.position
        return outcome

    def save_again(self, store: ProjectionStore, ledger: str, projection: str) -> Generation:
        """Store all rows as a new generation in the place of every other, and put it into use."""
        rows = {key: encode(row) for key, row in self.rows.snapshot().items()}
        generation = store.replace_all(ledger, projection, self._tracking(), rows, self._letters)
        self._unsaved.clear()
        self._unsaved_letters.clear()
        self.saved_position = self.position
        return generation

    def _tracking(self) -> Tracking:
        return Tracking(
            self.position,
            self.event_hash,
            self.digest,
            self.applied,
            self.skipped,
            self.quarantined,
        )

    def _survives(self, event: RecordedEvent, error: Exception) -> bool:
        """Return whether to go on after an event that could not be folded."""
        if event.body_bytes is None:
            self.skipped += 1
            return True
        why = _why(error)
        if self._on_poison is OnPoison.QUARANTINE:
            self.quarantined += 1
            letter = DeadLetter(event.position, event.type, why)
            self._unsaved_letters.append(letter)
            self._letters.append(letter)
            return True
        self.halt = Halt(event.position, why)
        return False


def _why(error: Exception) -> str:
    if isinstance(error, LedgerError):
        return error.message
    return f"{type(error).__name__}: {str(error)[:500]}"
