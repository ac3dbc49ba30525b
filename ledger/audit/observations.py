"""The audit's own index of observations, request ids and salts: a private file that goes with it.

Observations arrive late and out of order, and an evaluation may look far back; so they are kept by
time, on disk once they outgrow a cache, and never in the audited database. It holds only
data read from hashed bodies.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

from ledger.audit.event import AuditedEvent, StatedObservation

_BATCH: Final = 5_000
_CACHE_KIB: Final = 65_536


class IndexedObservation(NamedTuple):
    """One observation at its place."""

    position: int
    observed_at: int
    model_version: str
    signal: str
    source: str
    sample_size: int
    value: str
    first: int = 0
    """The one that the chain of corrections begins with; 0 where it corrects none."""


def uncorrected(known: list[IndexedObservation]) -> list[IndexedObservation]:
    """Return those that count of the observations of a stretch of time: the newest of each chain.

    A correction has the time of what it corrects, so chains are whole.
    """
    newest: dict[int, int] = {}
    for one in known:
        if one.first:
            newest[one.first] = max(one.position, newest.get(one.first, 0))
    if not newest:
        return known
    return [
        one for one in known if newest.get(one.first or one.position, one.position) == one.position
    ]


class Observations:
    """Observations by model and time; request ids and salts by how often they were used."""

    def __init__(self) -> None:
        self.count = 0
        self.sources: dict[str, set[str]] = {}
        """The sources that have ever reported each signal."""
        # An empty name is a temporary database: in memory while it is small, else an unnamed file.
        self._database = sqlite3.connect("", isolation_level=None)
        run = self._database.execute
        run("PRAGMA journal_mode=OFF")
        run("PRAGMA synchronous=OFF")
        run(f"PRAGMA cache_size=-{_CACHE_KIB}")
        run(
            "CREATE TABLE seen (model INTEGER, at INTEGER, position INTEGER, version INTEGER,"
            " signal INTEGER, source INTEGER, size INTEGER, value TEXT, first INTEGER,"
            " PRIMARY KEY (model, at, position)) WITHOUT ROWID"
        )
        run("CREATE INDEX chains ON seen (model, at, first, position) WHERE first > 0")
        run("CREATE TABLE asked (key BLOB, position INTEGER, allowed INTEGER)")
        run("CREATE TABLE salted (salt BLOB, position INTEGER)")
        self._seen: list[tuple[object, ...]] = []
        self._asked: list[tuple[bytes, int, int]] = []
        self._salted: list[tuple[bytes, int]] = []
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []

    def add(self, event: AuditedEvent, observation: StatedObservation) -> None:
        """Keep an observation of the model whose stream it is in."""
        number = self._number
        self.count += 1
        self.sources.setdefault(observation.signal, set()).add(event.actor)
        self._seen.append(
            (
                number(event.stream),
                observation.observed_at,
                event.position,
                number(observation.model_version),
                number(observation.signal),
                number(event.actor),
                observation.sample_size,
                observation.value,
                observation.first,
            )
        )
        if len(self._seen) >= _BATCH:
            self._flush()

    def _number(self, name: str) -> int:
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self._names)
            self._names.append(name)
        return found

    def between(
        self, stream: str, first: int, last: int, at_or_before: int, version: str | None = None
    ) -> list[IndexedObservation]:
        """Return a model's observations between two times, both included, up to a position.

        Of one model version, or of all; corrected ones too.
        """
        self._flush()
        names = self._names
        wanted = None if version is None else self._number(version)
        rows = self._database.execute(
            "SELECT position, at, version, signal, source, size, value, first FROM seen"
            " WHERE model = ? AND at BETWEEN ? AND ? AND position <= ?"
            " AND (? IS NULL OR version = ?)",
            (self._number(stream), first, last, at_or_before, wanted, wanted),
        )
        return [
            IndexedObservation(
                position, at, names[version_], names[signal], names[source], size, value, first_
            )
            for position, at, version_, signal, source, size, value, first_ in rows
        ]

    def at_position(
        self, stream: str, at: int, position: int, at_or_before: int
    ) -> IndexedObservation | None:
        """Return a model's observation of a time at a position; None where it is not there."""
        self._flush()
        row = self._database.execute(
            "SELECT position, at, version, signal, source, size, value, first FROM seen"
            " WHERE model = ? AND at = ? AND position = ? AND position <= ?",
            (self._number(stream), at, position, at_or_before),
        ).fetchone()
        if row is None:
            return None
        names = self._names
        version, signal, source = (names[number] for number in row[2:5])
        return IndexedObservation(row[0], row[1], version, signal, source, *row[5:])

    def last_correction(self, stream: str, at: int, first: int, at_or_before: int) -> int:
        """Return the last position of a correction in a chain; 0 where there is none."""
        self._flush()
        row = self._database.execute(
            "SELECT position FROM seen INDEXED BY chains"
            " WHERE model = ? AND at = ? AND first = ? AND first > 0 AND position <= ?"
            " ORDER BY position DESC LIMIT 1",
            (self._number(stream), at, first, at_or_before),
        ).fetchone()
        return 0 if row is None else int(row[0])

    def newest(self, stream: str, version: str, since: int, at_or_before: int) -> int | None:
        """Return the newest time at which a version was observed, not before `since`."""
        self._flush()
        row = self._database.execute(
            "SELECT at FROM seen WHERE model = ? AND at >= ? AND position <= ? AND version = ?"
            " ORDER BY at DESC LIMIT 1",
            (self._number(stream), since, at_or_before, self._number(version)),
        ).fetchone()
        return None if row is None else int(row[0])

    def ask(self, key: str, position: int, allowed: int) -> None:
        """Note that a request id was used, and how often it may be."""
        digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
        self._asked.append((digest, position, allowed))
        if len(self._asked) >= _BATCH:
            self._flush()

    def asked_too_often(self) -> list[int]:
        """Return the position of each use of a request id beyond what is allowed."""
        self._flush()
        rows = self._database.execute(
            "SELECT position FROM (SELECT position, allowed, row_number() OVER"
            " (PARTITION BY key ORDER BY position) AS turn FROM asked) WHERE turn > allowed"
            " ORDER BY position"
        )
        return [int(row[0]) for row in rows]

    def add_salt(self, salt: bytes, position: int) -> None:
        """Keep the salt of an event's body."""
        self._salted.append((salt, position))
        if len(self._salted) >= _BATCH:
            self._flush()

    def equal_salts(self) -> Iterator[tuple[int, int]]:
        """Yield the last and the first position of each salt that several events have."""
        self._flush()
        yield from self._database.execute(
            "SELECT max(position), min(position) FROM salted GROUP BY salt HAVING count(*) > 1"
        )

    def _flush(self) -> None:
        if not self._seen and not self._asked and not self._salted:
            return
        run = self._database
        run.execute("BEGIN")
        run.executemany("INSERT INTO seen VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", self._seen)
        run.executemany("INSERT INTO asked VALUES (?, ?, ?)", self._asked)
        run.executemany("INSERT INTO salted VALUES (?, ?)", self._salted)
        run.execute("COMMIT")
        self._seen.clear()
        self._asked.clear()
        self._salted.clear()

    def close(self) -> None:
        """Throw it away."""
        self._database.close()
