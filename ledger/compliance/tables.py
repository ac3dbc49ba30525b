"""Tables as this room makes them: named, titled, with typed columns, rows in a stated order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ledger.events.values import format_time

Kind = Literal["text", "integer", "decimal", "time", "boolean"]
Cell: TypeAlias = str | int | bool | None
"""Times are micros since the epoch, decimals text in the ledger's spelling, None is not known."""


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
    """What the table leaves out, or does not know."""

    def __post_init__(self) -> None:
        """State our own mistake early: a row that does not fit its columns."""
        assert all(len(row) == len(self.columns) for row in self.rows), self.name


def columns(*described: tuple[str, Kind, str]) -> tuple[Column, ...]:
    """Return columns from (name, kind, meaning)."""
    return tuple(Column(*one) for one in described)


def shown(cell: Cell, kind: Kind) -> str:
    """Return a cell as people read it; empty where nothing is known."""
    if cell is None:
        return ""
    if kind == "time":
        assert isinstance(cell, int)
        return format_time(cell)
    if kind == "boolean":
        return "yes" if cell else "no"
    return str(cell)


def as_records(table: Table) -> list[dict[str, Cell]]:
    """Return the rows as objects, times as text."""
    return [
        {
            column.name: shown(cell, "time") if column.kind == "time" and cell is not None else cell
            for column, cell in zip(table.columns, row, strict=True)
        }
        for row in table.rows
    ]


def text_of(table: Table, rows_max: int | None = None) -> list[str]:
    """Return a table as aligned lines of text."""
    head = [column.name for column in table.columns]
    rows: list[Sequence[str]] = [
        [shown(cell, column.kind) or "-" for column, cell in zip(table.columns, row, strict=True)]
        for row in table.rows[:rows_max]
    ]
    widths = [max(len(line[at]) for line in [head, *rows]) for at in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [head, *rows]
    ]
    if rows_max is not None and len(table.rows) > rows_max:
        lines.append(f"… and {len(table.rows) - rows_max} more rows; write them to a file")
    return lines
