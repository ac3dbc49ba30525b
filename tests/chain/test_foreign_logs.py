"""The parsers read what real logs write, whatever those sign with.

Method: test support verifies ECDSA notes, RFC 6962 tree heads and Sigsum proofs on top of the
product's notes, checkpoints and tree; every case of the files must come out as stated.
"""

import base64
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.keys import COSIGNATURE, ED25519
from ledger.chain.link import Digest
from ledger.chain.merkle import ProofError, check_inclusion, leaf_hash
from ledger.chain.note import NoteError, open_note
from tests.support.foreign_notes import ForeignKey, SigsumTrust, check_sigsum, parse_key
from tests.support.note_words import word_of
from tests.support.vectors import load_cases

NOTES = {n: c for n, c in load_cases("signed_notes.json").items() if "alg" in c}
VKEYS = {
    n: c
    for n, c in load_cases("vkeys.json").items()
    if c.get("type", ED25519) not in {ED25519, COSIGNATURE}
}
BUNDLES = load_cases("rekor_inclusion_checkpoint.json")
SIGSUM = load_cases("sigsum_proofs.json")


@pytest.mark.parametrize("name", NOTES)
def test_foreign_note_known_answer(name: str) -> None:
    case = NOTES[name]
    keys = [parse_key(text) for text in case["vkeys"]]
    note = case["note"].encode()
    if case["expect"] != "ok":
        with pytest.raises(NoteError) as caught:
            open_note(note, keys)
        assert word_of(caught.value) == case["expect"]
        return
    opened = open_note(note, keys)
    assert [[line.name, line.key_id.hex()] for line in opened.verified] == case["verified"]
    assert [[line.name, line.key_id.hex()] for line in opened.unverified] == case["unverified"]


@pytest.mark.parametrize("name", VKEYS)
def test_foreign_key_known_answer(name: str) -> None:
    case = VKEYS[name]
    assert case["expect"] == "valid"
    key = parse_key(case["vkey"])
    assert isinstance(key, ForeignKey)
    assert (key.name, key.key_id.hex()) == (case["name"], case["key_id"])
    assert (key.type, key.public_key.hex()) == (case["type"], case["public_key_hex"])


def unpack(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def includes(case: dict[str, Any]) -> bool:
    try:
        check_inclusion(
            index=case["leaf_index"],
            size=case["tree_size"],
            leaf=leaf_hash(unpack(case["leaf_data"])),
            root=unpack(case["root"]),
            proof=[unpack(text) for text in case["proof"]],
        )
    except ProofError:
        return False
    return True


def opens(case: dict[str, Any]) -> str:
    try:
        open_note(case["checkpoint"].encode(), [parse_key(case["log_vkey"])])
    except NoteError as error:
        return word_of(error)
    return "ok"


def matches(case: dict[str, Any]) -> bool:
    """Return whether the checkpoint, believed unopened, states the head that the proof is for."""
    text = case["checkpoint"].rpartition("\n\n")[0] + "\n"
    try:
        head = parse_checkpoint(text.encode())
    except NoteError:
        return False
    return (head.size, head.root) == (case["tree_size"], Digest(unpack(case["root"])))


@pytest.mark.parametrize("name", BUNDLES)
def test_leaf_proof_and_checkpoint_known_answer(name: str) -> None:
    case, expected = BUNDLES[name], BUNDLES[name]["expect"]
    assert includes(case) is expected["inclusion"]
    assert opens(case) == expected["checkpoint"]
    if expected["checkpoint"] != "malformed":
        assert matches(case) is expected["checkpoint_matches_proof"]
    overall = includes(case) and opens(case) == "ok" and matches(case)
    assert overall is expected["overall"]


@pytest.mark.parametrize("name", SIGSUM)
def test_sigsum_proof_known_answer(name: str) -> None:
    case = SIGSUM[name]
    trust = SigsumTrust(
        bytes.fromhex(case["log_public_key_hex"]),
        bytes.fromhex(case["submitter_public_key_hex"]),
        tuple(map(bytes.fromhex, case["witness_public_keys_hex"])),
        case["quorum"],
    )
    message = bytes.fromhex(case["message_hex"])
    if case["expect"] == "valid":
        check_sigsum(case["proof"], message, trust)
    else:
        with pytest.raises((InvalidSignature, NoteError, ProofError)):
            check_sigsum(case["proof"], message, trust)
