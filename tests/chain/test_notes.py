"""Signed notes and keys are read strictly, and written to the byte as others write them.

Method: known answers, ours and others', both ways; then every bit of a genuine note flipped.
"""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.keys import (
    COSIGNATURE,
    ED25519,
    KeyFormatError,
    SecretKey,
    VerifierKey,
)
from ledger.chain.note import (
    SIGNATURES_MAX,
    InvalidSignatureError,
    MalformedNoteError,
    Note,
    NoteError,
    Signature,
    UnverifiedNoteError,
    open_note,
    parse,
    sign,
)
from tests.support.note_words import word_of
from tests.support.vectors import load_cases

VKEYS = load_cases("vkeys.json")
NOTES = load_cases("signed_notes.json")
SIGNINGS = load_cases("note_signing.json")
OURS = (ED25519, COSIGNATURE)

KEY = SecretKey("ledger.example.com/test", bytes(range(32)))
TEXT = b"first line\n\nlast line\n"


@pytest.mark.parametrize("name", [n for n, c in VKEYS.items() if c.get("type", 1) in OURS])
def test_verifier_key_known_answer(name: str) -> None:
    case = VKEYS[name]
    if case["expect"] == "invalid":
        with pytest.raises(KeyFormatError):
            VerifierKey.parse(case["vkey"])
        return
    key = VerifierKey.parse(case["vkey"])
    assert str(key) == case["vkey"]
    parts = (key.name, key.key_id.hex(), key.type, key.public_key.hex())
    assert parts == (case["name"], case["key_id"], case["type"], case["public_key_hex"])


@pytest.mark.parametrize("name", [n for n, c in VKEYS.items() if c.get("type", 1) not in OURS])
def test_keys_that_we_do_not_sign_with_are_refused_by_type(name: str) -> None:
    with pytest.raises(KeyFormatError, match="not supported"):
        VerifierKey.parse(VKEYS[name]["vkey"])


def note_bytes(case: dict[str, Any]) -> bytes:
    if "note_b64" in case:
        return base64.b64decode(case["note_b64"], validate=True)
    return str(case["note"]).encode()


def pairs(signatures: tuple[Signature, ...]) -> list[list[str]]:
    return [[signature.name, signature.key_id.hex()] for signature in signatures]


@pytest.mark.parametrize("name", [n for n, c in NOTES.items() if "alg" not in c])
def test_opening_known_answer(name: str) -> None:
    case = NOTES[name]
    keys = [VerifierKey.parse(text) for text in case["vkeys"]]
    if case["expect"] != "ok":
        with pytest.raises(NoteError) as caught:
            open_note(note_bytes(case), keys)
        assert word_of(caught.value) == case["expect"]
        return
    opened = open_note(note_bytes(case), keys)
    assert pairs(opened.verified) == case["verified"]
    assert pairs(opened.unverified) == case["unverified"]


@pytest.mark.parametrize("name", SIGNINGS)
def test_signing_known_answer(name: str) -> None:
    case = SIGNINGS[name]
    if "published_test_skey" in case:
        key = SecretKey.parse(case["published_test_skey"])
        assert key.to_secret_text() == case["published_test_skey"]
    else:
        key = SecretKey(case["key_name"], bytes.fromhex(case["published_test_seed_hex"]))
    if "vkey" in case:
        assert str(key.verifier_key) == case["vkey"]
    text = case["text"].encode()
    lines = "".join(f"{line}\n" for line in case["existing_signature_lines"])
    before = parse(text + b"\n" + lines.encode()).signatures if lines else ()
    assert sign(text, [key], after=before).encode() == case["expect_note"].encode()


def test_every_flipped_bit_of_a_note_is_refused() -> None:
    honest = sign(TEXT, [KEY]).encode()
    for bit in range(len(honest) * 8):
        damaged = bytearray(honest)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NoteError):
            open_note(bytes(damaged), [KEY.verifier_key])


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_refused_and_never_crash(tail: bytes) -> None:
    with pytest.raises(NoteError):
        open_note(TEXT + b"\n" + tail, [KEY.verifier_key])


def test_what_parses_is_written_back_byte_for_byte() -> None:
    data = sign(TEXT, [KEY, SecretKey("other", bytes(32))]).encode()
    assert parse(data).encode() == data


def test_a_false_line_beside_a_genuine_one_refuses_the_note() -> None:
    note = sign(TEXT, [KEY])
    false = Signature(KEY.name, KEY.verifier_key.key_id, bytes(64))
    forged = Note(TEXT, (*note.signatures, false)).encode()
    with pytest.raises(InvalidSignatureError):
        open_note(forged, [KEY.verifier_key])


def test_no_trusted_key_means_no_trust() -> None:
    with pytest.raises(UnverifiedNoteError):
        open_note(sign(TEXT, [KEY]).encode(), [])


def test_notes_have_bounds() -> None:
    signature = sign(TEXT, [KEY]).signatures[0]
    parse(Note(TEXT, (signature,) * SIGNATURES_MAX).encode())
    with pytest.raises(MalformedNoteError, match="signatures"):
        parse(Note(TEXT, (signature,) * (SIGNATURES_MAX + 1)).encode())
    with pytest.raises(MalformedNoteError, match="bytes long"):
        parse(b"x" * 1_000_001)


def test_a_cosigners_key_does_not_pass_for_a_signers() -> None:
    cosigner = VerifierKey(KEY.name, COSIGNATURE, KEY.verifier_key.public_key)
    assert cosigner.key_id != KEY.verifier_key.key_id
    line = Signature(KEY.name, cosigner.key_id, KEY.sign(TEXT))
    with pytest.raises(KeyFormatError, match="cosigner"):
        open_note(Note(TEXT, (line,)).encode(), [cosigner])


SECRET = KEY.to_secret_text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        SECRET.removeprefix("PRIVATE+"),
        SECRET[:-4],
        SECRET.replace("+ledger", "+Ledger"),
        SECRET.replace("PRIVATE+KEY+", "PRIVATE+KEY++"),
        SECRET + "=",
        SECRET.replace("+AQAB", "+BQAB"),
    ],
)
def test_a_damaged_signing_key_is_refused_without_repeating_it(text: str) -> None:
    assert text != SECRET
    with pytest.raises(KeyFormatError) as caught:
        SecretKey.parse(text)
    assert SECRET[-20:-4] not in str(caught.value)


def test_a_signing_key_shows_its_public_half_only() -> None:
    assert SecretKey.parse(SECRET).verifier_key == KEY.verifier_key
    assert repr(KEY) == f"SecretKey({str(KEY.verifier_key)!r})"


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u00a0b", "a\nb", "a\x00b"])
def test_names_that_break_signature_lines_are_refused(name: str) -> None:
    with pytest.raises(KeyFormatError):
        SecretKey(name, bytes(32))


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33)])
def test_seeds_of_another_length_are_refused(seed: bytes) -> None:
    with pytest.raises(KeyFormatError, match="32 bytes"):
        SecretKey("a", seed)


@pytest.mark.parametrize("code", [c for c in range(0x20) if c != 0x0A])
def test_control_characters_are_refused_even_where_signed(code: int) -> None:
    text = b"tab" + bytes([code]) + b"bed\n"
    line = Signature(KEY.name, KEY.verifier_key.key_id, KEY.sign(text))
    with pytest.raises(MalformedNoteError, match="control"):
        open_note(Note(text, (line,)).encode(), [KEY.verifier_key])


def test_a_signature_line_without_a_signature_is_malformed() -> None:
    empty = Signature("somebody", b"none", b"")
    with pytest.raises(MalformedNoteError, match="too short"):
        parse(Note(TEXT, (empty,)).encode())
