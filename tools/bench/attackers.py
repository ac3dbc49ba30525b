"""Clients that take what they can: calls without a message, watches, far reads, garbage.

Each attacks on a connection of its own, with gRPC's plain stubs, and does no more than any client
could. `ATTACKS` names each; an attack returns once the server has it in hand.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from ledger.v1 import ledger_service_pb2

FAR = 2**50
GARBAGE = b"\xff\xff\xff\xff\xff"
WAIT_SECONDS = 30.0
AT_ONCE = 500  # calls under way at a time

_NUMBERS = itertools.count()


class Attacker:
    """One connection, and the calls that it keeps open. A context manager that breaks it."""

    def __init__(self, address: str) -> None:
        """Use a connection that nothing else in this process shares."""
        options = (("grpc.use_local_subchannel_pool", 1), ("attacker", next(_NUMBERS)))
        self.channel = grpc.insecure_channel(address, options=options)
        self.calls: list[Any] = []
        self._over = threading.Event()

    def __enter__(self) -> Self:
        """Return the connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Break the connection."""
        self._over.set()
        self.channel.close()

    def call(self, method: str, message: Message | bytes, timeout: float | None = None) -> Any:  # noqa: ANN401
        """Begin a call that answers once, and return its future."""
        data = message if isinstance(message, bytes) else message.SerializeToString()
        begin: Any = self.channel.unary_unary(method)
        call = begin.future(data, timeout=timeout)
        self.calls.append(call)
        return call

    def stream(self, method: str, *messages: bytes) -> Any:  # noqa: ANN401
        """Begin a stream that sends some messages and then nothing, and return its call."""
        begin: Any = self.channel.stream_stream(method)
        call = begin(self._some(messages))
        self.calls.append(call)
        return call

    def _some(self, messages: tuple[bytes, ...]) -> Iterator[bytes]:
        yield from messages
        self._over.wait()

    # ---- attacks ---------------------------------------------------------------------------------

    def calls_without_a_message(self, count: int) -> None:
        """Begin calls and never send what they are about."""
        for number in range(count):
            method = ("LedgerService/GetLedger", "SignalService/SubmitSignals")[number % 2]
            self.stream(f"/ledger.v1.{method}")

    def health_watches(self, count: int) -> None:
        """Watch the health of everything, many times."""
        message = health_pb2.HealthCheckRequest().SerializeToString()
        for _ in range(count):
            self.stream("/grpc.health.v1.Health/Watch", message)

    def reflection_streams(self, count: int) -> None:
        """Ask for the services, and stay."""
        message = reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()
        method = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
        for _ in range(count):
            self.stream(method, message)

    def far_reads(self, count: int) -> None:
        """Read what will not be there for years, again and again."""
        for _ in range(count):
            self.far_read()

    def far_read(self) -> Any:  # noqa: ANN401
        """Read what will not be there for years."""
        request = ledger_service_pb2.GetLedgerRequest(min_position=FAR)
        return self.call("/ledger.v1.LedgerService/GetLedger", request)

    def malformed_calls(self, count: int) -> None:
        """Send bytes that are no message, and wait for every answer."""
        for first in range(0, count, AT_ONCE):
            batch = min(AT_ONCE, count - first)
            method = "/ledger.v1.LedgerService/GetLedger"
            calls = [self.call(method, GARBAGE) for _ in range(batch)]
            for call in calls:
                assert call.exception(WAIT_SECONDS) is not None
            self.calls.clear()

    def malformed_streams(self, count: int) -> None:
        """Send bytes that are no batch, and stay."""
        for _ in range(count):
            next(self.stream("/ledger.v1.SignalService/StreamSignals", GARBAGE))


ATTACKS: dict[str, tuple[Callable[[Attacker, int], None], int]] = {
    "calls without a message": (Attacker.calls_without_a_message, 130),
    "health watches": (Attacker.health_watches, 120),
    "reflection streams": (Attacker.reflection_streams, 120),
    "far reads": (Attacker.far_reads, 130),
    "malformed calls": (Attacker.malformed_calls, 500),
    "malformed streams": (Attacker.malformed_streams, 20),
}
"""The attacks, and how many of each shut everyone out of a server that holds threads."""
