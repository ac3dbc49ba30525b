"""The batches of a stream that are under way: pure bookkeeping, shared by both clients.

Answers come in the order of the batches. A batch without an answer when a connection breaks
may be on record; sent again with its request id on the next connection, it is recorded once.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import grpc

from ledger.client.decode import decode
from ledger.client.errors import ClientError, LedgerRefusedError, from_batch_error
from ledger.client.records import Submitted
from ledger.client.retry import Attempts
from ledger.errors import Reason
from ledger.v1 import signal_service_pb2


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The outcome of one batch: either `appended` or `error` is set."""

    batch: int
    """Its place in the stream, from 1, however often the connection was renewed."""
    request_id: str
    observations: int
    appended: Submitted | None
    error: LedgerRefusedError | None


class BatchRefusedError(ClientError):
    """A batch was refused: nothing of it is on record, batches before and after it may be."""

    def __init__(self, result: BatchResult) -> None:
        super().__init__(result)
        self.batch = result.batch
        self.request_id = result.request_id
        assert result.error is not None
        self.error = result.error

    def __str__(self) -> str:
        """Return which batch, and why."""
        return f"Batch {self.batch} was refused: {self.error}"


class _Sent(NamedTuple):
    batch: int
    request: signal_service_pb2.StreamSignalsRequest
    observations: int


class Window:
    """The batches under way, oldest first, and the counts of what was answered."""

    def __init__(self, batches_max: int) -> None:
        if batches_max < 1:
            raise ValueError("window: at least one batch must be under way")
        self._batches_max = batches_max
        self._sent: deque[_Sent] = deque()
        self.batches = 0
        self.settled = 0
        """How many of them were answered; unlike the batches under way, read by any thread."""
        self.recorded = 0
        """Observations that are on record."""
        self.refused = 0
        """Observations of refused batches."""
        self.position = 0
        """Position of the last observation on record."""

    def has_room(self) -> bool:
        """Tell whether another batch may be sent."""
        return len(self._sent) < self._batches_max

    def is_empty(self) -> bool:
        """Tell whether every batch was answered."""
        return not self._sent

    def add(self, request: signal_service_pb2.StreamSignalsRequest) -> int:
        """Note a batch as sent, and return its number."""
        self.batches += 1
        self._sent.append(_Sent(self.batches, request, len(request.observations)))
        return self.batches

    def unanswered(self) -> list[signal_service_pb2.StreamSignalsRequest]:
        """Return what to send again on a new connection, in order."""
        return [sent.request for sent in self._sent]

    def again(
        self, response: signal_service_pb2.StreamSignalsResponse
    ) -> signal_service_pb2.StreamSignalsRequest:
        """Put the oldest batch, which was refused for a while, behind the others; return it."""
        sent = self._oldest(response)
        self._sent.append(sent)
        return sent.request

    def answered(self, response: signal_service_pb2.StreamSignalsResponse) -> BatchResult:
        """Note the answer to the oldest batch, and return what became of it."""
        sent = self._oldest(response)
        self.settled += 1
        appended = error = None
        if response.HasField("error"):
            error = from_batch_error(response.error)
            self.refused += sent.observations
        else:
            appended = decode(Submitted, response)
            self.recorded += sent.observations
            self.position = max(self.position, appended.position)
        return BatchResult(sent.batch, response.request_id, sent.observations, appended, error)

    def _oldest(self, response: signal_service_pb2.StreamSignalsResponse) -> _Sent:
        """Take out the oldest batch, which an answer must be about."""
        if not self._sent or response.request_id != self._sent[0].request.request_id:
            raise ClientError(
                f"The server answered batch {response.request_id!r}, which is not the next one "
                "under way. Stop sending and report this: answers must come in order."
            )
        return self._sent.popleft()


class LimitedBatches:
    """How long to wait before a batch is sent again that was refused for too much in a second.

    All answers of that kind in a row share one patience; any other answer ends it.
    """

    def __init__(self, attempts: Callable[[], Attempts]) -> None:
        self._begin = attempts
        self._attempts: Attempts | None = None

    def pause_seconds(self, response: signal_service_pb2.StreamSignalsResponse) -> float | None:
        """Return the pause; None where the answer is another one, or patience is over."""
        error = from_batch_error(response.error) if response.HasField("error") else None
        if error is None or error.reason is not Reason.LIMIT_REACHED:
            self._attempts = None
            return None
        if self._attempts is None:
            self._attempts = self._begin()
        self._attempts.timeout_seconds()
        return self._attempts.pause_seconds(grpc.StatusCode.RESOURCE_EXHAUSTED, error)
