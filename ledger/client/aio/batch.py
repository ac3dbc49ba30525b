"""Collecting observations and submitting them together, for asyncio: `AsyncLedgerClient.batch`."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from ledger.client.errors import ClientError
from ledger.client.observations import ObservationLike
from ledger.client.records import Submitted


class AsyncSignalBatch:
    """A buffer that submits itself when it is full or its oldest observation is old enough.

    What a submission in the background raised is raised by the next call; its observations are then
    in `failed`, so that none is lost without a trace. An observation without `observed_at` has the
    time at which the server takes it.
    """

    def __init__(
        self,
        submit: Callable[[list[ObservationLike]], Awaitable[Submitted]],
        items_max: int,
        seconds_max: float,
    ) -> None:
        if items_max < 1 or not seconds_max > 0:
            raise ValueError("max_items must be 1 or more, and max_seconds above 0")
        self._submit = submit
        self._items_max = items_max
        self._seconds_max = seconds_max
        self._items: list[ObservationLike] = []
        self._turn = asyncio.Lock()  # submissions keep the order of what was added
        self._error: ClientError | None = None
        self._timer: asyncio.Task[None] | None = None
        self.position = 0
        """Position of the last observation on record."""
        self.failed: list[ObservationLike] = []
        """Observations of submissions that failed."""

    async def add(self, observation: ObservationLike) -> None:
        """Add one observation; submits the batch if it is full now."""
        self._raise_pending()
        self._items.append(observation)
        if len(self._items) >= self._items_max:
            await self.flush()
        elif self._timer is None:
            self._timer = asyncio.create_task(self._flush_in_time())

    async def flush(self) -> None:
        """Submit what is there."""
        await self._flush()
        self._raise_pending()

    async def close(self) -> None:
        """Submit what is there and stop."""
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.gather(self._timer, return_exceptions=True)
        await self.flush()

    async def __aenter__(self) -> Self:
        """Return the batch."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Submit what is there and stop."""
        await self.close()

    async def _flush(self) -> None:
        async with self._turn:
            items, self._items = self._items, []
            if not items:
                return
            try:
                self.position = (await self._submit(items)).position
            except ClientError as error:
                self.failed += items
                self._error = error

    def _raise_pending(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    async def _flush_in_time(self) -> None:
        await asyncio.sleep(self._seconds_max)
        self._timer = None  # from here on it is a flush, which is never cancelled
        await self._flush()
