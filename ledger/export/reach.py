"""How far a bundle reaches: up to where it is complete, and how much newer its checkpoint is.

A stream bundle is complete up to the position that its seal is about, and shows nothing of what
came after. An old seal under the newest checkpoint therefore leaves out events, and everything in
the bundle holds; so the distance is said, and a reader can bound it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.events import notation
from ledger.events.values import SECOND, parse_time
from ledger.export.files import SCOPE, SEAL, BundleError


@dataclass(frozen=True, slots=True)
class AgeBound:
    """How long before its checkpoint a bundle may end, and the reader's own time."""

    seconds: int
    now_micros: int


@dataclass(frozen=True, slots=True)
class BundleReach:
    """Up to where a bundle is complete, when that was recorded, and how many events are newer."""

    position: int
    recorded_at: str
    """Of the event there; of a stream, when its seal was recorded."""
    events_newer: int
    is_newest: bool
    """Whether the event that was recorded then is the newest under the checkpoint."""
    file: str

    def __str__(self) -> str:
        """Return all of it in one sentence."""
        return (
            f"complete up to position {self.position}, recorded at "
            f"{notation.shown_time(self.recorded_at)}; "
            f"the checkpoint is {notation.counted(self.events_newer, 'event')} newer"
        )

    def check(self, bound: AgeBound, cosigned_at: Sequence[int]) -> None:
        """Raise BundleError if the end of the bundle lies too long before its checkpoint.

        No line of a checkpoint says when it was made. It was there when the last witness cosigned
        it, and is there now: the earlier of both is counted, so that the age may come out too
        great, and never too small.
        """
        if self.is_newest:
            return
        latest, until = bound.now_micros, "now"
        if cosigned_at and max(cosigned_at) * SECOND < latest:
            latest, until = max(cosigned_at) * SECOND, "its last cosignature"
        age = (latest - parse_time(self.recorded_at)) // SECOND
        if age > bound.seconds:
            raise BundleError(
                self.file,
                0,
                f"{self}; that is {notation.duration(age)} until {until}, and at most "
                f"{notation.duration(bound.seconds)} was asked for",
            )


def reach_of(
    size: int, position: int, end: int, recorded_at: str, *, is_sealed: bool
) -> BundleReach:
    """Return how far a bundle reaches under a checkpoint of a size.

    `end` is where the event is that says so: the last one of the bundle; of a stream, its seal.
    """
    file = SEAL if is_sealed else SCOPE
    return BundleReach(position, recorded_at, size - position, end == size, file)
