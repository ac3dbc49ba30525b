"""Connections that never finish their handshake keep others from nothing, and are ended.

Method: 500 sockets at once to a real server, silent or with the first half of a TLS hello;
meanwhile clients connect, write and read. Each slow connection must be ended by the server.
"""

import resource
import select
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from ledger.api.front_end import Timeouts
from tests.support.served import TIMEOUT, Served, serving
from tests.support.server_process import until
from tests.support.trial import known_by, served_by, trial

HALF_OPEN = 500


@cache
def first_half_of_a_hello() -> bytes:
    context = ssl.create_default_context()
    sent = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    whole = sent.read()
    return whole[: len(whole) // 2]


@pytest.fixture(autouse=True)
def enough_files() -> Iterator[None]:
    """Let this process have both ends of so many connections open."""
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(usual, 4 * HALF_OPEN), most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (usual, most))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = trial()
    quick = Timeouts(handshake_seconds=3.0)
    with serving(tmp_path, timeouts=quick, security=known_by(made), **served_by(made)) as server:
        server.prepare()
        yield server


@cache
def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(trial().ca))
    context.set_alpn_protocols(["h2"])
    return context


def after_tls(connection: socket.socket) -> socket.socket:
    return trusting().wrap_socket(connection, server_hostname="localhost")


def halfway(connection: socket.socket) -> socket.socket:
    connection.sendall(first_half_of_a_hello())
    return connection


@pytest.mark.parametrize(
    "begin",
    [lambda connection: connection, halfway, after_tls],
    ids=["silent", "half a hello", "TLS and no more"],
)
def test_500_half_open_connections_keep_no_client_waiting_and_are_ended(
    begin: Callable[[socket.socket], socket.socket], served: Served
) -> None:
    with ExitStack() as open_ones:
        slow = [
            open_ones.enter_context(
                socket.create_connection(("127.0.0.1", served.server.port), timeout=TIMEOUT)
            )
            for _ in range(HALF_OPEN)
        ]
        slow = [open_ones.enter_context(begin(one)) for one in slow]
        for _ in range(5):
            with served.client() as client:  # a new connection, with its own handshake
                client.submit([("fares", "log-loss", 0.5, "2026-01-02T00:00:00Z")])
                assert client.get_ledger().head_position > 0
        left = {one.fileno(): one for one in slow}
        poll = select.poll()
        for number in left:
            poll.register(number, select.POLLIN)

        def ended() -> bool:
            for number, _ in poll.poll(0):
                if _is_over(left[number]):
                    poll.unregister(number)
                    del left[number]
            return not left

        until(ended, "the server ends every slow connection")


def _is_over(connection: socket.socket) -> bool:
    try:
        return not connection.recv(4096)
    except OSError:
        return True
