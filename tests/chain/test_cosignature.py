"""Cosignatures are written and read to the byte, and vouch for one checkpoint at one time only.

Method: real witnesses' lines from the vectors; then our own, with every bit of one flipped.
"""

import base64

import pytest

from ledger.chain.cosignature import (
    SECONDS_MAX,
    SECONDS_MIN,
    CosignerKey,
    CosigningKey,
    add_cosignatures,
    cosigned_message,
    parse_signature_lines,
    timestamp_of,
    utc,
)
from ledger.chain.keys import COSIGNATURE, KEY_ID_BYTES, KeyFormatError, SecretKey, VerifierKey
from ledger.chain.note import (
    InvalidSignatureError,
    MalformedNoteError,
    Note,
    NoteError,
    NoteVerifier,
    Signature,
    open_note,
    parse,
    sign,
)
from tests.support.note_words import word_of
from tests.support.vectors import load_cases

CASES = load_cases("cosignatures.json")
BY_KIND = {
    kind: [name for name, case in CASES.items() if case["kind"] == kind]
    for kind in ("note", "raw", "timestamp", "line")
}

LOG = SecretKey("ledger.example.com/test", bytes(range(32)))
WITNESS = CosigningKey("witness.example.com", bytes(range(1, 33)))
TEXT = b"ledger.example.com/test\n7\n" + base64.b64encode(bytes(32)) + b"\n"
NOTE = sign(TEXT, [LOG]).encode()
NOW = 1_790_000_000


def trusted(vkey: str) -> NoteVerifier:
    key = VerifierKey.parse(vkey)
    return CosignerKey.parse(vkey) if key.type == COSIGNATURE else key


def test_every_kind_of_case_is_checked() -> None:
    assert sum(map(len, BY_KIND.values())) == len(CASES)


@pytest.mark.parametrize("name", BY_KIND["note"])
def test_cosigned_note_known_answer(name: str) -> None:
    case = CASES[name]
    keys = [trusted(vkey) for vkey in case["vkeys"]]
    if case["expect"] != "ok":
        with pytest.raises(NoteError) as caught:
            open_note(case["note"].encode(), keys)
        assert word_of(caught.value) == case["expect"]
        return
    opened = open_note(case["note"].encode(), keys)
    assert [[line.name, line.key_id.hex()] for line in opened.verified] == case["verified"]
    assert [[line.name, line.key_id.hex()] for line in opened.unverified] == case["unverified"]
    cosigners = {key.key_id for key in keys if isinstance(key, CosignerKey)}
    stamps = {
        line.name: timestamp_of(line.signature)
        for line in opened.verified
        if line.key_id in cosigners
    }
    assert stamps == case["timestamps"]


@pytest.mark.parametrize("name", BY_KIND["raw"])
def test_raw_cosignature_known_answer(name: str) -> None:
    case = CASES[name]
    key = CosignerKey("sigsum", bytes.fromhex(case["witness_public_key_hex"]))
    blob = case["timestamp"].to_bytes(8, "big") + bytes.fromhex(case["signature_hex"])
    is_genuine = key.verifies(case["checkpoint_body"].encode(), blob)
    assert is_genuine is (case["expect"] == "valid")


@pytest.mark.parametrize("name", BY_KIND["timestamp"])
def test_timestamp_known_answer(name: str) -> None:
    case = CASES[name]
    line = f"\u2014 witness {case['signature_b64']}\n".encode()
    if case["expect_timestamp"] is None:
        with pytest.raises(MalformedNoteError):
            parse_signature_lines(line)
    else:
        (signature,) = parse_signature_lines(line)
        assert timestamp_of(signature.signature) == case["expect_timestamp"]


@pytest.mark.parametrize("name", BY_KIND["line"])
def test_line_known_answer(name: str) -> None:
    case = CASES[name]
    blob = case["timestamp"].to_bytes(8, "big") + bytes.fromhex(case["signature_hex"])
    signature = Signature(case["key_name"], bytes.fromhex(case["key_id_hex"]), blob)
    assert f"{signature.line()}\n" == case["expect_line"]
    assert parse_signature_lines(case["expect_line"].encode()) == (signature,)
    with pytest.raises(ValueError, match="beyond"):  # a time that no clock will show
        timestamp_of(blob)


def test_a_cosigned_checkpoint_opens_with_both_keys() -> None:
    line = WITNESS.cosign(TEXT, NOW)
    note = add_cosignatures(NOTE, [line.line(), line.line()])
    opened = open_note(note, [LOG.verifier_key, WITNESS.cosigner_key])
    assert [signature.name for signature in opened.verified] == [LOG.name, WITNESS.name]
    assert timestamp_of(opened.verified[1].signature) == NOW
    assert parse(note).signatures == (*parse(NOTE).signatures, line)  # the same line once


def test_every_flipped_bit_of_a_cosignature_is_refused() -> None:
    line = WITNESS.cosign(TEXT, NOW)
    for bit in range(len(line.signature) * 8):
        damaged = bytearray(line.signature)
        damaged[bit // 8] ^= 1 << bit % 8
        assert not WITNESS.cosigner_key.verifies(TEXT, bytes(damaged))
    assert WITNESS.cosigner_key.verifies(TEXT, line.signature)
    for length in (0, 8, 71, 73):
        assert not WITNESS.cosigner_key.verifies(TEXT, bytes(length))
        with pytest.raises(ValueError, match="8 bytes of time"):
            timestamp_of(bytes(length))


def test_no_signature_passes_for_one_of_another_purpose() -> None:
    plain = SecretKey("witness.example.com", bytes(range(1, 33)))
    assert plain.verifier_key.key_id != WITNESS.cosigner_key.key_id
    stamped = NOW.to_bytes(8, "big") + plain.sign(TEXT)
    assert not WITNESS.cosigner_key.verifies(TEXT, stamped)
    line = Signature(WITNESS.name, WITNESS.cosigner_key.key_id, stamped)
    with pytest.raises(InvalidSignatureError):
        open_note(Note(TEXT, (line,)).encode(), [WITNESS.cosigner_key])
    with pytest.raises(KeyFormatError, match="cosigner"):
        CosignerKey.parse(str(plain.verifier_key))


@pytest.mark.parametrize(
    "answer", ["", "\n", "ok\n", "{}\n{}", "{}\n\n{}\n", "\n\n{}\n", "\n{}\n", "{}"]
)
def test_an_answer_that_is_no_signature_lines_is_refused(answer: str) -> None:
    line = WITNESS.cosign(TEXT, NOW).line()
    assert len(parse_signature_lines(f"{line}\n{line}\n".encode())) == 2
    with pytest.raises(MalformedNoteError):
        parse_signature_lines(answer.replace("{}", line).encode())


def test_keys_have_one_text_and_hide_their_secret() -> None:
    assert CosignerKey.parse(str(WITNESS.cosigner_key)) == WITNESS.cosigner_key
    assert len({WITNESS.cosigner_key, CosignerKey.parse(str(WITNESS.cosigner_key))}) == 1
    assert repr(WITNESS) == f"CosigningKey({str(WITNESS.cosigner_key)!r})"
    assert len(WITNESS.cosigner_key.key_id) == KEY_ID_BYTES
    secret = WITNESS.to_secret_text()
    assert CosigningKey.parse(secret).to_secret_text() == secret
    for damaged in (secret[:-4], secret.replace("+witness", "+Witness"), LOG.to_secret_text(), ""):
        with pytest.raises(KeyFormatError):
            CosigningKey.parse(damaged)
    with pytest.raises(KeyFormatError, match="32 bytes"):
        CosigningKey("a", bytes(31))


@pytest.mark.parametrize(
    ("seconds", "why"),
    [
        (0, "is 0: it says no time"),
        (1, "before 2022: 1970-01-01T00:00:01Z"),
        (946_684_799, "before 2022: 1999-12-31T23:59:59Z"),
        (SECONDS_MIN - 1, "before 2022: 2021-12-31T23:59:59Z"),
        (SECONDS_MAX + 1, "beyond the year 9999"),
        ((1 << 63) - 1, "beyond the year 9999"),  # in the year 292 billion
        ((1 << 64) - 1, "beyond the year 9999"),
    ],
)
def test_a_cosignature_of_a_time_that_cannot_be_is_refused_though_it_is_signed(
    seconds: int, why: str
) -> None:
    secret = SecretKey(WITNESS.name, bytes(range(1, 33)))
    stamped = seconds.to_bytes(8, "big") + secret.sign(cosigned_message(TEXT, seconds))
    assert not WITNESS.cosigner_key.verifies(TEXT, stamped)
    with pytest.raises(ValueError, match=why):
        timestamp_of(stamped)
    line = Signature(WITNESS.name, WITNESS.cosigner_key.key_id, stamped).line()
    with pytest.raises(InvalidSignatureError):
        open_note(add_cosignatures(NOTE, [line]), [LOG.verifier_key, WITNESS.cosigner_key])


@pytest.mark.parametrize("seconds", [SECONDS_MIN, SECONDS_MAX])
def test_the_first_and_the_last_second_there_is_can_be_signed(seconds: int) -> None:
    signature = WITNESS.cosign(TEXT, seconds).signature
    assert timestamp_of(signature) == seconds
    assert WITNESS.cosigner_key.verifies(TEXT, signature)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_795_928_400, "2026-11-29T05:00:00Z"),
        (SECONDS_MAX, "9999-12-31T23:59:59Z"),
        (SECONDS_MAX + 1, "253402300800 s after 1970"),
        (-1, "-1 s after 1970"),
    ],
)
def test_a_time_is_shown_in_utc(seconds: int, text: str) -> None:
    assert utc(seconds) == text
