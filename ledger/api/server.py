"""The gRPC server: every option explicit, loopback only, and an orderly way to stop.

`start` binds and serves, `drain` says goodbye to health checks and long calls, `stop` lets what is
under way finish. It serves what it is given and owns none of it.
"""

import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from ledger.api.calls import Backend, Desk, Slots
from ledger.api.decisions import DecisionServicer
from ledger.api.exports import ExportServicer
from ledger.api.interceptors import all_interceptors
from ledger.api.ledgers import LedgerServicer
from ledger.api.models import ModelServicer
from ledger.api.policies import PolicyServicer
from ledger.api.priorities import PriorityServicer
from ledger.api.signals import SignalServicer
from ledger.errors import LedgerError, invalid_field
from ledger.limits import (
    DRAIN_SECONDS,
    INGEST_STREAMS_MAX,
    KEEPALIVE_SECONDS,
    KEEPALIVE_TIMEOUT_SECONDS,
    MESSAGE_BYTES_MAX,
    UNARY_THREADS,
    WATCHERS_MAX,
)
from ledger.v1 import (
    decision_service_pb2_grpc,
    export_service_pb2_grpc,
    ledger_service_pb2_grpc,
    model_service_pb2_grpc,
    policy_service_pb2_grpc,
    priority_service_pb2_grpc,
    signal_service_pb2_grpc,
)

DEFAULT_ADDRESS: Final = "127.0.0.1:50051"
SERVICES: Final = tuple(
    f"ledger.v1.{name}Service"
    for name in ("Decision", "Export", "Ledger", "Model", "Policy", "Priority", "Signal")
)

SIGNING: Final = "ledger.v1.LedgerService/signing"
"""What health checks ask for to hear whether checkpoints of every ledger are still signed."""

# Unary calls have threads of their own, so that watches and streams cannot starve them.
_THREADS: Final = UNARY_THREADS + WATCHERS_MAX + INGEST_STREAMS_MAX

_OPTIONS: Final = (
    # Two servers on one port would share its calls between two writers without a word.
    ("grpc.so_reuseport", 0),
    # Above our own limit, so that a request a little too large is refused by name.
    ("grpc.max_receive_message_length", 4 * MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", 4 * MESSAGE_BYTES_MAX),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1_000),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_SECONDS * 1_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", KEEPALIVE_SECONDS * 1_000 // 2),
    ("grpc.http2.max_ping_strikes", 2),
)


class ApiServer:
    """Serves a backend on one loopback address. Use as a context manager, or start and stop it."""

    def __init__(self, backend: Backend, address: str = DEFAULT_ADDRESS) -> None:
        self._address = loopback(address)
        self._desk = Desk(
            backend,
            watches=Slots(WATCHERS_MAX, "watches and long calls"),
            streams=Slots(INGEST_STREAMS_MAX, "streams of observations"),
        )
        self._health = health.HealthServicer()
        self._can_append = True
        self._server = grpc.server(
            ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="call"),
            interceptors=all_interceptors(backend.clock, backend.count_refusal),
            options=_OPTIONS,
            maximum_concurrent_rpcs=_THREADS,
        )
        self._add_services()
        self.port = 0
        """The port that is served, once started: a free one where the address says 0."""
        backend.on_failure(self._fail)
        self._health.set(SIGNING, health_pb2.HealthCheckResponse.SERVING)
        backend.on_signing_failure(self._fail_signing)

    def __enter__(self) -> Self:
        """Start serving."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving, and let calls under way finish."""
        self.stop()

    @property
    def address(self) -> str:
        """What a client connects to."""
        return f"{self._address.rpartition(':')[0]}:{self.port}"

    def start(self) -> None:
        """Bind and serve; FIELD_INVALID where the address is taken."""
        try:
            self.port = self._server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise _taken(self._address) from error
        self._server.start()
        self._set_health(is_serving=self._can_append)

    def drain(self) -> None:
        """Tell health checks and end watches and streams; other calls go on as usual."""
        self._set_health(is_serving=False)
        self._desk.drain()

    def stop(self, grace_seconds: float = DRAIN_SECONDS) -> None:
        """Drain, take no new calls, and return when those under way are done or cut off."""
        self.drain()
        self._server.stop(grace_seconds).wait()

    def wait(self) -> None:
        """Wait until the server was stopped."""
        self._server.wait_for_termination()

    def _fail(self) -> None:
        """Tell health checks that nothing can be appended any more; reads go on."""
        self._can_append = False
        self._set_health(is_serving=False)

    def _fail_signing(self) -> None:
        """Tell health checks that a ledger is not signed any more; all else goes on."""
        self._health.set(SIGNING, health_pb2.HealthCheckResponse.NOT_SERVING)

    def _set_health(self, *, is_serving: bool) -> None:
        answer = health_pb2.HealthCheckResponse
        for name in ("", *SERVICES):
            self._health.set(name, answer.SERVING if is_serving else answer.NOT_SERVING)

    def _add_services(self) -> None:
        desk, server = self._desk, self._server
        decision_service_pb2_grpc.add_DecisionServiceServicer_to_server(
            DecisionServicer(desk), server
        )
        export_service_pb2_grpc.add_ExportServiceServicer_to_server(ExportServicer(desk), server)
        ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(LedgerServicer(desk), server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelServicer(desk), server)
        policy_service_pb2_grpc.add_PolicyServiceServicer_to_server(PolicyServicer(desk), server)
        priority_service_pb2_grpc.add_PriorityServiceServicer_to_server(
            PriorityServicer(desk), server
        )
        signal_service_pb2_grpc.add_SignalServiceServicer_to_server(SignalServicer(desk), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)


def loopback(address: str) -> str:
    """Return the address to bind; FIELD_INVALID unless it is HOST:PORT on this machine's loopback.

    Until there is transport security, whoever can connect can say to be anybody.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
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
        remedy="Stop whatever listens there, or serve on another port.",
    )


def _refused(address: str, why: str) -> LedgerError:
    return invalid_field(
        "listen", f"{address[:160]!r} {why}", remedy=f"Serve on {DEFAULT_ADDRESS}."
    )
