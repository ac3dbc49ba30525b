"""Connections that are always closed, even if their other end hangs up as TLS is begun."""

import socket
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TypeAlias

Place: TypeAlias = tuple[int, Any]
"""A family of addresses, and an address as the socket library has them."""


def connected(context: ssl.SSLContext, host: str, port: int, seconds: float) -> ssl.SSLSocket:
    """Return a connection to a host, before its handshake; OSError where there is none.

    `seconds`: for each address of the host, and for each wait that follows.
    """
    found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    return connected_to(context, host, ((family, place) for family, *_, place in found), seconds)


def connected_to(
    context: ssl.SSLContext, host: str, places: Iterable[Place], seconds: float
) -> ssl.SSLSocket:
    """Return a connection to the first of a host's addresses that takes it, before its handshake.

    The socket is TLS's before it is connected: of one that was connected first, and whose other end
    has hung up by then, `ssl` keeps the descriptor and lets no caller close it.
    """
    failure: OSError = ConnectionError(f"{host} has no address")
    for family, place in places:
        plain = socket.socket(family, socket.SOCK_STREAM)
        plain.settimeout(seconds)
        link = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        try:
            link.connect(place)
        except OSError as error:
            link.close()
            failure = error
        else:
            return link
    raise failure


def plainly_connected_to(places: Iterable[Place], seconds: float) -> socket.socket:
    """Return a connection without TLS to the first of a host's addresses that takes it."""
    failure: OSError = ConnectionError("the host has no address")
    for family, place in places:
        link = socket.socket(family, socket.SOCK_STREAM)
        link.settimeout(seconds)
        try:
            link.connect(place)
        except OSError as error:
            link.close()
            failure = error
        else:
            return link
    raise failure


def cut(link: socket.socket) -> None:
    """End a connection, also while another thread reads from it.

    `SSLSocket.shutdown` would drop the encryption first, and what came then would be read as it is.
    """
    with suppress(OSError):  # it is gone already
        socket.socket.shutdown(link, socket.SHUT_RDWR)
