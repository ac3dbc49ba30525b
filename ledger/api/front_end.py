"""The front of the server: gRPC on an event loop of its own thread, from the first byte to the end.

It starts, says goodbye, and stops within bounds: `stop` returns soon after the grace,
even if a client or a thread hangs.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc
import uvloop

from ledger.api.listening import Listener
from ledger.limits import (
    CALLS_PER_CONNECTION,
    HANDSHAKE_SECONDS,
    IDLE_SECONDS,
    KEEPALIVE_SECONDS,
    KEEPALIVE_TIMEOUT_SECONDS,
    LIMITED_SECONDS,
    MALFORMED_SECONDS,
    MESSAGE_SECONDS,
    METADATA_BYTES_MAX,
    PING_SECONDS_MIN,
    RECEIVED_BYTES_MAX,
)

if TYPE_CHECKING:
    from ledger.api.handlers import HandlerFactory

    Handler = grpc.RpcMethodHandler[bytes, bytes]

_ENDING_SECONDS: Final = 2.0  # what is cancelled after the grace gets to let go


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long the front waits, for what a client does or does not do; tests have less."""

    handshake_seconds: float = HANDSHAKE_SECONDS
    message_seconds: float = MESSAGE_SECONDS
    idle_seconds: float = IDLE_SECONDS
    malformed_seconds: float = MALFORMED_SECONDS
    limited_seconds: float = LIMITED_SECONDS
    ping_seconds: float = PING_SECONDS_MIN
    """How often a client that does nothing may ask whether the server is still there."""


class NotBoundError(Exception):
    """An address that is taken, by name."""


class _Table(grpc.GenericRpcHandler):
    """Finds handlers by their method's name."""

    def __init__(self, handlers: "dict[str, Handler]") -> None:
        self._handlers = handlers

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        """Return a method's handler; None for what is not served."""
        return self._handlers.get(handler_call_details.method)


class FrontEnd:
    """Serves once it is started. It is started and stopped once."""

    def __init__(
        self,
        build: "Callable[[], tuple[HandlerFactory, dict[str, Handler]]]",
        timeouts: Timeouts,
        connections: int,
    ) -> None:
        """`build` is called on the event loop. So many connections are taken, on each port."""
        self._build = build
        self._timeouts = timeouts
        self._connections = connections
        self._thread = threading.Thread(target=self._run, name="front", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._factory: HandlerFactory | None = None
        self._bound: Future[list[int]] = Future()
        self._stopping: asyncio.Future[float] | None = None

    def start(
        self, listeners: Callable[[], list[Listener]], on_bound: Callable[[], None]
    ) -> list[int]:
        """Bind and serve; return the port of each. NotBoundError where one is taken.

        `on_bound` is called when all are bound, before anything is answered.
        """
        self._listeners, self._on_bound = listeners(), on_bound
        self._thread.start()
        return self._bound.result()

    def ring(self) -> None:
        """Let every call that waits look whether it may go on; on any thread, at any time."""
        if self._factory is not None:
            self._factory.notifier.notify()

    def drain(self) -> None:
        """Let watches, streams and waiting reads see that the server is going."""
        if self._factory is not None:
            self._factory.callbacks.post(self._factory.drain)

    def stop(self, grace_seconds: float) -> None:
        """Take no new calls; return when those under way are done, or cut off after the grace."""
        if self._factory is None or not self._thread.is_alive():
            return
        self._factory.callbacks.post(lambda: self._ask_to_stop(grace_seconds))
        self._thread.join(grace_seconds + _ENDING_SECONDS)

    def _ask_to_stop(self, grace_seconds: float) -> None:
        if self._stopping is not None and not self._stopping.done():
            self._stopping.set_result(grace_seconds)
        if self._factory is not None:
            self._factory.end()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:
            if self._bound.done():
                raise
            self._bound.set_exception(error)

    async def _serve(self) -> None:
        self._stopping = asyncio.get_running_loop().create_future()
        factory, handlers = self._build()
        server = grpc.aio.server(options=_options(self._timeouts, self._connections))
        server.add_generic_rpc_handlers((_Table(handlers),))
        try:
            ports = [_bind(server, one) for one in self._listeners]
            self._on_bound()
            await server.start()
        except BaseException:
            factory.close()
            raise
        self._factory = factory
        self._bound.set_result(ports)
        grace_seconds = await self._stopping
        await server.stop(grace_seconds)
        factory.close()


def _bind(server: grpc.aio.Server, listener: Listener) -> int:
    try:
        if listener.credentials is None:
            return server.add_insecure_port(listener.address)
        return server.add_secure_port(listener.address, listener.credentials)
    except RuntimeError as error:
        raise NotBoundError(listener.address) from error


def _options(timeouts: Timeouts, connections: int) -> tuple[tuple[str, Any], ...]:
    return (
        # Two servers on one port would share its calls between two writers without a word.
        ("grpc.so_reuseport", 0),
        # Above our own limit, so that a request a little too large is refused by name.
        ("grpc.max_receive_message_length", RECEIVED_BYTES_MAX),
        ("grpc.max_send_message_length", RECEIVED_BYTES_MAX),
        # Both, or gRPC would refuse by chance in between, and without a reason of ours.
        ("grpc.max_metadata_size", METADATA_BYTES_MAX),
        ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
        ("grpc.max_allowed_incoming_connections", connections),
        ("grpc.max_concurrent_streams", CALLS_PER_CONNECTION),
        ("grpc.server_handshake_timeout_ms", round(timeouts.handshake_seconds * 1_000)),
        ("grpc.max_connection_idle_ms", round(timeouts.idle_seconds * 1_000)),
        ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1_000),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_SECONDS * 1_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", round(timeouts.ping_seconds * 1_000)),
        ("grpc.http2.max_ping_strikes", 2),
    )
