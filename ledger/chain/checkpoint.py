"""Checkpoints (C2SP tlog-checkpoint): the signed tree head, the one thing that is trusted.

A log signs only heads that are consistent with each other; seeing to that is the caller's duty, as
is getting the verifier key from somewhere else than the ledger under test.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.chain.keys import SecretKey, VerifierKey, decode_base64, encode_base64
from ledger.chain.link import DIGEST_BYTES, Digest
from ledger.chain.merkle import SIZE_MAX
from ledger.chain.note import MalformedNoteError, NoteError, OpenedNote, open_note
from ledger.chain.note import parse as parse_note
from ledger.chain.note import sign as sign_note

ORIGIN_BYTES_MAX: Final = 255

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f]")
_LINES: Final = 3  # origin, size, root; extensions follow


class OriginError(NoteError):
    """A genuine checkpoint of another log."""


@dataclass(frozen=True, slots=True)
class CheckpointBody:
    """A log's statement about itself: its name, its size and the root over all its leaves."""

    origin: str
    size: int
    root: Digest
    extensions: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the text that is signed."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True, slots=True)
class OpenedCheckpoint:
    """A checkpoint with the signatures that vouch for it."""

    checkpoint: CheckpointBody
    note: OpenedNote


def parse(text: bytes) -> CheckpointBody:
    """Return the checkpoint that a note's text states, or raise MalformedNoteError.

    It is nothing but a claim: `open_checkpoint` is what verifies.
    """
    try:
        whole = text.decode()
    except UnicodeDecodeError as error:
        raise MalformedNoteError("a checkpoint is UTF-8") from error
    if not whole.endswith("\n"):
        raise MalformedNoteError("a checkpoint ends with a newline")
    lines = whole.removesuffix("\n").split("\n")
    if len(lines) < _LINES:
        raise MalformedNoteError("a checkpoint has an origin, a size and a root, a line each")
    origin, size_text, root_text, *extensions = lines
    if not all(lines) or any(_CONTROL.search(line) for line in lines):
        raise MalformedNoteError("the lines of a checkpoint are not empty and have no controls")
    if len(origin.encode()) > ORIGIN_BYTES_MAX:
        raise MalformedNoteError(f"an origin is at most {ORIGIN_BYTES_MAX} bytes long")
    if not _SIZE.fullmatch(size_text) or int(size_text) > SIZE_MAX:
        raise MalformedNoteError("a tree size is a decimal number without sign or leading zeros")
    try:
        root = decode_base64(root_text)
    except ValueError as error:
        raise MalformedNoteError(f"the root is {error}") from error
    if len(root) != DIGEST_BYTES:
        raise MalformedNoteError(f"the root is not {DIGEST_BYTES} bytes long")
    return CheckpointBody(origin, int(size_text), Digest(root), tuple(extensions))


def claim_of(note: bytes) -> CheckpointBody:
    """Return what a note states, or raise MalformedNoteError; nothing of it is verified."""
    return parse(parse_note(note).text)


def sign(checkpoint: CheckpointBody, keys: Sequence[SecretKey]) -> bytes:
    """Return the checkpoint as a signed note; each key bears the log's origin as its name."""
    text = checkpoint.encode()
    assert parse(text) == checkpoint  # never sign what no reader would accept
    assert keys
    assert all(key.name == checkpoint.origin for key in keys)
    return sign_note(text, keys).encode()


def open_checkpoint(data: bytes, *, origin: str, keys: Sequence[VerifierKey]) -> OpenedCheckpoint:
    """Return a verified checkpoint of the log with this origin, or raise NoteError.

    One genuine signature by one of the keys is enough; a false one that names a key refuses all.
    """
    note = open_note(data, keys)
    checkpoint = parse(note.text)
    if checkpoint.origin != origin:
        raise OriginError(f"the checkpoint is of {checkpoint.origin!r} instead of {origin!r}")
    return OpenedCheckpoint(checkpoint, note)
