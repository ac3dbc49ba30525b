"""Sending batches ahead of their answers, for threads: `LedgerClient.stream_signals`."""

import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

import grpc

from ledger.client.blocking.connection import ClientConnection
from ledger.client.call import METHODS
from ledger.client.errors import ClientError, UnreachableError, from_rpc, refused
from ledger.client.observations import Observations, add_observations
from ledger.client.options import RENEW_SECONDS
from ledger.client.retry import Attempts
from ledger.client.window import BatchRefusedError, BatchResult, LimitedBatches, Window
from ledger.errors import Reason
from ledger.v1 import signal_service_pb2

_Requests = queue.SimpleQueue[signal_service_pb2.StreamSignalsRequest | None]


class SignalStream:
    """One stream of batches, each recorded whole or refused whole, answered in order.

    Used as a context manager: leaving it waits for every answer. If the connection breaks, what was
    not answered is sent again with its request id, so nothing is lost and nothing recorded twice.
    So is a batch that was too much in a second, after the pause that the server asks for and behind
    those sent meanwhile. Any other refused batch is raised as BatchRefusedError by the next call,
    unless `on_result` is given: then every result goes there, called by the thread that reads
    answers, and none is raised.
    """

    def __init__(
        self,
        connection: ClientConnection,
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
        self._changed = threading.Condition()
        self._requests = _Requests()
        self._refusal: BatchRefusedError | None = None
        self._failure: ClientError | None = None
        self._closing = False
        self._call: Any = None
        self._reader = threading.Thread(
            target=self._read_for_ever, name="ledger-stream", daemon=True
        )
        self._reader.start()

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

    def send(self, observations: Observations, *, request_id: str | None = None) -> int:
        """Send one batch and return its number, from 1; waits while the window is full."""
        request = signal_service_pb2.StreamSignalsRequest(
            leave_out_duplicates=self._leave_out_duplicates, allow_leap=self._allow_leap
        )
        add_observations(request, observations)
        self._connection.settings.state(request, request_id)
        with self._changed:
            self._changed.wait_for(lambda: self._window.has_room() or self._failure is not None)
            self._raise_pending()
            batch = self._window.add(request)
            self._requests.put(request)
        return batch

    def flush(self, timeout_seconds: float | None = None) -> None:
        """Wait until everything sent is answered; without a timeout, as long as it takes."""
        with self._changed:
            settled = self._changed.wait_for(
                lambda: self._window.is_empty() or self._failure is not None, timeout_seconds
            )
            self._raise_pending()
        if not settled:
            raise refused(
                Reason.DEADLINE_EXCEEDED,
                f"Batches were still unanswered after {timeout_seconds:g} s.",
                remedy="They are under way: flush again.",
            )

    def close(self) -> None:
        """End the stream without waiting for answers."""
        with self._changed:
            self._closing = True
            self._requests.put(None)
            if self._call is not None and not self._window.is_empty():
                self._call.cancel()
            self._changed.notify_all()
        self._reader.join(self._connection.settings.deadline_seconds)
        if self._reader.is_alive() and self._call is not None:
            self._call.cancel()  # the server does not end its side

    def __enter__(self) -> Self:
        """Return the stream."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for every answer, unless an exception is under way; then end the stream."""
        try:
            if kind is None:
                self.flush()
        finally:
            self.close()

    def _raise_pending(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            raise refusal

    def _read_for_ever(self) -> None:
        """Read answers, on one connection after the other, until the stream ends or fails."""
        settings = self._connection.settings
        attempts = settings.attempts()
        try:
            while not self._is_over():
                attempts.timeout_seconds()
                settled = self._window.settled
                failure = self._read_one_connection()
                if self._is_over():
                    return
                if self._window.settled > settled:
                    attempts = settings.attempts()  # it was served: this failure is a new one
                self._pause(failure, attempts)
        except ClientError as error:
            self._fail(self._connection.explained(error))
        except Exception as error:  # noqa: BLE001 - of `on_result`; it would be seen nowhere else
            stopped = ClientError(f"The stream stopped: on_result raised {error!r}.")
            stopped.__cause__ = error
            self._fail(stopped)

    def _fail(self, failure: ClientError) -> None:
        with self._changed:
            self._failure = failure
            self._changed.notify_all()

    def _read_one_connection(self) -> grpc.RpcError | None:
        """Send what is unanswered, then what comes, and read answers until the connection ends."""
        with self._changed:
            self._requests = requests = _Requests()
            for request in self._window.unanswered():
                requests.put(request)
            if self._closing:
                return None
            self._call = call = self._open(requests)
        try:
            for response in call:
                pause = self._limited.pause_seconds(response)
                if pause is None:
                    self._take(response)
                    continue
                self._wait(pause)
                with self._changed:
                    requests.put(self._window.again(response))
        except grpc.RpcError as error:
            return error
        finally:
            requests.put(None)  # a thread that still waits there for the next request may go
        return None

    def _take(self, response: signal_service_pb2.StreamSignalsResponse) -> None:
        with self._changed:
            result = self._window.answered(response)
            if result.error is not None and self._on_result is None and self._refusal is None:
                self._refusal = BatchRefusedError(result)
            self._changed.notify_all()
        if self._on_result is not None:
            self._on_result(result)

    def _pause(self, error: grpc.RpcError | None, attempts: Attempts) -> None:
        """Wait before the next connection; raise ClientError where there is to be none."""
        target = self._connection.settings.target
        if error is None:  # ended in good order, though batches are still to come
            code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
            failure: ClientError = UnreachableError(target, "the server ended the stream")
        else:
            code = error.code()
            failure = from_rpc(error, target=target, deadline_seconds=RENEW_SECONDS)
        self._wait(attempts.renewal_pause_seconds(code, failure))

    def _wait(self, seconds: float) -> None:
        """Wait, unless the stream is closed meanwhile."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing, seconds)

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


def _until_none(requests: _Requests) -> Iterator[signal_service_pb2.StreamSignalsRequest]:
    while (request := requests.get()) is not None:
        yield request
