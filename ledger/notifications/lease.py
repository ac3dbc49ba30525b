"""Of several servers one delivers: the one that holds a ledger's lease."""

import threading
from typing import Final

from ledger.clock import Clock, uuid7
from ledger.storage.store import Store

LEASE: Final = "notifications"
LEASE_SECONDS: Final = 30.0
_REFUSED_SECONDS: Final = 1.0  # how soon a server without the lease asks again


class DeliveryLease:
    """This server's claim to deliver the notifications of one ledger. Safe between threads.

    It saves work: what two servers deliver all the same is one notification, by its id.
    """

    def __init__(self, store: Store, origin: str, clock: Clock) -> None:
        self._store = store
        self._origin = origin
        self._clock = clock
        self._holder = uuid7(clock)
        self._lock = threading.Lock()
        self._ask_at = 0.0
        self._is_held = False

    def is_held(self) -> bool:
        """Return whether this server delivers; where so, for half of the lease's time at least."""
        with self._lock:
            moment = self._clock.monotonic_seconds()
            if moment >= self._ask_at:
                self._is_held = self._take(LEASE_SECONDS)
                self._ask_at = moment + (LEASE_SECONDS / 2 if self._is_held else _REFUSED_SECONDS)
            return self._is_held

    def release(self) -> None:
        """Give it back, so that another server need not wait for it to run out."""
        with self._lock:
            if self._is_held:
                self._is_held = False
                self._take(0)

    def _take(self, seconds: float) -> bool:
        return self._store.leases.take(self._origin, LEASE, self._holder, seconds)
