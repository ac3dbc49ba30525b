"""A server that hangs up while a client looks at its certificate leaves no connection open.

Method: a listener resets each connection at once; the client is held until it has heard of that,
the moment at which `ssl` gives its caller no socket to close. A socket that is lost fails a test.
"""

import gc
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ledger.client.handshake import certificate_shown
from ledger.client.target import Target
from ledger.tls_socket import connected

RESET = struct.pack("ii", 1, 0)
HOST = "127.0.0.1"


@pytest.fixture
def port() -> Iterator[int]:
    """The port of a listener that resets every connection."""
    listener = socket.create_server((HOST, 0))

    def reset() -> None:
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:
                return
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            taken.close()

    thread = threading.Thread(target=reset)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(30)


def hear_of_the_reset(monkeypatch: pytest.MonkeyPatch, kind: type[socket.socket]) -> None:
    """Have every connection of a kind wait until its other end has hung up."""
    real = kind.connect

    def connect(self: Any, address: Any) -> None:  # noqa: ANN401 - as the socket's own
        real(self, address)
        assert select.select([self], [], [], 30)[0]

    monkeypatch.setattr(kind, "connect", connect)


@pytest.mark.parametrize("kind", [socket.socket, ssl.SSLSocket])
def test_no_socket_is_lost_when_a_server_hangs_up_at_once(
    port: int, monkeypatch: pytest.MonkeyPatch, kind: type[socket.socket]
) -> None:
    hear_of_the_reset(monkeypatch, kind)
    assert certificate_shown(Target(f"{HOST}:{port}", HOST, port, is_secure=True)) is None
    gc.collect()


def test_a_host_that_refuses_every_connection_is_an_os_error() -> None:
    with socket.create_server((HOST, 0)) as listener:
        free = listener.getsockname()[1]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ConnectionRefusedError):
        connected(context, HOST, free, 5.0)
