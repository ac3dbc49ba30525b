"""How a database gets its tables, and how an older one becomes a newer one.

Steps only go forward, each in the transaction that opens the database: it is of one version or of
the next, never between.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, inspect, select

from ledger.errors import LedgerError, Reason
from ledger.storage.schema import SCHEMA_VERSION, metadata, schema_version
from ledger.storage.sealed_keys import SealedKeys
from ledger.storage.triggers import create_triggers

SCRUB_DUE: Final = "PRAGMA user_version=1"
"""SQLite: this file holds deleted content. Part of the transaction that deletes it."""


def prepare(connection: Connection, keys: SealedKeys) -> None:
    """Create or upgrade the schema inside the caller's transaction.

    Raises STORE_UNAVAILABLE where a newer release has written this database.
    """
    if inspect(connection).has_table(schema_version.name):
        found = connection.execute(select(schema_version.c.version)).scalar_one()
        if found > SCHEMA_VERSION:
            raise newer_schema(found)
        for version in range(found + 1, SCHEMA_VERSION + 1):
            _MIGRATIONS[version](connection, keys)
        if found < SCHEMA_VERSION:
            connection.execute(schema_version.update().values(version=SCHEMA_VERSION))
        return
    metadata.create_all(connection)
    create_triggers(connection)
    connection.execute(schema_version.insert().values(version=SCHEMA_VERSION))


def check_version(found: int) -> None:
    """Refuse to read a database of another version; STORE_UNAVAILABLE says what to do."""
    if found > SCHEMA_VERSION:
        raise newer_schema(found)
    if found < SCHEMA_VERSION:
        raise LedgerError(
            Reason.STORE_UNAVAILABLE,
            f"The database has schema version {found}; this release reads {SCHEMA_VERSION}.",
            remedy="Start this release's server on it once, which brings it up to date; keep a "
            "copy until then.",
            metadata={"schema_version": str(found), "schema_version_max": str(SCHEMA_VERSION)},
        )


def newer_schema(found: int) -> LedgerError:
    """Return the refusal to touch a database that a newer release has written."""
    return LedgerError(
        Reason.STORE_UNAVAILABLE,
        f"The database has schema version {found}; this release knows up to {SCHEMA_VERSION}.",
        remedy="Use the release that wrote it, or a newer one. Nothing was changed.",
        metadata={"schema_version": str(found), "schema_version_max": str(SCHEMA_VERSION)},
    )


_MIGRATIONS: Final[dict[int, Callable[[Connection, SealedKeys], None]]] = {}
"""Version → the step that leads to it from the version before."""
