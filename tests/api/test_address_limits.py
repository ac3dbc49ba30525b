"""An address is limited before its messages are parsed, and so are its connections.

Goal: what one address sends is bounded before anything is known of its actors, and a refusal says
when to come back. Method: a server whose steady clock the test turns, sent what does not parse; and
connections that stay open.
"""

import socket
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ledger.api.call_limits import AddressLimits, limited_address
from ledger.api.front_end import Timeouts
from ledger.api.rates import LimitedCallers
from ledger.api.server import ApiServer
from ledger.client import LedgerClient
from ledger.errors import LedgerError
from ledger.limit_settings import LimitSettings
from ledger.v1 import (
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    signal_service_pb2,
)
from tests.support.clocks import TurnedClock
from tests.support.limited import ANN, BURST, RATE, STREAM, limited, wait_of
from tests.support.served import (
    TIMEOUT,
    Fleets,
    refused,
    serving,
    signal_named,
)
from tests.support.server_process import until


def test_an_address_is_limited_before_its_message_is_parsed_or_its_actor_known(
    fleets: Fleets, tmp_path: Path
) -> None:
    with limited(fleets, tmp_path, address_calls_per_second=RATE) as server:
        call: Any = server.served.channel.unary_unary("/ledger.v1.ModelService/GetModel")
        unparsable = b"\xff" * 9

        def send() -> None:
            call(unparsable, timeout=TIMEOUT, metadata=(("ledger-actor", "No Actor"),))

        reasons = [refused(send).reason for _ in range(BURST + 1)]
        assert reasons == ["FIELD_INVALID"] * BURST + ["LIMIT_REACHED"]
        refusal = refused(send)
        assert refusal.message.startswith("The address 127.0.0.1 has used up its 5 calls a second.")
        server.clock.advance(wait_of(refusal))
        assert refused(send).reason == "FIELD_INVALID"


def test_a_stream_that_sends_too_much_for_its_address_ends_unparsed(
    fleets: Fleets, tmp_path: Path
) -> None:
    with limited(fleets, tmp_path, address_calls_per_second=RATE) as server:
        call: Any = server.served.channel.stream_stream(STREAM)
        answers = call(iter([b"\xff" * 9] * (BURST + 1)), timeout=TIMEOUT)
        assert [next(answers) for _ in range(BURST)]
        wait_of(refused(lambda: next(answers)))


def test_health_answers_whatever_its_address_has_used_up(fleets: Fleets, tmp_path: Path) -> None:
    with limited(fleets, tmp_path, address_calls_per_second=RATE) as server:
        server.reads(ANN, BURST)
        wait_of(refused(server.read))
        health: Any = health_pb2_grpc.HealthStub(server.served.channel)
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_an_address_has_so_many_connections_with_open_calls(fleets: Fleets, tmp_path: Path) -> None:
    watch = ledger_service_pb2.WatchEventsRequest()
    with limited(fleets, tmp_path, address_connections=2) as server, ExitStack() as open_:
        address = server.served.server.address

        def begin(channel: grpc.Channel) -> Any:  # noqa: ANN401
            call = ledger_service_pb2_grpc.LedgerServiceStub(channel).WatchEvents(
                watch, timeout=TIMEOUT
            )
            open_.callback(call.cancel)
            return call

        def channel(number: int) -> grpc.Channel:
            options = (("test.number", number), ("grpc.use_local_subchannel_pool", 1))
            return open_.enter_context(grpc.insecure_channel(address, options=options))

        first, second, third = (channel(number) for number in range(3))
        next(begin(first))
        next(begin(second))
        next(begin(second))  # a connection has as many calls as it has
        refusal = refused(lambda: next(begin(third)))
        assert refusal.message.startswith(
            "2 connections of the address 127.0.0.1 have open calls, as many as one address may"
        )
        wait_of(refusal)


_SETTINGS, _PING = 4, 6
ANSWERS_MAX = 200_000
"""How many answers a test waits for: those of seconds."""


def frame(kind: int, payload: bytes = b"") -> bytes:
    """Return an HTTP/2 frame of the connection."""
    return len(payload).to_bytes(3, "big") + bytes([kind, 0]) + bytes(4) + payload


def greeted(server: ApiServer, open_: ExitStack) -> tuple[socket.socket, bytes]:
    """Open a connection; return it with what the server says first, nothing where it closes it."""
    place = ("127.0.0.1", server.port)
    connection = open_.enter_context(socket.create_connection(place, TIMEOUT))
    try:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(_SETTINGS))
        return connection, connection.recv(3)
    except ConnectionError:
        return connection, b""


def test_a_server_has_so_many_connections_idle_ones_included_and_closes_the_next(
    fleets: Fleets, tmp_path: Path
) -> None:
    with limited(fleets, tmp_path, connections=3) as server, ExitStack() as open_:

        def greeting() -> bytes:
            return greeted(server.served.server, open_)[1]

        assert all(greeting() for _ in range(3))
        assert [greeting() for _ in range(3)] == [b""] * 3
        open_.close()
        until(lambda: bool(greeting()), "a place is free again")


def test_one_address_that_holds_every_place_of_a_port_keeps_no_one_from_the_operators_socket(
    tmp_path: Path,
) -> None:
    place = tmp_path / "s"
    stated: Any = {"server__socket": str(place), "limits__connections": 3}
    with serving(tmp_path, **stated) as served, ExitStack() as open_:
        assert all(greeted(served.server, open_)[1] for _ in range(3))
        assert greeted(served.server, open_)[1] == b""
        with LedgerClient(f"unix:{place}") as client:
            assert list(client.list_ledgers()) == []


def ends(connection: socket.socket, *, asks: bool) -> bool:
    """Whether the server ends a connection, on which it may be asked whether it is there."""
    with suppress(ConnectionError):
        for _ in range(ANSWERS_MAX):
            if not connection.recv(4096):
                return True
            if asks:  # which the server answers, and so goes on with the next
                connection.sendall(frame(_PING, bytes(8)))
        return False
    return True


@pytest.mark.parametrize("asks", [False, True])
def test_a_connection_without_calls_ends_by_itself_whether_it_asks_for_the_server_or_not(
    tmp_path: Path, *, asks: bool
) -> None:
    timeouts = Timeouts(idle_seconds=0.3, ping_seconds=0)
    watch = ledger_service_pb2.WatchEventsRequest()
    with serving(tmp_path, timeouts=timeouts) as served, ExitStack() as open_:
        served.create()
        call = served.ledgers.WatchEvents(watch, timeout=TIMEOUT)
        assert next(call).events[0].position == 1
        for connection, greeting in [greeted(served.server, open_) for _ in range(3)]:
            assert greeting
            assert ends(connection, asks=asks)
        served.signals.DefineSignal(
            signal_service_pb2.DefineSignalRequest(signal=signal_named("auc")), timeout=TIMEOUT
        )
        head = served.head()
        assert any(one.position == head for answer in call for one in answer.events), "it goes on"
        call.cancel()


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:127.0.0.1:50051", "127.0.0.1"),
        ("ipv6:[::1]:50051", "::1"),
        ("ipv6:%5B::1%5D:50051", "::1"),
        ("ipv6:[2001:db8:1:2:3:4:5:6]:9", "2001:db8:1:2::/64"),
        ("ipv6:[2001:db8:1:2:ffff::9]:10", "2001:db8:1:2::/64"),
        ("ipv6:[fe80::1%25eth0]:10", "fe80::/64"),
        ("ipv6:[::ffff:10.0.0.1]:9", "10.0.0.1"),
        ("unix:", "unix"),
        ("unix:/run/ledger.sock", "unix"),
    ],
)
def test_an_address_is_that_of_the_connection_without_its_port(peer: str, address: str) -> None:
    assert limited_address(peer) == address


def test_nothing_is_remembered_of_an_address_whose_calls_have_ended() -> None:
    clock = TurnedClock()
    addresses = AddressLimits(clock, LimitSettings(address_connections=1), LimitedCallers(clock))
    peers = [f"ipv4:10.0.0.1:{port}" for port in range(1, 4)]
    for _ in range(2):
        for peer in peers[:1] * 2:
            addresses.enter(peer)
        for peer in peers[1:]:
            with pytest.raises(LedgerError):
                addresses.enter(peer)
        addresses.enter("ipv4:10.0.0.2:1")
        for peer in (*peers[:1] * 2, *peers[1:], "ipv4:10.0.0.2:1"):
            addresses.leave(peer)
