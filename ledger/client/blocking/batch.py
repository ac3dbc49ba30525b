"""Collecting observations and submitting them together, for threads: `LedgerClient.batch`."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ledger.client.errors import ClientError
from ledger.client.observations import ObservationLike
from ledger.client.records import Submitted


class SignalBatch:
    """A buffer that submits itself when it is full or its oldest observation is old enough.

    Safe between threads. What a submission in the background raised is raised by the next call;
    its observations are then in `failed`, so that none is lost without a trace. An observation
    without `observed_at` has the time at which the server takes it.
    """

    def __init__(
        self,
        submit: Callable[[list[ObservationLike]], Submitted],
        items_max: int,
        seconds_max: float,
    ) -> None:
        if items_max < 1 or not seconds_max > 0:
            raise ValueError("max_items must be 1 or more, and max_seconds above 0")
        self._submit = submit
        self._items_max = items_max
        self._seconds_max = seconds_max
        self._items: list[ObservationLike] = []
        self._changed = threading.Condition(threading.RLock())
        self._error: ClientError | None = None
        self._is_closed = False
        self.position = 0
        """Position of the last observation on record."""
        self.failed: list[ObservationLike] = []
        """Observations of submissions that failed."""
        self._timer = threading.Thread(target=self._flush_in_time, name="ledger-batch", daemon=True)
        self._timer.start()

    def add(self, observation: ObservationLike) -> None:
        """Add one observation; submits the batch if it is full now."""
        with self._changed:
            self._raise_pending()
            self._items.append(observation)
            if len(self._items) == 1:
                self._changed.notify_all()
            if len(self._items) >= self._items_max:
                self._flush()
                self._raise_pending()

    def flush(self) -> None:
        """Submit what is there."""
        with self._changed:
            self._flush()
            self._raise_pending()

    def close(self) -> None:
        """Submit what is there and stop."""
        with self._changed:
            self._is_closed = True
            self._flush()
            self._changed.notify_all()
        self._timer.join()
        self._raise_pending()

    def __enter__(self) -> Self:
        """Return the batch."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Submit what is there and stop."""
        self.close()

    def _flush(self) -> None:
        items, self._items = self._items, []
        if not items:
            return
        try:
            self.position = self._submit(items).position
        except ClientError as error:
            self.failed += items
            self._error = error

    def _raise_pending(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _flush_in_time(self) -> None:
        with self._changed:
            while not self._is_closed:
                self._changed.wait_for(lambda: self._items or self._is_closed)
                if not self._is_closed:
                    self._changed.wait_for(lambda: self._is_closed, self._seconds_max)
                    self._flush()
