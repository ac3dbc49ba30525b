"""An address is limited before its messages are parsed, and so are its connections.

Goal: what one address sends is bounded before anything is known of its actors, and a refusal says
when to come back. Method: a server whose steady clock the test turns, sent what does not parse; and
connections that stay open.
"""

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ledger.api.call_limits import AddressLimits, limited_address
from ledger.api.rates import LimitedCallers
from ledger.errors import LedgerError
from ledger.limit_settings import LimitSettings
from ledger.v1 import (
    ledger_service_pb2,
    ledger_service_pb2_grpc,
)
from tests.support.clocks import TurnedClock
from tests.support.limited import ANN, BURST, RATE, STREAM, limited, wait_of
from tests.support.served import (
    TIMEOUT,
    Fleets,
    refused,
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


def test_a_server_has_so_many_connections_idle_ones_included_and_closes_the_next(
    fleets: Fleets, tmp_path: Path
) -> None:
    with limited(fleets, tmp_path, connections=3) as server, ExitStack() as open_:
        host, _, port = server.served.server.address.rpartition(":")

        def greeting() -> bytes:
            """Return what the server says first to a connection; nothing where it closes it."""
            connection = open_.enter_context(socket.create_connection((host, int(port)), TIMEOUT))
            try:
                connection.sendall(
                    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4)) + bytes(5)
                )
                return connection.recv(3)
            except ConnectionError:
                return b""

        assert all(greeting() for _ in range(3))
        assert [greeting() for _ in range(3)] == [b""] * 3
        open_.close()
        until(lambda: bool(greeting()), "a place is free again")


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
