"""Where notifications may go: looked at after a name is resolved, and what was looked at is used.

A host's name must be listed. An address that it leads to must be public, or listed too: a name that
is listed must not become a way into the network around the server.
"""

import ipaddress
import socket
from collections.abc import Collection, Sequence
from typing import Final, TypeAlias

from ledger.notification_settings import network_of
from ledger.tls_socket import Place

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_NOT_PUBLIC: Final = tuple(map(ipaddress.IPv6Network, ("fec0::/10", "64:ff9b:1::/48", "::/96")))
"""Not global, also where a Python says so: site-local, NAT64 of a network, IPv4 within."""


class DeliveryError(Exception):
    """An attempt that failed; the text says why, and repeats nothing of a secret or an answer."""


class AllowList:
    """The hosts and addresses that are listed."""

    def __init__(self, listed: Collection[str]) -> None:
        found = [(entry, network_of(entry)) for entry in listed]
        self._names = {entry for entry, network in found if network is None}
        self._networks = [network for _, network in found if network is not None]

    def places(self, host: str, port: int) -> Sequence[Place]:
        """Return the addresses of a host that may be connected to; DeliveryError for none."""
        try:
            found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise DeliveryError(f"its host {host} has no address") from error
        addresses = {place[0]: (family, place) for family, _, _, _, place in found}
        allowed = [
            place for text, place in addresses.items() if self._may(host, str(text).split("%")[0])
        ]
        if not allowed:
            raise DeliveryError(
                f"its host {host} leads to {', '.join(map(str, addresses))}, which is not public "
                "and not among `notifications.hosts`"
            )
        return allowed

    def _may(self, host: str, text: str) -> bool:
        address = _bare(ipaddress.ip_address(text))
        if any(address.version == net.version and address in net for net in self._networks):
            return True
        is_public = address.is_global and not address.is_multicast
        return host in self._names and is_public and not any(address in net for net in _NOT_PUBLIC)


def is_loopback(link: socket.socket) -> bool:
    """Return whether the other end of a connection is this machine."""
    return _bare(ipaddress.ip_address(str(link.getpeername()[0]).split("%")[0])).is_loopback


def _bare(address: Address) -> Address:
    """Return the address of version 4 that one of version 6 holds, where it holds one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address
