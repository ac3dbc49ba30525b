"""Signed notes (C2SP signed-note): a text, an empty line, and one line per signature.

Parsing is strict, because what two readers split differently they also trust differently. The
meaning of the text is left to the caller; `checkpoint.py` is the one caller here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ledger.chain.keys import KEY_ID_BYTES, SecretKey, decode_base64, encode_base64, is_key_name

NOTE_BYTES_MAX: Final = 1_000_000
SIGNATURES_MAX: Final = 100

_MARK: Final = "\u2014 "  # em dash: what a signature line starts with
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


class NoteError(ValueError):
    """A note that cannot be trusted; its subclasses say in which way."""


class MalformedNoteError(NoteError):
    """Bytes that are no signed note."""


class InvalidSignatureError(NoteError):
    """A signature that names a trusted key and is not by it: it was forged or damaged."""


class UnverifiedNoteError(NoteError):
    """A note that no trusted key has signed."""


class AmbiguousKeyError(NoteError):
    """Two trusted keys share name and key id: a mistake in the configuration."""


class NoteVerifier(Protocol):
    """The parts of a trusted key that opening a note needs."""

    @property
    def name(self) -> str:
        """The name in the key's signature lines."""

    @property
    def key_id(self) -> bytes:
        """The id in the key's signature lines."""

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Return whether the signature is this key's over the text."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who claims to have signed, and the bytes that should show it."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """Return the line without its newline."""
        return f"{_MARK}{self.name} {encode_base64(self.key_id + self.signature)}"


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note; nothing about it is verified."""

    text: bytes
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        """Return the bytes of the note."""
        lines = "".join(f"{signature.line()}\n" for signature in self.signatures)
        return self.text + b"\n" + lines.encode()


@dataclass(frozen=True, slots=True)
class OpenedNote:
    """A note with at least one verified signature, each in the order of the note."""

    text: bytes
    verified: tuple[Signature, ...]
    unverified: tuple[Signature, ...]


def parse(data: bytes) -> Note:
    """Return the parts of a note; MalformedNoteError unless it keeps every rule of the format."""
    if len(data) > NOTE_BYTES_MAX:
        raise MalformedNoteError(f"a note is at most {NOTE_BYTES_MAX} bytes long")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise MalformedNoteError("a note is UTF-8") from error
    if _CONTROL.search(whole):
        raise MalformedNoteError("a note has no control characters but newlines")
    text, gap, tail = whole.rpartition("\n\n")  # the text itself may have empty lines
    if not gap or not tail.endswith("\n"):
        raise MalformedNoteError("a note ends in an empty line and its signature lines")
    lines = tail.removesuffix("\n").split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise MalformedNoteError(f"a note has at most {SIGNATURES_MAX} signatures")
    return Note(f"{text}\n".encode(), tuple(_parse_line(line) for line in lines))


def _parse_line(line: str) -> Signature:
    """Return the signature that one line states."""
    name, space, encoded = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not space or not is_key_name(name):
        raise MalformedNoteError("a signature line is an em dash, a key name and base64")
    try:
        blob = decode_base64(encoded)
    except ValueError as error:
        raise MalformedNoteError(f"the signature of {name[:255]} is {error}") from error
    if len(blob) <= KEY_ID_BYTES:
        raise MalformedNoteError(f"the signature of {name[:255]} is too short")
    return Signature(name, blob[:KEY_ID_BYTES], blob[KEY_ID_BYTES:])


def sign(text: bytes, keys: Sequence[SecretKey], *, after: Sequence[Signature] = ()) -> Note:
    """Return the text signed by each key, behind the signatures it already has."""
    assert text.endswith(b"\n")
    assert not _CONTROL.search(text.decode())
    ours = (Signature(key.name, key.verifier_key.key_id, key.sign(text)) for key in keys)
    return Note(text, (*after, *ours))


def open_note(data: bytes, trusted: Sequence[NoteVerifier]) -> OpenedNote:
    """Return the text of a note that at least one trusted key has signed, or raise NoteError.

    A signature of an unknown key is ignored, even if its name or its id alone is known; one that
    names a trusted key must be genuine. Equal lines count once.
    """
    keys = {(key.name, key.key_id): key for key in trusted}
    if len(keys) != len(trusted):
        raise AmbiguousKeyError("two trusted keys have the same name and key id")
    note = parse(data)
    verified: dict[tuple[str, bytes], Signature] = {}
    unverified: dict[Signature, None] = {}
    for signature in note.signatures:
        pair = signature.name, signature.key_id
        key = keys.get(pair)
        if key is None:
            unverified[signature] = None
        elif not key.verifies(note.text, signature.signature):
            raise InvalidSignatureError(f"the signature of {signature.name} is not genuine")
        else:
            verified.setdefault(pair, signature)
    if not verified:
        raise UnverifiedNoteError("no trusted key has signed the note")
    return OpenedNote(note.text, tuple(verified.values()), tuple(unverified))
