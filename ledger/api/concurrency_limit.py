"""How many calls of a kind are served at once: in all, and for any one connection.

Used on the event loop only, so nothing is locked.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ledger.errors import LedgerError, Reason


class ConcurrencyLimit:
    """A number of places; a call that comes when they are taken is told to back off."""

    def __init__(self, what: str, *, total: int, per_connection: int) -> None:
        self.what: Final = what
        self.actor_share: Final = total - total // 4
        """How many of the places one actor may have at most: some are left to the others."""
        self._total = total
        self._per_connection = per_connection
        self._taken = 0
        self._taken_by: Counter[str] = Counter()

    @contextmanager
    def held(self, peer: str) -> Iterator[None]:
        """Hold a place for a connection; LIMIT_REACHED where there is none."""
        if self._taken_by[peer] >= self._per_connection:
            raise self._refusal(self._per_connection, "a connection may have")
        if self._taken >= self._total:
            raise self._refusal(self._total, "this server takes")
        self._taken += 1
        self._taken_by[peer] += 1
        try:
            yield
        finally:
            self._taken -= 1
            self._taken_by[peer] -= 1
            if not self._taken_by[peer]:
                del self._taken_by[peer]

    def _refusal(self, limit: int, whose: str) -> LedgerError:
        return LedgerError(
            Reason.LIMIT_REACHED,
            f"{limit} {self.what} are being served, as many as {whose}.",
            remedy="End one of them, or try again later.",
            retry_after_seconds=5.0,
            metadata={"limit": str(limit)},
        )
