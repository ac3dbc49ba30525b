"""A credential: the proof that a caller gave of itself, and until when it counts.

It names no actor and holds no secret. The authority of a ledger says which actor a credential is
bound to, and what that actor may do.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Method: TypeAlias = Literal["certificate", "jwt", "token", "socket", "development"]
"""The kind of proof; `development` is the one that is believed without any."""

UNIX: Final = "unix"


@dataclass(frozen=True, slots=True)
class Credential:
    """The proof that one call presented, once it was verified."""

    method: Method
    issuer: str
    """Of a JWT the URL of the provider that issued it; of all others empty."""
    subject: str
    """A certificate's name (`spiffe://…`, `dns:…`, `email:…`), a JWT's `sub`, a token's id, or the
    actor that a believed caller claims to be; empty on the Unix socket."""
    fingerprint: str
    """SHA-256, in hexadecimal, of a certificate's DER, of a JWT's text or of a token's secret;
    empty where nothing was presented."""
    address: str
    """The host of the other end, without its port; `unix` on the Unix socket."""
    expires_at: int | None
    """The first microsecond since the epoch that it does not count at; None if it does not end."""


def still_valid(credential: Credential, now_micros: int) -> bool:
    """Return whether a credential that was verified earlier has not expired since.

    A call that goes on asks this at each step; it costs a comparison.
    """
    return credential.expires_at is None or now_micros < credential.expires_at


def address_of(peer: str) -> str:
    """Return the host in gRPC's name of a peer: `ipv4:10.1.2.3:5050` is `10.1.2.3`.

    A peer whose form is unknown is returned whole: it is shown and recorded, never parsed again.
    """
    family, _, rest = peer.partition(":")
    if family in {"unix", "unix-abstract"}:
        return UNIX
    if family not in {"ipv4", "ipv6"}:
        return peer
    host = rest.rpartition(":")[0].replace("%5B", "[").replace("%5D", "]")
    return host.removeprefix("[").removesuffix("]").replace("%25", "%")
