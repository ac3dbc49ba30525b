"""Where projections keep their rows: tables that may be dropped or deleted at any time.

A SQLite file of their own, or tables in the ledger's PostgreSQL database. Every write is one
transaction that moves the tracking position forward or does nothing at all. Rows stand under a
generation, so that a rebuild fills new rows beside those in use; `projection_live` names the
generation that is in use.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, make_url

from ledger.database_url import refuse_malformed, shown
from ledger.engines import postgres_engine, sqlite_engine
from ledger.errors import DATABASE_ERROR, LedgerError, Reason
from ledger.postgres import Purpose, connect_args, prepare_session
from projections import sqlite_file
from projections.projection import EMPTY_DIGEST
from projections.tables import (
    DEAD_LETTERS,
    LIVE,
    METADATA,
    OF_GENERATION,
    ROWS,
    TRACKING,
    AdvanceResult,
    DeadLetter,
    Generation,
    Tracking,
)

_ADVISORY_LOCK: Final = 0x6C65_6467_7072_6F6A  # any number that is ours: "ledgproj"


class ProjectionStore:
    """The tables, on an engine of their own. Safe between threads and between servers."""

    def __init__(self, url: str) -> None:
        """Open the database at an SQLAlchemy URL or a path of a SQLite file, and make the tables.

        A SQLite file that is damaged is renamed to `NAME.damaged`: what was in it is folded again.
        STORE_UNAVAILABLE where it cannot be opened.
        """
        refuse_malformed(url)
        self._url = make_url(url if "://" in url else f"sqlite:///{url}")
        self._is_sqlite = self._url.get_backend_name() == "sqlite"
        self._insert = sqlite.insert if self._is_sqlite else postgresql.insert
        if self._is_sqlite:
            sqlite_file.set_aside_if_damaged(self.place)
            sqlite_file.make_private(self.place)
            self._engine = sqlite_engine(
                self._url,
                connect_args={"timeout": sqlite_file.BUSY_SECONDS, "check_same_thread": False},
            )
            sa.event.listen(self._engine, "connect", sqlite_file.prepare)
            sa.event.listen(self._engine, "begin", sqlite_file.begin_immediate)
        else:
            self._engine = self._postgres_engine()
        try:
            with self._begin() as connection:
                self._lock(connection)
                METADATA.create_all(connection)
                is_due = self._is_sqlite and sqlite_file.is_scrub_due(connection)
            if is_due:  # a server ended between an erasure and its scrub
                self.scrub()
        except BaseException:
            self.close()
            raise

    def _postgres_engine(self) -> sa.Engine:
        """Return an engine whose sessions have the limits of all of ours."""
        stated = connect_args(self._url.query)
        engine = postgres_engine(self._url, pool_pre_ping=True, connect_args=stated)

        @sa.event.listens_for(engine, "connect")
        def _prepare(raw: Any, _record: object) -> None:  # noqa: ANN401 - the driver is an extra
            url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
            prepare_session(raw, Purpose.READ_MODELS, lambda: type(raw).connect(url, **stated))

        return engine

    @property
    def place(self) -> str:
        """Where the tables are, without secrets: a file, or a URL with the password hidden."""
        if self._is_sqlite:
            return self._url.database or ":memory:"
        return shown(self._url.render_as_string())

    def close(self) -> None:
        """Release files and connections."""
        self._engine.dispose()

    def reached(self, ledger: str) -> int:
        """Return the position up to which events were folded, of all that was ever stored."""
        furthest = sa.select(sa.func.max(TRACKING.c.position)).where(TRACKING.c.ledger == ledger)
        with self._begin() as connection:
            return connection.execute(furthest).scalar() or 0

    def load(self, generation: Generation) -> tuple[Tracking, dict[str, bytes]] | None:
        """Return a generation's tracking and rows from one snapshot; None if never written."""
        with self._begin() as connection:
            if not self._is_sqlite:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            tracking = _tracking(connection, generation)
            if tracking is None:
                return None
            rows = connection.execute(
                sa.select(ROWS.c.key, ROWS.c.row).where(*_is(ROWS, generation))
            )
            return tracking, {key: _as_bytes(row) for key, row in rows}

    def advance(
        self,
        generation: Generation,
        tracking: Tracking,
        rows: Mapping[str, bytes | None],
        dead_letters: Sequence[DeadLetter] = (),
        *,
        only_live: bool,
    ) -> AdvanceResult:
        """Write changed rows with the tracking position in one transaction, or nothing.

        `only_live`: the generation must be the one in use, as it must for everyone but a rebuild.
        """
        with self._begin() as connection:
            moved = connection.execute(  # first, so that servers queue at this row's lock
                sa.update(TRACKING)
                .where(*_is(TRACKING, generation), TRACKING.c.position < tracking.position)
                .values(tracking._asdict())
            )
            live = _live(connection, generation.ledger, generation.projection)
            if only_live and live != generation.number:
                connection.rollback()
                return AdvanceResult.NOT_LIVE
            if moved.rowcount != 1:
                return AdvanceResult.BEHIND
            self._put_rows(connection, generation, rows)
            self._put_letters(connection, generation, dead_letters)
            return AdvanceResult.MOVED

    def begin(self, ledger: str, projection: str) -> Generation:
        """Begin a generation after all others, with nothing in it, beside the one in use."""
        with self._begin() as connection:
            self._lock(connection)
            return self._new_generation(connection, ledger, projection)

    def claim(self, ledger: str, projection: str, *, stale: int = 0) -> Generation:
        """Return the generation in use; begin one where there is none, or only a stale one.

        The stale one is dropped. Of several servers that ask at once one begins it.
        """
        with self._begin() as connection:
            self._lock(connection)
            number = _live(connection, ledger, projection)
            if number != stale:
                return Generation(ledger, projection, number)
            begun = self._new_generation(connection, ledger, projection)
            self._set_live(connection, begun)
            if stale:
                self._clear(connection, begun._replace(number=stale))
            return begun

    def forget_versions(self, ledger: str, name: str, keep: str) -> None:
        """Drop the rows that other versions of a projection left behind, also from the files."""
        dropped = 0
        with self._begin() as connection:
            for table in (*OF_GENERATION, LIVE):
                dropped += connection.execute(
                    sa.delete(table).where(
                        table.c.ledger == ledger,
                        table.c.projection.startswith(f"{name}/", autoescape=True),
                        table.c.projection != keep,
                    )
                ).rowcount
            if dropped and self._is_sqlite:
                sqlite_file.mark_scrub(connection)
        if dropped:
            with suppress(LedgerError):  # then when the file is next opened
                self.scrub()

    def switch(self, generation: Generation, position: int, *, drop_before: bool) -> bool:
        """Put a generation into use, and drop the one before it if asked, in one transaction.

        False, and nothing is done, unless the generation is stored at exactly that position.
        """
        with self._begin() as connection:
            self._lock(connection)
            tracking = _tracking(connection, generation)
            if tracking is None or tracking.position != position:
                return False
            before = _live(connection, generation.ledger, generation.projection)
            self._set_live(connection, generation)
            if drop_before and before not in (0, generation.number):
                self._clear(connection, generation._replace(number=before))
            return True

    def replace_all(
        self,
        ledger: str,
        projection: str,
        tracking: Tracking,
        rows: Mapping[str, bytes],
        dead_letters: Sequence[DeadLetter],
    ) -> Generation:
        """Store a new generation, put it into use and drop every other, in one transaction.

        What the others held is out of the files once `scrub` has returned. That it is due is
        remembered until then, over a crash too.
        """
        with self._begin() as connection:
            self._lock(connection)
            others = self._numbers(connection, ledger, projection)
            generation = self._new_generation(connection, ledger, projection)
            connection.execute(
                sa.update(TRACKING).where(*_is(TRACKING, generation)).values(tracking._asdict())
            )
            self._put_rows(connection, generation, rows)
            self._put_letters(connection, generation, dead_letters)
            self._set_live(connection, generation)
            for number in others:
                self._clear(connection, generation._replace(number=number))
            if self._is_sqlite:
                sqlite_file.mark_scrub(connection)
            return generation

    def drop(self, generation: Generation) -> None:
        """Remove everything of a generation that is not in use."""
        with self._begin() as connection:
            assert _live(connection, generation.ledger, generation.projection) != generation.number
            self._clear(connection, generation)

    def generations(self, ledger: str, projection: str) -> list[int]:
        """Return the numbers of all generations that were begun, ascending."""
        with self._begin() as connection:
            return self._numbers(connection, ledger, projection)

    def dead_letters(self, generation: Generation, *, limit: int = 100) -> list[DeadLetter]:
        """Return a generation's first dead letters by position."""
        columns = (DEAD_LETTERS.c.position, DEAD_LETTERS.c.type, DEAD_LETTERS.c.why)
        with self._begin() as connection:
            found = connection.execute(
                sa.select(*columns)
                .where(*_is(DEAD_LETTERS, generation))
                .order_by(DEAD_LETTERS.c.position)
                .limit(limit)
            )
            return [DeadLetter(*row) for row in found]

    def scrub(self) -> None:
        """Leave nothing of dropped rows in the files: none in free pages, none in the log.

        SQLite only: PostgreSQL keeps dead rows until its own VACUUM. STORE_UNAVAILABLE where
        another program holds the file for too long.
        """
        if not self._is_sqlite:
            return
        try:
            with closing(self._engine.raw_connection()) as proxied:
                is_done = sqlite_file.scrub(proxied.driver_connection)
        except (sqlite3.Error, sa.exc.DBAPIError) as error:
            raise _unavailable(error, self.place) from error
        if not is_done:
            raise _unavailable(
                sqlite3.OperationalError("another program is reading it"), self.place
            )
        sqlite_file.forget_damaged(self.place)

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        """Open a transaction whose database errors become STORE_UNAVAILABLE."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except sa.exc.DBAPIError as error:
            raise _unavailable(error, self.place) from error

    def _lock(self, connection: Connection) -> None:
        """Let servers that make tables or generations go one behind the other until the commit.

        On SQLite every transaction holds the write lock already.
        """
        if not self._is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))

    def _new_generation(self, connection: Connection, ledger: str, projection: str) -> Generation:
        newest = connection.execute(
            sa.select(sa.func.max(TRACKING.c.generation)).where(
                TRACKING.c.ledger == ledger, TRACKING.c.projection == projection
            )
        ).scalar()
        generation = Generation(ledger, projection, (newest or 0) + 1)
        empty = Tracking(0, b"", EMPTY_DIGEST)
        connection.execute(sa.insert(TRACKING).values(_values(generation) | empty._asdict()))
        return generation

    def _put_rows(
        self, connection: Connection, generation: Generation, rows: Mapping[str, bytes | None]
    ) -> None:
        place = _values(generation)
        kept = [{**place, "key": key, "row": row} for key, row in rows.items() if row is not None]
        gone = [{"gone_key": key} for key, row in rows.items() if row is None]
        if kept:
            insert = self._insert(ROWS)
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=list(ROWS.primary_key), set_={"row": insert.excluded.row}
                ),
                kept,
            )
        if gone:
            connection.execute(
                sa.delete(ROWS).where(
                    *_is(ROWS, generation), ROWS.c.key == sa.bindparam("gone_key")
                ),
                gone,
            )

    def _put_letters(
        self, connection: Connection, generation: Generation, dead_letters: Sequence[DeadLetter]
    ) -> None:
        if dead_letters:
            letters = [_values(generation) | letter._asdict() for letter in dead_letters]
            connection.execute(self._insert(DEAD_LETTERS).on_conflict_do_nothing(), letters)

    def _numbers(self, connection: Connection, ledger: str, projection: str) -> list[int]:
        found = connection.execute(
            sa.select(TRACKING.c.generation)
            .where(TRACKING.c.ledger == ledger, TRACKING.c.projection == projection)
            .order_by(TRACKING.c.generation)
        )
        return list(found.scalars())

    def _set_live(self, connection: Connection, generation: Generation) -> None:
        insert = self._insert(LIVE)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=list(LIVE.primary_key),
                set_={"generation": insert.excluded.generation},
            ),
            _values(generation),
        )

    def _clear(self, connection: Connection, generation: Generation) -> None:
        for table in OF_GENERATION:
            connection.execute(sa.delete(table).where(*_is(table, generation)))


def _as_bytes(row: object) -> bytes:
    """Return a row's bytes; all else, which only another program can have put there, as text."""
    if isinstance(row, bytes | bytearray | memoryview):
        return bytes(row)
    return str(row).encode()


def _values(generation: Generation) -> dict[str, str | int]:
    return {
        "ledger": generation.ledger,
        "projection": generation.projection,
        "generation": generation.number,
    }


def _is(table: sa.Table, generation: Generation) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in _values(generation).items()]


def _live(connection: Connection, ledger: str, projection: str) -> int:
    found = connection.execute(
        sa.select(LIVE.c.generation).where(LIVE.c.ledger == ledger, LIVE.c.projection == projection)
    ).scalar()
    return found or 0


def _tracking(connection: Connection, generation: Generation) -> Tracking | None:
    columns = [TRACKING.c[name] for name in Tracking._fields]
    row = connection.execute(sa.select(*columns).where(*_is(TRACKING, generation))).first()
    return None if row is None else Tracking._make(row)


def _unavailable(error: sa.exc.DBAPIError | sqlite3.Error, place: str) -> LedgerError:
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    code = ""
    if not isinstance(cause, sqlite3.Error):  # PostgreSQL, where the ledger is as well
        code = getattr(cause, "sqlstate", None) or "connection"
    return LedgerError(
        Reason.STORE_UNAVAILABLE,
        f"The projections in {place} cannot be used: {str(cause)[:300]}.",
        remedy="Check the disk and the server. The projections may be deleted: they are rebuilt "
        "from the ledger.",
        metadata={"place": place} | ({DATABASE_ERROR: code} if code else {}),
    )
