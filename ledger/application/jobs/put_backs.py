"""The open proposals of one ledger to put a version back, now."""

import threading

from ledger.events.registry import known_data
from ledger.jobs.put_backs import PUT_BACK_TYPES, OpenPutBack, PutBacks
from ledger.storage.records import LedgerInfo
from ledger.storage.store import Store


class PutBackReader:
    """Follows the proposals of one ledger. Safe between threads."""

    def __init__(self, store: Store, info: LedgerInfo) -> None:
        self._store = store
        self._origin = info.origin
        self._lock = threading.Lock()
        self._known = PutBacks()
        self._position = 0

    def forget(self) -> None:
        """Read all of them again: the body of one may be gone."""
        with self._lock:
            self._known, self._position = PutBacks(), 0

    def open(self, after: int = 0) -> list[OpenPutBack]:
        """Return the open proposals that were made after a position, the oldest first."""
        with self._lock:
            self._follow()
            return self._known.listed(after)

    def of_model(self, model: str) -> tuple[int, OpenPutBack | None]:
        """Return the head, and the proposal that is open there for a model, if any."""
        with self._lock:
            self._follow()
            return self._position, self._known.open.get(model)

    def _follow(self) -> None:
        """Take in what was recorded since."""
        head = self._store.events.head(self._origin).position
        if head > self._position:
            found = self._store.events.of_types(
                self._origin, PUT_BACK_TYPES, after=self._position, at_or_before=head
            )
            for one in found:
                self._known.apply(one.position, one.stream, one.type, known_data(one))
            self._position = head
