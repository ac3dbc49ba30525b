"""How a database gets its tables, and how an older one becomes a newer one.

Steps only go forward, each in the transaction that opens the database: it is of one version or of
the next, never between.
"""

from collections.abc import Callable
from typing import Any, Final

import structlog
from sqlalchemy import Connection, inspect, select, text

from ledger.chain.keys import KeyFormatError, SecretKey
from ledger.chain.merkle import CompactRange
from ledger.chain.tiles import RightEdge
from ledger.errors import LedgerError, Reason, chain_broken
from ledger.events.system import LedgerCreated
from ledger.storage.database import damaged, unavailable
from ledger.storage.schema import (
    SCHEMA_VERSION,
    checkpoints,
    events,
    heads,
    ledgers,
    metadata,
    schema_version,
    signing_keys,
)
from ledger.storage.tile_rows import write_tiles
from ledger.storage.triggers import create_triggers
from ledger.storage.vault import SealedKeys, keep_keys

_PAGE: Final = 10_000
_TELL_EVENTS: Final = 200_000

_log: Final = structlog.get_logger("ledger.storage")

SCRUB_DUE: Final = "PRAGMA user_version=1"
"""SQLite: this file holds deleted content. Part of the transaction that deletes it."""


def prepare(connection: Connection, keys: SealedKeys, *, create: bool) -> None:
    """Upgrade the schema inside the caller's transaction, or create it where `create` says so.

    Raises STORE_UNAVAILABLE where a newer release has written this database, where it holds no
    ledger and none is to be created, and where a SQLite file is another program's.
    """
    if inspect(connection).has_table(schema_version.name):
        found = connection.execute(select(schema_version.c.version)).scalar_one()
        _check_not_newer(found)
        for version in range(found + 1, SCHEMA_VERSION + 1):
            _MIGRATIONS[version](connection, keys)
        if found < SCHEMA_VERSION:
            connection.execute(schema_version.update().values(version=SCHEMA_VERSION))
        return
    is_file = connection.dialect.name == "sqlite"
    if not create or (is_file and inspect(connection).get_table_names()):
        raise no_ledger("file is a SQLite database" if is_file else "database answers")
    _create_tables(connection)
    create_triggers(connection)
    connection.execute(schema_version.insert().values(version=SCHEMA_VERSION))


def _create_tables(connection: Connection) -> None:
    """Create the tables that are missing."""
    metadata.create_all(connection)
    if connection.dialect.name == "postgresql":  # hashes cannot be compressed: do not try
        connection.exec_driver_sql("ALTER TABLE tiles ALTER COLUMN hashes SET STORAGE EXTERNAL")


def check_version(found: int) -> None:
    """Refuse to read a database of another version; STORE_UNAVAILABLE says what to do."""
    _check_not_newer(found)
    if found < SCHEMA_VERSION:
        raise LedgerError(
            Reason.STORE_UNAVAILABLE,
            f"The database has schema version {found}; this release reads {SCHEMA_VERSION}.",
            remedy="Start this release's server on it once, which brings it up to date; keep a "
            "copy until then.",
            metadata={"schema_version": str(found), "schema_version_max": str(SCHEMA_VERSION)},
        )


def no_ledger(what: str) -> LedgerError:
    """Return the refusal to take a database for a ledger's."""
    return unavailable(
        f"The {what} but holds no ledger.",
        remedy="Check the path or URL. A new ledger is begun, where there is nothing yet, by "
        "`decision-ledger serve --create ORIGIN`.",
        retry=False,
    )


def _check_not_newer(found: int) -> None:
    """Refuse to touch a database that a newer release has written."""
    if found > SCHEMA_VERSION:
        raise LedgerError(
            Reason.STORE_UNAVAILABLE,
            f"The database has schema version {found}; this release knows up to {SCHEMA_VERSION}.",
            remedy="Use the release that wrote it, or a newer one. Nothing was changed.",
            metadata={"schema_version": str(found), "schema_version_max": str(SCHEMA_VERSION)},
        )


# ---- from version 1 to version 2 -----------------------------------------------------------------


def _to_version_2(connection: Connection, keys: SealedKeys) -> None:
    """Build the tiles of every ledger, seal its key, and draw the key that follows.

    The ledgers of bare recorders lose the key that never signed anything. Nothing is changed
    where a stored tree is not that of its events (CHAIN_BROKEN), or where there is no master key.
    """
    _log.info("the database is brought to schema version 2; this takes a while, once")
    for table in ("events", "requests", "checkpoints"):
        for name in ("no_edit", "no_truncate", "no_update", "no_delete"):
            _drop_trigger(connection, table, f"{table}_{name}")
    _create_tables(connection)
    found = connection.execute(text("SELECT * FROM ledgers ORDER BY ledger_id")).all()
    for row in found:
        _build_tiles(connection, row)
        if _is_signed(connection, row.ledger_id):
            _seal_keys(connection, keys, row)
        else:
            unsigned = ledgers.update().where(ledgers.c.ledger_id == row.ledger_id)
            connection.execute(unsigned.values(vkey=""))
    connection.exec_driver_sql("ALTER TABLE ledgers DROP COLUMN signing_key")
    create_triggers(connection)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(SCRUB_DUE)  # the file still holds keys in plain text
    _log.info("the database has schema version 2", ledgers=len(found))


def _drop_trigger(connection: Connection, table: str, name: str) -> None:
    of_table = f" ON {table}" if connection.dialect.name == "postgresql" else ""
    connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}{of_table}")


def _build_tiles(connection: Connection, ledger: Any) -> None:  # noqa: ANN401 - a row
    """Store the tiles over a ledger's event hashes, and compare the tree with the stored head."""
    stored = select(heads.c.position, heads.c.tree).where(heads.c.ledger_id == ledger.ledger_id)
    head = connection.execute(stored).one()
    edge, position = RightEdge(CompactRange(), ()), 0
    page = (
        select(events.c.position, events.c.event_hash)
        .where(events.c.ledger_id == ledger.ledger_id)
        .order_by(events.c.position)
        .limit(_PAGE)
    )
    while rows := connection.execute(page.where(events.c.position > position)).all():
        write_tiles(connection, ledger.ledger_id, edge.extend(row.event_hash for row in rows))
        if position // _TELL_EVENTS != rows[-1].position // _TELL_EVENTS:
            _log.info(
                "building the tiles of the Merkle tree",
                ledger=ledger.origin,
                events=rows[-1].position,
                of=head.position,
            )
        position = rows[-1].position
    if edge.tree.to_bytes() != head.tree:
        raise chain_broken(head.position, "the stored tree is not that of the events")


def _is_signed(connection: Connection, ledger_id: int) -> bool:
    """Return whether a ledger began with a key, or was signed all the same."""
    created = select(events.c.position).where(
        events.c.ledger_id == ledger_id,
        events.c.position == 1,
        events.c.type == LedgerCreated.TYPE,
    )
    signed = select(checkpoints.c.size).where(checkpoints.c.ledger_id == ledger_id).limit(1)
    return any(connection.execute(statement).first() for statement in (created, signed))


def _seal_keys(connection: Connection, keys: SealedKeys, ledger: Any) -> None:  # noqa: ANN401
    """Seal a ledger's key, and the one that follows it once a `key.committed` event says so."""
    try:
        signing = SecretKey.parse(ledger.signing_key)
    except KeyFormatError as error:
        raise damaged(f"the signing key of {ledger.origin} is unreadable: {error}") from error
    if str(signing.verifier_key) != ledger.vkey:
        raise damaged(f"the keys of {ledger.origin} do not belong together")
    both = (signing, keys.draw(ledger.origin))
    sealed = {str(key.verifier_key): keys.sealed(connection, key) for key in both}
    keep_keys(connection, ledger.ledger_id, sealed)


# ---- from version 2 to version 3 -----------------------------------------------------------------


def _to_version_3(connection: Connection, _: SealedKeys) -> None:
    """Make room for the seals of heads, and let sealed keys be sealed again.

    No head is sealed here: whether the database is what was written is for a person to verify.
    """
    kind = "BYTEA" if connection.dialect.name == "postgresql" else "BLOB"
    connection.exec_driver_sql(f"ALTER TABLE heads ADD COLUMN seal {kind}")
    for action in ("update", "delete", "truncate"):
        _drop_trigger(connection, signing_keys.name, f"{signing_keys.name}_no_{action}")
    create_triggers(connection, signing_keys.name)
    _log.info("the database has schema version 3")


# ---- from version 3 to version 4 -----------------------------------------------------------------


def _to_version_4(connection: Connection, _: SealedKeys) -> None:
    """Keep the bodies of events of authority, as every later event is judged by them."""
    _renew_triggers(connection)
    _log.info("the database has schema version 4")


# ---- from version 4 to version 5 -----------------------------------------------------------------


def _to_version_5(connection: Connection, _: SealedKeys) -> None:
    """Keep the bodies of the steps of people in the life of a policy, which are signatures."""
    _renew_triggers(connection)
    _log.info("the database has schema version 5")


# ---- from version 5 to version 6 -----------------------------------------------------------------


def _to_version_6(connection: Connection, _: SealedKeys) -> None:
    """Have the events of a run found by an index, and keep the bodies of events of jobs."""
    index = next(one for one in events.indexes if one.name == "events_run")
    index.create(connection, checkfirst=True)
    _renew_triggers(connection)
    _log.info("the database has schema version 6")


def _renew_triggers(connection: Connection) -> None:
    """Have the triggers know the types whose bodies are kept."""
    for action in ("update", "delete", "truncate"):
        _drop_trigger(connection, events.name, f"{events.name}_no_{action}")
    create_triggers(connection, events.name)


_MIGRATIONS: Final[dict[int, Callable[[Connection, SealedKeys], None]]] = {
    2: _to_version_2,
    3: _to_version_3,
    4: _to_version_4,
    5: _to_version_5,
    6: _to_version_6,
}
"""Version → the step that leads to it from the version before."""
