"""The tables of projections, and the small values that go in and out of them."""

from enum import StrEnum
from typing import Final, NamedTuple

import sqlalchemy as sa

METADATA: Final = sa.MetaData()
_NAME: Final = sa.String(255)

ROWS: Final = sa.Table(
    "projection_rows",
    METADATA,
    sa.Column("ledger", _NAME, primary_key=True),
    sa.Column("projection", _NAME, primary_key=True),
    sa.Column("generation", sa.Integer, primary_key=True),
    sa.Column("key", sa.String(300), primary_key=True),
    sa.Column("row", sa.LargeBinary, nullable=False),
)
TRACKING: Final = sa.Table(
    "projection_tracking",
    METADATA,
    sa.Column("ledger", _NAME, primary_key=True),
    sa.Column("projection", _NAME, primary_key=True),
    sa.Column("generation", sa.Integer, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("event_hash", sa.LargeBinary(32), nullable=False),
    sa.Column("digest", sa.LargeBinary(32), nullable=False),
    sa.Column("applied", sa.BigInteger, nullable=False),
    sa.Column("skipped", sa.BigInteger, nullable=False),
    sa.Column("quarantined", sa.BigInteger, nullable=False),
)
LIVE: Final = sa.Table(
    "projection_live",
    METADATA,
    sa.Column("ledger", _NAME, primary_key=True),
    sa.Column("projection", _NAME, primary_key=True),
    sa.Column("generation", sa.Integer, nullable=False),
)
DEAD_LETTERS: Final = sa.Table(
    "projection_dead_letters",
    METADATA,
    sa.Column("ledger", _NAME, primary_key=True),
    sa.Column("projection", _NAME, primary_key=True),
    sa.Column("generation", sa.Integer, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    sa.Column("type", _NAME, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
)
OF_GENERATION: Final = (ROWS, TRACKING, DEAD_LETTERS)


class Tracking(NamedTuple):
    """How far a generation has come, and what it looked like there.

    `event_hash` is that of the event at `position`: rows of another history are recognised by it.
    """

    position: int
    event_hash: bytes
    digest: bytes
    applied: int = 0
    skipped: int = 0
    quarantined: int = 0


class DeadLetter(NamedTuple):
    """An event that could not be folded: its place and why; never its content."""

    position: int
    type: str
    why: str


class Generation(NamedTuple):
    """One set of rows of one projection of one ledger.

    `projection` names the version too (`priorities/2`): releases that fold differently never share
    rows, so that servers of two releases can run side by side.
    """

    ledger: str
    projection: str
    number: int


class AdvanceResult(StrEnum):
    """The outcome of an attempt to move a generation forward."""

    MOVED = "moved"
    BEHIND = "behind"
    """Another runner has come as far already; nothing was written."""
    NOT_LIVE = "not_live"
    """Another generation is in use now; nothing was written."""
