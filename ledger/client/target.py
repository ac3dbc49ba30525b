"""Targets: where a server is, as people write it, and whether the way there is TLS.

`ledgers://HOST:PORT` is TLS, `ledger://HOST:PORT` is not, `unix:/path` is a socket of this machine.
HOST:PORT alone is TLS where a CA or a certificate was stated, and is not where none was.
"""

import os
import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address, ip_address
from typing import Final

from ledger.secrecy import is_foreign, owner_of

PORT_DEFAULT: Final = 50_051
SECURE: Final = "ledgers://"
_PLAIN: Final = "ledger://"

_RESOLVED: Final = re.compile(r"(?:unix|unix-abstract|dns|ipv4|ipv6|vsock|xds):[^\s]+", re.ASCII)
_PLACE: Final = re.compile(
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9]+)?\])"
    r"(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Target:
    """A server's place. Without a host it is a socket, or one that gRPC finds by itself."""

    address: str
    """As gRPC takes it."""
    host: str
    port: int
    is_secure: bool

    @property
    def is_local(self) -> bool:
        """Whether what is sent there leaves this machine's own sockets and loopback never."""
        if not self.host:
            return self.address.startswith(("unix:", "unix-abstract:"))
        return is_this_machine(self.host)


def refuse_foreign_socket(target: Target) -> None:
    """Raise ValueError for a socket of another user, who would be shown what is sent.

    Root may call any: it has every right there already.
    """
    path = target.address.removeprefix("unix:")
    if path == target.address or os.geteuid() == 0:
        return
    try:
        found = os.lstat(path.removeprefix("//"))
    except OSError:
        return  # no server is there: the call says so
    if is_foreign(found):
        raise ValueError(
            f"server: the socket {path} belongs to {owner_of(found)}; call as that user, or name "
            "the right one"
        )


def is_this_machine(host: str) -> bool:
    """Whether a host is loopback, by an address or by the name that always means it."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def target_of(text: str, *, has_tls: bool) -> Target:
    """Return what a target says; ValueError says what to write instead.

    `has_tls`: whether a CA or a certificate was stated. It means nothing to a socket.
    """
    written = address_of(text)
    is_plain = written.startswith(_PLAIN)
    if is_plain and has_tls:
        raise ValueError(
            f"server: {written} means no TLS, and a CA or certificate is stated; write "
            f"{written.replace(_PLAIN, SECURE)}, or leave that out"
        )
    address = written.removeprefix(SECURE).removeprefix(_PLAIN)
    place = _PLACE.fullmatch(address)
    is_secure = written.startswith(SECURE) or (has_tls and not address.startswith("unix"))
    if place is None:
        return Target(address, "", 0, is_secure)
    return Target(address, place["host"].strip("[]"), int(place["port"]), is_secure)


def by_tls(text: str) -> str:
    """Return a target as one by TLS, unless the text says itself what the way there is."""
    is_bare = _PLACE.fullmatch(text) is not None or _is_ipv6(text)
    return f"{SECURE}{text}" if is_bare else text


def address_of(text: str) -> str:
    """Return HOST:PORT, the port 50051 where none is stated; ValueError says what to write.

    What the text says of TLS stays before it.
    """
    for scheme in (SECURE, _PLAIN):
        if text.startswith(scheme):
            return scheme + _completed(text.removeprefix(scheme), text)
    is_resolved = _RESOLVED.fullmatch(text) and not _PLACE.fullmatch(text)
    return text if is_resolved else _completed(text, text)


def _completed(place: str, text: str) -> str:
    shown = repr(text[:80])
    if (match := _PLACE.fullmatch(place)) is None:
        if _is_ipv6(place):
            return f"[{place}]:{PORT_DEFAULT}"
        if "://" in place:
            scheme = place.partition("://")[0][:20]
            raise ValueError(
                f"server: {shown} is a URL; write HOST:PORT without {scheme}://, or "
                f"{SECURE}HOST:PORT for TLS"
            )
        raise ValueError(f"server: {shown} is not of the form HOST:PORT, such as localhost:50051")
    port = PORT_DEFAULT if match["port"] is None else int(match["port"])
    if not 1 <= port <= 65_535:
        raise ValueError(f"server: {shown} names port {port}; ports go from 1 to 65535")
    return f"{match['host']}:{port}"


def _is_ipv6(text: str) -> bool:
    try:
        return bool(IPv6Address(text))
    except AddressValueError:
        return False
