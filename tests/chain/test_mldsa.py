"""Cosignatures by ML-DSA-44 are verified where they can be, counted, and never taken on trust.

Method: the known answers of another project and of our own, made without OpenSSL; keys of a
deterministic maker that shares nothing with the product; and the package without ML-DSA.
"""

import sys
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger.chain import mldsa
from ledger.chain.cosignature import CosignerKey, add_cosignatures, timestamp_of
from ledger.chain.keys import KeyFormatError, VerifierKey
from ledger.chain.note import InvalidSignatureError, NoteError, open_note
from ledger.chain.policy import PolicyError, QuorumError, parse_policy
from ledger.client.trust.quorum import quorum_of
from tests.support.note_words import word_of
from tests.support.vectors import load_cases
from tools.known_answers.mldsa import MldsaKey
from tools.known_answers.mldsa_notes import Cosigner
from tools.known_answers.notes import HEAD
from tools.known_answers.primitives import NOW, ORIGIN_KEY, WITNESSES, line, note

CASES = load_cases("mldsa44_checkpoint.json")
ONE = Cosigner("m1.example.com", bytes([1]) * 32)
POLICY = f"log {ORIGIN_KEY.vkey}\nwitness w {WITNESSES[0].vkey}\nwitness m {ONE.vkey}\n"
NOTE = note(HEAD, ORIGIN_KEY.line(HEAD), WITNESSES[0].line(HEAD, NOW)).encode()


@pytest.fixture
def without() -> Iterator[None]:
    """Play an installation whose package `cryptography` has no ML-DSA."""
    name = "cryptography.hazmat.primitives.asymmetric.mldsa"
    kept = sys.modules[name]
    sys.modules[name] = None  # type: ignore[assignment]
    mldsa.is_there.cache_clear()
    yield
    sys.modules[name] = kept
    mldsa.is_there.cache_clear()


def cosigned(seconds: int) -> bytes:
    return add_cosignatures(NOTE, [line(ONE.name, ONE.blob(HEAD, seconds)).strip("\n")])


@pytest.mark.parametrize("name", CASES)
def test_known_answer(name: str) -> None:
    case = CASES[name]
    types = {vkey: VerifierKey.parse(vkey).type for vkey in case["vkeys"]}
    keys = [
        CosignerKey.parse(vkey) if type_ == 6 else VerifierKey.parse(vkey)
        for vkey, type_ in types.items()
    ]
    if case["expect"] != "ok":
        with pytest.raises(NoteError) as caught:
            open_note(case["note"].encode(), keys)
        assert word_of(caught.value) == case["expect"]
        return
    opened = open_note(case["note"].encode(), keys)
    assert [[one.name, one.key_id.hex()] for one in opened.verified] == case["verified"]


def test_the_maker_of_known_answers_and_openssl_agree_on_keys_and_signatures() -> None:
    for number in (1, 7):
        seed = bytes([number]) * 32
        theirs = MLDSA44PrivateKey.from_seed_bytes(seed)
        assert theirs.public_key().public_bytes_raw() == MldsaKey(seed).public
        theirs.public_key().verify(MldsaKey(seed).sign(b"a message"), b"a message")


@pytest.mark.parametrize("quorum", ["m", "g"])
def test_a_policy_may_demand_a_cosignature_by_ml_dsa(quorum: str) -> None:
    policy = parse_policy(f"{POLICY}group g all w m\nquorum {quorum}\n".encode())
    assert policy.uncounted == ()
    assert policy.check(cosigned(NOW)).witnesses == ("w", "m")
    found = quorum_of(policy, cosigned(NOW).decode()).cosigned
    assert [(one.witness, one.seconds) for one in found] == [("w", NOW), ("m", NOW)]
    with pytest.raises(QuorumError, match=r"not met: cosigned by w at \S+Z$"):
        policy.check(NOTE)


def test_a_cosignature_that_says_no_time_is_genuine_and_does_not_count() -> None:
    policy = parse_policy(f"{POLICY}quorum m\n".encode())
    with pytest.raises(QuorumError, match=r"by w at \S+Z; not counted: m, which says no time$"):
        policy.check(cosigned(0))
    assert quorum_of(policy, cosigned(0).decode()).missing == ("m",)
    blob = ONE.blob(HEAD, 0)[4:]
    assert CosignerKey.parse(ONE.vkey).verifies(HEAD.encode(), blob)
    with pytest.raises(ValueError, match="is 0: it says no time"):
        timestamp_of(blob)
    assert timestamp_of(ONE.blob(HEAD, NOW)[4:]) == NOW


def test_a_false_cosignature_by_ml_dsa_refuses_the_note_even_where_the_quorum_is_met() -> None:
    policy = parse_policy(f"{POLICY}quorum w\n".encode())
    forged = line(ONE.name, ONE.id + NOW.to_bytes(8, "big") + bytes(2_420)).strip("\n")
    with pytest.raises(InvalidSignatureError):
        policy.check(add_cosignatures(NOTE, [forged]))


@pytest.mark.usefixtures("without")
def test_without_ml_dsa_such_a_witness_never_counts_and_the_refusal_says_what_is_missing() -> None:
    demanding = parse_policy(f"{POLICY}quorum m\n".encode())
    assert [one.name for one in demanding.uncounted] == ["m"]
    with pytest.raises(
        QuorumError, match=r"cosigned by w at \S+Z; not counted, .* no ML-DSA-44 .*: m$"
    ):
        demanding.check(cosigned(NOW))
    enough = parse_policy(f"{POLICY}quorum w\n".encode())
    assert enough.check(cosigned(NOW)).witnesses == ("w",)


def test_a_key_of_ml_dsa_that_needs_no_secret_is_refused() -> None:
    public = ONE.public
    for t1 in (bytes(1_280), b"\xff" * 1_280):
        with pytest.raises(KeyFormatError, match="almost zero: to sign for it needs no secret"):
            VerifierKey("m", 6, public[:32] + t1)
    sparse = bytearray(1_280)
    sparse[:600] = public[32:632]  # 480 of 1,024 coefficients
    with pytest.raises(KeyFormatError, match="almost zero"):
        VerifierKey("m", 6, public[:32] + bytes(sparse))
    for length in (32, 1_311, 1_313):
        with pytest.raises(KeyFormatError, match="1312 bytes long"):
            VerifierKey("m", 6, (public * 2)[:length])


def test_a_key_of_ml_dsa_is_of_one_witness_and_never_of_a_log() -> None:
    twice = f"{POLICY}witness n {ONE.vkey}\nquorum none\n"
    with pytest.raises(PolicyError, match="listed twice"):
        parse_policy(twice.encode())
    with pytest.raises(PolicyError, match="a log signs with a key of type 0x01"):
        parse_policy(f"log {ONE.vkey}\nquorum none\n".encode())
    with pytest.raises(PolicyError, match="does not belong"):
        parse_policy(f"witness m {ONE.vkey.replace('m1.', 'm2.')}\nquorum m\n".encode())
