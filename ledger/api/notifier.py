"""Wakes the calls that wait: rung on any thread when something moved, heard on the event loop.

Ringing says only that something moved; each waiting call then looks whether that was what it waits
for. Where none waits, ringing costs a look; while many do, they look at most every few
milliseconds, however often it rings, so that they cost those who write next to nothing.
"""

import asyncio
from collections.abc import Callable
from typing import Final

_HEARD_SECONDS: Final = 0.002


class Notifier:
    """One for all calls of a server. Rung on any thread; all else belongs to its event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: dict[asyncio.Future[None], Callable[[], bool]] = {}
        self._is_rung = False

    def notify(self) -> None:
        """Let every waiting call look again, soon."""
        if self._waiting and not self._is_rung:
            self._is_rung = True
            try:
                self._loop.call_soon_threadsafe(self._loop.call_later, _HEARD_SECONDS, self._hear)
            except RuntimeError:  # the loop has ended, and every call with it
                self._is_rung = False

    async def until(self, is_over: Callable[[], bool], seconds: float) -> None:
        """Return once something is so, or when time is up."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting[future] = is_over  # before the look: what happens after it rings
        timer = self._loop.call_later(seconds, _wake, future)
        try:
            if not is_over():
                await future
        finally:
            timer.cancel()
            del self._waiting[future]

    def _hear(self) -> None:
        self._is_rung = False  # before looking: what happens from now on rings again
        for future, is_over in self._waiting.items():
            if is_over():
                _wake(future)


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
