"""Tables and indexes of a ledger database.

Both databases have the same tables. Positions are assigned by the writer, never by a sequence,
because a rolled back sequence leaves gaps. `triggers` refuse forbidden edits;
`migration` makes a newer database of an older one.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    literal_column,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import LargeBinary

SCHEMA_VERSION: Final = 6

metadata: Final = MetaData()


class Blob(LargeBinary):
    """Bytes as both drivers give and take them: without a conversion for each row."""

    cache_ok = True

    def bind_processor(self, dialect: object) -> None:
        """Pass bytes through."""

    def result_processor(self, dialect: object, coltype: object) -> None:
        """Pass bytes through."""


# Byte order, so that PostgreSQL sorts and compares text as SQLite does, in any locale.
Name = Text().with_variant(Text(collation="C"), "postgresql")

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

ledgers = Table(
    "ledgers",
    metadata,
    Column("ledger_id", Integer, primary_key=True, autoincrement=False),
    Column("origin", Name, nullable=False, unique=True),
    Column("clock", Text, nullable=False),
    Column("skew_seconds", Integer, nullable=False),
    Column("vkey", Text, nullable=False),  # the first key; empty where no key signs
    CheckConstraint("clock IN ('wall', 'data')", name="ledgers_clock"),
)

events = Table(
    "events",
    metadata,
    Column("ledger_id", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("stream", Name, nullable=False),
    Column("stream_version", BigInteger, nullable=False),
    Column("type", Name, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("observed_at", BigInteger),
    Column("body", Blob),
    Column("salt", Blob),
    Column("body_hash", Blob, nullable=False),
    Column("prev_hash", Blob, nullable=False),
    Column("event_hash", Blob, nullable=False),
    PrimaryKeyConstraint("ledger_id", "position"),
    UniqueConstraint("ledger_id", "stream", "stream_version", name="events_stream_version"),
    sqlite_with_rowid=False,
)

# Observations are found by when they were observed, all else by type: two indexes that share
# no event, so that each event pays for one of them only.
_observed = events.c.observed_at.is_not(None)
_other = events.c.observed_at.is_(None)
for _name, _where, _columns in (
    ("events_observed", _observed, ("ledger_id", "stream", "observed_at", "position")),
    ("events_stream_type", _other, ("ledger_id", "stream", "type", "position")),
    ("events_type", _other, ("ledger_id", "type", "position")),
):
    _indexed = [events.c[each] for each in _columns]
    Index(_name, *_indexed, sqlite_where=_where, postgresql_where=_where)

# The run is the last member of a canonical body, so that a run's events are found by how their
# bodies end; the ids that a service gives are all of one length. Only events of runs are indexed.
RUN_TAIL_BYTES: Final = len('"runs/00000000-0000-0000-0000-000000000000"}')


class _TailOfText(ColumnElement[bytes]):
    """The end of a body that names a run, where others end in `null}`: bytes, as a literal."""

    inherit_cache = True


@compiles(_TailOfText)
def _literal(*_: object, **__: object) -> str:
    return "x'227d'"


@compiles(_TailOfText, "postgresql")
def _postgres_literal(*_: object, **__: object) -> str:
    return r"'\x227d'::bytea"


def _tail(count: int) -> ColumnElement[bytes]:
    """Return the last bytes of a body, spelled as the index has it: without parameters."""
    length = func.length(events.c.body)
    return func.substr(events.c.body, length - literal_column(str(count - 1)))


run_tail: Final = _tail(RUN_TAIL_BYTES)
is_of_run: Final = _other & (_tail(2) == _TailOfText())
Index(
    "events_run",
    events.c.ledger_id,
    run_tail,
    events.c.position,
    sqlite_where=is_of_run,
    postgresql_where=is_of_run,
)

heads = Table(
    "heads",
    metadata,
    Column(
        "ledger_id",
        Integer,
        ForeignKey("ledgers.ledger_id"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("position", BigInteger, nullable=False),
    Column("event_hash", Blob, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("newest_observed_at", BigInteger),
    Column("tree", Blob, nullable=False),
    Column("seal", Blob),  # under the master key; none for the ledger of a bare recorder
)

requests = Table(
    "requests",
    metadata,
    Column("ledger_id", Integer, nullable=False),
    Column("actor", Name, nullable=False),
    Column("method", Name, nullable=False),
    Column("request_id", Name, nullable=False),
    Column("digest", Blob, nullable=False),
    Column("first_position", BigInteger, nullable=False),
    Column("last_position", BigInteger, nullable=False),
    Column("seal", Blob, nullable=False),  # over the other columns: no event vouches for them
    PrimaryKeyConstraint("ledger_id", "actor", "method", "request_id"),
    sqlite_with_rowid=False,
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("ledger_id", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    PrimaryKeyConstraint("ledger_id", "size"),
    sqlite_with_rowid=False,
)

cosignatures = Table(
    "cosignatures",
    metadata,
    Column("ledger_id", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("name", Name, nullable=False),
    Column("key_id", Blob, nullable=False),
    Column("line", Text, nullable=False),
    Column("seal", Blob, nullable=False),  # as in requests
    PrimaryKeyConstraint("ledger_id", "size", "name", "key_id"),
    sqlite_with_rowid=False,
)

# The Merkle tree: hash `number * 256 + i` of a level is at byte 32 * i of its tile.
tiles = Table(
    "tiles",
    metadata,
    Column("ledger_id", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("hashes", Blob, nullable=False),
    PrimaryKeyConstraint("ledger_id", "level", "number"),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("ledger_id", Integer, nullable=False),
    Column("number", Integer, nullable=False),  # in order of arrival, from 1
    Column("vkey", Text, nullable=False),
    Column("secret", Blob, nullable=False),  # sealed
    PrimaryKeyConstraint("ledger_id", "number"),
    UniqueConstraint("ledger_id", "vkey", name="signing_keys_vkey"),
)

leases = Table(
    "leases",
    metadata,
    Column("ledger_id", Integer, nullable=False),
    Column("name", Name, nullable=False),
    Column("holder", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("ledger_id", "name"),
    sqlite_with_rowid=False,
)

tracking = Table(
    "tracking",
    metadata,
    Column("ledger_id", Integer, nullable=False),
    Column("consumer", Name, nullable=False),
    Column("position", BigInteger, nullable=False),
    PrimaryKeyConstraint("ledger_id", "consumer"),
    sqlite_with_rowid=False,
)
