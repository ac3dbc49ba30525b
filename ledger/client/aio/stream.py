"""Sending batches ahead of their answers, for asyncio: `AsyncLedgerClient.stream_signals`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from ledger.client.aio.connection import AsyncClientConnection
from ledger.client.call import METHODS
from ledger.client.errors import ClientError, UnreachableError, from_rpc, refused
from ledger.client.observations import Observations, add_observations
from ledger.client.options import RENEW_SECONDS
from ledger.client.retry import Attempts
from ledger.client.window import BatchRefusedError, BatchResult, LimitedBatches, Window
from ledger.errors import Reason
from ledger.v1 import signal_service_pb2

_Requests = asyncio.Queue[signal_service_pb2.StreamSignalsRequest | None]


class AsyncSignalStream:
    """One stream of batches, each recorded whole or refused whole, answered in order.

    Used as an asynchronous context manager: leaving it waits for every answer. If the connection
    breaks, what was not answered is sent again with its request id, so nothing is lost and nothing
    recorded twice. So is a batch that was too much in a second, after the pause that the server
    asks for and behind those sent meanwhile. Any other refused batch is raised as BatchRefusedError
    by the next call, unless `on_result` is given: then every result goes there, and none is raised.
    """

    def __init__(
        self,
        connection: AsyncClientConnection,
        batches_max: int,
        on_result: Callable[[BatchResult], None] | None,
        *,
        leave_out_duplicates: bool,
        allow_leap: bool,
    ) -> None:
        self._connection = connection
        self._window = Window(batches_max)
        self._limited = LimitedBatches(connection.settings.attempts)
        self._on_result = on_result
        self._leave_out_duplicates = leave_out_duplicates
        self._allow_leap = allow_leap
        self._changed = asyncio.Condition()
        self._requests = _Requests()
        self._refusal: BatchRefusedError | None = None
        self._failure: ClientError | None = None
        self._closing = False
        self._call: Any = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def recorded(self) -> int:
        """How many observations are on record so far."""
        return self._window.recorded

    @property
    def refused(self) -> int:
        """How many observations of refused batches there are so far."""
        return self._window.refused

    @property
    def position(self) -> int:
        """Position of the last observation on record; 0 before the first answer."""
        return self._window.position

    async def send(self, observations: Observations, *, request_id: str | None = None) -> int:
        """Send one batch and return its number, from 1; waits while the window is full."""
        request = signal_service_pb2.StreamSignalsRequest(
            leave_out_duplicates=self._leave_out_duplicates, allow_leap=self._allow_leap
        )
        add_observations(request, observations)
        self._connection.settings.state(request, request_id)
        async with self._changed:
            if self._reader is None:
                self._reader = asyncio.create_task(self._read_for_ever())
            await self._changed.wait_for(
                lambda: self._window.has_room() or self._failure is not None
            )
            self._raise_pending()
            batch = self._window.add(request)
            self._requests.put_nowait(request)
        return batch

    async def flush(self, timeout_seconds: float | None = None) -> None:
        """Wait until everything sent is answered; without a timeout, as long as it takes."""
        try:
            async with asyncio.timeout(timeout_seconds), self._changed:
                await self._changed.wait_for(
                    lambda: self._window.is_empty() or self._failure is not None
                )
        except TimeoutError as error:
            self._raise_pending()
            raise refused(
                Reason.DEADLINE_EXCEEDED,
                f"Batches were still unanswered after {timeout_seconds:g} s.",
                remedy="They are under way: flush again.",
            ) from error
        self._raise_pending()

    async def close(self) -> None:
        """End the stream without waiting for answers."""
        async with self._changed:
            self._closing = True
            self._requests.put_nowait(None)
            if self._call is not None and not self._window.is_empty():
                self._call.cancel()
            self._changed.notify_all()
        if self._reader is not None:
            await asyncio.wait([self._reader], timeout=self._connection.settings.deadline_seconds)
            self._reader.cancel()  # if the server does not end its side

    async def __aenter__(self) -> Self:
        """Return the stream."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for every answer, unless an exception is under way; then end the stream."""
        try:
            if kind is None:
                await self.flush()
        finally:
            await self.close()

    def _raise_pending(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            raise refusal

    async def _read_for_ever(self) -> None:
        """Read answers, on one connection after the other, until the stream ends or fails."""
        settings = self._connection.settings
        attempts = settings.attempts()
        try:
            while not self._closing:
                attempts.timeout_seconds()
                settled = self._window.settled
                failure = await self._read_one_connection()
                if self._is_over():
                    return
                if self._window.settled > settled:
                    attempts = settings.attempts()  # it was served: this failure is a new one
                await self._pause(failure, attempts)
        except ClientError as error:
            await self._fail(await self._connection.explained(error))
        except Exception as error:  # noqa: BLE001 - of `on_result`; it would be seen nowhere else
            failed = ClientError(f"The stream stopped: on_result raised {error!r}.")
            failed.__cause__ = error
            await self._fail(failed)

    async def _fail(self, failure: ClientError) -> None:
        async with self._changed:
            self._failure = failure
            self._changed.notify_all()

    async def _read_one_connection(self) -> grpc.aio.AioRpcError | None:
        """Send what is unanswered, then what comes, and read answers until the connection ends."""
        async with self._changed:
            self._requests = requests = _Requests()
            for request in self._window.unanswered():
                requests.put_nowait(request)
            if self._closing:
                return None
            self._call = call = self._open(requests)
        try:
            async for response in call:
                pause = self._limited.pause_seconds(response)
                if pause is None:
                    await self._take(response)
                    continue
                await self._wait(pause)
                async with self._changed:
                    requests.put_nowait(self._window.again(response))
        except grpc.aio.AioRpcError as error:
            return error
        except asyncio.CancelledError:
            if not self._is_over():
                raise  # ours: the task itself was cancelled
        finally:
            requests.put_nowait(None)
        return None

    async def _take(self, response: signal_service_pb2.StreamSignalsResponse) -> None:
        async with self._changed:
            result = self._window.answered(response)
            if result.error is not None and self._on_result is None and self._refusal is None:
                self._refusal = BatchRefusedError(result)
            self._changed.notify_all()
        if self._on_result is not None:
            self._on_result(result)

    async def _pause(self, error: grpc.aio.AioRpcError | None, attempts: Attempts) -> None:
        """Wait before the next connection; raise ClientError where there is to be none."""
        target = self._connection.settings.target
        if error is None:  # ended in good order, though batches are still to come
            code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
            failure: ClientError = UnreachableError(target, "the server ended the stream")
        else:
            code = error.code()
            failure = from_rpc(error, target=target, deadline_seconds=RENEW_SECONDS)
        await self._wait(attempts.renewal_pause_seconds(code, failure))

    async def _wait(self, seconds: float) -> None:
        """Wait, unless the stream is closed meanwhile."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: self._closing)

    def _is_over(self) -> bool:
        return self._closing

    def _open(self, requests: _Requests) -> Any:  # noqa: ANN401 - a gRPC call
        invoke: Any = self._connection.channel.stream_stream(
            METHODS[signal_service_pb2.StreamSignalsRequest.DESCRIPTOR.full_name].name,
            request_serializer=signal_service_pb2.StreamSignalsRequest.SerializeToString,
            response_deserializer=signal_service_pb2.StreamSignalsResponse.FromString,
        )
        return invoke(
            _until_none(requests),
            timeout=RENEW_SECONDS,
            metadata=self._connection.settings.metadata,
        )


async def _until_none(
    requests: _Requests,
) -> AsyncIterator[signal_service_pb2.StreamSignalsRequest]:
    while (request := await requests.get()) is not None:
        yield request
