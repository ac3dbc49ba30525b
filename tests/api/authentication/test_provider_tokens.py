"""A provider's token counts where every rule holds, and is refused by the first that does not.

Method: one good token, and forgeries of it that each break one rule; the reason is exact, and no
refusal repeats a part of what was presented.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from ledger.api.authentication.authenticator import Authenticator
from ledger.api.authentication.credential import Credential
from ledger.errors import Reason
from ledger.settings import SettingsError
from tests.api.authentication.conftest import Build, reason_of, refused
from tests.support.identities import (
    ADDRESS,
    AUDIENCE,
    ISSUER,
    NOW,
    bearing,
    by_secret,
    claims,
    key_pair,
    key_set,
    public_jwk,
    public_pem,
    token,
    unsigned,
)

SECOND = 1_000_000
SKEW = 30


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
    assert reason_of(build(), token(kid=None)) is Reason.TOKEN_KEY_UNKNOWN


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
    assert reason_of(both, token(theirs)) is Reason.TOKEN_KEY_UNKNOWN
    assert reason_of(both, token(theirs, kid="two")) is Reason.CREDENTIAL_INVALID
    assert reason_of(both, token(claims(iss=elsewhere), key="two")) is Reason.TOKEN_AUDIENCE_WRONG


# ---- algorithms ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE"])
def test_an_unsigned_token_is_refused_by_its_algorithm(
    authenticator: Authenticator, name: str
) -> None:
    refusal = refused(authenticator, unsigned(name))
    assert refusal.reason is Reason.TOKEN_ALGORITHM_REFUSED
    assert refusal.metadata == {"algorithm": "none"}


@pytest.mark.parametrize("kind", ["HS256", "HS384", "HS512"])
def test_the_public_key_is_no_secret_to_sign_with(authenticator: Authenticator, kind: str) -> None:
    public = key_pair("one").public_key()
    for secret in (
        public_pem("one"),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(public_jwk("one")).encode(),
    ):
        text = by_secret(kind, secret)
        refusal = refused(authenticator, text)
        assert refusal.reason is Reason.TOKEN_ALGORITHM_REFUSED
        assert refusal.metadata == {"algorithm": kind}


def test_an_algorithm_is_refused_before_its_issuer_or_key_is_looked_for(
    authenticator: Authenticator, keys: Path
) -> None:
    keys.unlink()
    text = by_secret("HS256", b"secret" * 8, claims(iss="https://unknown.example.com"), kid="x")
    assert reason_of(authenticator, text) is Reason.TOKEN_ALGORITHM_REFUSED


def test_an_algorithm_that_is_not_set_is_refused_though_the_key_fits(
    authenticator: Authenticator,
) -> None:
    refusal = refused(authenticator, token(kind="RS512"))
    assert refusal.reason is Reason.TOKEN_ALGORITHM_REFUSED
    assert refusal.metadata == {"algorithm": "RS512"}


@pytest.mark.parametrize("alg", ["ES256K", "RSA-OAEP", "", 5, ["RS256"], None])
def test_what_is_no_algorithm_of_ours_is_refused_without_repeating_it(
    authenticator: Authenticator, alg: object
) -> None:
    refusal = refused(authenticator, token(alg=alg))
    assert refusal.reason is Reason.TOKEN_ALGORITHM_REFUSED
    assert refusal.metadata["algorithm"] in {"one that this server does not know", "none is named"}


def test_a_key_is_used_for_the_algorithm_that_it_names_only(build: Build, keys: Path) -> None:
    keys.write_bytes(key_set(public_jwk("one", alg="RS512")))
    authenticator = build(algorithms=("RS256", "RS512"))
    assert authenticator.authenticate(bearing(token(kind="RS512"))).subject == "ana"
    assert reason_of(authenticator, token()) is Reason.TOKEN_KEY_UNKNOWN


# ---- keys ----------------------------------------------------------------------------------------


def test_a_wrong_key_id_is_refused(authenticator: Authenticator) -> None:
    assert reason_of(authenticator, token(kid="two")) is Reason.TOKEN_KEY_UNKNOWN
    assert reason_of(authenticator, token(kid="ONE")) is Reason.TOKEN_KEY_UNKNOWN
    assert reason_of(authenticator, token(kid="../../one")) is Reason.TOKEN_KEY_UNKNOWN
    assert reason_of(authenticator, token(kid=["one"])) is Reason.CREDENTIAL_INVALID


def test_a_signature_by_another_key_is_refused(authenticator: Authenticator) -> None:
    assert reason_of(authenticator, token(key="two", kid="one")) is Reason.CREDENTIAL_INVALID


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
        assert reason_of(authenticator, token(key="mine", **header)) is Reason.TOKEN_KEY_UNKNOWN
        forged = token(key="mine", kid="one", **header)
        assert reason_of(authenticator, forged) is Reason.CREDENTIAL_INVALID
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
    assert reason_of(build(), token()) is Reason.TOKEN_KEY_UNKNOWN


def test_a_key_that_is_published_with_its_private_part_checks_nothing(
    build: Build, keys: Path
) -> None:
    private = RSAAlgorithm.to_jwk(key_pair("one"), as_dict=True)
    keys.write_bytes(key_set({**private, "kid": "one", "key_ops": ["sign", "verify"]}))
    with pytest.raises(SettingsError, match="none of its keys"):
        build()


def test_a_short_rsa_key_checks_nothing(build: Build, keys: Path) -> None:
    keys.write_bytes(key_set(public_jwk("short"), public_jwk("two")))
    assert reason_of(build(), token(key="short")) is Reason.TOKEN_KEY_UNKNOWN


def test_a_withdrawn_key_takes_the_tokens_with_it_that_had_passed(
    authenticator: Authenticator, keys: Path
) -> None:
    text = token()
    assert authenticator.authenticate(bearing(text)).subject == "ana"
    keys.write_bytes(key_set(public_jwk("two")))
    assert reason_of(authenticator, text) is Reason.TOKEN_KEY_UNKNOWN
    assert authenticator.authenticate(bearing(token(key="two"))).subject == "ana"


def test_a_changed_key_of_the_same_id_takes_the_tokens_with_it_too(
    authenticator: Authenticator, keys: Path
) -> None:
    text = token()
    assert authenticator.authenticate(bearing(text)).subject == "ana"
    keys.write_bytes(key_set({**public_jwk("two"), "kid": "one"}))
    assert reason_of(authenticator, text) is Reason.CREDENTIAL_INVALID
