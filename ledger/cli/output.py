"""The output of commands: data on standard output, messages on standard error.

JSON is the typed result field by field: times in UTC ISO 8601 with microseconds, hashes in
hexadecimal, decimals as text, shares in ppm. People get the forms of `ledger.events.notation`.
Tables are aligned plain text, the same in a terminal and in a pipe.
"""

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

import typer

from ledger.events import notation
from ledger.events.inert import inert

if TYPE_CHECKING:
    from ledger.audit.audit import Tell

COUNT_MAX = 1_000_000_000
"""How many rows a person may ask for at most."""


def plain(value: Any) -> Any:  # noqa: ANN401 - any result there is
    """Return a result as JSON knows it."""
    if hasattr(value, "model_dump"):  # a model of pydantic, which `--help` need not import
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def iso(time: datetime | None) -> str:
    """Return a time as the ledger writes it; `-` for none."""
    if time is None:
        return "-"
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def when(time: datetime | None) -> str:
    """Return a time for a person; `-` for none."""
    return "-" if time is None else notation.shown_time(iso(time))


def percent(ppm: int | None) -> str:
    """Return parts per million as per cent, as the explanations write it; `-` for none."""
    return "-" if ppm is None else notation.percent(ppm)


def write(text: str) -> None:
    """Write a line of data, or several: text of others among it can only be read."""
    typer.echo(inert(text, lines=True))


def lines(parts: Iterable[str]) -> str:
    """Return lines as a text: none of them breaks, even with text of others in it."""
    return "\n".join([inert(part) for part in parts])


def say(text: str) -> None:
    """Write a line of talk, as `write` does."""
    typer.echo(inert(text, lines=True), err=True)


def json_text(value: Any, indent: int | None = None) -> str:  # noqa: ANN401 - any result there is
    """Return JSON whose strings hold, as escapes, what a terminal would act upon."""
    text = json.dumps(plain(value), ensure_ascii=False, indent=indent)
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(
        [one if one == "\n" or inert(one) == one else json.dumps(one)[1:-1] for one in text]
    )


def write_json(value: Any, *, is_line: bool = False) -> None:  # noqa: ANN401 - any result there is
    """Write one JSON document, or one line of JSON lines."""
    indent = None if is_line else 2
    write(json_text(value, indent))


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return an aligned table; a heading that begins with `>` is that of a right-aligned column."""
    body = [["" if cell is None else inert(str(cell)) for cell in row] for row in rows]
    names = [heading.removeprefix(">") for heading in headings]
    widths = [max([len(name), *(len(row[at]) for row in body)]) for at, name in enumerate(names)]
    lines = []
    for row in [names, *body]:
        cells = [
            cell.rjust(width) if heading.startswith(">") else cell.ljust(width)
            for cell, width, heading in zip(row, widths, headings, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


class Progress(Protocol):
    """Something that is told how far a long command has come."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """Note how much is done, and of how much if that has become known."""
        ...


def _ignored(done: int, total: int | None = None) -> None:
    """Show nothing."""


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Progress]:
    """Show a progress bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield _ignored
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Bars(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task(inert(label), total=total)

        def move(done: int, total: int | None = None) -> None:
            if total is None:
                bars.update(bar, completed=done)
            else:
                bars.update(bar, completed=done, total=total)

        yield move


@contextmanager
def audit_progress() -> "Iterator[Tell]":
    """Show one bar for both passes of an audit."""
    with progress("Auditing") as move:
        passes: list[str] = []

        def tell(what: str, done: int, total: int) -> None:
            if what not in passes:
                passes.append(what)
            # Two passes of equal length on one bar: the second begins in its middle.
            move(done + total * (len(passes) - 1), 2 * total)

        yield tell
