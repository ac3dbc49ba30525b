"""A connection to a database for an audit: it cannot write, and sees one state of it throughout.

SQLite's file is opened read only, PostgreSQL's transactions are. All statements of a connection
that is held are in one transaction, so that no row changes between two of them. As long as it is
open a SQLite log of changes cannot begin again, and what was erased is still in PostgreSQL's files.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ledger.audit.bookkeeping import Query
from ledger.database_url import refuse_malformed, shown
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.postgres import Purpose, connect_args, prepare_session

TABLE: Final = "table"
# The words of an error come from the file, where they name something in it that is damaged.
_SQLITE_ERRORS: Final = (sqlite3.Error, UnicodeDecodeError)
_VALUE_BYTES_MAX: Final = 64 << 20  # of a column; no event comes near it
_BUSY_TIMEOUT_MS: Final = 5_000
_POSTGRES: Final = ("postgresql://", "postgresql+psycopg://", "postgres://")
_POSTGRES_KINDS: Final = {
    "r": TABLE, "p": "partitioned table", "v": "view", "m": "materialized view",
    "f": "foreign table",
}  # fmt: skip
_RELATION: Final = (
    "SELECT relkind::text, row_security_active(oid), relhassubclass FROM pg_class"
    " WHERE oid = to_regclass(?::text) AND has_any_column_privilege(oid, 'SELECT')"
)
_HELD: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


@dataclass(frozen=True, slots=True)
class Connection:
    """A read-only connection, as far as an audit needs it."""

    query: Query
    close: Any
    errors: tuple[type[Exception], ...]
    kind_of: Callable[[str], str]
    """The kind of thing under a name: a table, or another; empty for nothing that it shows."""
    is_damage: Callable[[Exception], bool] = lambda _: False
    """Whether an error says that what is stored is damaged, and not that it cannot be had."""
    integrity: str = ""
    """The statement by which the database checks itself; empty where it has none."""


def connect(place: str, *, is_held: bool = True) -> Connection:
    """Return a read-only connection to what a path or URL names.

    `is_held`: all its statements see one state; else each the newest.
    """
    refuse_malformed(place)
    if place.startswith(_POSTGRES):
        return _postgres(place, is_held=is_held)
    path = place.removeprefix("sqlite:///") if place.startswith("sqlite:///") else place
    if "://" in path:
        raise invalid_field(
            "source",
            f"{path.partition('://')[0]}:// is neither a SQLite file nor PostgreSQL",
            remedy="Write a path, sqlite:///path, or postgresql://user@host/name.",
        )
    return _sqlite(Path(path), is_held=is_held)


def _sqlite(path: Path, *, is_held: bool) -> Connection:
    if not path.is_file():
        raise LedgerError(
            Reason.STORE_UNAVAILABLE,
            f"There is no file {path}.",
            remedy="Check the path; a server is named with --server.",
        )
    file = _SqliteFile(path.resolve(), is_held=is_held)  # its log is named after it, not a link
    return Connection(
        file.query,
        file.close,
        _SQLITE_ERRORS,
        file.kind_of,
        _is_damage,
        "PRAGMA integrity_check(1)",
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

    def __init__(self, path: Path, *, is_held: bool) -> None:
        self._path = path
        self._is_held = is_held
        self._log = path.with_name(path.name + "-wal")
        self._is_still = not self._log.exists()
        self._raw = self._opened()

    def _opened(self) -> sqlite3.Connection:
        still = "&immutable=1" if self._is_still else ""
        uri = f"file:{quote(str(self._path))}?mode=ro{still}"
        raw = sqlite3.connect(uri, uri=True, isolation_level=None)
        raw.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _VALUE_BYTES_MAX)
        raw.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        if self._is_held:
            raw.execute("BEGIN")
        return raw

    def query(self, sql: str, *parameters: object) -> list[Any]:
        """Return the rows of a statement."""
        try:
            rows = self._raw.execute(sql, parameters).fetchall()
        except _SQLITE_ERRORS:
            if not (self._is_still and self._log.exists()):
                raise
        else:
            if not (self._is_still and self._log.exists()):
                return rows
        self._raw.close()
        self._is_still = False
        self._raw = self._opened()
        return self._raw.execute(sql, parameters).fetchall()

    def kind_of(self, name: str) -> str:
        """Return what has this name, as the statement that made it says."""
        made = self.query(
            "SELECT type, sql FROM sqlite_master WHERE name = ? COLLATE NOCASE"
            " AND type IN ('table', 'view')",
            name,
        )
        if not made:
            return ""
        type_, sql = made[0]
        if len(made) > 1:
            return f"{len(made)} things of one name"
        if type_ == TABLE and not str(sql).startswith("CREATE TABLE "):
            return "virtual table"
        return str(type_)

    def close(self) -> None:
        """Close the connection."""
        self._raw.close()


def _postgres(url: str, *, is_held: bool) -> Connection:
    try:
        import psycopg  # noqa: PLC0415 - an extra
        from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415
        from psycopg.pq import TransactionStatus  # noqa: PLC0415
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
        if is_held:  # it is idle while other processes hash
            raw.execute("SET idle_in_transaction_session_timeout = 0")
            raw.execute(_HELD)
    except psycopg.Error as error:
        raise unavailable(url, error) from error

    def query(sql: str, *parameters: object) -> list[Any]:
        # Our statements hold neither question marks nor per cent signs but for parameters.
        statement = sql.replace("?", "%s").encode()
        try:
            with raw.cursor(binary=True) as cursor:
                return cursor.execute(statement, parameters).fetchall()
        except psycopg.Error:
            if raw.info.transaction_status == TransactionStatus.INERROR:
                raw.execute("ROLLBACK")  # what can be read beside is still looked at
                raw.execute(_HELD)
            raise

    def kind_of(name: str) -> str:
        found = query(_RELATION, name)
        if not found:
            return ""
        letter, hides_rows, has_parts = found[0]
        kind = _POSTGRES_KINDS.get(letter, "thing of another kind")
        if kind == TABLE and hides_rows:
            return "table that hides rows from this role"
        if kind == TABLE and has_parts:
            return "table with others below it"
        return kind

    return Connection(query, raw.close, (psycopg.Error,), kind_of)


def unavailable(place: str, error: Exception) -> LedgerError:
    """Return the refusal of a database that cannot be read."""
    return LedgerError(
        Reason.STORE_UNAVAILABLE,
        f"{shown(place)} cannot be read: {error}.",
        remedy="Check that it is a ledger's database, and the right to read it.",
    )
