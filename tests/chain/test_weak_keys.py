"""A key for which needs no secret is refused wherever a key is read, and honest keys are not.

Method: the fourteen spellings of points of small order; the published keys of other projects pass
in the tests of their vectors.
"""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.cosignature import CosignerKey
from ledger.chain.keys import (
    COSIGNATURE,
    ED25519,
    KeyFormatError,
    SecretKey,
    VerifierKey,
    is_genuine,
)
from ledger.chain.policy import PolicyError, parse_policy
from tests.support.weak_keys import (
    FOR_ANYBODY,
    NEUTRAL,
    OTHER_SPELLINGS,
    SMALL_ORDER,
    vkey_text,
)

ORIGIN = "ledger.example.com/test"
WEAK = [*SMALL_ORDER, *OTHER_SPELLINGS]


def test_the_library_alone_lets_anybody_sign_for_the_neutral_key() -> None:
    """Hence these tests: the day it refuses, ours may go."""
    Ed25519PublicKey.from_public_bytes(NEUTRAL).verify(FOR_ANYBODY, b"what nobody has signed")
    assert not is_genuine(NEUTRAL, FOR_ANYBODY, b"what nobody has signed")


@pytest.mark.parametrize("public", WEAK, ids=bytes.hex)
@pytest.mark.parametrize("type_", [ED25519, COSIGNATURE])
def test_a_weak_key_is_refused_with_its_reason(public: bytes, type_: int) -> None:
    why = "only spelling" if public in OTHER_SPELLINGS else "small order: .* needs no secret"
    with pytest.raises(KeyFormatError, match=why):
        VerifierKey.parse(vkey_text(ORIGIN, type_, public))


@pytest.mark.parametrize("public", WEAK, ids=bytes.hex)
def test_a_weak_witness_or_log_refuses_the_policy_with_its_line(public: bytes) -> None:
    with pytest.raises(KeyFormatError):
        CosignerKey.parse(vkey_text("w", COSIGNATURE, public))
    for line in (
        f"witness w {vkey_text('w', COSIGNATURE, public)}",
        f"log {vkey_text(ORIGIN, ED25519, public)}",
    ):
        with pytest.raises(PolicyError, match=r"line 2: the public key is"):
            parse_policy(f"# one weak key\n{line}\nquorum none\n".encode())


def test_thirty_two_bytes_that_are_no_point_are_no_key() -> None:
    with pytest.raises(KeyFormatError, match="no point of the curve"):
        VerifierKey.parse(vkey_text(ORIGIN, ED25519, b"\x02" + bytes(31)))


@given(st.binary(min_size=32, max_size=32))
def test_every_key_that_a_secret_makes_is_taken(seed: bytes) -> None:
    key = SecretKey(ORIGIN, seed)
    assert VerifierKey.parse(str(key.verifier_key)).verifies(b"text", key.sign(b"text"))
