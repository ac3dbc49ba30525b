"""Cosignatures of witnesses (C2SP tlog-cosignature): who saw which checkpoint, and when.

A witness that cosigns says: at that time this was the largest tree I had seen of this log, and it
is consistent with all I had seen before. The time is the witness's own claim.
"""

from collections.abc import Sequence
from typing import Final

from ledger.chain import mldsa
from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.keys import (
    COSIGNATURE,
    MLDSA_COSIGNATURE,
    SIGNATURE_BYTES,
    KeyFormatError,
    NamedSecret,
    VerifierKey,
    is_genuine,
)
from ledger.chain.note import MalformedNoteError, Note, Signature, parse
from ledger.events.values import SECOND, TIME_LIMIT, format_time

SECONDS_MIN: Final = 1_640_995_200
"""The first second of 2022: no form of cosignature is older, so an earlier time is false."""
SECONDS_MAX: Final = TIME_LIMIT // SECOND - 1
"""The last second of the year 9999, as of every time here."""

_TIME_BYTES: Final = 8
_LENGTHS: Final = (_TIME_BYTES + SIGNATURE_BYTES, _TIME_BYTES + mldsa.SIGNATURE_BYTES)
_NAME_BYTES_MAX: Final = 255
_SIZE_BYTES: Final = 8
_TREE: Final = b"subtree/v1\n\0"


def cosigned_message(text: bytes, seconds: int) -> bytes:
    """Return the bytes that a cosigner signs: a checkpoint's text under a time."""
    return f"cosignature/v1\ntime {seconds}\n".encode() + text


def cosigned_tree(name: str, text: bytes, seconds: int) -> bytes:
    """Return the bytes that a cosigner with an ML-DSA key signs: its name, a time and the tree.

    ValueError for a checkpoint with more lines than these bytes are about.
    """
    checkpoint, cosigner = parse_checkpoint(text), name.encode()
    if checkpoint.extensions:
        raise ValueError("a cosignature by ML-DSA says nothing of a checkpoint's further lines")
    if len(cosigner) > _NAME_BYTES_MAX:
        raise ValueError(f"a cosigner's name is at most {_NAME_BYTES_MAX} bytes long for ML-DSA")
    origin = checkpoint.origin.encode()
    parts = (
        _TREE,
        bytes([len(cosigner)]) + cosigner,
        seconds.to_bytes(_TIME_BYTES, "big"),
        bytes([len(origin)]) + origin,
        (0).to_bytes(_SIZE_BYTES, "big"),  # a tree begins at its first leaf
        checkpoint.size.to_bytes(_SIZE_BYTES, "big"),
        checkpoint.root,
    )
    return b"".join(parts)


def timestamp_of(signature: bytes) -> int:
    """Return the time in a cosignature, in POSIX seconds; ValueError if it is none.

    `signature` is what follows the key id. The time is a claim until the signature is
    verified.
    """
    seconds = _stamp(signature)
    if seconds == 0:
        raise ValueError("the time of a cosignature is 0: it says no time")
    return seconds


def says_when(signature: bytes) -> bool:
    """Return whether a genuine cosignature says when its tree was the largest one seen."""
    return _stamp(signature) > 0


def _stamp(signature: bytes) -> int:
    """Return the same, and 0 where no time is said."""
    if len(signature) not in _LENGTHS:
        raise ValueError("a cosignature is 8 bytes of time and 64 or 2,420 of signature")
    seconds = int.from_bytes(signature[:_TIME_BYTES], "big")
    if 0 < seconds < SECONDS_MIN:
        raise ValueError(f"the time of a cosignature is before 2022: {utc(seconds)}")
    if seconds > SECONDS_MAX:
        raise ValueError("the time of a cosignature is beyond the year 9999")
    return seconds


def utc(seconds: int) -> str:
    """Return a time in POSIX seconds as people read it, such as `2026-11-29T05:00:00Z`."""
    if not 0 <= seconds <= SECONDS_MAX:
        return f"{seconds} s after 1970"
    return format_time(seconds * SECOND).replace(".000000Z", "Z")


class CosignerKey:
    """A witness's public key, which verifies its lines in a note."""

    __slots__ = ("verifier_key",)

    def __init__(self, name: str, public_key: bytes, type_: int = COSIGNATURE) -> None:
        self.verifier_key = VerifierKey(name, type_, public_key)

    @classmethod
    def parse(cls, text: str) -> "CosignerKey":
        """Return the key that `str` wrote; KeyFormatError for other text and other purposes."""
        key = VerifierKey.parse(text)
        if key.type not in (COSIGNATURE, MLDSA_COSIGNATURE):
            raise KeyFormatError(f"{key.name} is not a cosigner's key")
        return cls(key.name, key.public_key, key.type)

    @property
    def name(self) -> str:
        """The name that its signature lines carry."""
        return self.verifier_key.name

    @property
    def key_id(self) -> bytes:
        """The id that its signature lines carry."""
        return self.verifier_key.key_id

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Return whether the signature is this cosigner's over a checkpoint's text, at its time.

        With an ML-DSA key it may say no time; it is then genuine, and a policy does not count it.
        """
        key, rest = self.verifier_key, signature[_TIME_BYTES:]
        try:
            if key.type == MLDSA_COSIGNATURE:
                message = cosigned_tree(key.name, text, _stamp(signature))
                return mldsa.is_genuine(key.public_key, rest, message)
            message = cosigned_message(text, timestamp_of(signature))
        except ValueError:
            return False
        return is_genuine(key.public_key, rest, message)

    def __str__(self) -> str:
        """Return the key as one line of text, for people to pin."""
        return str(self.verifier_key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CosignerKey) and self.verifier_key == other.verifier_key

    def __hash__(self) -> int:
        return hash(self.verifier_key)


class CosigningKey(NamedSecret):
    """A secret that cosigns. No other signer may use the same seed."""

    TYPE = COSIGNATURE
    __slots__ = ()

    @property
    def cosigner_key(self) -> CosignerKey:
        """The key that verifies what this one cosigns."""
        return CosignerKey(self.name, self.verifier_key.public_key)

    def cosign(self, text: bytes, seconds: int) -> Signature:
        """Return the line that vouches for a checkpoint's text at a time in POSIX seconds."""
        assert SECONDS_MIN <= seconds <= SECONDS_MAX  # no reader takes another
        assert text.endswith(b"\n")
        signature = self._private.sign(cosigned_message(text, seconds))
        stamped = seconds.to_bytes(_TIME_BYTES, "big") + signature
        return Signature(self.name, self.verifier_key.key_id, stamped)


def parse_signature_lines(data: bytes) -> tuple[Signature, ...]:
    """Return the signatures of lines as a witness answers them; MalformedNoteError otherwise."""
    signatures = parse(b"-\n\n" + data)
    if signatures.text != b"-\n":
        raise MalformedNoteError("signature lines have no empty line between them")
    return signatures.signatures


def add_cosignatures(note: bytes, lines: Sequence[str]) -> bytes:
    """Return the note with further signature lines behind its own; equal lines once.

    Nothing is verified: the caller has verified the lines, and a reader of the note will.
    """
    parsed = parse(note)
    added = [sig for line in lines for sig in parse_signature_lines(line.encode() + b"\n")]
    return Note(parsed.text, tuple(dict.fromkeys((*parsed.signatures, *added)))).encode()
