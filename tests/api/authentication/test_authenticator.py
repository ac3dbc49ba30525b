"""Of what a call presents one thing counts: bearer, certificate, socket, and a name last of all.

Method: every combination of what a call can present, on a server that listens on a network and on
one that does not.
"""

import pytest
from cryptography.x509 import DNSName

from ledger.api.authentication.authenticator import Authenticator, build_authenticator
from ledger.authority.tokens import make_token
from ledger.errors import LedgerError, Reason
from ledger.setting_sections import AuthenticationSettings
from tests.api.authentication.conftest import Build
from tests.support.clocks import ManualClock
from tests.support.identities import ADDRESS, bearing, call, certificate, token

ISSUED = make_token(bytes(range(40)))
PROXY = certificate(DNSName("proxy.example"))
SOCKET = "unix:"


def _reason(authenticator: Authenticator, *values: str, **facts: str | bytes) -> Reason:
    with pytest.raises(LedgerError) as caught:
        authenticator.authenticate(call(*values, **facts))  # type: ignore[arg-type]
    return caught.value.reason


def test_a_token_of_a_ledger_is_its_id_and_the_digest_of_its_secret(
    authenticator: Authenticator,
) -> None:
    found = authenticator.authenticate(bearing(ISSUED.text))
    assert (found.method, found.issuer, found.subject) == ("token", "", ISSUED.id)
    assert (found.fingerprint, found.address) == (ISSUED.digest, ADDRESS)


@pytest.mark.parametrize("peer", [f"ipv4:{ADDRESS}:40123", SOCKET])
def test_a_bearer_wins_over_the_certificate_of_a_proxy_and_the_socket(
    authenticator: Authenticator, peer: str
) -> None:
    for text, method in ((ISSUED.text, "token"), (token(), "jwt")):
        facts = bearing(text, certificate=PROXY, peer=peer, actor="users/admin")
        assert authenticator.authenticate(facts).method == method


def test_a_refused_bearer_is_not_made_up_for_by_certificate_socket_or_name(build: Build) -> None:
    local = build(is_loopback=True)
    for value, reason in (
        (f"Bearer {token(key='two')}", Reason.TOKEN_KEY_UNKNOWN),
        ("Bearer dlt_0001020304050607_short", Reason.CREDENTIAL_INVALID),
        ("", Reason.CREDENTIAL_INVALID),
    ):
        assert _reason(local, value, certificate=PROXY, peer=SOCKET, actor="users/ana") is reason


def test_a_certificate_counts_where_no_bearer_comes(authenticator: Authenticator) -> None:
    found = authenticator.authenticate(call(certificate=PROXY, actor="users/admin"))
    assert (found.method, found.subject) == ("certificate", "dns:proxy.example")


def test_the_socket_counts_where_nothing_else_comes(authenticator: Authenticator) -> None:
    found = authenticator.authenticate(call(peer=SOCKET, actor="users/admin"))
    assert (found.method, found.subject, found.address) == ("socket", "", "unix")
    assert found.expires_at is None


def test_a_name_alone_is_no_credential_on_a_network(authenticator: Authenticator) -> None:
    assert _reason(authenticator, actor="users/ana") is Reason.UNAUTHENTICATED
    assert _reason(authenticator) is Reason.UNAUTHENTICATED


def test_a_name_is_believed_on_loopback(build: Build) -> None:
    local = build(is_loopback=True)
    found = local.authenticate(call(peer="ipv4:127.0.0.1:5", actor="users/ana"))
    assert (found.method, found.subject, found.fingerprint) == ("development", "users/ana", "")
    assert local.authenticate(call(peer="ipv4:127.0.0.1:5")).subject == "users/anonymous"
    for malformed in ("ana", "system/evaluator", "users/Ana", "users/", "users/ana\n"):
        assert _reason(local, actor=malformed) is Reason.FIELD_INVALID


def test_two_names_are_refused_although_the_first_would_do(build: Build) -> None:
    facts = call(actor="users/ana")
    facts = type(facts)(facts.peer, [*facts.metadata, ("ledger-actor", "users/admin")], {})
    with pytest.raises(LedgerError) as caught:
        build(is_loopback=True).authenticate(facts)
    assert caught.value.reason is Reason.FIELD_INVALID
    assert "2 actors" in caught.value.message


@pytest.mark.parametrize(
    ("is_loopback", "development", "believes"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_names_count_under_authority_only_on_loopback_and_where_that_is_set(
    clock: ManualClock, *, is_loopback: bool, development: bool, believes: bool
) -> None:
    settings = AuthenticationSettings(development=development)
    found = build_authenticator(settings, clock, is_loopback=is_loopback, on_keys=lambda: None)
    assert found.believes_names is believes


def test_without_a_provider_every_jwt_is_of_a_wrong_issuer(clock: ManualClock) -> None:
    found = build_authenticator(
        AuthenticationSettings(), clock, is_loopback=True, on_keys=lambda: None
    )
    assert _reason(found, f"Bearer {token()}") is Reason.TOKEN_ISSUER_WRONG
