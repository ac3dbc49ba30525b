"""A provider's token is refused for a claim, a form or a theft that a key alone does not show.

Method: as for its keys; each forgery is signed by the provider's own key.
"""

import json
from typing import Any

import joserfc.jwe
import joserfc.jwk
import pytest

from ledger.api.authentication.authenticator import Authenticator
from ledger.api.authentication.certificates import fingerprint_of
from ledger.errors import Reason
from tests.api.authentication.conftest import reason_of, refused
from tests.support.clocks import ManualClock
from tests.support.identities import (
    AUDIENCE,
    ISSUER,
    NOW,
    bearing,
    call,
    certificate,
    claims,
    key_pair,
    names,
    public_jwk,
    segment,
    signed,
    token,
)

SECOND = 1_000_000
SKEW = 30


# ---- claims --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://id.example.com/realms/Fleet"}, Reason.TOKEN_ISSUER_WRONG),
        ({"iss": f"{ISSUER}/"}, Reason.TOKEN_ISSUER_WRONG),
        ({"iss": None}, Reason.TOKEN_ISSUER_WRONG),
        ({"iss": [ISSUER]}, Reason.TOKEN_ISSUER_WRONG),
        ({"aud": "another-service"}, Reason.TOKEN_AUDIENCE_WRONG),
        ({"aud": f"{AUDIENCE}-2"}, Reason.TOKEN_AUDIENCE_WRONG),
        ({"aud": []}, Reason.TOKEN_AUDIENCE_WRONG),
        ({"aud": [5, AUDIENCE]}, Reason.TOKEN_AUDIENCE_WRONG),
        ({"aud": {"a": AUDIENCE}}, Reason.TOKEN_AUDIENCE_WRONG),
        ({"aud": None}, Reason.TOKEN_AUDIENCE_WRONG),
        ({"exp": None}, Reason.CREDENTIAL_INVALID),
        ({"exp": str(NOW + 600)}, Reason.CREDENTIAL_INVALID),
        ({"exp": True}, Reason.CREDENTIAL_INVALID),
        ({"exp": 10**40}, Reason.CREDENTIAL_INVALID),
        ({"exp": float("inf")}, Reason.CREDENTIAL_INVALID),
        ({"exp": float("nan")}, Reason.CREDENTIAL_INVALID),
        ({"nbf": "soon"}, Reason.CREDENTIAL_INVALID),
        ({"iat": []}, Reason.CREDENTIAL_INVALID),
        ({"sub": None}, Reason.CREDENTIAL_INVALID),
        ({"sub": ""}, Reason.CREDENTIAL_INVALID),
        ({"sub": 5}, Reason.CREDENTIAL_INVALID),
        ({"sub": "a" * 256}, Reason.CREDENTIAL_INVALID),
        ({"sub": " ana"}, Reason.CREDENTIAL_INVALID),
        ({"sub": "ana\n"}, Reason.CREDENTIAL_INVALID),
        ({"sub": "an\u0430"}, Reason.CREDENTIAL_INVALID),
        ({"exp": NOW - SKEW}, Reason.CREDENTIAL_EXPIRED),
        ({"exp": NOW - 10**9}, Reason.CREDENTIAL_EXPIRED),
        ({"nbf": NOW + SKEW + 1}, Reason.CREDENTIAL_EXPIRED),
        ({"iat": NOW + SKEW + 1}, Reason.CREDENTIAL_EXPIRED),
        ({"cnf": {"jkt": "AAAA"}}, Reason.CREDENTIAL_INVALID),
        ({"cnf": None, "sub": "ana", "jti": 5}, Reason.CREDENTIAL_INVALID),
    ],
)
def test_a_claim_that_is_wrong_has_its_reason(
    authenticator: Authenticator, changes: dict[str, Any], reason: Reason
) -> None:
    assert reason_of(authenticator, token(claims(**changes))) is reason


@pytest.mark.parametrize(
    "changes", [{"exp": NOW - SKEW + 1}, {"nbf": NOW + SKEW}, {"iat": NOW + SKEW}, {"iat": None}]
)
def test_a_time_within_the_skew_is_taken(
    authenticator: Authenticator, changes: dict[str, Any]
) -> None:
    assert authenticator.authenticate(bearing(token(claims(**changes)))).subject == "ana"


def test_a_token_that_had_passed_expires_by_our_clock(
    authenticator: Authenticator, clock: ManualClock
) -> None:
    text = token()
    authenticator.authenticate(bearing(text))
    clock.advance((600 + SKEW) * SECOND - 1)
    authenticator.authenticate(bearing(text))
    clock.advance(1)
    assert reason_of(authenticator, text) is Reason.CREDENTIAL_EXPIRED
    assert reason_of(authenticator, text) is Reason.CREDENTIAL_EXPIRED


@pytest.mark.parametrize("name", ["sub", "iss", "aud", "exp"])
def test_a_claim_that_occurs_twice_is_refused(authenticator: Authenticator, name: str) -> None:
    pairs = [*claims().items(), (name, claims()[name])]
    text = token(names(*pairs))
    assert reason_of(authenticator, text) is Reason.CREDENTIAL_INVALID


def test_a_header_that_occurs_twice_is_refused(authenticator: Authenticator) -> None:
    head = names(("alg", "none"), ("alg", "RS256"), ("kid", "one"))
    text = signed(head, json.dumps(claims()).encode(), kind="RS256", private=key_pair("one"))
    assert reason_of(authenticator, text) is Reason.CREDENTIAL_INVALID


# ---- form ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": ["b64"], "b64": True},
        {"b64": False},
        {"typ": "logout+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": 5},
    ],
)
def test_an_extension_or_another_type_is_refused(
    authenticator: Authenticator, header: dict[str, Any]
) -> None:
    assert reason_of(authenticator, token(**header)) is Reason.CREDENTIAL_INVALID


def test_an_encrypted_token_is_refused(authenticator: Authenticator) -> None:
    public = joserfc.jwk.RSAKey.import_key(public_jwk("one", use="enc", key_ops=["encrypt"]))
    text = joserfc.jwe.encrypt_compact({"alg": "RSA-OAEP", "enc": "A128GCM"}, b"{}", public)
    refusal = refused(authenticator, text)
    assert refusal.reason is Reason.CREDENTIAL_INVALID
    assert "encrypted" in refusal.message


def test_what_is_no_jwt_is_refused(authenticator: Authenticator) -> None:
    head, body, signature = token().split(".")
    for text in (
        "abc",
        "a.b",
        "..",
        "a.b.c.d",
        f"{head}.{body}.",
        f".{body}.{signature}",
        f"{head}..{signature}",
        f"{head}={'='}.{body}.{signature}",
        f"{head}.{body}.{signature}.",
        f"{segment(b'[]')}.{body}.{signature}",
        f"{segment(b'[' * 4_000)}.{body}.{signature}",
        f"{head}.{segment(b'5')}.{signature}",
        f"{head}.{segment(b'{')}.{signature}",
        f"{head}.{segment(bytes([255]))}.{signature}",
        f"{head}.{body}.{signature[:-1]}",
        f"{head}.{body}.{signature[:-2]}~~",
    ):
        assert reason_of(authenticator, text) is Reason.CREDENTIAL_INVALID, text[:40]


def test_no_changed_character_of_a_token_is_let_through(authenticator: Authenticator) -> None:
    text = token(kind="RS256")
    for at in range(0, len(text), 7):
        changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        refusal = refused(authenticator, changed)
        assert refusal.reason.status == "UNAUTHENTICATED"


def test_a_hundred_kibibytes_are_refused_by_size(authenticator: Authenticator) -> None:
    assert reason_of(authenticator, "a" * 100 * 1024) is Reason.TOKEN_TOO_LARGE
    groups = claims(groups=["g" * 60] * 200)
    assert reason_of(authenticator, token(groups)) is Reason.TOKEN_TOO_LARGE


# ---- stolen tokens -------------------------------------------------------------------------------


def test_a_token_that_is_bound_to_a_certificate_comes_with_that_one(
    authenticator: Authenticator,
) -> None:
    mine, other = certificate(), certificate(common_name="thief")
    thumbprint = segment(bytes.fromhex(_fingerprint(mine)))
    text = token(claims(cnf={"x5t#S256": thumbprint}))
    assert authenticator.authenticate(bearing(text, certificate=mine)).subject == "ana"
    for thief in (None, other):
        assert refused(authenticator, text, thief).reason is Reason.CREDENTIAL_INVALID
    more = token(claims(cnf={"x5t#S256": thumbprint, "jkt": thumbprint}))
    assert refused(authenticator, more, mine).reason is Reason.CREDENTIAL_INVALID


def test_the_address_is_that_of_the_call_and_not_of_the_first_use(
    authenticator: Authenticator,
) -> None:
    text = token()
    authenticator.authenticate(bearing(text))
    assert authenticator.authenticate(bearing(text, peer="ipv6:[::1]:5")).address == "::1"


def _fingerprint(pem: bytes) -> str:
    found = fingerprint_of(call(certificate=pem))
    assert found is not None
    return found
