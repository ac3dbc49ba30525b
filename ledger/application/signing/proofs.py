"""What the ledger answers to its verifiers: checkpoints, proofs, keys, seals.

Every answer with a proof carries the checkpoint that the proof leads to, read in one snapshot. No
answer has a root that is not in a signed note.
"""

from dataclasses import dataclass
from typing import Literal

from ledger.application.commands import CommandResult

KeyState = Literal["active", "retired", "revoked"]


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A tree head that was signed and kept.

    `note` ends with the cosignatures that have come in, `witnesses` are their names. `vkey` is the
    newest of the ledger's keys that have signed the note.
    """

    size: int
    root: bytes
    note: str
    vkey: str
    witnesses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Proof that the event at a position is in the tree of a checkpoint; its leaf is the hash."""

    position: int
    event_hash: bytes
    hashes: tuple[bytes, ...]
    checkpoint: SignedCheckpoint


@dataclass(frozen=True, slots=True)
class Consistency:
    """Proof that the tree of a checkpoint begins with the tree of `from_size` leaves."""

    from_size: int
    hashes: tuple[bytes, ...]
    checkpoint: SignedCheckpoint


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key that signs, or has signed, checkpoints: those of sizes in its span of positions.

    `until_position` None: no end is known. `position` and `recorded_at` are of the event that
    brought it in. From size `revoked_from` on it counts for nothing, because of `reason`.
    """

    vkey: str
    from_position: int
    until_position: int | None
    state: KeyState
    position: int
    recorded_at: int
    revoked_from: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class KeyList:
    """Every key by its first position, and the digest of the next; b"" where none is committed."""

    records: tuple[KeyRecord, ...]
    next_key_digest: bytes


@dataclass(frozen=True, slots=True)
class KeyChange:
    """Where the events of a rotation or revocation stand, and the key that they are about."""

    written: CommandResult
    key: KeyRecord


@dataclass(frozen=True, slots=True)
class RecordedSeal:
    """A seal over all streams as they stood at position `as_of`; `written` says where it is."""

    written: CommandResult
    as_of: int
    root: bytes
    streams: int


@dataclass(frozen=True, slots=True)
class WitnessState:
    """How far a witness has come: the size it cosigned last, and why it is held up, if it is.

    `cosigned_at` is the time in its cosignature, in microseconds, 0 before the first.
    """

    name: str
    size: int
    cosigned_at: int
    problem: str
