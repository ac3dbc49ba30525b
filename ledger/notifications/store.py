"""Where it is kept how far each subscriber was told, and which events could not be delivered.

A SQLite file beside the ledger's, `NAME.notifications.sqlite`, or tables in its PostgreSQL
database. It is not made from events: without it each subscriber begins at the end of the ledger.
Every change names the cursor that it follows, so of two servers one alone moves it.
"""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, make_url

from ledger.database_url import shown
from ledger.engines import postgres_engine, sqlite_engine
from ledger.errors import DATABASE_ERROR, LedgerError, Reason
from ledger.notifications.tables import (
    CURSORS,
    DEAD_LETTERS,
    MARKS,
    METADATA,
    Cursor,
    Key,
    Mark,
    UndeliveredEvent,
)
from ledger.postgres import Purpose, connect_args, prepare_session
from ledger.private import make_file
from ledger.storage.database import sqlite_file

_ADVISORY_LOCK: Final = 0x6C65_6467_6E6F_7469  # any number that is ours: "ledgnoti"
_BUSY_SECONDS: Final = 10


def notifications_file(database: str) -> Path | None:
    """Return the file for a ledger's database; None where that is PostgreSQL's."""
    file = sqlite_file(database)
    return None if file is None else file.with_name(f"{file.stem}.notifications.sqlite")


class NotificationStore:
    """The tables, on an engine of their own. Safe between threads and between servers."""

    def __init__(self, database: str) -> None:
        """Open what belongs to a ledger's database; STORE_UNAVAILABLE where it cannot be opened."""
        file = notifications_file(database)
        self._insert = sqlite.insert if file is not None else postgresql.insert
        if file is not None:
            self.place = str(file)
            self._engine = _sqlite_engine(file)
        else:
            self.place = shown(database)
            self._engine = _postgres_engine(database)
        try:
            with self._begin() as connection:
                if file is None:  # servers that make tables go one behind the other
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
                METADATA.create_all(connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release files and connections."""
        self._engine.dispose()

    def begin(self, key: Key, position: int, mark: Mark | None = None) -> None:
        """Put a subscriber's cursor at a position, unless it has one."""
        with self._begin() as connection:
            values = key._asdict() | Cursor(position)._asdict()
            begun = self._insert(CURSORS).values(values).on_conflict_do_nothing()
            if connection.execute(begun).rowcount == 1:
                self._put(connection, key, mark)

    def cursor(self, key: Key) -> Cursor | None:
        """Return a subscriber's cursor; None for one that never began."""
        columns = [CURSORS.c[name] for name in Cursor._fields]
        with self._begin() as connection:
            row = connection.execute(sa.select(*columns).where(*_is(CURSORS, key))).first()
        return None if row is None else Cursor._make(row)

    def mark(self, key: Key) -> Mark | None:
        """Return the event at which a subscriber's cursor moved last, if it has."""
        columns = [MARKS.c[name] for name in Mark._fields]
        with self._begin() as connection:
            row = connection.execute(sa.select(*columns).where(*_is(MARKS, key))).first()
        return None if row is None else Mark._make(row)

    def move(self, key: Key, before: Cursor, after: Cursor, mark: Mark | None = None) -> bool:
        """Replace a cursor; False, and nothing is changed, where it is not what it was."""
        with self._begin() as connection:
            if not _moved(connection, key, before, after):
                return False
            self._put(connection, key, mark)
            return True

    def bury(
        self, key: Key, before: Cursor, letter: UndeliveredEvent, mark: Mark | None = None
    ) -> bool:
        """Set an event aside, and move the cursor to it; False where it is not what it was."""
        with self._begin() as connection:
            if not _moved(connection, key, before, Cursor(letter.position)):
                return False
            self._put(connection, key, mark)
            connection.execute(
                self._insert(DEAD_LETTERS)
                .values(key._asdict() | letter._asdict())
                .on_conflict_do_nothing()
            )
            return True

    def dead_letters(self, key: Key, *, after: int = 0, limit: int = 100) -> list[UndeliveredEvent]:
        """Return a subscriber's dead letters by position."""
        return self._letters(key, DEAD_LETTERS.c.position > after, limit)

    def count_dead(self, key: Key) -> int:
        """Return how many dead letters a subscriber has."""
        statement = sa.select(sa.func.count()).select_from(DEAD_LETTERS)
        with self._begin() as connection:
            return connection.execute(statement.where(*_is(DEAD_LETTERS, key))).scalar_one()

    def ask_replay(self, key: Key, positions: Collection[int]) -> list[int]:
        """Mark dead letters to be sent again, all if none is named; return their positions.

        None is marked where one that is named is no dead letter.
        """
        of_key = sa.select(DEAD_LETTERS.c.position).where(*_is(DEAD_LETTERS, key))
        if positions:
            of_key = of_key.where(DEAD_LETTERS.c.position.in_(sorted(positions)))
        with self._begin() as connection:
            found = list(connection.execute(of_key.order_by(DEAD_LETTERS.c.position)).scalars())
            if not set(positions) - set(found):
                connection.execute(
                    sa.update(DEAD_LETTERS)
                    .where(*_is(DEAD_LETTERS, key), DEAD_LETTERS.c.position.in_(found))
                    .values(is_replayed=True)
                )
            return found

    def to_replay(self, key: Key, *, limit: int) -> list[UndeliveredEvent]:
        """Return the dead letters that are to be sent again, by position."""
        return self._letters(key, DEAD_LETTERS.c.is_replayed, limit)

    def replayed(self, key: Key, position: int) -> None:
        """Forget a dead letter, which was delivered."""
        with self._begin() as connection:
            at = DEAD_LETTERS.c.position == position
            connection.execute(sa.delete(DEAD_LETTERS).where(*_is(DEAD_LETTERS, key), at))

    def put_back(self, key: Key, letter: UndeliveredEvent) -> None:
        """Keep a dead letter that was sent again and failed again."""
        with self._begin() as connection:
            at = DEAD_LETTERS.c.position == letter.position
            connection.execute(
                sa.update(DEAD_LETTERS).where(*_is(DEAD_LETTERS, key), at).values(letter._asdict())
            )

    def _put(self, connection: Connection, key: Key, mark: Mark | None) -> None:
        """Replace a subscriber's mark, where there is a new one."""
        if mark is not None:
            statement = self._insert(MARKS).values(key._asdict() | mark._asdict())
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=list(key._asdict()), set_=mark._asdict()
                )
            )

    def _letters(
        self, key: Key, which: sa.ColumnElement[bool], limit: int
    ) -> list[UndeliveredEvent]:
        columns = [DEAD_LETTERS.c[name] for name in UndeliveredEvent._fields]
        statement = sa.select(*columns).where(*_is(DEAD_LETTERS, key), which)
        with self._begin() as connection:
            rows = connection.execute(statement.order_by(DEAD_LETTERS.c.position).limit(limit))
            return [UndeliveredEvent._make(row) for row in rows]

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        """Open a transaction whose database errors become STORE_UNAVAILABLE."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise _unavailable(error, self.place) from error


def _sqlite_engine(file: Path) -> sa.Engine:
    """Return an engine whose commits are durable: a cursor that was lost would skip events."""
    make_file(file)
    engine = sqlite_engine(
        sa.URL.create("sqlite", database=str(file)),
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(raw: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
        raw.isolation_level = None
        raw.execute("PRAGMA journal_mode=WAL").close()
        raw.execute("PRAGMA synchronous=FULL").close()

    @sa.event.listens_for(engine, "begin")
    def _take_lock(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _postgres_engine(database: str) -> sa.Engine:
    url = make_url(database)
    stated = connect_args(url.query)
    engine = postgres_engine(url, pool_pre_ping=True, connect_args=stated)

    @sa.event.listens_for(engine, "connect")
    def _prepare(raw: Any, _record: object) -> None:  # noqa: ANN401 - the driver is an extra
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        prepare_session(raw, Purpose.READ_MODELS, lambda: type(raw).connect(plain, **stated))

    return engine


def _moved(connection: Connection, key: Key, before: Cursor, after: Cursor) -> bool:
    same = (CURSORS.c.position == before.position, CURSORS.c.attempts == before.attempts)
    moved = connection.execute(
        sa.update(CURSORS).where(*_is(CURSORS, key), *same).values(after._asdict())
    )
    return moved.rowcount == 1


def _is(table: sa.Table, key: Key) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in key._asdict().items()]


def _unavailable(error: sa.exc.DBAPIError, place: str) -> LedgerError:
    cause = error.orig
    code = ""
    if not isinstance(cause, sqlite3.Error):  # PostgreSQL, where the ledger is as well
        code = getattr(cause, "sqlstate", None) or "connection"
    return LedgerError(
        Reason.STORE_UNAVAILABLE,
        f"The cursors of subscribers, in {place}, cannot be used: {str(cause)[:300]}.",
        remedy="Check the disk and the server. Do not delete it: subscribers would begin at the "
        "end of the ledger.",
        metadata={"place": place} | ({DATABASE_ERROR: code} if code else {}),
    )
