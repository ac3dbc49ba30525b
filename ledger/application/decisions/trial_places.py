"""How many policies are tried or compared on one ledger at once: each reads its history."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ledger.errors import LedgerError, Reason
from ledger.limits import TRIALS_MAX


class TrialPlaces:
    """The places of one ledger. Safe between threads."""

    def __init__(self) -> None:
        self._free = threading.BoundedSemaphore(TRIALS_MAX)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take a place; LIMIT_REACHED while all are taken."""
        if not self._free.acquire(blocking=False):
            raise LedgerError(
                Reason.LIMIT_REACHED,
                f"{TRIALS_MAX} policies are being tried or compared on this ledger, as many as may "
                "be at once.",
                remedy="Try again when one of them is done.",
                retry_after_seconds=5.0,
                metadata={"limit": str(TRIALS_MAX)},
            )
        try:
            yield
        finally:
            self._free.release()
