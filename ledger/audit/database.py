"""A database as a source: a SQLite file or PostgreSQL, read by the audit's own SQL alone.

The connection cannot write: SQLite's file is opened read only, PostgreSQL's transactions are. Every
statement is short, so an audit holds up neither a server that appends nor its log of changes.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ledger.audit import bookkeeping
from ledger.audit.bookkeeping import Query
from ledger.audit.source import (
    HashPassResult,
    Opener,
    Row,
    SourceKind,
    SourceReport,
    UnreadableError,
    Withheld,
    shown_place,
)
from ledger.errors import LedgerError, Reason, chain_broken, invalid_field
from ledger.events.canonical import CanonicalError, decode
from ledger.postgres import Purpose, connect_args, prepare_session

PAGE: Final = 8_192
_BUSY_TIMEOUT_MS: Final = 5_000
_POSTGRES: Final = ("postgresql://", "postgresql+psycopg://", "postgres://")

_TABLES: Final = (
    "ledgers", "events", "checkpoints", "tiles", "cosignatures", "requests", "heads",
    "signing_keys",
)  # fmt: skip
_ROWS: Final = (
    "SELECT position, stream, stream_version, type, recorded_at, body, salt, body_hash, prev_hash,"
    " event_hash FROM events WHERE ledger_id = ? AND position > ? AND position <= ?"
    " ORDER BY position LIMIT ?"
)
_NOTES: Final = (
    "SELECT size, note FROM checkpoints WHERE ledger_id = ? AND size > ? AND size <= ?"
    " ORDER BY size LIMIT ?"
)
_SIZES: Final = (
    "SELECT size FROM checkpoints WHERE ledger_id = ? AND size > ? AND size <= ? ORDER BY size"
)
_LINES: Final = (
    "SELECT size, line FROM cosignatures WHERE ledger_id = ? AND size > ? AND size <= ?"
    " ORDER BY size, name, key_id"
)
_TILES: Final = (
    "SELECT number, hashes FROM tiles WHERE ledger_id = ? AND level = ? AND number BETWEEN ? AND ?"
)


@dataclass(frozen=True, slots=True)
class Connection:
    """A read-only connection, as far as an audit needs it."""

    query: Query
    close: Any
    errors: tuple[type[Exception], ...]
    is_damage: Callable[[Exception], bool] = lambda _: False
    """Whether an error says that what is stored is damaged, and not that it cannot be had."""
    integrity: str = ""
    """The statement by which the database checks itself; empty where it has none."""


class DatabaseSource:
    """One ledger in a database."""

    kind: SourceKind = "database"
    has_bodies = True
    withheld: tuple[Withheld, ...] = ()

    def __init__(self, place: str, origin: str = "") -> None:
        """Open the ledger with this origin; an empty one means the only ledger there is."""
        self._place = place
        self._connection = connect(place)
        self._unreadable: tuple[type[Exception], ...] = (
            *self._connection.errors,
            UnicodeDecodeError,
        )
        try:
            self._tables = self._present_tables()
            self._ledger_id, self._origin = self._choose(origin)
            self._open()
        except BaseException as error:
            self._connection.close()
            if isinstance(error, (TypeError, ValueError)):
                raise _damaged(error) from error
            raise

    def _open(self) -> None:
        # Checkpoints before events: events that are signed by now are still there a moment later.
        newest = self._query(
            "SELECT size FROM checkpoints WHERE ledger_id = ? ORDER BY size DESC LIMIT 1",
            self._ledger_id,
        )
        self._newest_note = int(newest[0][0]) if newest else 0
        self._size = self._last_position()

    @property
    def origin(self) -> str:
        """The ledger's name."""
        return self._origin

    @property
    def size(self) -> int:
        """The last position when it was opened."""
        return self._size

    @property
    def opener(self) -> Opener | None:
        """Open the same database in another process."""
        return partial(DatabaseSource, self._place, self._origin)

    def rows(self, after: int, until: int) -> Iterator[Row]:
        """Yield rows in pages, each a statement of its own."""
        while after < until:
            try:
                page = self._connection.query(_ROWS, self._ledger_id, after, until, PAGE)
            except self._unreadable as error:
                raise UnreadableError(self._first_unreadable(after), str(error)) from error
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1][0]
            if type(last) is not int or last <= after:
                return
            after = last

    def _first_unreadable(self, after: int) -> int:
        """Return the first position after one whose row cannot be read."""
        for position in range(after + 1, after + PAGE + 1):
            try:
                self._connection.query(_ROWS, self._ledger_id, position - 1, position, 1)
            except self._unreadable:
                return position
        return after + 1

    def sizes(self, after: int, until: int) -> list[int]:
        """Return the sizes under which checkpoints are kept."""
        return [row[0] for row in self._query(_SIZES, self._ledger_id, after, until)]

    def notes(self, after: int) -> Iterator[tuple[int, str]]:
        """Yield the kept checkpoints, each with the cosignatures collected for it."""
        until = self._newest_note
        while page := self._query(_NOTES, self._ledger_id, after, until, PAGE):
            last = page[-1][0]
            lines: dict[int, list[str]] = {}
            if "cosignatures" in self._tables:
                for size, line in self._query(_LINES, self._ledger_id, after, last):
                    lines.setdefault(size, []).append(str(line))
            for size, note in page:
                yield size, _with_lines(str(note), lines.get(size, []))
            after = last

    def tiles(self, level: int, first: int, last: int) -> dict[int, bytes] | None:
        """Return stored tiles."""
        if "tiles" not in self._tables:
            return None
        return dict(self._query(_TILES, self._ledger_id, level, first, last))

    def erased_later(self) -> list[tuple[int, int]]:
        """Return what events after the audited ones say was erased."""
        found = self._query(
            "SELECT body FROM events WHERE ledger_id = ? AND type = 'body.erased.v1'"
            " AND observed_at IS NULL AND position > ? ORDER BY position",
            self._ledger_id,
            self._size,
        )
        ranges: list[tuple[int, int]] = []
        for (body,) in found:
            try:
                positions = decode(bytes(body))["data"]["positions"]
                ranges += [(int(first), int(last)) for first, last in positions]
            except (CanonicalError, KeyError, TypeError, ValueError):
                continue  # the next audit, which covers it, says what is wrong with it
        return ranges

    def examine(self, hashed: HashPassResult) -> SourceReport:
        """Compare the other columns and tables with the events, and each with itself."""
        found, rule = SourceReport(), "database.integrity"
        if self._connection.integrity:
            found.checked[rule] = 1
            (said,) = self._query(self._connection.integrity)[0]
            if said != "ok":
                found.fail(rule, 0, str(said))
                return found  # what such a file answers to further questions says nothing
        try:
            bookkeeping.examine(
                self._query, self._tables, self._ledger_id, self._size, hashed, found
            )
        except (TypeError, ValueError) as error:
            found.fail(rule, 0, f"a column does not hold what it should: {error}")
        return found

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _query(self, sql: str, *parameters: object) -> list[Any]:
        """Return the rows of a statement; CHAIN_BROKEN or STORE_UNAVAILABLE where that fails."""
        try:
            return self._connection.query(sql, *parameters)
        except self._connection.errors as error:
            if self._connection.is_damage(error):
                raise _damaged(error) from error
            raise _unavailable(self._place, error) from error

    # ---- opening ---------------------------------------------------------------------------------

    def _present_tables(self) -> set[str]:
        """Return which of the tables that an audit reads are there."""
        tables: set[str] = set()
        for name in _TABLES:
            try:
                self._connection.query(f"SELECT 1 FROM {name} WHERE 1 = 0")  # noqa: S608 - our own names
            except self._connection.errors:
                continue
            tables.add(name)
        if not {"ledgers", "events", "checkpoints"} <= tables:
            raise LedgerError(
                Reason.STORE_UNAVAILABLE,
                f"{shown_place(self._place)} holds no ledger.",
                remedy="Check the path or URL.",
            )
        return tables

    def _choose(self, origin: str) -> tuple[int, str]:
        found = {
            name: ledger_id
            for ledger_id, name in self._query("SELECT ledger_id, origin FROM ledgers")
        }
        if not origin and len(found) == 1:
            origin = next(iter(found))
        if origin in found:
            return found[origin], origin
        names = ", ".join(sorted(found)) or "none"
        raise LedgerError(
            Reason.LEDGER_UNKNOWN,
            f"{shown_place(self._place)} holds {len(found)} ledgers: {names}.",
            remedy="Name one of them: --ledger.",
            metadata={"ledger": origin},
        )

    def _last_position(self) -> int:
        found = self._query(
            "SELECT position FROM events WHERE ledger_id = ? ORDER BY position DESC LIMIT 1",
            self._ledger_id,
        )
        if not found:
            return 0
        last = found[0][0]
        if type(last) is int:
            return max(last, 0)
        # SQLite keeps anything in a column; the rows before it are still to be read.
        counted = self._query("SELECT count(*) FROM events WHERE ledger_id = ?", self._ledger_id)
        return int(counted[0][0])


def connect(place: str) -> Connection:
    """Return a read-only connection to what a path or URL names."""
    if place.startswith(_POSTGRES):
        return _postgres(place)
    path = place.removeprefix("sqlite:///") if place.startswith("sqlite:///") else place
    if "://" in path:
        raise invalid_field(
            "source",
            f"{path.partition('://')[0]}:// is neither a SQLite file nor PostgreSQL",
            remedy="Write a path, sqlite:///path, or postgresql://user@host/name.",
        )
    return _sqlite(Path(path))


def _sqlite(path: Path) -> Connection:
    if not path.is_file():
        raise LedgerError(
            Reason.STORE_UNAVAILABLE,
            f"There is no file {path}.",
            remedy="Check the path; a server is named with --server.",
        )
    file = _SqliteFile(path.resolve())  # its log has the name of the file, not of a link
    return Connection(
        file.query, file.close, (sqlite3.Error,), _is_damage, "PRAGMA integrity_check(1)"
    )


def _is_damage(error: Exception) -> bool:
    """Return whether SQLite's error is about the file's contents, invalid text included."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class _SqliteFile:
    """A SQLite file that is only read: without a server, not even its folder is written to.

    SQLite's read-only mode still keeps two files beside a database, for locks that are not needed
    while no server has it open. As long as there is no log of changes the file is therefore read as
    it lies; when one appears a server has begun, and what was read last is read again with locks.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._is_still = not self._log.exists()
        self._raw = self._opened()

    def _opened(self) -> sqlite3.Connection:
        still = "&immutable=1" if self._is_still else ""
        uri = f"file:{quote(str(self._path))}?mode=ro{still}"
        raw = sqlite3.connect(uri, uri=True, isolation_level=None)
        raw.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        return raw

    def query(self, sql: str, *parameters: object) -> list[Any]:
        """Return the rows of a statement."""
        try:
            rows = self._raw.execute(sql, parameters).fetchall()
        except sqlite3.Error:
            if not (self._is_still and self._log.exists()):
                raise
        else:
            if not (self._is_still and self._log.exists()):
                return rows
        self._raw.close()
        self._is_still = False
        self._raw = self._opened()
        return self._raw.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Close the connection."""
        self._raw.close()


def _postgres(url: str) -> Connection:
    try:
        import psycopg  # noqa: PLC0415 - an extra
        from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415
    except ImportError as error:
        raise LedgerError(
            Reason.STORE_UNAVAILABLE,
            f"PostgreSQL needs a driver that is not installed: {error}.",
            remedy="Install `decision-ledger[postgres]`.",
        ) from error
    plain = "postgresql://" + url.partition("://")[2]
    try:
        stated = make_conninfo(plain, **connect_args(conninfo_to_dict(plain)))
        raw = psycopg.connect(stated, autocommit=True)
        prepare_session(raw, Purpose.READS, lambda: psycopg.connect(stated, autocommit=True))
    except psycopg.Error as error:
        raise _unavailable(url, error) from error

    def query(sql: str, *parameters: object) -> list[Any]:
        # Our statements hold neither question marks nor per cent signs but for parameters.
        statement = sql.replace("?", "%s").encode()
        with raw.cursor(binary=True) as cursor:
            return cursor.execute(statement, parameters).fetchall()

    return Connection(query, raw.close, (psycopg.Error,))


def _with_lines(note: str, lines: Sequence[str]) -> str:
    """Return a note with further signature lines."""
    return note + "".join(f"{line.rstrip()}\n" for line in lines)


def _damaged(error: Exception) -> LedgerError:
    return chain_broken(0, f"the database is damaged: {error}")


def _unavailable(place: str, error: Exception) -> LedgerError:
    return LedgerError(
        Reason.STORE_UNAVAILABLE,
        f"{shown_place(place)} cannot be read: {error}.",
        remedy="Check that it is a ledger's database, and the right to read it.",
    )
