"""The server's certificate, and the CAs of its callers: read again when their files change.

gRPC asks before each handshake. Files that have changed are read then, so that a new certificate
needs no restart and no signal. Where the new ones cannot be used, the old ones stay in use, and the
log says why: certificate and key are replaced one after the other, so a moment of that is common.
"""

import threading
from pathlib import Path

import grpc
import structlog

from ledger.api.grpc_environment import IS_TLS_13_ALONE
from ledger.certificate_files import (
    CertificateError,
    read_certificates,
    read_identity,
    refuse_outdated,
    shown_time,
)
from ledger.clock import Clock
from ledger.connection_settings import TlsSettings
from ledger.errors import LedgerError, invalid_field
from ledger.reading import Stamp, stamp_of

_log = structlog.get_logger(__name__)


class Certificates:
    """A server's certificate and its callers' CAs; FIELD_INVALID where a file cannot be used."""

    def __init__(self, settings: TlsSettings, clock: Clock) -> None:
        if not settings.key:
            raise _refused("key", "is not set, though a certificate is", "State its key.")
        if not IS_TLS_13_ALONE:
            raise _refused(
                "certificate",
                "needs `ledger.api` to be imported before `grpc`, or TLS 1.2 would be taken",
                "Import it first.",
            )
        self._certificate, self._key = Path(settings.certificate), Path(settings.key)
        self._client_ca = Path(settings.client_ca) if settings.client_ca else None
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = self._stamps()
        try:
            self._current = self._read()
        except CertificateError as error:
            field = self._settings_of(error.path)
            raise _refused(field, f"{error.path} {error.why}", error.remedy) from error

    def credentials(self, *, is_caller_asked: bool) -> grpc.ServerCredentials:
        """Return what gRPC serves by; a caller that is asked must show a certificate."""
        served = self._current

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal served
            found = self._newest()
            if found is served:
                return None
            served = found
            return found

        return grpc.dynamic_ssl_server_credentials(
            served,
            fetch,  # type: ignore[arg-type]  # None for no change, as gRPC says
            is_caller_asked,
        )

    def _newest(self) -> grpc.ServerCertificateConfiguration:
        """Return what is in the files, or was when they could be used last; on any thread."""
        with self._lock:
            found = self._stamps()
            if found != self._seen:
                self._seen = found
                try:
                    self._current = self._read()
                except CertificateError as error:
                    _log.error("tls.kept", why=f"{error.path} {error.why}", todo=error.remedy)
            return self._current

    def _read(self) -> grpc.ServerCertificateConfiguration:
        identity = read_identity(self._certificate, self._key)
        refuse_outdated(self._certificate, identity.leaf, self._clock.now_micros())
        authorities = read_certificates(self._client_ca)[0] if self._client_ca else None
        _log.info("tls.certificate", expires=shown_time(identity.leaf.not_valid_after_utc))
        return grpc.ssl_server_certificate_configuration(
            [(identity.key, identity.chain)], authorities
        )

    def _stamps(self) -> list[Stamp | None]:
        files = (self._certificate, self._key, self._client_ca)
        return [stamp_of(file) for file in files if file is not None]

    def _settings_of(self, path: Path) -> str:
        return {self._key: "key", self._client_ca: "client_ca"}.get(path, "certificate")


def _refused(name: str, why: str, remedy: str) -> LedgerError:
    return invalid_field(f"server.tls.{name}", why, remedy=remedy)
