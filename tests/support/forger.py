"""An owner of a SQLite database: its triggers dropped, its rows changed, its hashes recomputed.

Hashes and links are those of the format's page; tiles, heads and signatures are made with the
product's own functions, as a forger with the software at hand would.
"""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ledger.chain.checkpoint import CheckpointBody, sign
from ledger.chain.keys import SecretKey
from ledger.chain.merkle import CompactRange
from ledger.chain.tiles import RightEdge
from ledger.events.values import format_time
from ledger.storage.checks import RequestKey, request_row
from tests.support.chained import hashes_of, rehash


@dataclass
class Row:
    """A row of the table of events."""

    ledger_id: int
    position: int
    stream: str
    stream_version: int
    type: str
    recorded_at: int
    observed_at: int | None
    body: bytes | None
    salt: bytes | None
    body_hash: bytes
    prev_hash: bytes
    event_hash: bytes

    def rehash(self, origin: str, previous: bytes) -> None:
        """Make link and hashes right."""
        event: dict[str, Any] = {"body": self.body, "salt": (self.salt or b"").hex()}
        event["header"] = {
            "body_hash": self.body_hash.hex(),
            "ledger": origin,
            "position": self.position,
            "prev_hash": previous.hex(),
            "recorded_at": format_time(self.recorded_at),
            "stream": self.stream,
            "stream_version": self.stream_version,
            "type": self.type,
        }
        self.body_hash, self.prev_hash, self.event_hash = hashes_of(rehash(event))


COLUMNS = tuple(field.name for field in fields(Row))


def drop_triggers(path: Path) -> None:
    """Take away what keeps an honest hand from slipping."""
    with sqlite3.connect(path) as database:
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            database.execute(f"DROP TRIGGER {name}")
    database.close()


class Forger:
    """An open database and its events; nothing is stored until told to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = sqlite3.connect(path)
        self.origin: str = self.database.execute("SELECT origin FROM ledgers").fetchone()[0]
        found = self.database.execute(f"SELECT {', '.join(COLUMNS)} FROM events ORDER BY position")
        self.rows = [Row(*row) for row in found]

    def close(self) -> None:
        self.database.commit()
        self.database.close()

    def sizes(self) -> list[int]:
        """Return the sizes of the kept checkpoints."""
        return [row[0] for row in self.database.execute("SELECT size FROM checkpoints ORDER BY 1")]

    def renumber(self, start: int = 1) -> None:
        """Give positions and stream versions in order, and every hash from a position on again."""
        versions: dict[str, int] = {}
        for position, row in enumerate(self.rows, 1):
            versions[row.stream] = versions.get(row.stream, 0) + 1
            if position >= start:
                row.position, row.stream_version = position, versions[row.stream]
                row.rehash(
                    self.origin, self.rows[position - 2].event_hash if position > 1 else bytes(32)
                )

    def store_events(self, rows: Sequence[Row] | None = None) -> None:
        """Put rows in place of all that are there."""
        self.database.execute("DELETE FROM events")
        marks = ", ".join("?" * len(COLUMNS))
        values = [tuple(vars(row).values()) for row in (self.rows if rows is None else rows)]
        self.database.executemany(f"INSERT INTO events VALUES ({marks})", values)

    def store_all(self) -> None:
        """Store events, and what the service derives from them: tiles, head, requests."""
        self.store_events()
        edge, tiles = RightEdge(CompactRange(), []), dict[tuple[int, int], bytes]()
        tiles |= edge.extend(row.event_hash for row in self.rows)
        self.database.execute("DELETE FROM tiles")
        for (level, number), hashes in tiles.items():
            self.database.execute("INSERT INTO tiles VALUES (1, ?, ?, ?)", (level, number, hashes))
        observed = [row.observed_at for row in self.rows if row.observed_at is not None]
        last = self.rows[-1]
        values = (len(self.rows), last.event_hash, last.recorded_at, max(observed, default=None))
        self.database.execute(
            "UPDATE heads SET position = ?, event_hash = ?, recorded_at = ?,"
            " newest_observed_at = ?, tree = ?",
            (*values, edge.tree.to_bytes()),
        )
        self._store_requests()

    def append_rows(self, old: int) -> None:
        """Store the rows behind those that there were: hashes, links, tree and head are right."""
        self.renumber(old + 1)
        marks = ", ".join("?" * len(COLUMNS))
        values = [tuple(vars(row).values()) for row in self.rows[old:]]
        self.database.executemany(f"INSERT INTO events VALUES ({marks})", values)
        edge = RightEdge(CompactRange(), ())
        for (level, number), hashes in edge.extend(row.event_hash for row in self.rows).items():
            self.database.execute(
                "INSERT INTO tiles VALUES (1, ?, ?, ?) ON CONFLICT (ledger_id, level, number)"
                " DO UPDATE SET hashes = excluded.hashes",
                (level, number, hashes),
            )
        last = self.rows[-1]
        self.database.execute(
            "UPDATE heads SET position = ?, event_hash = ?, recorded_at = ?, tree = ?",
            (len(self.rows), last.event_hash, last.recorded_at, edge.tree.to_bytes()),
        )

    def _store_requests(self) -> None:
        """Make the remembered requests those of the events."""
        found: dict[str, list[int]] = {}
        for row in self.rows:
            name = json.loads(row.body)["request_id"] if row.body is not None else None
            if name is not None:
                found.setdefault(name, []).append(row.position)
        kept = self.database.execute("SELECT actor, method, request_id, digest FROM requests")
        for actor, method, name, digest in kept.fetchall():
            at = found.get(name)
            if at is None:
                self.database.execute("DELETE FROM requests WHERE request_id = ?", (name,))
                continue
            again = request_row(RequestKey(1, actor, method, name), digest, min(at), max(at))
            self.database.execute(
                "UPDATE requests SET first_position = ?, last_position = ?, seal = ?"
                " WHERE request_id = ?",
                (min(at), max(at), again["seal"], name),
            )

    def checkpoint(self, size: int) -> CheckpointBody:
        tree = CompactRange()
        for row in self.rows[:size]:
            tree.append(row.event_hash)
        return CheckpointBody(self.origin, size, tree.root())

    def sign_again(self, key: SecretKey, start: int) -> None:
        """Sign every kept checkpoint from a size on again; those beyond the end are gone."""
        for size in self.sizes():
            if size > len(self.rows):
                self.database.execute("DELETE FROM checkpoints WHERE size = ?", (size,))
                self.database.execute("DELETE FROM cosignatures WHERE size = ?", (size,))
            elif size >= start:
                note = sign(self.checkpoint(size), [key]).decode()
                self.database.execute(
                    "UPDATE checkpoints SET note = ? WHERE size = ?", (note, size)
                )


def append_again(path: Path, positions: Sequence[int]) -> None:
    """Append events once more by raw INSERTs, and move tiles and head along: no trigger minds."""
    with closing(Forger(path)) as forger:
        old = len(forger.rows)
        now = forger.rows[-1].recorded_at
        forger.rows += [replace(forger.rows[at - 1], recorded_at=now) for at in positions]
        forger.append_rows(old)
