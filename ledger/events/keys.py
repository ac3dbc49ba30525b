"""Events about the keys that sign a ledger's checkpoints.

A key signs the checkpoints whose size lies in its span of positions. In an overlap both keys sign,
so that a reader who knows only one of them can follow from the old to the new.
"""

from typing import ClassVar

from pydantic import Field

from ledger.events.base import EventData, Hex32, Position, Text


class KeyRotated(EventData):
    """A new key signs from a position on; the one before it signs along up to another one."""

    TYPE: ClassVar[str] = "key.rotated.v1"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the caller of RotateKey"
    METHOD: ClassVar[str] = "RotateKey"
    KEEPS_BODY: ClassVar[bool] = True

    from_position: Position
    """Smallest size of a checkpoint that the new key signs."""
    previous_until_position: Position
    """Largest size of a checkpoint that the key before it signs."""
    vkey: str = Field(min_length=1, max_length=1_000)


class KeyCommitted(EventData):
    """The key that will sign next was fixed by its digest, before it is published."""

    TYPE: ClassVar[str] = "key.committed.v1"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the caller of RotateKey, for the rotation after it"
    METHOD: ClassVar[str] = "RotateKey"
    KEEPS_BODY: ClassVar[bool] = True

    next_key_digest: Hex32
    """SHA-256 of the next verifier key's text."""


class KeyRevoked(EventData):
    """A key's signatures about trees of this size or larger count for nothing."""

    TYPE: ClassVar[str] = "key.revoked.v1"
    STREAM: ClassVar[str] = "ledger"
    CAUSE: ClassVar[str] = "the caller of RevokeKey"
    METHOD: ClassVar[str] = "RevokeKey"
    KEEPS_BODY: ClassVar[bool] = True

    vkey: str = Field(min_length=1, max_length=1_000)
    from_position: Position
    reason: Text
