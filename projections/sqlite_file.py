"""The SQLite file that holds projections: set aside when damaged, scrubbed after an erasure."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy.engine import Connection, make_url

from ledger.database_url import refuse_malformed
from ledger.private import make_file

BUSY_SECONDS: Final = 10
_SCRUB_DUE: Final = 1  # the file's `user_version` while dropped rows may be left in its pages
_log: Final = structlog.get_logger("projections.store")


def projections_url(ledger_url: str) -> str:
    """Return where the projections of a ledger's database belong.

    `sqlite:///a/ledger.sqlite` has `sqlite:///a/ledger.projections.sqlite` beside it; a PostgreSQL
    database holds its own.
    """
    refuse_malformed(ledger_url)
    url = make_url(ledger_url if "://" in ledger_url else f"sqlite:///{ledger_url}")
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return ledger_url
    folder, slash, name = url.database.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    file = f"{stem}.projections.{suffix}" if dot else f"{name}.projections"
    return url.set(database=f"{folder}{slash}{file}").render_as_string(hide_password=False)


def set_aside_if_damaged(place: str) -> None:
    """Rename a file whose pages SQLite cannot read. Reads all of it, which is little."""
    path = Path(place)
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return  # the next to open it says what is wrong
        found = str(error)
    if found == "ok":
        return
    aside = path.with_name(path.name + ".damaged")
    _log.error("projections.damaged", place=place, why=found, kept_as=str(aside))
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def make_private(place: str) -> None:
    """Make the file before SQLite does, so that log and index are its owner's alone with it."""
    if place == ":memory:":
        return
    with suppress(OSError):  # the next to open it says what is wrong
        make_file(Path(place))


def forget_damaged(place: str) -> None:
    """Delete a file that was set aside: its pages are as old as its rows were."""
    Path(f"{place}.damaged").unlink(missing_ok=True)


def prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
    """Begin transactions ourselves; a power loss may cost the newest rows: only time."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def begin_immediate(connection: Connection) -> None:
    """Take the write lock first: a request for it halfway through is refused, not queued."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def mark_scrub(connection: Connection) -> None:
    """Remember in the file that it is to be scrubbed, with the transaction that makes it due."""
    connection.exec_driver_sql(f"PRAGMA user_version={_SCRUB_DUE}")


def is_scrub_due(connection: Connection) -> bool:
    """Whether a server ended between dropping rows and scrubbing the file."""
    return connection.exec_driver_sql("PRAGMA user_version").scalar() == _SCRUB_DUE


def scrub(raw: Any) -> bool:  # noqa: ANN401 - the driver's
    """Leave nothing of dropped rows in free pages or in the log; False while a program reads.

    All pages are rewritten from the rows that are there, and the log is emptied.
    """
    raw.execute("PRAGMA secure_delete=ON")  # or pages are filled up with old memory
    raw.execute("VACUUM")
    is_held, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if not is_held:
        raw.execute("PRAGMA user_version=0")
    return not is_held
