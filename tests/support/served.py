"""A real server on loopback with a real store, and what a test says to it in few words.

`Served` is the service, its server and stubs of every service; `prepare` gives it a ledger that is
furnished as `live_fleet` does. `refused` takes an RPC error apart.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from ledger.api.front_end import Timeouts
from ledger.api.listening import Listening
from ledger.api.server import ApiServer
from ledger.client import LedgerClient
from ledger.clock import Clock
from ledger.service import Service
from ledger.v1 import (
    authority_service_pb2_grpc,
    decision_service_pb2_grpc,
    ledger_pb2,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    model_pb2,
    model_service_pb2,
    model_service_pb2_grpc,
    policy_service_pb2_grpc,
    priority_service_pb2_grpc,
    signal_pb2,
    signal_service_pb2,
    signal_service_pb2_grpc,
)
from tests.support.live_fleet import add_model, furnish
from tools.quiet import quiet

ORIGIN = "ledger.example/test"
START = 1_767_225_600  # 2026-01-01T00:00:00Z, in seconds
HOUR = 3_600
DAY = 24 * HOUR
TIMEOUT = 60.0
OFFICER = "users/dpo"  # who may erase
OPERATORS = ("users/anonymous", "users/ana", "users/ops")  # who may rotate keys, create ledgers
POLICY = (Path(__file__).parents[1] / "application" / "default_policy.yaml").read_text("utf-8")

Fleets = Callable[..., Path]
"""The folder of a closed ledger, prepared with models of these names."""


@dataclass(frozen=True)
class Refusal:
    """An RPC error taken apart."""

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: dict[str, str]
    fields: dict[str, str]
    retry_seconds: float | None


def refusal(error: grpc.RpcError) -> Refusal:
    """Return the parts of a rich error; every error of ours has exactly one ErrorInfo."""
    call: Any = error  # every error of a call is a call too
    status = rpc_status.from_call(call)
    assert status is not None, error
    info, bad, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    seen = 0
    for detail in status.details:
        if detail.Unpack(info):
            seen += 1
        elif not detail.Unpack(bad):
            assert detail.Unpack(retry), detail
    assert seen == 1
    assert info.domain == "ledger.v1"
    return Refusal(
        call.code(),
        info.reason,
        status.message,
        dict(info.metadata),
        {one.field: one.description for one in bad.field_violations},
        retry.retry_delay.ToMilliseconds() / 1000 if retry.HasField("retry_delay") else None,
    )


def refused(call: Callable[[], Any]) -> Refusal:
    """Make a call that must fail and return why; streams are read to their end."""
    try:
        answer = call()
        if hasattr(answer, "__next__"):
            list(answer)
    except grpc.RpcError as error:
        return refusal(error)
    raise AssertionError("the call was not refused")


def refused_in_time(call: Callable[[float], Any]) -> Refusal:
    """Make a call that waits until just before its deadline, and return how the server refused it.

    On a busy machine the answer may come too late for a short deadline: then with a longer one.
    """
    for seconds in (0.4, 2.0, 10.0):
        found = refused(lambda seconds=seconds: call(seconds))  # type: ignore[misc]
        if found.code is not grpc.StatusCode.DEADLINE_EXCEEDED:
            return found
    return refused(lambda: call(TIMEOUT))


class Served:
    """A started service, its server, and stubs over one channel."""

    def __init__(
        self,
        service: Service,
        server: ApiServer,
        security: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.service = service
        self.server = server
        self._security = security
        self.channel: grpc.Channel = (
            self.client().channel
            if security
            else grpc.insecure_channel(server.address, options=_CLIENT_OPTIONS)
        )
        self.signals = signal_service_pb2_grpc.SignalServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)
        self.policies = policy_service_pb2_grpc.PolicyServiceStub(self.channel)
        self.decisions = decision_service_pb2_grpc.DecisionServiceStub(self.channel)
        self.priorities = priority_service_pb2_grpc.PriorityServiceStub(self.channel)
        self.ledgers = ledger_service_pb2_grpc.LedgerServiceStub(self.channel)
        self.authority = authority_service_pb2_grpc.AuthorityServiceStub(self.channel)

    def head(self) -> int:
        """Return the ledger's last position, read past the API."""
        return self.service.ledger().log.head().position

    def create(
        self,
        origin: str = ORIGIN,
        clock: ledger_pb2.LedgerClock.ValueType = ledger_pb2.LEDGER_CLOCK_DATA,
    ) -> None:
        """Create a ledger."""
        self.ledgers.CreateLedger(
            ledger_service_pb2.CreateLedgerRequest(origin=origin, clock=clock), timeout=TIMEOUT
        )

    def prepare(self, models: Sequence[str] = ("fares",)) -> None:
        """Create a data ledger with two signals, models in service and a policy in force."""
        self.create()
        two = ("log-loss", "input-stability")
        with self.client() as client:
            furnish(client, models, signals=two, policy="default", document=POLICY)

    def client(self, **stated: Any) -> LedgerClient:  # noqa: ANN401 - as the client takes it
        """Return a client of the server, with what is stated of TLS and tokens instead."""
        return LedgerClient(
            self.server.address, deadline_seconds=TIMEOUT, **(stated or self._security)
        )

    def add_model(self, name: str) -> None:
        """Register a model and put version v1 into service."""
        with self.client() as client:
            add_model(client, name)

    def submit(
        self, *observations: signal_pb2.Observation, request_id: str = ""
    ) -> signal_service_pb2.SubmitSignalsResponse:
        """Submit one batch."""
        return self.signals.SubmitSignals(
            signal_service_pb2.SubmitSignalsRequest(
                observations=observations, request_id=request_id
            ),
            timeout=TIMEOUT,
        )


_CLIENT_OPTIONS = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))


@contextmanager
def serving(
    folder: Path,
    clock: Clock | None = None,
    *,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
    address: str = "127.0.0.1:0",
    security: Mapping[str, Any] | None = None,
    **named: object,
) -> Iterator[Served]:
    """Serve a database in a folder on a free port; nothing is written unasked by default.

    `named` are settings as `quiet` takes them, `security` what a client states of TLS and tokens.
    """
    usual: dict[str, object] = {
        "service__evaluate": False,
        "erasure__actors": (OFFICER,),
        "operators__actors": OPERATORS,
    }
    settings = quiet(str(folder / "ledger.sqlite"), **usual | named)
    listening = Listening(address, settings.server)
    with (
        Service(settings, clock) as service,
        ApiServer(service, listening, timeouts, authentication=settings.authentication) as server,
    ):
        served = Served(service, server, security or {})
        try:
            yield served
        finally:
            served.channel.close()


@pytest.fixture(scope="session")
def fleets(tmp_path_factory: pytest.TempPathFactory) -> Fleets:
    """Make prepared ledgers to begin with, each once."""

    @cache
    def made(*models: str) -> Path:
        folder = tmp_path_factory.mktemp("fleet")
        with serving(folder) as served:
            served.prepare(models)
        return folder

    return made


@contextmanager
def serving_fleet(fleets: Fleets, folder: Path, *models: str) -> Iterator[Served]:
    """Serve a copy of a prepared ledger."""
    shutil.copytree(fleets(*models), folder, dirs_exist_ok=True)
    with serving(folder) as served:
        yield served


def at(seconds: float) -> Timestamp:
    """Return a time so many seconds after START."""
    stamp = Timestamp()
    stamp.FromMicroseconds(round((START + seconds) * 1_000_000))
    return stamp


def signal_named(name: str) -> signal_pb2.Signal:
    """Return a definition."""
    return signal_pb2.Signal(
        signal=name,
        kind=signal_pb2.SIGNAL_KIND_PERFORMANCE,
        unit="nats",
        direction=signal_pb2.SIGNAL_DIRECTION_HIGHER_IS_WORSE,
        meaning="How wrong it is.",
    )


def model_named(name: str) -> model_pb2.Model:
    """Return a description."""
    return model_pb2.Model(
        model=name,
        owner="team-fares",
        tier="high",
        labels={"region": "east"},
        impact_ppm=500_000,
        unit_value_micros="2000000",
        cost_micros="50000000",
    )


def deployment(
    name: str, version: str, **fields: object
) -> model_service_pb2.RecordDeploymentRequest:
    """Return a request that records a version in service since START."""
    stated: dict[str, Any] = {
        "name": f"models/{name}",
        "model_version": version,
        "in_service_at": at(0),
        "trained_through": at(-DAY),
        "baseline_loss": "0.4",
        **fields,
    }
    return model_service_pb2.RecordDeploymentRequest(**stated)


def observation(
    model: str = "fares",
    signal: str = "log-loss",
    number: float | None = 0.5,
    seconds: float = HOUR,
    **fields: object,
) -> signal_pb2.Observation:
    """Return an observation at so many seconds after START; `number` None leaves the value out."""
    item = signal_pb2.Observation(
        model=model, signal=signal, observed_at=at(seconds), sample_size=100
    )
    if number is not None:
        item.number = number
    for name, value in fields.items():
        if isinstance(value, Timestamp):
            item.observed_at.CopyFrom(value)
        else:
            setattr(item, name, value)
    return item
