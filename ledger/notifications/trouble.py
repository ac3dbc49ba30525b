"""Which subscribers do not take what they are sent now, for programs that watch the server."""

import threading
from collections.abc import Callable

from ledger.notifications.tables import Key


class DeliveryTrouble:
    """The subscribers of all ledgers whose last attempt failed. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[Key] = set()
        self._callbacks: list[Callable[[], None]] = []

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._keys)

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, when a first one is in trouble, or none is any more."""
        self._callbacks.append(callback)

    def report(self, key: Key, *, is_in_trouble: bool) -> None:
        """Note how the last attempt for a subscriber ended."""
        with self._lock:
            before = bool(self._keys)
            (self._keys.add if is_in_trouble else self._keys.discard)(key)
            is_news = bool(self._keys) != before
        for callback in tuple(self._callbacks) if is_news else ():
            callback()
