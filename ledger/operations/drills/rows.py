"""An owner of a SQLite file can change it: triggers can be dropped, and hashes need no secret.

Hashes, tree and head are made right again with the product's own functions, as an attacker with the
software at hand would. A seal of the head and a signature need keys, which this one has not.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ledger.chain.link import body_hash, event_hash, header_bytes
from ledger.chain.merkle import CompactRange
from ledger.chain.tiles import RightEdge
from ledger.events.values import format_time

_SALT_BYTES = 16


@contextmanager
def owned(database: Path) -> Iterator[sqlite3.Connection]:
    """Open a database without its triggers, and keep what is written to it."""
    connection = sqlite3.connect(database)
    try:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in found.fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        yield connection
        connection.commit()
    finally:
        connection.close()


def append(
    connection: sqlite3.Connection, origin: str, stream: str, type_: str, body: bytes
) -> int:
    """Append an event past every check, with hashes, tree and head right; return its position."""
    ledger_id, position, previous, recorded_at, tree = connection.execute(
        "SELECT ledger_id, position, event_hash, recorded_at, tree FROM heads"
        " WHERE ledger_id = (SELECT ledger_id FROM ledgers WHERE origin = ?)",
        (origin,),
    ).fetchone()
    (version,) = connection.execute(
        "SELECT coalesce(max(stream_version), 0) FROM events WHERE ledger_id = ? AND stream = ?",
        (ledger_id, stream),
    ).fetchone()
    salt = hashlib.sha256(body).digest()[:_SALT_BYTES]
    committed = body_hash(salt, body)
    linked = event_hash(
        header_bytes(
            body_hash=committed.hex(),
            ledger=origin,
            position=position + 1,
            prev_hash=previous.hex(),
            recorded_at=format_time(recorded_at),
            stream=stream,
            stream_version=version + 1,
            type_=type_,
        )
    )
    connection.execute(
        "INSERT INTO events (ledger_id, position, stream, stream_version, type, recorded_at, body,"
        " salt, body_hash, prev_hash, event_hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (ledger_id, position + 1, stream, version + 1, type_, recorded_at, body, salt, committed,
         previous, linked),
    )  # fmt: skip
    _move_head(connection, ledger_id, position + 1, linked, tree)
    return int(position) + 1


def _move_head(
    connection: sqlite3.Connection, ledger_id: int, position: int, linked: bytes, tree: bytes
) -> None:
    """Let tiles and head follow one more event."""

    def stored(places: Sequence[tuple[int, int]]) -> list[bytes]:
        wanted = "SELECT hashes FROM tiles WHERE ledger_id = ? AND level = ? AND number = ?"
        return [connection.execute(wanted, (ledger_id, *one)).fetchone()[0] for one in places]

    edge = RightEdge.load(CompactRange.from_bytes(tree), stored)
    for (level, number), hashes in edge.extend([linked]).items():
        connection.execute(
            "INSERT INTO tiles (ledger_id, level, number, hashes) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (ledger_id, level, number) DO UPDATE SET hashes = excluded.hashes",
            (ledger_id, level, number, hashes),
        )
    connection.execute(
        "UPDATE heads SET position = ?, event_hash = ?, tree = ? WHERE ledger_id = ?",
        (position, linked, edge.tree.to_bytes(), ledger_id),
    )


def newest(connection: sqlite3.Connection, origin: str) -> tuple[int, int, str, str, bytes]:
    """Return the newest event with a body: ledger, position, stream, type and body."""
    found: tuple[int, int, str, str, bytes] = connection.execute(
        "SELECT ledger_id, position, stream, type, body FROM events"
        " WHERE ledger_id = (SELECT ledger_id FROM ledgers WHERE origin = ?)"
        " AND body IS NOT NULL ORDER BY position DESC LIMIT 1",
        (origin,),
    ).fetchone()
    return found
