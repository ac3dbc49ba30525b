"""How a client and its server know each other: CA, certificate, bearer token."""

import re
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc

from ledger.certificate_files import (
    CertificateError,
    KeyedCertificate,
    read_certificates,
    read_identity,
    read_secret,
)
from ledger.reading import Stamp, stamp_of

_TOKEN: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)


class BearerToken:
    """A token, or the file that holds it, which is read again when it changes.

    A file that cannot be used any more leaves the token that was in it. The repr shows nothing.
    """

    __slots__ = ("_file", "_seen", "_text")

    def __init__(self, source: str | Path) -> None:
        """Take a token; ValueError where it cannot be one, which repeats nothing of it."""
        self._file = source if isinstance(source, Path) else None
        self._seen: Stamp | None = None
        if isinstance(source, Path):
            self._seen, self._text = stamp_of(source), _read_token(source)
        else:
            self._text = _checked(source, "token")

    @property
    def text(self) -> str:
        """The token, as it is now."""
        if self._file is not None and (seen := stamp_of(self._file)) != self._seen:
            self._seen = seen
            with suppress(ValueError):  # being replaced, or gone: the old one ends at the server
                self._text = _read_token(self._file)
        return self._text

    def __repr__(self) -> str:
        """Return nothing of the token."""
        return "BearerToken(...)"


@dataclass(frozen=True, slots=True)
class Security:
    """How a client and its server know each other. ValueError where a file cannot be used."""

    ca: Path | None = None
    """The CA of the server's certificate; None for those that the system knows."""
    certificate: Path | None = None
    key: Path | None = None
    token: BearerToken | None = None
    _authorities: bytes | None = field(init=False, default=None, repr=False)
    _identity: KeyedCertificate | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        """Read the files."""
        if self.ca is not None:
            object.__setattr__(self, "_authorities", read_certificates(self.ca)[0])
        if (self.certificate is None) != (self.key is None):
            lacking = "tls_key" if self.key is None else "tls_certificate"
            raise ValueError(f"{lacking}: a certificate and its key are stated together")
        if self.certificate is not None and self.key is not None:
            object.__setattr__(self, "_identity", read_identity(self.certificate, self.key))

    @property
    def has_tls(self) -> bool:
        """Whether anything was stated that only TLS uses."""
        return self.ca is not None or self.certificate is not None

    @property
    def identity(self) -> KeyedCertificate | None:
        """The caller's own certificate with its key, if it has one."""
        return self._identity

    def credentials(self) -> grpc.ChannelCredentials:
        """Return what gRPC opens a channel with."""
        identity = self._identity
        return grpc.ssl_channel_credentials(
            self._authorities or _known_to_system(),
            identity.key if identity else None,
            identity.chain if identity else None,
        )


def security(
    ca: Path | str | None,
    certificate: Path | str | None,
    key: Path | str | None,
    token: Path | str | None,
) -> Security:
    """Return what files of these names and a token make; ValueError as above."""
    return Security(
        Path(ca) if ca else None,
        Path(certificate) if certificate else None,
        Path(key) if key else None,
        BearerToken(token) if token else None,
    )


def _known_to_system() -> bytes | None:
    """Return the CAs that this system trusts; None for those that gRPC brings along."""
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(ssl.DER_cert_to_PEM_cert(one) for one in found).encode() or None


def _read_token(path: Path) -> str:
    try:
        text = read_secret(path).decode("ascii").strip()
    except UnicodeDecodeError:
        raise CertificateError(path, "holds no token", "A token is one word of ASCII.") from None
    return _checked(text, str(path))


def _checked(text: str, where: str) -> str:
    if _TOKEN.fullmatch(text) is None:
        raise ValueError(f"{where}: a bearer token is one word of ASCII, and this is none")
    return text
