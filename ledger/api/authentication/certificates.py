"""Client certificates: which name one proves, and from when until when.

gRPC has verified the chain before a call arrives here; this reads the name in it. The rules:

* The common name is never looked at: nothing says who checked it.
* A `spiffe://` URI is the name, and the certificate has no other URI (X.509-SVID, section 4).
* Without one, its name is its only DNS name; without any of those, its only e-mail address.
* Several of the kind that counts are refused: no rule could say which of them calls.
* A DNS name is in lower case and without wildcard, so that one name has one spelling.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ledger.api.authentication import refusals
from ledger.api.authentication.call_facts import CallFacts
from ledger.api.authentication.credential import Credential, address_of
from ledger.limits import CERTIFICATES_REMEMBERED, SUBJECT_CHARS_MAX

_CERTIFICATE: Final = "x509_pem_cert"
_SPIFFE: Final = re.compile(
    r"spiffe://[a-z0-9._-]{1,255}(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+)+", re.ASCII
)
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DNS: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_EMAIL: Final = re.compile(
    rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*", re.ASCII
)
_ISSUE_AGAIN: Final = "Have its issuer make one with one such name."


@dataclass(frozen=True, slots=True)
class _Certificate:
    """The reading of a certificate, or why it is refused; times in microseconds."""

    subject: str
    fingerprint: str
    begins_at: int
    expires_at: int
    fault: str = ""


def certificate_of(facts: CallFacts, now_micros: int) -> Credential | None:
    """Return the credential that a call's certificate is; None where the call has none.

    CREDENTIAL_INVALID where it proves no name; CREDENTIAL_EXPIRED once its time is over, which TLS
    itself looks at only when a connection begins.
    """
    pem = _pem_of(facts)
    if pem is None:
        return None
    found = _read(pem)
    if found.fault:
        raise refusals.invalid(found.fault, _ISSUE_AGAIN)
    if now_micros < found.begins_at:
        raise refusals.not_yet_valid("client certificate")
    if now_micros >= found.expires_at:
        raise refusals.expired("client certificate")
    return Credential(
        "certificate",
        "",
        found.subject,
        found.fingerprint,
        address_of(facts.peer),
        found.expires_at,
    )


def fingerprint_of(facts: CallFacts) -> str | None:
    """Return the SHA-256 of a call's certificate, in hexadecimal; None where it has none."""
    pem = _pem_of(facts)
    return None if pem is None else _read(pem).fingerprint


def _pem_of(facts: CallFacts) -> bytes | None:
    return next(iter(facts.tls.get(_CERTIFICATE, ())), None)


@lru_cache(maxsize=CERTIFICATES_REMEMBERED)
def _read(pem: bytes) -> _Certificate:
    """Read a certificate, once for all calls of its connections."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = _names_of(certificate)
        begins = _micros(certificate.not_valid_before_utc)
        expires = _micros(certificate.not_valid_after_utc) + 1_000_000  # its last second counts
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return _Certificate("", "", 0, 0, "the client certificate cannot be read")
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
    try:
        return _Certificate(subject_of(names), fingerprint, begins, expires)
    except ValueError as error:
        return _Certificate("", fingerprint, begins, expires, str(error))


@dataclass(frozen=True, slots=True)
class AlternativeNames:
    """The names of a certificate that can be a caller's, by kind."""

    uris: Sequence[str] = ()
    dns: Sequence[str] = ()
    emails: Sequence[str] = ()


def subject_of(names: AlternativeNames) -> str:
    """Return the one name that counts: `spiffe://…`, `dns:…` or `email:…`; ValueError for none."""
    if any(uri.lower().startswith("spiffe:") for uri in names.uris):
        return _only("", "URIs, one of them a SPIFFE id", names.uris, _SPIFFE)
    if names.dns:
        return _only("dns:", "DNS names", [name.lower() for name in names.dns], _DNS)
    if names.emails:
        return _only("email:", "e-mail addresses", [_email(one) for one in names.emails], _EMAIL)
    raise ValueError(
        "the client certificate has no SPIFFE id, DNS name or e-mail address among its alternative "
        "names, and its common name does not count"
    )


def _only(kind: str, what: str, names: Sequence[str], form: re.Pattern[str]) -> str:
    if len(names) > 1:
        raise ValueError(f"the client certificate has {len(names)} {what}; it must have one")
    [name] = names
    if len(kind) + len(name) > SUBJECT_CHARS_MAX or form.fullmatch(name) is None:
        raise ValueError("the name in the client certificate is malformed, or longer than 255")
    return kind + name


def _email(address: str) -> str:
    """Return an address with its domain in lower case; its host may tell apart what is before."""
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{domain.lower()}"


def _names_of(certificate: x509.Certificate) -> AlternativeNames:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return AlternativeNames()
    return AlternativeNames(
        found.get_values_for_type(x509.UniformResourceIdentifier),
        found.get_values_for_type(x509.DNSName),
        found.get_values_for_type(x509.RFC822Name),
    )


def _micros(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000
