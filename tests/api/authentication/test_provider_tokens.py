"""A provider's token counts where every rule holds, and is refused by the first that does not.

Method: one good token, and forgeries of it that each break one rule; the reason is exact, and no
refusal repeats a part of what was presented.
"""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import joserfc.jwe
import joserfc.jwk
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from ledger.api.authentication.authenticator import Authenticator
from ledger.api.authentication.certificates import fingerprint_of
from ledger.api.authentication.credential import Credential
from ledger.errors import LedgerError, Reason
from ledger.settings import SettingsError
from tests.api.authentication.conftest import Build
from tests.support.clocks import ManualClock
from tests.support.identities import (
    ADDRESS,
    AUDIENCE,
    ISSUER,
    NOW,
    bearing,
    call,
    certificate,
    claims,
    key_pair,
    key_set,
    names,
    public_jwk,
    segment,
    signed,
    token,
)

SECOND = 1_000_000
SKEW = 30


def _refused(
    authenticator: Authenticator, text: str, certificate: bytes | None = None
) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        authenticator.authenticate(bearing(text, certificate=certificate))
    told = f"{caught.value} {caught.value.metadata}"
    for part in text.split("."):
        assert len(part) < 8 or part not in told
    return caught.value


def _reason(authenticator: Authenticator, text: str) -> Reason:
    return _refused(authenticator, text).reason


# ---- what counts ---------------------------------------------------------------------------------


def test_a_good_token_is_its_subject_until_it_expires(authenticator: Authenticator) -> None:
    text = token()
    assert authenticator.authenticate(bearing(text)) == Credential(
        "jwt",
        ISSUER,
        "ana",
        hashlib.sha256(text.encode()).hexdigest(),
        ADDRESS,
        (NOW + 600 + SKEW) * SECOND,
    )


@pytest.mark.parametrize(
    "kind",
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"],
)
def test_every_algorithm_that_can_be_set_verifies(build: Build, keys: Path, kind: str) -> None:
    keys.write_bytes(key_set(public_jwk("one", kind)))
    found = build(algorithms=(kind,)).authenticate(bearing(token(kind=kind)))
    assert found.subject == "ana"


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "at+jwt", "application/at+JWT"])
def test_a_token_may_say_that_it_is_a_jwt(authenticator: Authenticator, typ: str | None) -> None:
    assert authenticator.authenticate(bearing(token(typ=typ))).subject == "ana"


def test_one_audience_of_several_is_enough(authenticator: Authenticator) -> None:
    text = token(claims(aud=["other", AUDIENCE]))
    assert authenticator.authenticate(bearing(text)).subject == "ana"


def test_a_token_without_key_id_is_checked_where_one_key_alone_fits(
    build: Build, keys: Path
) -> None:
    assert build().authenticate(bearing(token(kid=None))).subject == "ana"
    keys.write_bytes(key_set(public_jwk("one"), public_jwk("two")))
    assert _reason(build(), token(kid=None)) is Reason.TOKEN_KEY_UNKNOWN


def test_each_of_several_providers_vouches_for_its_own_subjects_only(
    build: Build, keys: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.json"
    other.write_bytes(key_set(public_jwk("two")))
    elsewhere = "https://elsewhere.example.com"
    providers = (
        {"issuer": ISSUER, "audience": AUDIENCE, "keys": str(keys)},
        {"issuer": elsewhere, "audience": "ledger", "keys": str(other)},
    )
    both = build(settings={"providers": providers})
    theirs = claims(iss=elsewhere, aud="ledger")
    assert both.authenticate(bearing(token(theirs, key="two"))).issuer == elsewhere
    assert both.authenticate(bearing(token())).issuer == ISSUER
    assert _reason(both, token(theirs)) is Reason.TOKEN_KEY_UNKNOWN
    assert _reason(both, token(theirs, kid="two")) is Reason.CREDENTIAL_INVALID
    assert _reason(both, token(claims(iss=elsewhere), key="two")) is Reason.TOKEN_AUDIENCE_WRONG


# ---- algorithms ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE"])
def test_an_unsigned_token_is_refused_by_its_algorithm(
    authenticator: Authenticator, name: str
) -> None:
    head = json.dumps({"alg": name, "kid": "one"}).encode()
    text = f"{segment(head)}.{segment(json.dumps(claims()).encode())}."
    refusal = _refused(authenticator, text)
    assert refusal.reason is Reason.TOKEN_ALGORITHM_REFUSED
    assert refusal.metadata == {"algorithm": "none"}


@pytest.mark.parametrize("kind", ["HS256", "HS384", "HS512"])
def test_the_public_key_is_no_secret_to_sign_with(authenticator: Authenticator, kind: str) -> None:
    public = key_pair("one").public_key()
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(public_jwk("one")).encode(),
    ):
        text = _by_secret(kind, secret)
        refusal = _refused(authenticator, text)
        assert refusal.reason is Reason.TOKEN_ALGORITHM_REFUSED
        assert refusal.metadata == {"algorithm": kind}


def test_an_algorithm_is_refused_before_its_issuer_or_key_is_looked_for(
    authenticator: Authenticator, keys: Path
) -> None:
    keys.unlink()
    text = _by_secret("HS256", b"secret" * 8, claims(iss="https://unknown.example.com"), kid="x")
    assert _reason(authenticator, text) is Reason.TOKEN_ALGORITHM_REFUSED


def test_an_algorithm_that_is_not_set_is_refused_though_the_key_fits(
    authenticator: Authenticator,
) -> None:
    refusal = _refused(authenticator, token(kind="RS512"))
    assert refusal.reason is Reason.TOKEN_ALGORITHM_REFUSED
    assert refusal.metadata == {"algorithm": "RS512"}


@pytest.mark.parametrize("alg", ["ES256K", "RSA-OAEP", "", 5, ["RS256"], None])
def test_what_is_no_algorithm_of_ours_is_refused_without_repeating_it(
    authenticator: Authenticator, alg: object
) -> None:
    refusal = _refused(authenticator, token(alg=alg))
    assert refusal.reason is Reason.TOKEN_ALGORITHM_REFUSED
    assert refusal.metadata["algorithm"] in {"one that this server does not know", "none is named"}


def test_a_key_is_used_for_the_algorithm_that_it_names_only(build: Build, keys: Path) -> None:
    keys.write_bytes(key_set(public_jwk("one", alg="RS512")))
    authenticator = build(algorithms=("RS256", "RS512"))
    assert authenticator.authenticate(bearing(token(kind="RS512"))).subject == "ana"
    assert _reason(authenticator, token()) is Reason.TOKEN_KEY_UNKNOWN


# ---- keys ----------------------------------------------------------------------------------------


def test_a_wrong_key_id_is_refused(authenticator: Authenticator) -> None:
    assert _reason(authenticator, token(kid="two")) is Reason.TOKEN_KEY_UNKNOWN
    assert _reason(authenticator, token(kid="ONE")) is Reason.TOKEN_KEY_UNKNOWN
    assert _reason(authenticator, token(kid="../../one")) is Reason.TOKEN_KEY_UNKNOWN
    assert _reason(authenticator, token(kid=["one"])) is Reason.CREDENTIAL_INVALID


def test_a_signature_by_another_key_is_refused(authenticator: Authenticator) -> None:
    assert _reason(authenticator, token(key="two", kid="one")) is Reason.CREDENTIAL_INVALID


def test_a_key_that_a_token_brings_or_points_to_is_never_looked_at(
    authenticator: Authenticator,
) -> None:
    mine = public_jwk("mine")
    for header in (
        {"jwk": mine},
        {"jku": "http://127.0.0.1:9/keys"},
        {"x5u": "http://127.0.0.1:9/chain"},
        {"x5c": ["AAAA"]},
    ):
        assert _reason(authenticator, token(key="mine", **header)) is Reason.TOKEN_KEY_UNKNOWN
        forged = token(key="mine", kid="one", **header)
        assert _reason(authenticator, forged) is Reason.CREDENTIAL_INVALID
        assert authenticator.authenticate(bearing(token(**header))).subject == "ana"


@pytest.mark.parametrize(
    "key",
    [
        {"use": "enc"},
        {"key_ops": ["encrypt"]},
        {"key_ops": []},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "EC"},
        {"n": "AQAB"},
        {"n": 5},
        {"alg": "HS256"},
    ],
)
def test_a_key_that_is_not_for_checking_signatures_checks_none(
    build: Build, keys: Path, key: dict[str, Any]
) -> None:
    keys.write_bytes(key_set(public_jwk("one", **key), public_jwk("two")))
    assert _reason(build(), token()) is Reason.TOKEN_KEY_UNKNOWN


def test_a_key_that_is_published_with_its_private_part_checks_nothing(
    build: Build, keys: Path
) -> None:
    private = RSAAlgorithm.to_jwk(key_pair("one"), as_dict=True)
    keys.write_bytes(key_set({**private, "kid": "one", "key_ops": ["sign", "verify"]}))
    with pytest.raises(SettingsError, match="none of its keys"):
        build()


def test_a_short_rsa_key_checks_nothing(build: Build, keys: Path) -> None:
    keys.write_bytes(key_set(public_jwk("short"), public_jwk("two")))
    assert _reason(build(), token(key="short")) is Reason.TOKEN_KEY_UNKNOWN


def test_a_withdrawn_key_takes_the_tokens_with_it_that_had_passed(
    authenticator: Authenticator, keys: Path
) -> None:
    text = token()
    assert authenticator.authenticate(bearing(text)).subject == "ana"
    keys.write_bytes(key_set(public_jwk("two")))
    assert _reason(authenticator, text) is Reason.TOKEN_KEY_UNKNOWN
    assert authenticator.authenticate(bearing(token(key="two"))).subject == "ana"


def test_a_changed_key_of_the_same_id_takes_the_tokens_with_it_too(
    authenticator: Authenticator, keys: Path
) -> None:
    text = token()
    assert authenticator.authenticate(bearing(text)).subject == "ana"
    keys.write_bytes(key_set({**public_jwk("two"), "kid": "one"}))
    assert _reason(authenticator, text) is Reason.CREDENTIAL_INVALID


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
    assert _reason(authenticator, token(claims(**changes))) is reason


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
    assert _reason(authenticator, text) is Reason.CREDENTIAL_EXPIRED
    assert _reason(authenticator, text) is Reason.CREDENTIAL_EXPIRED


@pytest.mark.parametrize("name", ["sub", "iss", "aud", "exp"])
def test_a_claim_that_occurs_twice_is_refused(authenticator: Authenticator, name: str) -> None:
    pairs = [*claims().items(), (name, claims()[name])]
    text = token(names(*pairs))
    assert _reason(authenticator, text) is Reason.CREDENTIAL_INVALID


def test_a_header_that_occurs_twice_is_refused(authenticator: Authenticator) -> None:
    head = names(("alg", "none"), ("alg", "RS256"), ("kid", "one"))
    text = signed(head, json.dumps(claims()).encode(), kind="RS256", private=key_pair("one"))
    assert _reason(authenticator, text) is Reason.CREDENTIAL_INVALID


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
    assert _reason(authenticator, token(**header)) is Reason.CREDENTIAL_INVALID


def test_an_encrypted_token_is_refused(authenticator: Authenticator) -> None:
    public = joserfc.jwk.RSAKey.import_key(public_jwk("one", use="enc", key_ops=["encrypt"]))
    text = joserfc.jwe.encrypt_compact({"alg": "RSA-OAEP", "enc": "A128GCM"}, b"{}", public)
    refusal = _refused(authenticator, text)
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
        assert _reason(authenticator, text) is Reason.CREDENTIAL_INVALID, text[:40]


def test_no_changed_character_of_a_token_is_let_through(authenticator: Authenticator) -> None:
    text = token(kind="RS256")
    for at in range(0, len(text), 7):
        changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        refusal = _refused(authenticator, changed)
        assert refusal.reason.status == "UNAUTHENTICATED"


def test_a_hundred_kibibytes_are_refused_by_size(authenticator: Authenticator) -> None:
    assert _reason(authenticator, "a" * 100 * 1024) is Reason.TOKEN_TOO_LARGE
    groups = claims(groups=["g" * 60] * 200)
    assert _reason(authenticator, token(groups)) is Reason.TOKEN_TOO_LARGE


# ---- stolen tokens -------------------------------------------------------------------------------


def test_a_token_that_is_bound_to_a_certificate_comes_with_that_one(
    authenticator: Authenticator,
) -> None:
    mine, other = certificate(), certificate(common_name="thief")
    thumbprint = segment(bytes.fromhex(_fingerprint(mine)))
    text = token(claims(cnf={"x5t#S256": thumbprint}))
    assert authenticator.authenticate(bearing(text, certificate=mine)).subject == "ana"
    for thief in (None, other):
        assert _refused(authenticator, text, thief).reason is Reason.CREDENTIAL_INVALID


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


def _by_secret(
    kind: str, secret: bytes, stated: dict[str, Any] | None = None, kid: str = "one"
) -> str:
    head = json.dumps({"alg": kind, "kid": kid}).encode()
    text = f"{segment(head)}.{segment(json.dumps(stated or claims()).encode())}"
    digest = hmac.new(secret, text.encode(), f"sha{kind[2:]}").digest()
    return f"{text}.{segment(digest)}"
