"""Changed rows for watchers, at each watcher's own speed.

A slow watcher holds up no other and costs no more memory than one row for each key: rows that
changed twice before it looked are handed over once, as they are now.
"""

import threading
from typing import NamedTuple, Self

from projections.projection import Changes, Row


class RowChanges(NamedTuple):
    """Rows that changed up to a position; None for a row that is gone."""

    position: int
    rows: dict[str, Row | None]


class Watch:
    """One watcher's pending changes. Safe between threads; close it when done."""

    def __init__(self, position: int, rows: Changes) -> None:
        """Begin with the rows of a moment, so that the first `next` brings the whole picture."""
        self._lock = threading.Lock()
        self._position = position
        self._pending: dict[str, Row | None] = dict(rows)
        self._has_news = True
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def has_news(self) -> bool:
        """Whether `next` has something to say, or nothing more will come."""
        return self._has_news or self._is_closed

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come."""
        return self._is_closed

    def offer(self, position: int, rows: Changes) -> None:
        """Add changes; never waits for the watcher."""
        with self._lock:
            if self._is_closed:
                return
            self._position = position
            self._pending.update(rows)
            self._has_news = self._has_news or bool(rows)

    def next(self) -> RowChanges | None:
        """Return what changed since the last call; None if nothing did, or the watch is closed."""
        with self._lock:
            if not self._has_news or self._is_closed:
                return None
            rows, self._pending = self._pending, {}
            self._has_news = False
            return RowChanges(self._position, rows)

    def close(self) -> None:
        """End the watch."""
        with self._lock:
            self._is_closed = True
            self._pending.clear()
