"""Where a server listens and what it shows there: addresses, TLS, the operator's socket.

Any address but loopback is served with TLS only: without it, what a caller sends of a credential
could be read and sent again by others on the way.
"""

import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger.api.certificates import Certificates
from ledger.api.operator_socket import OperatorSocket
from ledger.clock import Clock, SystemClock
from ledger.connection_settings import ServerSettings
from ledger.errors import LedgerError, invalid_field

if TYPE_CHECKING:
    import grpc

DEFAULT_ADDRESS: Final = "127.0.0.1:50051"
_SECURE: Final = "ledgers://"
_PLAIN: Final = "ledger://"


@dataclass(frozen=True, slots=True)
class Listener:
    """One address as gRPC binds it, and what it is served by: None for no TLS."""

    address: str
    credentials: "grpc.ServerCredentials | None" = None


class Listening:
    """All that one server listens on; FIELD_INVALID where it cannot be."""

    def __init__(
        self, address: str, settings: ServerSettings | None = None, clock: Clock | None = None
    ) -> None:
        """Take an address, which counts before the one in the settings, and how it is served."""
        settings, clock = settings or ServerSettings(), clock or SystemClock()
        tls = settings.tls
        for name in ("key", "client_ca", "bearer_address"):
            if getattr(tls, name) and not tls.certificate:
                raise invalid_field(
                    f"server.tls.{name}",
                    "is set, and server.tls.certificate is not",
                    remedy="State the server's certificate and its key, or leave all of it out.",
                )
        if tls.bearer_address and not tls.client_ca:
            raise invalid_field(
                "server.tls.bearer_address",
                "is set, and server.tls.client_ca is not",
                remedy=f"Without that, callers need no certificate at {address} either.",
            )
        self.has_tls = bool(tls.certificate)
        self._addresses = [bound(address, has_tls=self.has_tls)]
        if tls.bearer_address:
            self._addresses.append(bound(tls.bearer_address, has_tls=True))
        self._certificates = Certificates(tls, clock) if self.has_tls else None
        self._is_caller_asked = bool(tls.client_ca)
        self.has_bearers = bool(tls.bearer_address)
        self.socket = OperatorSocket(settings.socket, clock) if settings.socket else None

    @property
    def is_loopback(self) -> bool:
        """Whether every address is on loopback: callers are on this machine."""
        hosts = [address.rpartition(":")[0].strip("[]") for address in self._addresses]
        return all(ipaddress.ip_address(host).is_loopback for host in hosts)

    def refuse_taken(self) -> None:
        """Raise FIELD_INVALID where something listens on one of them; takes nothing itself."""
        for address in self._addresses:
            _refuse_taken(address)
        if self.socket is not None:
            self.socket.refuse_taken()

    def listeners(self) -> list[Listener]:
        """Return what is to be bound: the address, that for bearers, the socket, as far as set."""
        found = [
            Listener(address, self._credentials(is_caller_asked=self._is_caller_asked and not at))
            for at, address in enumerate(self._addresses)
        ]
        if self.socket is not None:
            found.append(Listener(self.socket.prepare()))
        return found

    def target(self, at: int, port: int) -> str:
        """Return what a client is given to connect to an address, once its port is known."""
        host = self._addresses[at].rpartition(":")[0]
        return f"{'ledgers://' if self.has_tls else ''}{host}:{port}"

    def _credentials(self, *, is_caller_asked: bool) -> "grpc.ServerCredentials | None":
        if self._certificates is None:
            return None
        return self._certificates.credentials(is_caller_asked=is_caller_asked)


def bound(address: str, *, has_tls: bool) -> str:
    """Return the address to bind; FIELD_INVALID unless it is HOST:PORT, on loopback without TLS.

    It may be written as clients write it, with what it says of TLS.
    """
    if address.startswith(_SECURE) and not has_tls:
        remedy = f"Set server.tls.certificate and server.tls.key, or write it without {_SECURE}."
        raise _refused(address, "means TLS, and there is no certificate", remedy)
    if address.startswith(_PLAIN) and has_tls:
        raise _refused(address, "means no TLS, and there is a certificate", f"Write {_SECURE}.")
    address = address.removeprefix(_SECURE).removeprefix(_PLAIN)
    host, colon, port = address.rpartition(":")
    is_port = port.isascii() and port.isdigit() and len(port) <= len("65535")
    if not colon or not is_port or int(port) > 65_535:
        raise _refused(address, "is not of the form HOST:PORT")
    if host == "localhost":
        return f"127.0.0.1:{port}"  # never what a name server makes of it
    try:
        parsed = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError as error:
        raise _refused(address, "does not name an IP address or localhost") from error
    if not parsed.is_loopback and not has_tls:
        raise _refused(
            address,
            "is not a loopback address, and there is no TLS",
            f"Set server.tls.certificate and server.tls.key, or serve on {DEFAULT_ADDRESS}.",
        )
    return address if parsed.version == 4 else f"[{parsed}]:{port}"


def _refuse_taken(address: str) -> None:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gRPC does: not TIME_WAIT
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            raise taken(address) from error


def taken(address: str) -> LedgerError:
    """Return the refusal of an address on which something else listens."""
    return invalid_field(
        "listen",
        f"{address} cannot be bound",
        remedy="Stop the program that listens there, or serve on another port.",
    )


def _refused(address: str, why: str, remedy: str = f"Serve on {DEFAULT_ADDRESS}.") -> LedgerError:
    return invalid_field("listen", f"{address[:160]!r} {why}", remedy=remedy)
