"""What `doctor` says of connections: how a server is reached, until when certificates hold."""

import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ledger.certificate_files import (
    CertificateError,
    KeyedCertificate,
    read_certificates,
    read_identity,
    shown_time,
)
from ledger.client.handshake import certificate_shown
from ledger.client.target import SECURE, Target, is_this_machine
from ledger.clock import Clock
from ledger.connection_settings import TlsSettings
from ledger.database_url import shown
from ledger.operations.examination import Check
from ledger.private import FILE_MODE

if TYPE_CHECKING:
    from ledger.client import LedgerClient
    from ledger.setting_sections import Settings

_RENEW_DAYS: Final = 14
_RENEW: Final = "Have it renewed: a running server takes new files without a restart."


def checks(
    settings: "Settings", client: "LedgerClient", database: str, clock: Clock
) -> Iterator[Check]:
    """Say how this machine's server is set, what a server shows, and what this client shows."""
    own = None
    tls = settings.server.tls
    yield _transport(client.place, tls)
    if tls.certificate:
        try:
            own = read_identity(Path(tls.certificate), Path(tls.key))
            authorities = _authorities(tls)
        except CertificateError as error:
            yield _broken("certificate", error)
        else:
            yield _held("certificate", "the server's certificate", own.leaf, clock)
            yield from (_held("client CA", "a CA of callers", one, clock) for one in authorities)
    yield from _shown(own, client, clock)
    if client.security.identity is not None:
        leaf = client.security.identity.leaf
        yield _held("own certificate", "the certificate that this client shows", leaf, clock)
    if settings.server.socket:
        yield _socket(Path(settings.server.socket))
    if database.startswith("postgres"):
        yield _database(database)


def _transport(place: Target, tls: TlsSettings) -> Check:
    """Say what protects the way to the server, and what its settings ask of callers."""
    where = place.address
    if not place.is_secure and not place.is_local:
        found = f"there is no TLS on the way to {where}: others can read and change what is sent"
        return Check("transport", "warn", found, f"Write {SECURE}{where}, or call a socket.")
    found = f"TLS 1.3 at {where}" if place.is_secure else f"no TLS: {where} is on this machine"
    if tls.bearer_address:
        found += f"; callers need a certificate, and none at {tls.bearer_address}"
    elif tls.client_ca:
        found += "; callers need a certificate"
    elif tls.certificate:
        found += "; callers are asked for no certificate"
    return Check("transport", "ok", found)


def _authorities(tls: TlsSettings) -> list[x509.Certificate]:
    return read_certificates(Path(tls.client_ca))[1] if tls.client_ca else []


def _broken(name: str, error: CertificateError) -> Check:
    found = f"{error.path} {error.why}; a running server keeps the one that it has"
    return Check(name, "fail", found, error.remedy)


def _held(name: str, what: str, certificate: x509.Certificate, clock: Clock) -> Check:
    """Say until when a certificate holds; warn in its last two weeks."""
    now = datetime.fromtimestamp(clock.now_micros() / 1_000_000, UTC)
    end = certificate.not_valid_after_utc
    if now > end:
        return Check(name, "fail", f"{what} has expired, on {shown_time(end)}", _RENEW)
    if now < certificate.not_valid_before_utc:
        begin = shown_time(certificate.not_valid_before_utc)
        return Check(name, "fail", f"{what} is valid from {begin} on only", "Check the clock.")
    found = f"{what} holds until {shown_time(end)}"
    if end - now < timedelta(days=_RENEW_DAYS):
        return Check(name, "warn", found, _RENEW)
    return Check(name, "ok", found)


def _shown(own: KeyedCertificate | None, client: "LedgerClient", clock: Clock) -> Iterator[Check]:
    """Compare the certificate that a server shows with the one in this machine's files."""
    place = client.place
    if not place.is_secure or not place.host:
        return
    found = certificate_shown(place)
    if found is None:
        return  # the check of the server says that it does not answer
    digest = hashes.SHA256()
    if own is not None and found.fingerprint(digest) != own.leaf.fingerprint(digest):
        yield Check(
            "served certificate",
            "warn",
            f"{place.address} shows another certificate than the one in the files, until "
            f"{shown_time(found.not_valid_after_utc)}",
            "If this is the server of these settings, its log says why it keeps that one.",
        )
        return
    yield _held("served certificate", f"the certificate that {place.address} shows", found, clock)


def _socket(path: Path) -> Check:
    try:
        found = path.lstat()
    except OSError as error:
        return Check("socket", "warn", f"{path}: {error.strerror}", "The server makes it.")
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISSOCK(found.st_mode) or mode != FILE_MODE:
        remedy = "Stop the server, remove it, and start the server again."
        return Check(
            "socket", "fail", f"{path} is no socket for its owner only ({mode:04o})", remedy
        )
    return Check("socket", "ok", f"{path}: only its owner may connect")


def _database(url: str) -> Check:
    """Warn where a password, and all that is recorded, goes to PostgreSQL unprotected."""
    from sqlalchemy import make_url

    stated = make_url(url)
    hosts = [str(host) for host in (stated.query.get("host"), stated.host) if host]
    name, where = "way to PostgreSQL", shown(url)
    if all(host.startswith("/") or is_this_machine(host) for host in hosts):
        return Check(name, "ok", f"{where} is on this machine")
    mode = stated.query.get("sslmode", "prefer")
    if mode == "verify-full":
        return Check(name, "ok", f"TLS to {where}, whose certificate and name are verified")
    return Check(
        name,
        "warn",
        f"sslmode={mode} takes any server that answers for {where} as the right one",
        "Add sslmode=verify-full&sslrootcert=FILE to the URL, with the CA of its certificate.",
    )
