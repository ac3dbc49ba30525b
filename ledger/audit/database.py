"""A database as a source: a SQLite file or PostgreSQL, read by the audit's own SQL alone."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from ledger.audit import bookkeeping
from ledger.audit.absence import ranges_of
from ledger.audit.connection import TABLE, connect, unavailable
from ledger.audit.source import (
    HashPassResult,
    Opener,
    Row,
    SourceKind,
    SourceReport,
    UnreadableError,
    Withheld,
    checked_origin,
)
from ledger.chain.merkle import SIZE_MAX
from ledger.database_url import shown
from ledger.errors import LedgerError, Reason, chain_broken
from ledger.events.inert import inert
from ledger.events.signals import OBSERVED_TYPES

PAGE: Final = 8_192
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
_MISINDEXED: Final = (
    "SELECT position FROM events WHERE ledger_id = ? AND position <= ? AND"
    " (observed_at IS NULL) = (type IN (?, ?)) ORDER BY position LIMIT 1"
)
_TILES: Final = (
    "SELECT number, hashes FROM tiles WHERE ledger_id = ? AND level = ? AND number BETWEEN ? AND ?"
)


class DatabaseSource:
    """One ledger in a database."""

    kind: SourceKind = "database"
    has_bodies = True
    withheld: tuple[Withheld, ...] = ()

    def __init__(self, place: str, origin: str = "", *, is_held: bool = True) -> None:
        """Open the ledger with this origin; an empty one means the only ledger there is.

        `is_held`: everything is read from one state of the database, in one transaction.
        """
        self._place = place
        self._connection = connect(place, is_held=is_held)
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
        size = newest[0][0] if newest else 0
        self._newest_note = size if type(size) is int else SIZE_MAX  # which covers all there are
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
        """Open the same database in another process, whose statements each see its newest state."""
        return partial(DatabaseSource, self._place, self._origin, is_held=False)

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
        found = self._query(_SIZES, self._ledger_id, after, until)
        return [size for (size,) in found if type(size) is int]

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
                shown = size if type(size) is int else 0  # SQLite keeps anything in a column
                yield shown, _with_lines(str(note), lines.get(size, []))
            after = last

    def misindexed(self) -> int:
        """Return the first position whose row is not found as what it is; 0 where all are."""
        found = self._query(_MISINDEXED, self._ledger_id, self._size, *OBSERVED_TYPES)
        return int(found[0][0]) if found else 0

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
        # The next audit, which covers them, says what is wrong with them.
        return [pair for (body,) in found if type(body) is bytes for pair in ranges_of(body)]

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
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> LedgerError:
        is_damage = self._connection.is_damage(error)
        return _damaged(error) if is_damage else unavailable(self._place, error)

    # ---- opening ---------------------------------------------------------------------------------

    def _present_tables(self) -> set[str]:
        """Return which of the tables that an audit reads are there; CHAIN_BROKEN for a view."""
        tables: set[str] = set()
        for name in _TABLES:
            try:
                kind = self._connection.kind_of(name)
            except self._connection.errors as error:
                raise self._refusal(error) from error
            if kind not in {"", TABLE}:
                raise _no_table(self._place, name, kind)
            if kind:
                tables.add(name)
        if not {"ledgers", "events", "checkpoints"} <= tables:
            raise LedgerError(
                Reason.STORE_UNAVAILABLE,
                f"{shown(self._place)} holds no ledger.",
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
            number = found[origin]
            if type(number) is not int:
                raise ValueError("a ledger's number is not an integer")
            return number, checked_origin(origin)
        names = inert(", ".join(sorted(found))) or "none"
        raise LedgerError(
            Reason.LEDGER_UNKNOWN,
            f"{shown(self._place)} holds {len(found)} ledgers: {names}.",
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


def _with_lines(note: str, lines: Sequence[str]) -> str:
    """Return a note with further signature lines."""
    return note + "".join(f"{line.rstrip()}\n" for line in lines)


def _no_table(place: str, name: str, kind: str) -> LedgerError:
    """Return the refusal of rows that are made when they are read, and may be others each time."""
    return LedgerError(
        Reason.CHAIN_BROKEN,
        f"In {shown(place)}, {name} is a {kind} and not a plain table: each reader can be "
        "shown other rows.",
        remedy="Keep the database as evidence, and audit one whose tables the service made.",
        metadata={"table": name, "kind": kind},
    )


def _damaged(error: Exception) -> LedgerError:
    return chain_broken(0, f"the database is damaged: {error}")
