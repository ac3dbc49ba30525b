"""One call in HTTP/2 by hand: with what a client of gRPC's would not send."""

import socket
import ssl
from typing import Final

from tests.support.served import TIMEOUT

_DATA: Final = 0
_HEADERS: Final = 1
_RESET: Final = 3
_SETTINGS: Final = 4
_GOAWAY: Final = 7
_END_STREAM: Final = 1
_END_HEADERS: Final = 4


def raw_call(port: int, ca: str, path: str, message: bytes, *more: tuple[str, str]) -> None:
    """Make a call over TLS with headers exactly as they are given; return once it is over."""
    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols(["h2"])
    usual = (
        (":method", "POST"),
        (":scheme", "https"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("grpc-timeout", f"{TIMEOUT:.0f}S"),
    )
    block = b"".join(_literal(name, value) for name, value in (*usual, *more))
    body = b"\0" + len(message).to_bytes(4, "big") + message
    with (
        socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as shown,
    ):
        shown.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + _frame(_SETTINGS, 0, 0, b"")
            + _frame(_HEADERS, _END_HEADERS, 1, block)
            + _frame(_DATA, _END_STREAM, 1, body)
        )
        with shown.makefile("rb") as answers:
            while head := answers.read(9):
                kind, flags = head[3], head[4]
                answers.read(int.from_bytes(head[:3], "big"))
                is_last = kind == _HEADERS and flags & _END_STREAM
                if is_last or kind in {_RESET, _GOAWAY}:
                    return


def _literal(name: str, value: str) -> bytes:
    """Return a header that is in no table, in plain text (RFC 7541, 6.2.2)."""
    assert max(len(name), len(value)) < 127
    return b"\0" + b"".join(bytes([len(one)]) + one.encode() for one in (name, value))


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload
