"""Offline proofs are read in one way only, and hold for their leaf, log and quorum only."""

import base64

import pytest

from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.checkpoint import sign as sign_checkpoint
from ledger.chain.cosignature import CosigningKey, add_cosignatures
from ledger.chain.keys import SecretKey, VerifierKey
from ledger.chain.merkle import ProofError, leaf_hash, memory_reader, prove_inclusion, root_of
from ledger.chain.note import NoteError, UnverifiedNoteError
from ledger.chain.policy import QuorumError, parse_policy
from ledger.chain.proof_text import (
    ProofText,
    ProofTextError,
    check,
    check_by_policy,
    encode,
    parse,
)
from tests.support.vectors import load_cases

CASES = load_cases("tlog_proof.json")
FORMAT = [name for name, case in CASES.items() if case["kind"] == "format"]
FULL = [name for name, case in CASES.items() if case["kind"] == "full"]

ORIGIN = "ledger.example.com/test"
LOG = SecretKey(ORIGIN, bytes(range(32)))
WITNESS = CosigningKey("witness.example.com", bytes(range(1, 33)))
LEAVES = [leaf_hash(bytes([n])) for n in range(7)]
HEAD = CheckpointBody(ORIGIN, 7, root_of(LEAVES))
NOTE = sign_checkpoint(HEAD, [LOG])
TEXT = encode(3, prove_inclusion(3, 7, memory_reader(LEAVES)), NOTE, b"a word")


def test_every_kind_of_case_is_checked() -> None:
    assert len(FORMAT) + len(FULL) == len(CASES)


def written(proof: ProofText) -> str:
    """Return the text of a parsed proof."""
    return encode(proof.index, proof.hashes, proof.checkpoint.encode(), proof.extra)


@pytest.mark.parametrize("name", FORMAT)
def test_format_known_answer(name: str) -> None:
    case = CASES[name]
    if case["expect"] == "invalid":
        with pytest.raises(ProofTextError):
            parse(case["text"])
        return
    proof = parse(case["text"])
    assert written(proof) == case["text"]
    extra = None if case["extra_b64"] is None else base64.b64decode(case["extra_b64"])
    hashes = tuple(map(base64.b64decode, case["hashes"]))
    assert proof == ProofText(case["index"], hashes, case["checkpoint"], extra)


@pytest.mark.parametrize("name", FULL)
def test_whole_proof_known_answer(name: str) -> None:
    case = CASES[name]
    leaf = leaf_hash(base64.b64decode(case["leaf_data"]))
    keys = [VerifierKey.parse(text) for text in case["vkeys"]]
    origin = keys[0].name
    if case["expect"] == "valid":
        proof = parse(case["text"])
        assert written(proof) == case["text"]
        check(proof, leaf=leaf, origin=origin, keys=keys)
    else:
        with pytest.raises((ProofTextError, NoteError, ProofError)):
            check(parse(case["text"]), leaf=leaf, origin=origin, keys=keys)


def test_a_proof_holds_for_its_leaf_and_log_only() -> None:
    proof = parse(TEXT)
    keys = [LOG.verifier_key]
    assert check(proof, leaf=LEAVES[3], origin=ORIGIN, keys=keys).checkpoint == HEAD
    with pytest.raises(ProofError):
        check(proof, leaf=LEAVES[4], origin=ORIGIN, keys=keys)
    with pytest.raises(NoteError):
        check(proof, leaf=LEAVES[3], origin="other", keys=keys)
    with pytest.raises(UnverifiedNoteError):
        check(proof, leaf=LEAVES[3], origin=ORIGIN, keys=[])


def test_a_policy_wants_its_quorum_too() -> None:
    policy = parse_policy(
        f"log {LOG.verifier_key}\nwitness w {WITNESS.cosigner_key}\nquorum w\n".encode()
    )
    with pytest.raises(QuorumError):
        check_by_policy(parse(TEXT), leaf=LEAVES[3], policy=policy)
    note = add_cosignatures(NOTE, [WITNESS.cosign(HEAD.encode(), 1_790_000_000).line()])
    proof = parse(encode(3, parse(TEXT).hashes, note))
    verdict = check_by_policy(proof, leaf=LEAVES[3], policy=policy)
    assert (verdict.checkpoint, verdict.witnesses) == (HEAD, ("w",))
    with pytest.raises(ProofError):
        check_by_policy(proof, leaf=LEAVES[2], policy=policy)


def test_every_changed_character_is_refused_but_in_what_is_not_covered() -> None:
    free = TEXT.index("YSB3b3Jk")  # the base64 of the extra words
    for at, character in enumerate(TEXT):
        other = "B" if character != "B" else "C"
        damaged = TEXT[:at] + other + TEXT[at + 1 :]
        if free <= at < free + 8:
            assert parse(damaged).extra != b"a word"
            continue
        with pytest.raises((ProofTextError, NoteError, ProofError)):
            check(parse(damaged), leaf=LEAVES[3], origin=ORIGIN, keys=[LOG.verifier_key])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c2sp.org/tlog-proof@v1\n",
        "c2sp.org/tlog-proof@v1\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex 1\n\nnote",
        "c2sp.org/tlog-proof@v1\nextra YQ==\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nextra YR==\nindex 1\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex +1\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex 9223372036854775808\n\nnote\n",
        "c2sp.org/tlog-proof@v1\r\nindex 1\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\nnote\n",
        "c2sp.org/tlog-proof@v1\nindex 1\n" + f"{'A' * 43}=\n" * 64 + "\nnote\n",
    ],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ProofTextError):
        parse(text)
