"""The front: what is no message is refused by name everywhere, and who does nothing costs nothing.

Method: raw bytes on every method that is served; servers with little timeouts for clients that send
nothing; HTTP/2 by hand where a client of gRPC's would hide what happens.
"""

import asyncio
import socket
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ledger.api.front_end import Timeouts
from ledger.api.server import SERVICES, ApiServer
from ledger.application.log import LedgerLog
from ledger.application.refusals import RefusedCall
from ledger.client import AsyncLedgerClient, LedgerClient
from ledger.errors import Reason
from ledger.service import Service
from ledger.v1 import ledger_service_pb2, signal_service_pb2
from tests.support.hooks import channel_of, count_refusals
from tests.support.served import TIMEOUT, Served, observation, refusal, serving
from tests.support.server_process import until
from tools.bench.attackers import GARBAGE, Attacker
from tools.quiet import quiet

STANDARD = ("grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection")


def _methods() -> list[str]:
    """Return every served method by full name, but the one whose batches end nothing."""
    pool = descriptor_pool.Default()
    found = []
    for name in (*SERVICES, *STANDARD):
        service: Any = pool.FindServiceByName(name)
        found += [f"/{name}/{one.name}" for one in service.methods]
    left_out = {"/ledger.v1.SignalService/StreamSignals", "/grpc.health.v1.Health/List"}
    return [each for each in found if each not in left_out]  # List is optional, and not served


@pytest.mark.parametrize("method", _methods())
def test_what_does_not_parse_is_refused_with_a_reason_on_every_method(
    module_served: Served, method: str
) -> None:
    begin: Any = module_served.channel.stream_stream(method)
    with pytest.raises(grpc.RpcError) as caught:
        list(begin(iter([GARBAGE]), timeout=TIMEOUT))
    refused = refusal(caught.value)
    assert (refused.code, refused.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        Reason.FIELD_INVALID.value,
    )
    assert "message" in refused.fields
    assert refused.metadata["remedy"]


def test_a_batch_that_does_not_parse_is_answered_and_ends_nothing(served: Served) -> None:
    begin: Any = served.channel.stream_stream("/ledger.v1.SignalService/StreamSignals")
    good = signal_service_pb2.StreamSignalsRequest(observations=[observation()])
    raw = list(begin(iter([GARBAGE, good.SerializeToString(), GARBAGE]), timeout=TIMEOUT))
    answers = [signal_service_pb2.StreamSignalsResponse.FromString(each) for each in raw]
    assert [one.WhichOneof("result") for one in answers] == ["error", "appended", "error"]
    assert answers[0].error.field_violations[0].field == "message"
    assert [one.batch for one in answers] == [1, 2, 3]


def test_what_does_not_parse_is_counted_like_any_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[tuple[str, str]] = []

    def count(_origin: str, call: RefusedCall) -> None:
        counted.append((call.method, call.reason.value))

    with serving(tmp_path, timeouts=Timeouts(malformed_seconds=0.0)) as served:
        count_refusals(served.server, count, monkeypatch)
        for method in _methods():
            begin: Any = served.channel.stream_stream(method)
            with pytest.raises(grpc.RpcError):
                list(begin(iter([GARBAGE]), timeout=TIMEOUT))
    names = [method.rpartition("/")[2] for method in _methods()]
    assert {"Check", "Watch", "ServerReflectionInfo"} < set(names)
    assert counted == [(name, "FIELD_INVALID") for name in names]


@pytest.mark.parametrize(
    "method",
    [
        "/ledger.v1.LedgerService/GetLedger",
        "/ledger.v1.LedgerService/WatchEvents",
        "/ledger.v1.SignalService/StreamSignals",
        "/grpc.health.v1.Health/Check",
    ],
)
def test_a_call_whose_message_does_not_follow_is_ended_with_a_reason(
    tmp_path: Path, method: str
) -> None:
    service = Service(quiet(str(tmp_path / "l.sqlite"), service__evaluate=False))
    timeouts = Timeouts(message_seconds=0.05)
    with (
        service,
        ApiServer(service, "127.0.0.1:0", timeouts) as server,
        Attacker(server.address) as attacker,
    ):
        error = refusal(attacker.stream(method).exception(TIMEOUT))
    assert (error.code, error.reason) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        Reason.DEADLINE_EXCEEDED.value,
    )
    assert "0.05 s" in error.message


def test_a_call_that_ends_without_a_message_is_refused(served: Served) -> None:
    begin: Any = served.channel.stream_unary("/ledger.v1.LedgerService/GetLedger")
    with pytest.raises(grpc.RpcError) as caught:
        begin(iter([]), timeout=TIMEOUT)
    assert refusal(caught.value).reason == Reason.FIELD_INVALID.value


def test_ten_seconds_for_a_message_and_five_minutes_of_idleness_are_what_a_server_has() -> None:
    assert (Timeouts().message_seconds, Timeouts().idle_seconds) == (10, 300)


def test_an_idle_connection_ends_and_clients_come_back_by_themselves(tmp_path: Path) -> None:
    service = Service(quiet(str(tmp_path / "l.sqlite"), service__evaluate=False))
    service.create_ledger("ledger.example/idle", clock="data", actor="users/ada")
    timeouts = Timeouts(idle_seconds=0.3)

    async def twice(address: str) -> None:
        async with AsyncLedgerClient(address) as client:
            assert (await client.get_ledger()).origin
            channel = channel_of(client)
            while channel.get_state() is not grpc.ChannelConnectivity.IDLE:
                await channel.wait_for_state_change(channel.get_state())
            assert (await client.get_ledger()).origin

    with service, ApiServer(service, "127.0.0.1:0", timeouts) as server:
        with LedgerClient(server.address) as client:
            states: list[grpc.ChannelConnectivity] = []
            channel_of(client).subscribe(states.append)
            client.get_ledger()
            ready, idle = grpc.ChannelConnectivity.READY, grpc.ChannelConnectivity.IDLE
            until(lambda: ready in states and states[-1] is idle, "the idle connection ends")
            client.get_ledger()
        asyncio.run(twice(server.address))


def test_clients_may_ask_whether_the_server_is_there_as_often_as_it_says(tmp_path: Path) -> None:
    assert Timeouts().ping_seconds <= 5, "Go's clients ask every ten seconds, and not precisely"
    service = Service(quiet(str(tmp_path / "l.sqlite"), service__evaluate=False))
    with service, ApiServer(service, "127.0.0.1:0", Timeouts(ping_seconds=0)) as server:
        host, _, port = server.address.rpartition(":")
        with socket.create_connection((host, int(port)), TIMEOUT) as raw:
            raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4))
            with raw.makefile("rb") as stream:
                for number in range(20):
                    raw.sendall(_frame(6, payload=number.to_bytes(8, "big")))
                    assert _pong(stream) == number


def _frame(kind: int, payload: bytes = b"") -> bytes:
    """Return an HTTP/2 frame of the connection."""
    return len(payload).to_bytes(3, "big") + bytes([kind, 0]) + bytes(4) + payload


def _pong(stream: Any) -> int:  # noqa: ANN401 - a file
    """Read frames up to the answer to a ping, and return its number; GOAWAY is a failure."""
    while True:
        head = stream.read(9)
        payload = stream.read(int.from_bytes(head[:3], "big"))
        kind, flags = head[3], head[4]
        assert kind != 7, payload
        if kind == 6 and flags & 1:
            return int.from_bytes(payload, "big")
        if kind == 6:
            pass  # the server asks too, and does not wait


def test_health_answers_while_every_thread_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    with serving(tmp_path) as served:
        served.prepare()
        head = LedgerLog.head
        monkeypatch.setattr(LedgerLog, "head", lambda self: release.wait(TIMEOUT) and head(self))
        request = ledger_service_pb2.GetLedgerRequest()
        calls = [served.ledgers.GetLedger.future(request, timeout=TIMEOUT) for _ in range(60)]
        health: Any = health_pb2_grpc.HealthStub(served.channel)
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert not any(call.done() for call in calls)
        release.set()
        for call in calls:
            assert call.result(TIMEOUT).ledger.origin


def test_a_server_whose_threads_hang_stops_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    hanging = threading.Event()

    def hang(*_: object) -> None:
        hanging.set()
        release.wait(TIMEOUT)

    service = Service(quiet(str(tmp_path / "l.sqlite"), service__evaluate=False))
    with service:
        service.create_ledger("ledger.example/hang", clock="data", actor="users/ada")
        server = ApiServer(service, "127.0.0.1:0")
        server.start()
        with grpc.insecure_channel(server.address) as channel:
            monkeypatch.setattr(LedgerLog, "head", hang)
            begin: Any = channel.unary_unary("/ledger.v1.LedgerService/GetLedger")
            call = begin.future(b"", timeout=TIMEOUT)
            assert hanging.wait(TIMEOUT)
            server.stop(0.1)
            assert call.exception(TIMEOUT) is not None
        release.set()
        monkeypatch.undo()
