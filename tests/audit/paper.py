"""A ledger on paper: events to be changed at will, hashed and signed again as its owner could.

What is written is the smallest database that an audit reads, so forgeries do not depend on how the
service stores things; and everything in it is consistent, so that only what was forged is wrong.
"""

import hashlib
import json
import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ledger.audit.database import DatabaseSource
from ledger.chain.checkpoint import CheckpointBody, sign
from ledger.chain.keys import SecretKey
from ledger.chain.merkle import CompactRange, root_of
from ledger.chain.tiles import RightEdge
from ledger.events.canonical import encode
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import format_time, parse_time
from tests.support.chained import Chained, body_of, hashes_of, rehash

_TABLES: Final = """
CREATE TABLE ledgers (ledger_id INTEGER, origin TEXT, clock TEXT, skew_seconds INTEGER, vkey TEXT);
CREATE TABLE events (ledger_id INTEGER, position, stream, stream_version, type, recorded_at,
 observed_at, body, salt, body_hash, prev_hash, event_hash, PRIMARY KEY (ledger_id, position));
CREATE TABLE heads (ledger_id INTEGER, position, event_hash, recorded_at, newest_observed_at, tree);
CREATE TABLE checkpoints (ledger_id INTEGER, size, note, PRIMARY KEY (ledger_id, size));
CREATE TABLE cosignatures (ledger_id INTEGER, size, name, key_id, line, seal);
CREATE TABLE tiles (ledger_id INTEGER, level, number, hashes,
 PRIMARY KEY (ledger_id, level, number));
CREATE TABLE requests (ledger_id INTEGER, actor, method, request_id, digest, first_position,
 last_position, seal);
"""


@dataclass
class Written:
    """One event; `body` as bytes is taken as it is, None leaves body and salt out."""

    stream: str
    type: str
    recorded_at: int
    body: dict[str, Any] | bytes
    is_gone: bool = False
    salt: bytes | None = None
    """The body's salt, if not the usual one of its position."""

    @property
    def data(self) -> dict[str, Any]:
        """What it says, to be changed in place."""
        assert isinstance(self.body, dict)
        data: dict[str, Any] = self.body["data"]
        return data

    @property
    def raw(self) -> bytes:
        """The bytes of its body."""
        return self.body if isinstance(self.body, bytes) else encode(self.body)


@dataclass
class Paper:
    """A whole ledger."""

    origin: str
    events: list[Written] = field(default_factory=list)
    checkpoint_sizes: Sequence[int] = ()
    requests: list[tuple[str, str, str, int, int]] = field(default_factory=list)
    signers: dict[int, list[SecretKey]] = field(default_factory=dict)
    """Who signs the checkpoint of a size, if not the first key."""
    cosignatures: list[tuple[int, str, bytes, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take a key whose seed everybody here knows."""
        self.key = SecretKey(self.origin, bytes(range(32)))

    @classmethod
    def copied(cls, database: Path, origin: str) -> "Paper":
        """Return what is in a database, under a key that the test holds."""
        source = DatabaseSource(str(database), origin)
        paper = cls(source.origin)
        for _, stream, _, type_, recorded_at, body, *_ in source.rows(0, source.size):
            assert body is not None
            paper.events.append(Written(stream, type_, recorded_at, json.loads(body)))
        source.close()
        paper.at(1).data["vkey"] = str(paper.key.verifier_key)
        paper.checkpoint_sizes = [len(paper.events)]
        return paper

    def at(self, position: int) -> Written:
        """Return the event at a position."""
        return self.events[position - 1]

    def find(self, type_: str, **members: object) -> list[int]:
        """Return the positions of events of a type whose data has these members."""
        return [
            position
            for position, event in enumerate(self.events, 1)
            if event.type == type_
            and isinstance(event.body, dict)
            and all(event.data[name] == value for name, value in members.items())
        ]

    def append(
        self,
        stream: str,
        type_: str,
        data: dict[str, Any],
        *,
        actor: str = "users/ana",
        at: int | None = None,
        **members: object,
    ) -> int:
        """Append an event and return its position; the newest checkpoint covers it too."""
        body = body_of(data, actor=actor, **members)
        recorded_at = self.events[-1].recorded_at if at is None else at
        self.events.append(Written(stream, type_, recorded_at, body))
        self.checkpoint_sizes = [*self.checkpoint_sizes, len(self.events)]
        return len(self.events)

    def remove(self, *positions: int) -> None:
        """Leave events out, and have all that names a later position name where that is now."""
        gone = sorted(positions)
        for position in reversed(gone):
            del self.events[position - 1]
        for event in self.events:
            if isinstance(event.body, dict):
                event.body = _moved(event.body, gone)
        self.checkpoint_sizes = [len(self.events)]

    # ---- writing ---------------------------------------------------------------------------------

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows of the events, hashed and linked."""
        rows: list[tuple[Any, ...]] = []
        chained = Chained(self.origin)
        for position, event in enumerate(self.events, 1):
            raw, at = event.raw, event.recorded_at
            made = chained.raw(event.type, raw, event.stream, format_time(at))
            if event.salt is not None:
                made["salt"] = event.salt.hex()
                rehash(made)
            version, salt = made["header"]["stream_version"], bytes.fromhex(made["salt"])
            is_observed = event.type in OBSERVED_TYPES
            observed_at = parse_time(event.data["observed_at"]) if is_observed else None
            kept = (None, None) if event.is_gone else (raw, salt)
            row = (1, position, event.stream, version, event.type, at, observed_at)
            rows.append((*row, *kept, *hashes_of(made)))
        return rows

    def note(self, size: int, leaves: Sequence[bytes], keys: Iterable[SecretKey] = ()) -> str:
        """Return the signed checkpoint over the first events."""
        checkpoint = CheckpointBody(self.origin, size, root_of(leaves[:size]))
        return sign(checkpoint, list(keys) or [self.key]).decode()

    def write(self, path: Path) -> Path:
        """Write it all to a database."""
        rows = self.rows()
        leaves = [row[11] for row in rows]
        path.unlink(missing_ok=True)
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA synchronous=OFF")
            database.execute("PRAGMA journal_mode=MEMORY")
            database.executescript(_TABLES)
            put = database.executemany
            vkey = str(self.key.verifier_key)
            configured = self.at(2).data
            put(
                "INSERT INTO ledgers VALUES (1, ?, ?, ?, ?)",
                [(self.origin, configured["clock"], configured["skew_seconds"], vkey)],
            )
            put(f"INSERT INTO events VALUES ({', '.join('?' * 12)})", rows)
            edge = RightEdge(CompactRange(), [])
            tiles = edge.extend(leaves)
            put(
                "INSERT INTO tiles VALUES (1, ?, ?, ?)",
                [(level, number, hashes) for (level, number), hashes in tiles.items()],
            )
            observed = [row[6] for row in rows if row[6] is not None]
            head = (len(rows), leaves[-1], rows[-1][5], max(observed, default=None))
            put("INSERT INTO heads VALUES (1, ?, ?, ?, ?, ?)", [(*head, edge.tree.to_bytes())])
            put(
                "INSERT INTO checkpoints VALUES (1, ?, ?)",
                [
                    (size, self.note(size, leaves, self.signers.get(size, ())))
                    for size in sorted(set(self.checkpoint_sizes))
                ],
            )
            put("INSERT INTO cosignatures VALUES (1, ?, ?, ?, ?, ?)", self._cosignature_rows())
            put("INSERT INTO requests VALUES (1, ?, ?, ?, ?, ?, ?, ?)", self._request_rows())
        database.close()
        return path

    def _cosignature_rows(self) -> list[tuple[Any, ...]]:
        found = []
        for size, name, key_id, line in self.cosignatures:
            text = f"1\n{size}\n{name}\n{key_id.hex()}\n{line}\n"
            found.append((size, name, key_id, line, hashlib.sha256(text.encode()).digest()))
        return found

    def _request_rows(self) -> list[tuple[Any, ...]]:
        found = []
        known = {(actor, request_id) for actor, _, request_id, *_ in self.requests}
        places: dict[tuple[str, str], list[int]] = {}
        for position, event in enumerate(self.events, 1):
            body = event.body
            if isinstance(body, dict) and body["request_id"] is not None:
                key = body["actor"], body["request_id"]
                places.setdefault(key, []).append(position)
        rows = [
            (actor, "Anything", request_id, min(at), max(at))
            for (actor, request_id), at in places.items()
            if (actor, request_id) not in known
        ]
        for actor, method, request_id, first, last in [*self.requests, *rows]:
            digest = hashlib.sha256(request_id.encode()).digest()
            text = f"1\n{actor}\n{method}\n{request_id}\n{first}\n{last}\n"
            seal = hashlib.sha256(text.encode() + digest).digest()
            found.append((actor, method, request_id, digest, first, last, seal))
        return found


_PLACES: Final = {
    "adds_to", "after", "as_of", "causation_position", "decision", "ended_by", "escalation",
    "evaluated_through", "governed_through", "plan", "position", "proposal", "report",
    "reservation", "score_position", "seen_position", "shadow", "task",
}  # fmt: skip


def _moved(value: Any, gone: Sequence[int]) -> Any:  # noqa: ANN401 - JSON
    """Return a body whose positions are what is left of them without those that are gone."""
    if isinstance(value, list):
        return [_moved(item, gone) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: item - bisect_right(gone, item)
        if name in _PLACES and isinstance(item, int)
        else _moved(item, gone)
        for name, item in value.items()
    }
