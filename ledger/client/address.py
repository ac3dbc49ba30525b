"""Where a server is, as people write it: HOST:PORT, HOST alone, or a name that gRPC resolves."""

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Final

PORT_DEFAULT: Final = 50_051

_RESOLVED: Final = re.compile(r"(?:unix|unix-abstract|dns|ipv4|ipv6|vsock|xds):[^\s]+", re.ASCII)
_PLACE: Final = re.compile(
    r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9]+)?\])"
    r"(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)


def address_of(text: str) -> str:
    """Return HOST:PORT, the port 50051 where none is stated; ValueError says what to write."""
    shown = repr(text[:80])
    if "://" in text and not text.startswith(("dns:", "xds:")):
        scheme = text.partition("://")[0][:20]
        raise ValueError(f"server: {shown} is a URL; write HOST:PORT without {scheme}://")
    if (match := _PLACE.fullmatch(text)) is None:
        if _RESOLVED.fullmatch(text):
            return text
        if _is_ipv6(text):
            return f"[{text}]:{PORT_DEFAULT}"
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
