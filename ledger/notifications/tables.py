"""The tables of notifications, and the small values that go in and out of them."""

from typing import Final, NamedTuple

import sqlalchemy as sa

METADATA: Final = sa.MetaData()
_NAME: Final = sa.String(255)

CURSORS: Final = sa.Table(
    "notification_cursors",
    METADATA,
    sa.Column("ledger", _NAME, primary_key=True),
    sa.Column("subscriber", _NAME, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    sa.Column("failing_since", sa.BigInteger, nullable=False),
    sa.Column("problem", sa.Text, nullable=False),
)
MARKS: Final = sa.Table(
    "notification_marks",
    METADATA,
    sa.Column("ledger", _NAME, primary_key=True),
    sa.Column("subscriber", _NAME, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("event_hash", sa.LargeBinary, nullable=False),
)
DEAD_LETTERS: Final = sa.Table(
    "notification_dead_letters",
    METADATA,
    sa.Column("ledger", _NAME, primary_key=True),
    sa.Column("subscriber", _NAME, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    sa.Column("type", _NAME, nullable=False),
    sa.Column("died_at", sa.BigInteger, nullable=False),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("is_replayed", sa.Boolean, nullable=False),
)


class Key(NamedTuple):
    """One subscriber of one ledger."""

    ledger: str
    subscriber: str


class Cursor(NamedTuple):
    """How far a subscriber was told, and what is wrong with the event after that, if anything."""

    position: int
    """Every event up to here was delivered, passed over or set aside."""
    attempts: int = 0
    """How often the next event was tried."""
    failing_since: int = 0
    """When it was tried first, in microseconds; 0 where nothing fails."""
    problem: str = ""


class Mark(NamedTuple):
    """An event that the ledger had as the cursor moved: one that has another was put back."""

    position: int
    event_hash: bytes


class UndeliveredEvent(NamedTuple):
    """An event that was not delivered; never its content."""

    position: int
    type: str
    died_at: int
    attempts: int
    problem: str
    is_replayed: bool = False
    """Whether an operator asked for it to be sent again, which is still to be done."""
