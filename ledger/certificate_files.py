"""Certificates and private keys in PEM files: read whole, checked, and what is wrong said by file.

For server, client and `doctor` alike. No message repeats anything of a key.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from ledger import secrecy
from ledger.reading import NOTE_BYTES_MAX, read_plain

_FORM: Final = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo


class CertificateError(ValueError):
    """A file that cannot be used: `path`, `why` in words after "it", and `remedy`."""

    def __init__(self, path: Path, why: str, remedy: str) -> None:
        super().__init__(path, why, remedy)
        self.path = path
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        """Return what is wrong and what to do, in one line."""
        return f"{self.path} {self.why}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class KeyedCertificate:
    """A certificate with the key that it belongs to, as gRPC takes them."""

    chain: bytes
    """The certificate and those between it and its CA, in PEM."""
    key: bytes = field(repr=False)
    leaf: x509.Certificate


def read_identity(certificate: Path, key: Path) -> KeyedCertificate:
    """Return a certificate and its key; CertificateError where they cannot be used together."""
    chain, found = read_certificates(certificate)
    secret = read_secret(key)
    try:
        private = serialization.load_pem_private_key(secret, password=None)
    except TypeError:
        raise CertificateError(
            key, "is encrypted", "Decrypt it, and keep it for its owner only: `chmod 600`."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError(
            key, "holds no private key in PEM", "Name the file that was made with the certificate."
        ) from None
    leaf = found[0]
    if private.public_key().public_bytes(*_FORM) != leaf.public_key().public_bytes(*_FORM):
        raise CertificateError(
            key,
            f"is not the key of the first certificate in {certificate}",
            "Name the two that "
            "were made together; the server's own certificate comes first in its file.",
        )
    return KeyedCertificate(chain, secret, leaf)


def read_certificates(path: Path) -> tuple[bytes, list[x509.Certificate]]:
    """Return the certificates in a file, also as they are there; there is one at least."""
    data = _read(path)
    try:
        return data, x509.load_pem_x509_certificates(data)
    except ValueError:
        raise CertificateError(
            path, "holds no certificate in PEM", "Name a file that begins with BEGIN CERTIFICATE."
        ) from None


def read_secret(path: Path) -> bytes:
    """Return what is in a file that its owner alone may read; CertificateError for any other."""
    try:
        return secrecy.read_secret(path, NOTE_BYTES_MAX)
    except secrecy.ExposedError as error:
        raise CertificateError(path, f"cannot be used: {error.why}", error.remedy) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def refuse_outdated(path: Path, certificate: x509.Certificate, now_micros: int) -> None:
    """Raise CertificateError for a certificate that does not hold yet, or any more."""
    now = datetime.fromtimestamp(now_micros / 1_000_000, UTC)
    if now > certificate.not_valid_after_utc:
        end = shown_time(certificate.not_valid_after_utc)
        raise CertificateError(path, f"has expired, on {end}", "Put a new certificate there.")
    if now < certificate.not_valid_before_utc:
        begin = shown_time(certificate.not_valid_before_utc)
        raise CertificateError(
            path, f"is valid from {begin} on only", "Check this machine's clock, or wait."
        )


def shown_time(moment: datetime) -> str:
    """Return a time as people read it: 2026-03-05 12:00 UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def names_of(certificate: x509.Certificate) -> list[str]:
    """Return the names that a certificate is for, as a person writes them."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):  # none, or one that cannot be read
        return []
    return [str(name.value) for name in found if not isinstance(name, x509.OtherName)]


def _read(path: Path) -> bytes:
    try:
        return read_plain(path, NOTE_BYTES_MAX)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> CertificateError:
    why = f"cannot be read: {error.strerror or error}"
    return CertificateError(path, why, "Check the path and its rights.")
