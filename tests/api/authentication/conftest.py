"""An authenticator of one provider whose keys are in a file, and a clock that tests move."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import DNSName

from ledger.api.authentication import provider_keys
from ledger.api.authentication.authenticator import Authenticator, build_authenticator
from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.setting_sections import AuthenticationSettings, ProviderSettings
from tests.support.clocks import ManualClock
from tests.support.identities import (
    AUDIENCE,
    ISSUER,
    NOW,
    bearing,
    certificate,
    certificate_key,
    key_set,
    public_jwk,
)
from tests.support.served import TIMEOUT

Build = Callable[..., Authenticator]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a fetch of keys take longer than any busy machine needs."""
    monkeypatch.setattr(provider_keys, "KEYS_FETCH_SECONDS", TIMEOUT)


@pytest.fixture
def clock() -> ManualClock:
    """The clock, at the time that tokens are made for."""
    return ManualClock(NOW * 1_000_000)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The file of the provider's keys, of which it has one."""
    path = tmp_path / "jwks.json"
    path.write_bytes(key_set(public_jwk("one")))
    return path


@pytest.fixture
def build(clock: ManualClock, keys: Path) -> Build:
    """Builds an authenticator whose provider is changed by keywords."""

    def built(
        *,
        is_loopback: bool = False,
        on_keys: Callable[[], None] = lambda: None,
        settings: dict[str, Any] | None = None,
        **provider: Any,  # noqa: ANN401 - of several types
    ) -> Authenticator:
        stated = {"issuer": ISSUER, "audience": AUDIENCE, "keys": str(keys), **provider}
        found = AuthenticationSettings(
            **{"providers": (ProviderSettings(**stated),), **(settings or {})}
        )
        return build_authenticator(found, clock, is_loopback=is_loopback, on_keys=on_keys)

    return built


@pytest.fixture
def loopback_tls(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """What a server of `localhost` needs for TLS, and the file that its clients verify it with."""
    path = tmp_path / "localhost.pem"
    begins = SystemClock().now_micros() // 1_000_000 - 3_600
    pem = certificate(DNSName("localhost"), begins=begins, hours=48)
    path.write_bytes(pem + certificate_key())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    path.write_bytes(pem)
    return context, path


@pytest.fixture
def authenticator(build: Build) -> Authenticator:
    """The authenticator of a server that listens on a network."""
    return build()


def refused(
    authenticator: Authenticator, text: str, certificate: bytes | None = None
) -> LedgerError:
    """Return the refusal of a bearer token, which repeats no part of it."""
    with pytest.raises(LedgerError) as caught:
        authenticator.authenticate(bearing(text, certificate=certificate))
    told = f"{caught.value} {caught.value.metadata}"
    for part in text.split("."):
        assert len(part) < 8 or part not in told
    return caught.value


def reason_of(authenticator: Authenticator, text: str) -> Reason:
    """Return the reason for which a bearer token is refused."""
    return refused(authenticator, text).reason
