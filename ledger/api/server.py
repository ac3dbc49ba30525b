"""The gRPC server: every option explicit, where it may listen, and an orderly way to stop.

`start` binds and serves, `drain` says goodbye to health checks and long calls, `stop` lets what is
under way finish. It serves what it is given and owns none of it.
"""

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection

from ledger.api.authentication.authenticator import build_authenticator
from ledger.api.authority import AuthorityServicer
from ledger.api.budgets import BudgetServicer
from ledger.api.call_limits import CallLimits
from ledger.api.calls import Admission, methods_of
from ledger.api.cases import CaseServicer
from ledger.api.concurrency_limit import ConcurrencyLimit
from ledger.api.decisions import DecisionServicer
from ledger.api.exports import ExportServicer
from ledger.api.front_end import FrontEnd, NotBoundError, Timeouts
from ledger.api.gate import Gate
from ledger.api.handlers import HandlerFactory
from ledger.api.health import CHECK, REFLECT, WATCH, Health, Reflection
from ledger.api.jobs import JobServicer
from ledger.api.ledgers import LedgerServicer
from ledger.api.listening import DEFAULT_ADDRESS, Listening, taken
from ledger.api.models import ModelServicer
from ledger.api.notifications import NotificationServicer
from ledger.api.policies import PolicyServicer
from ledger.api.priorities import PriorityServicer
from ledger.api.reads import noted
from ledger.api.recipes import RecipeServicer
from ledger.api.runs import RunServicer
from ledger.api.server_context import Backend, ServerContext
from ledger.api.signals import SignalServicer
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
from ledger.setting_sections import AuthenticationSettings

if TYPE_CHECKING:
    import grpc

    Handler = grpc.RpcMethodHandler[bytes, bytes]

_SERVICERS: Final[dict[str, Callable[[ServerContext], object]]] = {
    "ledger.v1.AuthorityService": AuthorityServicer,
    "ledger.v1.BudgetService": BudgetServicer,
    "ledger.v1.CaseService": CaseServicer,
    "ledger.v1.DecisionService": DecisionServicer,
    "ledger.v1.JobService": JobServicer,
    "ledger.v1.ExportService": ExportServicer,
    "ledger.v1.LedgerService": LedgerServicer,
    "ledger.v1.ModelService": ModelServicer,
    "ledger.v1.NotificationService": NotificationServicer,
    "ledger.v1.PolicyService": PolicyServicer,
    "ledger.v1.PriorityService": PriorityServicer,
    "ledger.v1.RecipeService": RecipeServicer,
    "ledger.v1.RunService": RunServicer,
    "ledger.v1.SignalService": SignalServicer,
}
SERVICES: Final = tuple(_SERVICERS)

SIGNING: Final = "ledger.v1.LedgerService/signing"
"""The health service that says whether checkpoints of every ledger are still signed."""
DELIVERY: Final = "ledger.v1.NotificationService/delivery"
"""The health service that says whether every subscriber takes what it is sent."""


class ApiServer:
    """Serves a backend. Use as a context manager, or start and stop it.

    It listens as it is told, or on the one address that it is given, without TLS.
    """

    def __init__(
        self,
        backend: Backend,
        listening: Listening | str = DEFAULT_ADDRESS,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        authentication: AuthenticationSettings = AuthenticationSettings(),  # noqa: B008 - frozen
    ) -> None:
        """SettingsError where the keys of a provider cannot be read from their file."""
        self.listening = Listening(listening) if isinstance(listening, str) else listening
        self._health = Health()
        self._timeouts = timeouts
        self._front_end = FrontEnd(self._build, timeouts, backend.limit_settings.connections)
        self.authenticator = build_authenticator(
            authentication,
            backend.clock,
            is_loopback=self.listening.is_loopback,
            on_keys=self._front_end.ring,
        )
        self._kinds = _kinds()
        limits = CallLimits(
            backend.clock,
            backend.limit_settings,
            self._kinds,
            origin_of=backend.origin_of,
            limits_of=backend.limits_of,
        )
        gate = Gate(
            backend,
            is_loopback=self.listening.is_loopback,
            believes_always=self.authenticator.believes_names,
        )
        self._server = ServerContext(backend, limits, gate)
        self._admission = Admission(
            backend.clock,
            backend.count_refusal,
            self.authenticator.authenticate,
            gate,
            limits,
        )
        self._stopped = threading.Event()
        self._backend = backend
        self._is_serving = False
        self._ports: list[int] = []
        backend.on_append_change(self._tell_health)
        self._health.set((SIGNING,), is_serving=True)
        backend.on_signing_failure(self._fail_signing)
        backend.outbox.trouble.on_change(self._tell_delivery)
        self._tell_delivery()
        backend.on_news(self._front_end.ring)

    def __enter__(self) -> Self:
        """Start serving."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving, and let calls under way finish."""
        self.stop()

    @property
    def port(self) -> int:
        """The port that is served, once started: a free one where the address says 0."""
        return self._ports[0] if self._ports else 0

    @property
    def address(self) -> str:
        """The target that a client is given: HOST:PORT, with TLS `ledgers://HOST:PORT`."""
        return self.listening.target(0, self.port)

    @property
    def bearer_address(self) -> str:
        """The same for callers without a certificate, where they have an address of their own."""
        return self.listening.target(1, self._ports[1]) if self.listening.has_bearers else ""

    def start(self) -> None:
        """Bind and serve; FIELD_INVALID where an address or the socket's place is taken."""
        operators = self.listening.socket
        try:
            self._ports = self._front_end.start(
                self.listening.listeners, operators.publish if operators else lambda: None
            )
        except NotBoundError as error:
            raise taken(str(error)) from error
        finally:
            if operators is not None:
                operators.forget()
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
        if self.listening.socket is not None:
            self.listening.socket.remove()
        self._stopped.set()

    def wait(self) -> None:
        """Wait until the server was stopped."""
        self._stopped.wait()

    def _fail_signing(self) -> None:
        """Tell health checks that a ledger is not signed any more; all else goes on."""
        self._health.set((SIGNING,), is_serving=False)

    def _tell_delivery(self) -> None:
        """Tell health checks whether a subscriber is behind; nothing recorded waits for it."""
        self._health.set((DELIVERY,), is_serving=not self._backend.outbox.trouble)

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
        "/ledger.v1.NotificationService/TestSubscriber": long,
        "/ledger.v1.PriorityService/RebuildProjection": long,
        WATCH: standard,
        REFLECT: standard,
    }
