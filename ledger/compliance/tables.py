"""Tables as this room makes them: named, titled, with typed columns, rows in a stated order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from ledger.events import notation
from ledger.events.values import format_time, parse_time

Kind = Literal[
    "text", "prose", "integer", "decimal", "time", "boolean", "share", "ratio", "money", "span",
    "brief",
]  # fmt: skip
Cell: TypeAlias = str | int | bool | None
"""Times are micros since the epoch, shares parts per million, money text of millionths, spans
seconds, brief ones micros, decimals text in the ledger's spelling, ratios text of parts per
million; prose is text of any length, None is not known."""

Described: TypeAlias = Sequence[tuple[str, Kind, str]]
"""Columns by name, kind and meaning."""
Records: TypeAlias = Iterable[Mapping[str, Any] | tuple[Cell, ...]]
"""The contents of rows: values by the names of columns, or the cells themselves."""

_WORD_CHARS_MAX: Final = 32  # a longer one, such as a digest, would widen its column
_UNITS_OF_DATA: Final = ("_ppm", "_micros", "_seconds")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name for programs, its kind, what it means."""

    name: str
    kind: Kind
    meaning: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns. `name` is a file's, `title` a person's."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    """The facts that the table leaves out, or does not know."""
    page: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """How a page stacks the columns into fewer: (heading, names), every column once; empty for
    each on its own."""

    def __post_init__(self) -> None:
        """State our own mistakes early: rows or a page that do not fit the columns."""
        assert all(len(row) == len(self.columns) for row in self.rows), self.name
        stacked = sorted(name for _, names in self.page for name in names)
        assert not self.page or stacked == sorted(one.name for one in self.columns), self.name


@dataclass(frozen=True, slots=True)
class ColumnGroup:
    """Columns that a page shows as one: the first value large, the others with their names."""

    heading: str
    columns: tuple[tuple[int, Column], ...]

    @property
    def meaning(self) -> str:
        """The meanings of its columns."""
        return "; ".join(f"{heading_of(column)}: {column.meaning}" for _, column in self.columns)

    @property
    def is_long(self) -> bool:
        """Whether it holds sentences, and wants room."""
        return any(column.kind == "prose" for _, column in self.columns)

    def lines(self, row: tuple[Cell, ...], unit: str) -> list[tuple[str, str, str]]:
        """Return (label, text, style) for each known value of a row; the first has no label."""
        found = []
        for number, (at, column) in enumerate(self.columns):
            text = cell_text(row[at], column.kind, unit)
            if text:
                found.append((heading_of(column) if number else "", text, _style(column, text)))
        return found


def _style(column: Column, text: str) -> str:
    """Return how a page breaks a text: a time nowhere, what has no spaces and is long anywhere."""
    if column.kind == "time":
        return "when"
    return "any" if max(map(len, text.split()), default=0) > _WORD_CHARS_MAX else "name"


def stacked(table: Table) -> list[ColumnGroup]:
    """Return the columns of a page of this table."""
    places = {column.name: (at, column) for at, column in enumerate(table.columns)}
    page = table.page or tuple((heading_of(one), (one.name,)) for one in table.columns)
    return [ColumnGroup(heading, tuple(places[name] for name in names)) for heading, names in page]


def columns(*described: tuple[str, Kind, str]) -> tuple[Column, ...]:
    """Return columns from (name, kind, meaning)."""
    return tuple(Column(*one) for one in described)


def table_of(
    name: str,
    title: str,
    described: Described,
    records: Records,
    note: str = "",
    page: tuple[tuple[str, tuple[str, ...]], ...] = (),
) -> Table:
    """Return a table of rows, or of what records hold under the names of its columns.

    In records a time may be the text that events hold, and a share may be named without its `_ppm`,
    as some are there. KeyError where a record lacks a column.
    """
    named = columns(*described)
    rows = tuple(
        record if isinstance(record, tuple) else tuple(_cell(record, column) for column in named)
        for record in records
    )
    return Table(name, title, named, rows, note, page)


def _cell(record: Mapping[str, Any], column: Column) -> Cell:
    name = column.name if column.name in record else column.name.removesuffix("_ppm")
    value: Cell = record[name]
    return parse_time(value) if column.kind == "time" and isinstance(value, str) else value


def heading_of(column: Column) -> str:
    """Return a column's name for people, without the unit of its data."""
    if column.name == "seconds":
        return "how long"
    name = column.name
    for unit in _UNITS_OF_DATA:
        name = name.removesuffix(unit)
    return name.replace("_", " ")


def cell_text(cell: Cell, kind: Kind, unit: str = "") -> str:
    """Return a cell as people read it, money in the unit; empty where nothing is known."""
    if cell is None:
        return ""
    if kind == "time":
        return notation.time(int(cell))
    if kind in {"share", "ratio"}:
        return notation.percent(int(cell))
    if kind == "money":
        return notation.rounded_money(int(cell), unit)
    if kind == "span":
        return notation.duration(int(cell))
    if kind == "brief":
        return notation.short_span(int(cell))
    return shown(cell, kind)


def shown(cell: Cell, kind: Kind) -> str:
    """Return a cell as data files spell it; empty where nothing is known, as before any data."""
    if cell is None:
        return ""
    if kind == "time":
        assert isinstance(cell, int)
        return format_time(cell) if cell else ""
    if kind == "boolean":
        return "yes" if cell else "no"
    return str(cell)


def as_records(table: Table) -> list[dict[str, Cell]]:
    """Return the rows as objects, times as text, null where there is none."""
    return [
        {
            column.name: (shown(cell, "time") or None) if column.kind == "time" else cell
            for column, cell in zip(table.columns, row, strict=True)
        }
        for row in table.rows
    ]
