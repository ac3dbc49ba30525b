"""A checkpoint is read in one way only, and opens for its own log and key only."""

import pytest

from ledger.chain.checkpoint import (
    CheckpointBody,
    OriginError,
    claim_of,
    open_checkpoint,
    parse,
    sign,
)
from ledger.chain.keys import SecretKey
from ledger.chain.link import Digest
from ledger.chain.merkle import SIZE_MAX
from ledger.chain.note import MalformedNoteError, NoteError, UnverifiedNoteError
from ledger.chain.note import sign as sign_note
from tests.support.vectors import load_cases

BODIES = load_cases("checkpoint_bodies.json")

ORIGIN = "ledger.example.com/test"
KEY = SecretKey(ORIGIN, bytes(range(32)))
HEAD = CheckpointBody(ORIGIN, 7, Digest(bytes(range(32))))


@pytest.mark.parametrize("name", BODIES)
def test_checkpoint_body_known_answer(name: str) -> None:
    case = BODIES[name]
    text = case["body"].encode()
    if case["expect"] == "invalid":
        with pytest.raises(MalformedNoteError):
            parse(text)
        return
    parsed = parse(text)
    assert parsed.encode() == text
    expected = case["parsed"]
    assert (parsed.origin, parsed.size) == (expected["origin"], expected["size"])
    assert parsed.root.hex() == expected["root_hex"]
    assert list(parsed.extensions) == expected["extensions"]


def test_a_signed_checkpoint_opens_to_what_was_signed() -> None:
    new_key = SecretKey(ORIGIN, bytes(32))
    note = sign(HEAD, [KEY, new_key])
    for key in (KEY, new_key):
        opened = open_checkpoint(note, origin=ORIGIN, keys=[key.verifier_key])
        assert opened.checkpoint == HEAD
        assert [s.key_id for s in opened.note.verified] == [key.verifier_key.key_id]


def test_another_logs_checkpoint_is_refused() -> None:
    with pytest.raises(OriginError, match=r"example\.com/test"):
        open_checkpoint(sign(HEAD, [KEY]), origin="other", keys=[KEY.verifier_key])


def test_a_checkpoint_without_a_trusted_signature_is_refused() -> None:
    stranger = SecretKey(ORIGIN, bytes(32))
    with pytest.raises(UnverifiedNoteError):
        open_checkpoint(sign(HEAD, [stranger]), origin=ORIGIN, keys=[KEY.verifier_key])


def test_a_genuine_signature_under_other_text_is_no_checkpoint() -> None:
    note = sign_note(b"not a checkpoint\n", [KEY]).encode()
    with pytest.raises(MalformedNoteError):
        open_checkpoint(note, origin=ORIGIN, keys=[KEY.verifier_key])


def test_what_a_note_claims_is_read_without_a_key() -> None:
    assert claim_of(sign(HEAD, [SecretKey(ORIGIN, bytes(32))])) == HEAD
    for note in (b"", HEAD.encode(), sign_note(b"not a checkpoint\n", [KEY]).encode()):
        with pytest.raises(MalformedNoteError):
            claim_of(note)


def test_every_flipped_bit_of_a_checkpoint_is_refused() -> None:
    honest = sign(HEAD, [KEY])
    for bit in range(len(honest) * 8):
        damaged = bytearray(honest)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NoteError):
            open_checkpoint(bytes(damaged), origin=ORIGIN, keys=[KEY.verifier_key])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\n1\n",
        b"a\n",
        b"a\n1\n",
        HEAD.encode() + b"\n",
        HEAD.encode() + b"extra\tline\n",
        HEAD.encode().replace(b"ledger", b"led\rger"),
    ],
)
def test_text_that_is_no_checkpoint_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedNoteError):
        parse(text)


def test_sizes_beyond_a_database_integer_are_refused() -> None:
    root = HEAD.root
    assert parse(CheckpointBody(ORIGIN, SIZE_MAX, root).encode()).size == SIZE_MAX
    for size in (SIZE_MAX + 1, 10**30):
        with pytest.raises(MalformedNoteError, match="size"):
            parse(CheckpointBody(ORIGIN, size, root).encode())
