"""Tables, indexes and triggers of a ledger database, and how an older database becomes a newer one.

Both databases have the same tables. Positions are assigned by the writer, never by a sequence,
because a rolled back sequence leaves gaps. The triggers refuse edits by whoever uses the database
by mistake; whoever means harm can drop them, and is found by the chain.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    select,
)
from sqlalchemy.types import LargeBinary

from ledger.errors import LedgerError, Reason

SCHEMA_VERSION: Final = 1

metadata: Final = MetaData()


class Blob(LargeBinary):
    """Bytes as both drivers give and take them: without a conversion for each row."""

    cache_ok = True

    def bind_processor(self, dialect: object) -> None:
        """Pass bytes through."""

    def result_processor(self, dialect: object, coltype: object) -> None:
        """Pass bytes through."""


# Byte order, so that PostgreSQL sorts and compares text as SQLite does, whatever its locale.
Name = Text().with_variant(Text(collation="C"), "postgresql")

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

ledgers = Table(
    "ledgers",
    metadata,
    Column("ledger_id", Integer, primary_key=True, autoincrement=False),
    Column("origin", Name, nullable=False, unique=True),
    Column("clock", Text, nullable=False),
    Column("skew_seconds", Integer, nullable=False),
    Column("vkey", Text, nullable=False),
    Column("signing_key", Text, nullable=False),
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
Index(
    "events_observed",
    events.c.ledger_id,
    events.c.stream,
    events.c.observed_at,
    events.c.position,
    sqlite_where=_observed,
    postgresql_where=_observed,
)
Index(
    "events_stream_type",
    events.c.ledger_id,
    events.c.stream,
    events.c.type,
    events.c.position,
    sqlite_where=_other,
    postgresql_where=_other,
)
Index(
    "events_type",
    events.c.ledger_id,
    events.c.type,
    events.c.position,
    sqlite_where=_other,
    postgresql_where=_other,
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

APPEND_ONLY: Final = (events, requests, checkpoints)

_POSTGRES_REFUSE: Final = """
CREATE OR REPLACE FUNCTION ledger_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the ledger is append-only: %% of %% refused', TG_OP, TG_TABLE_NAME; END $$
"""


def prepare(connection: Connection) -> None:
    """Create or upgrade the schema inside the caller's transaction.

    Raises STORE_UNAVAILABLE where a newer release has written this database.
    """
    if inspect(connection).has_table(schema_version.name):
        found = connection.execute(select(schema_version.c.version)).scalar_one()
        if found > SCHEMA_VERSION:
            raise newer_schema(found)
        for version in range(found + 1, SCHEMA_VERSION + 1):
            _MIGRATIONS[version](connection)
        if found < SCHEMA_VERSION:
            connection.execute(schema_version.update().values(version=SCHEMA_VERSION))
        return
    metadata.create_all(connection)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_POSTGRES_REFUSE)
    for table in APPEND_ONLY:
        for statement in _triggers(connection.dialect.name, table.name):
            connection.exec_driver_sql(statement)
    connection.execute(schema_version.insert().values(version=SCHEMA_VERSION))


def newer_schema(found: int) -> LedgerError:
    """Return the refusal to touch a database that a newer release has written."""
    return LedgerError(
        Reason.STORE_UNAVAILABLE,
        f"The database has schema version {found}; this release knows up to {SCHEMA_VERSION}.",
        remedy="Use the release that wrote it, or a newer one. Nothing was changed.",
        metadata={"schema_version": str(found), "schema_version_max": str(SCHEMA_VERSION)},
    )


def _triggers(dialect: str, table: str) -> list[str]:
    """Return the statements that make a table refuse edits."""
    if dialect == "postgresql":
        return [
            f"CREATE TRIGGER {table}_{name} BEFORE {actions} ON {table} "
            f"FOR EACH {each} EXECUTE FUNCTION ledger_refuse_edit()"
            for name, actions, each in (
                ("no_edit", "UPDATE OR DELETE", "ROW"),
                ("no_truncate", "TRUNCATE", "STATEMENT"),
            )
        ]
    return [
        f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} BEGIN "
        f"SELECT RAISE(ABORT, 'the ledger is append-only: {action} of {table} refused'); END"
        for action in ("UPDATE", "DELETE")
    ]


_MIGRATIONS: Final[dict[int, Callable[[Connection], None]]] = {}
"""Version → the step that leads to it from the version before. Steps only go forward."""
