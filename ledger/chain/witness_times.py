"""The times that witnesses state: when each saw a checkpoint, and which of them a reader counts.

A time is the witness's claim. It is worth as much as the witness is trusted, and its reader's clock
bounds it: from above, since nothing is seen in the future, and from below where the reader asks for
something fresh.
"""

from dataclasses import dataclass
from typing import Final

from ledger.chain.cosignature import utc
from ledger.events.notation import duration
from ledger.events.values import SECOND, format_time

MAX_FUTURE_SECONDS: Final = 300
"""How far a witness's clock may run ahead of its reader's where no other bound is stated."""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A witness of a policy, and when it says that it saw a checkpoint."""

    witness: str
    seconds: int

    @property
    def at(self) -> str:
        """The time in the ledger's own spelling."""
        return format_time(self.seconds * SECOND)

    def __str__(self) -> str:
        """Return both as a sentence names them."""
        return f"{self.witness} at {utc(self.seconds)}"


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """The times at which a cosignature counts for a reader whose clock says `now`, in seconds."""

    now: int
    max_future: int = MAX_FUTURE_SECONDS
    max_age: int | None = None
    """None for any age: what was witnessed long ago is as true as ever."""

    def fault(self, seconds: int) -> str:
        """Return why a cosignature of this time does not count, "" if it does."""
        if seconds > self.now + self.max_future:
            bound = f"more than {duration(self.max_future)} after"
        elif self.max_age is not None and seconds < self.now - self.max_age:
            bound = f"more than {duration(self.max_age)} before"
        else:
            return ""
        return f"{bound} {utc(self.now)}, which is now by this clock"
