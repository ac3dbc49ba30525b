"""The gRPC server: every option explicit, loopback only, and an orderly way to stop.

`start` binds and serves, `drain` says goodbye to health checks and long calls, `stop` lets what is
under way finish. It serves what it is given and owns none of it.
"""

import ipaddress
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection

from ledger.api.authority import AuthorityServicer
from ledger.api.call_limits import CallLimits
from ledger.api.calls import Admission, Authenticate, methods_of
from ledger.api.concurrency_limit import ConcurrencyLimit
from ledger.api.decisions import DecisionServicer
from ledger.api.exports import ExportServicer
from ledger.api.front_end import FrontEnd, Timeouts
from ledger.api.gate import believed
from ledger.api.handlers import HandlerFactory
from ledger.api.health import CHECK, REFLECT, WATCH, Health, Reflection
from ledger.api.ledgers import LedgerServicer
from ledger.api.models import ModelServicer
from ledger.api.policies import PolicyServicer
from ledger.api.priorities import PriorityServicer
from ledger.api.reads import noted
from ledger.api.server_context import Backend, ServerContext
from ledger.api.signals import SignalServicer
from ledger.errors import LedgerError, invalid_field
from ledger.limits import (
    DRAIN_SECONDS,
    INGEST_STREAMS_MAX,
    INGEST_STREAMS_PER_CONNECTION,
    LONG_CALLS_MAX,
    LONG_CALLS_PER_CONNECTION,
    STANDARD_STREAMS_MAX,
    STANDARD_STREAMS_PER_CONNECTION,
    WATCHERS_MAX,
    WATCHERS_PER_CONNECTION,
)

if TYPE_CHECKING:
    import grpc

    Handler = grpc.RpcMethodHandler[bytes, bytes]

DEFAULT_ADDRESS: Final = "127.0.0.1:50051"
_SERVICERS: Final[dict[str, Callable[[ServerContext], object]]] = {
    "ledger.v1.AuthorityService": AuthorityServicer,
    "ledger.v1.DecisionService": DecisionServicer,
    "ledger.v1.ExportService": ExportServicer,
    "ledger.v1.LedgerService": LedgerServicer,
    "ledger.v1.ModelService": ModelServicer,
    "ledger.v1.PolicyService": PolicyServicer,
    "ledger.v1.PriorityService": PriorityServicer,
    "ledger.v1.SignalService": SignalServicer,
}
SERVICES: Final = tuple(_SERVICERS)

SIGNING: Final = "ledger.v1.LedgerService/signing"
"""The health service that says whether checkpoints of every ledger are still signed."""


class ApiServer:
    """Serves a backend on one loopback address. Use as a context manager, or start and stop it."""

    def __init__(
        self,
        backend: Backend,
        address: str = DEFAULT_ADDRESS,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        *,
        authenticate: Authenticate = believed,
        believes_always: bool = False,
    ) -> None:
        """`believes_always`: whether callers are believed even where authority is in force."""
        self._address = loopback(address)
        self._kinds = _kinds()
        limits = CallLimits(
            backend.clock, backend.limit_settings, self._kinds, origin_of=backend.origin_of
        )
        self._server = ServerContext(backend, limits, believes_always=believes_always)
        self._admission = Admission(
            backend.clock, backend.count_refusal, authenticate, self._server.gate, limits
        )
        self._health = Health()
        self._timeouts = timeouts
        self._front_end = FrontEnd(self._build, timeouts, backend.limit_settings.connections)
        self._stopped = threading.Event()
        self._backend = backend
        self._is_serving = False
        self.port = 0
        """The port that is served, once started: a free one where the address says 0."""
        backend.on_append_change(self._tell_health)
        self._health.set((SIGNING,), is_serving=True)
        backend.on_signing_failure(self._fail_signing)
        backend.on_news(self._front_end.ring)

    def __enter__(self) -> Self:
        """Start serving."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving, and let calls under way finish."""
        self.stop()

    @property
    def address(self) -> str:
        """The address that a client connects to."""
        return f"{self._address.rpartition(':')[0]}:{self.port}"

    def start(self) -> None:
        """Bind and serve; FIELD_INVALID where the address is taken."""
        try:
            self.port = self._front_end.start(self._address)
        except RuntimeError as error:
            raise _taken(self._address) from error
        self._is_serving = True
        self._tell_health()

    def drain(self) -> None:
        """Tell health checks and end watches and streams; other calls go on as usual."""
        self._is_serving = False
        self._tell_health()
        self._server.drain()
        self._front_end.drain()

    def stop(self, grace_seconds: float = DRAIN_SECONDS) -> None:
        """Drain, take no new calls, and return when those under way are done or cut off."""
        self.drain()
        self._front_end.stop(grace_seconds)
        self._stopped.set()

    def wait(self) -> None:
        """Wait until the server was stopped."""
        self._stopped.wait()

    def _fail_signing(self) -> None:
        """Tell health checks that a ledger is not signed any more; all else goes on."""
        self._health.set((SIGNING,), is_serving=False)

    def _tell_health(self) -> None:
        """Tell health checks whether appends are taken; where not, reads go on if they can."""
        is_serving = self._is_serving and self._backend.append_failure is None
        self._health.set(("", *SERVICES), is_serving=is_serving)

    def _build(self) -> "tuple[HandlerFactory, dict[str, Handler]]":
        """Return what answers, and the handler of every method; on the event loop."""
        factory = HandlerFactory(self._server, self._admission, self._kinds, self._timeouts)
        self._health.on_change(factory.notifier.notify)
        handlers = {
            CHECK: factory.native(CHECK, self._health.check),
            WATCH: factory.native(WATCH, partial(self._health.watch, factory.idle)),
        }
        methods = [
            noted(method, self._backend.note_read)
            for service, make in _SERVICERS.items()
            for method in methods_of(service, make(self._server))
        ]
        names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        methods.append(Reflection(names).method)
        return factory, handlers | {method.name: factory.handler(method) for method in methods}


def _kinds() -> dict[str, ConcurrencyLimit]:
    """Return how many calls of a method may be open, for those that stay open."""
    watches = ConcurrencyLimit(
        "watches", total=WATCHERS_MAX, per_connection=WATCHERS_PER_CONNECTION
    )
    streams = ConcurrencyLimit(
        "streams of observations",
        total=INGEST_STREAMS_MAX,
        per_connection=INGEST_STREAMS_PER_CONNECTION,
    )
    long = ConcurrencyLimit(
        "long calls", total=LONG_CALLS_MAX, per_connection=LONG_CALLS_PER_CONNECTION
    )
    standard = ConcurrencyLimit(
        "health watches and reflection streams",
        total=STANDARD_STREAMS_MAX,
        per_connection=STANDARD_STREAMS_PER_CONNECTION,
    )
    return {
        "/ledger.v1.LedgerService/WatchEvents": watches,
        "/ledger.v1.PriorityService/WatchPriorities": watches,
        "/ledger.v1.SignalService/StreamSignals": streams,
        "/ledger.v1.DecisionService/ReplayRange": long,
        "/ledger.v1.ExportService/ReadExport": long,
        "/ledger.v1.PriorityService/RebuildProjection": long,
        WATCH: standard,
        REFLECT: standard,
    }


def loopback(address: str) -> str:
    """Return the address to bind; FIELD_INVALID unless it is HOST:PORT on this machine's loopback.

    Until there is transport security, a client that connects can claim to be any caller.
    """
    host, colon, port = address.rpartition(":")
    is_port = port.isascii() and port.isdigit() and len(port) <= len("65535")
    if not colon or not is_port or int(port) > 65_535:
        raise _refused(address, "is not of the form HOST:PORT")
    if host == "localhost":
        return f"127.0.0.1:{port}"  # never what a name server makes of it
    try:
        parsed = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError as error:
        raise _refused(address, "does not name an IP address or localhost") from error
    if not parsed.is_loopback:
        raise _refused(address, "is not a loopback address, and there is no transport security yet")
    return address if parsed.version == 4 else f"[{parsed}]:{port}"


def refuse_taken(address: str) -> None:
    """Raise FIELD_INVALID where something listens on an address already; takes nothing itself."""
    host, _, port = loopback(address).rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC does: not TIME_WAIT
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            raise _taken(address) from error


def _taken(address: str) -> LedgerError:
    return invalid_field(
        "listen",
        f"{address} cannot be bound",
        remedy="Stop the program that listens there, or serve on another port.",
    )


def _refused(address: str, why: str) -> LedgerError:
    return invalid_field(
        "listen", f"{address[:160]!r} {why}", remedy=f"Serve on {DEFAULT_ADDRESS}."
    )
