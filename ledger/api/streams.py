"""Calls with more than one message: a stream of answers, and requests that are answered in order.

Of the latter one task reads, and has each request taken on a thread; the other answers. So many are
under way, then nothing is read, and gRPC's flow control holds the client back.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

from ledger.api.calls import ServedMethod
from ledger.api.steps import BidirectionalStream, Deferred, NotYetError, Pause
from ledger.limits import STREAM_BATCHES_IN_FLIGHT

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[bytes, bytes]
    Carry = Callable[[Callable[[], Any]], Awaitable[Any]]
    Hear = Callable[[Deferred[Any]], Awaitable[None]]


class AnswerStream:
    """A servicer's generator, taken a step at a time on any free thread.

    Steps are taken one after the other; `leave` may come at any time, on another thread.
    """

    def __init__(
        self, begin: Callable[[], Iterator[Any]], serialize: Callable[[Any], bytes]
    ) -> None:
        self._begin = begin
        self._serialize = serialize
        self._steps: Iterator[Any] | None = None
        self._lock = threading.Lock()
        self._is_running = self._is_left = False

    def next(self) -> bytes | Pause | None:
        """Return the next message or pause, None at the end.

        A NotYetError before the first message begins the generator again with the next step.
        """
        with self._lock:
            if self._is_left:
                return None
            self._is_running = True
        try:
            found = self._taken()
        except NotYetError:
            self._steps = None
            raise
        else:
            return found if found is None or isinstance(found, Pause) else self._serialize(found)
        finally:
            if self._is_last():
                self.close()

    def _is_last(self) -> bool:
        """End a step; return whether none is left to take."""
        with self._lock:
            self._is_running = False
            return self._is_left

    def _taken(self) -> Any:  # noqa: ANN401 - a message of any kind, a pause, or None
        if self._steps is None:
            self._steps = self._begin()
        return next(self._steps, None)

    def leave(self) -> bool:
        """Say that no steps are taken any more; return whether `close` is left to be called.

        It is not where a step is under way, which closes when it is done.
        """
        with self._lock:
            self._is_left = True
            return not self._is_running and self._steps is not None

    def close(self) -> None:
        """Let the generator give back what it holds."""
        steps: Any = self._steps
        if steps is not None:
            steps.close()


class RequestStream:
    """Requests that are answered in order, several at once. Belongs to the event loop."""

    def __init__(
        self,
        method: ServedMethod,
        context: "Context",
        session: BidirectionalStream[Any],
        hear: "Hear",
        received: Callable[[int], None],
    ) -> None:
        """`received` is told of each further message's size, and raises what ends the stream."""
        self._serialize = method.serialize
        self._context = context
        self._session = session
        self._hear = hear
        self._received = received
        self._room = asyncio.Semaphore(STREAM_BATCHES_IN_FLIGHT)
        self._taken: asyncio.Queue[Any] = asyncio.Queue()
        self._reader: asyncio.Task[None] | None = None
        self._is_idle = self._is_draining = False
        self.is_cut = True
        """Whether there may be more requests than were read."""

    def drain(self) -> None:
        """Read no more; what was taken is answered."""
        self._is_draining = True
        if self._is_idle and self._reader is not None:
            self._reader.cancel()

    async def run(self, first: bytes, carry: "Carry") -> None:
        """Answer until there are no more requests; raises what ends the stream."""
        self._reader = asyncio.create_task(self._read(first, carry))
        try:
            while (found := await self._taken.get()) is not None:
                if isinstance(found, Exception):
                    raise found
                if isinstance(found, Deferred):
                    await self._hear(found)
                    found = found.then(found.future)
                await self._context.write(self._serialize(found))
                self._room.release()
        finally:
            self._reader.cancel()

    async def _read(self, data: Any, carry: "Carry") -> None:  # noqa: ANN401 - bytes or gRPC's EOF
        end: Exception | None = None
        try:
            while data is not grpc.aio.EOF and not self._is_draining:
                await self._room.acquire()
                self._taken.put_nowait(await carry(partial(self._session.take, data)))
                self._is_idle = True
                data = await self._context.read()
                self._is_idle = False
                if data is not grpc.aio.EOF:
                    self._received(len(data))
            self.is_cut = data is not grpc.aio.EOF
        except Exception as error:  # noqa: BLE001 - raised by the task that answers
            end = error
        finally:
            self._taken.put_nowait(end)
