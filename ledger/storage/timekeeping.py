"""What storage promises about the machine's clock, as a part of the `Store` contract."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ledger.errors import LedgerError
    from ledger.storage.store import AppendRequest, AppendResult, NewEvent


@dataclass(frozen=True, slots=True)
class Step:
    """A machine's clock beside what was expected of it, in microseconds."""

    at: int
    expected: int | None
    """None where this process has not dated anything yet."""
    head: int
    """When the ledger's newest event was recorded."""


class Timekeeping(Protocol):
    """Tells the time as far as it can be believed, and lets it be confirmed."""

    def now_micros(self, ledger: str) -> int:
        """Return the machine's time; CLOCK_AHEAD where a `wall` ledger cannot believe it."""
        ...

    def clock_behind(self, ledger: str) -> "LedgerError | None":
        """Return what to answer whom this clock contradicts, where it is behind the newest event.

        None where it is not, or is believed all the same. Within the bounds of the ledger, that is:
        the skew of a `wall` ledger, and the years that a `data` ledger's times may lie ahead.
        """
        ...

    def confirm_clock(
        self, request: "AppendRequest", event: "Callable[[Step], NewEvent]"
    ) -> "AppendResult":
        """Believe the machine's clock from now on, and append the event that says so.

        FIELD_INVALID where the clock is as expected. A repeat finds its own event, and the clock is
        believed from when that was recorded.
        """
        ...
