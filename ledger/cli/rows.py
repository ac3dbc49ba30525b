"""Rows of observations as people and programs write them, read strictly.

JSON: one object a line, no key twice, no NaN. CSV: a heading line, no column twice, as many cells
as headings. Numbers keep the digits they are written with. Whatever is wrong names its row.
"""

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, NoReturn

from ledger.cli.exits import MisuseError
from ledger.client.inputs import plain
from ledger.client.observations import Observation

FIELDS: Final = ("model", "signal", "value", "observed_at", "model_version", "sample_size")
LINE_CHARS_MAX: Final = 64 * 1024  # a row is small; a file without line ends must not fill memory

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_MICROS: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)


class Row(NamedTuple):
    """One observation, where it stands, and how many bytes of the input are behind it."""

    number: int
    """From 1; the heading of a CSV file does not count. 0: it was stated by flags."""
    observation: Observation
    bytes_read: int

    @property
    def place(self) -> str:
        """Where it was stated, for a person."""
        return f"row {self.number}" if self.number else "the flags"


@contextmanager
def opened(file: Path | None) -> Iterator[BinaryIO]:
    """Yield a file, or standard input for none and for `-`."""
    if file is None or str(file) == "-":
        if sys.stdin.isatty():
            raise MisuseError(
                "Nothing to read: standard input is the terminal.",
                "Name a file, pipe rows in, or state --model, --signal and --value.",
            )
        yield sys.stdin.buffer
        return
    try:
        source = file.open("rb")
    except OSError as error:
        raise MisuseError(f"{file} cannot be read: {error.strerror}.", "Check the path.") from error
    with source:
        yield source


def size_of(file: Path | None) -> int | None:
    """Return how many bytes a file has; None where that cannot be known."""
    return file.stat().st_size if file is not None and file.is_file() else None


def read(source: BinaryIO, form: str, file: Path | None) -> Iterator[Row]:
    """Yield the rows of JSON lines or CSV; MisuseError names the first bad one."""
    counted = _Counted(source)
    lines = iter(counted)
    first = next(lines, "")
    if form == "auto":
        is_csv = file is not None and file.suffix.lower() == ".csv"
        form = "csv" if is_csv or not first.lstrip().startswith("{") else "jsonl"
    rows = _csv(first, lines) if form == "csv" else _jsonl(first, lines)
    for number, fields in rows:
        yield Row(number, observation(fields, f"row {number}"), counted.bytes_read)


class _Counted:
    """The lines of a file of UTF-8 text, with a count of the bytes behind them."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.bytes_read = 0
        self._line = 0

    def __iter__(self) -> Iterator[str]:
        while raw := self._source.readline(LINE_CHARS_MAX + 1):
            self._line += 1
            if len(raw) > LINE_CHARS_MAX:
                raise MisuseError(f"Line {self._line} is longer than {LINE_CHARS_MAX} bytes.")
            self.bytes_read += len(raw)
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise MisuseError(f"Line {self._line} is not UTF-8: {error.reason}.") from error
            yield text.removeprefix("\ufeff") if self._line == 1 else text


def _jsonl(first: str, lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_with_first(first, lines), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(
                line,
                parse_float=Decimal,
                parse_constant=_refuse_constant,
                object_pairs_hook=_refuse_duplicates,
            )
        except ValueError as error:
            raise MisuseError(f"row {number}: {error}.", "Correct that line.") from error
        if not isinstance(fields, dict):
            raise MisuseError(f"row {number}: it is no JSON object.", "Write one object a line.")
        yield number, fields


def _csv(first: str, lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(_with_first(first, lines), strict=True)
    try:
        heading = next(reader, [])
        if not heading:
            return
        if len(set(heading)) != len(heading):
            raise MisuseError("The heading names a column twice.", f"It was: {','.join(heading)}.")
        if not set(FIELDS[:3]) <= set(heading):
            raise MisuseError(
                f"The first line is no heading with {', '.join(FIELDS[:3])}.",
                f"Begin the file with a line such as {','.join(FIELDS)}.",
            )
        for number, cells in enumerate(reader, 1):
            if not cells:
                continue
            if len(cells) != len(heading):
                raise MisuseError(
                    f"row {number}: it has {len(cells)} cells, the heading has {len(heading)}."
                )
            # An empty cell of a field that may be left out is left out.
            pairs = zip(heading, cells, strict=True)
            yield number, {k: v for k, v in pairs if v or k in FIELDS[:3]}
    except csv.Error as error:
        raise MisuseError(f"line {reader.line_num}: {error}.", "Correct that line.") from error


def _with_first(first: str, lines: Iterable[str]) -> Iterator[str]:
    if first:
        yield first
    yield from lines


def observation(fields: dict[str, Any], place: str) -> Observation:
    """Return the observation that the fields of a row state; MisuseError names the place."""
    if unknown := sorted(set(fields) - set(FIELDS)):
        raise MisuseError(f"{place}: {unknown[0][:40]!r} is no field.", f"Use {', '.join(FIELDS)}.")
    for name in FIELDS[:3]:
        if fields.get(name) in {None, ""}:
            raise MisuseError(f"{place}: {name} is missing.")
    for name in ("model", "signal", "model_version"):
        if not isinstance(fields.get(name, ""), str):
            raise MisuseError(f"{place}: {name} is no text.")
    return Observation(
        fields["model"],
        fields["signal"],
        decimal_text(fields["value"], f"{place}: value"),
        _observed_at(fields["observed_at"], place) if "observed_at" in fields else None,
        fields.get("model_version", ""),
        _sample_size(fields.get("sample_size", 1), place),
    )


def decimal_text(value: object, name: str) -> str:
    """Return the plain spelling of a decimal as people write it; MisuseError has the name."""
    text = str(value).strip() if isinstance(value, str | int | Decimal) else ""
    if isinstance(value, bool) or not _NUMBER.fullmatch(text):
        raise MisuseError(
            f"{name} {str(value)[:40]!r} is no number.", "Write a decimal such as 0.412."
        )
    return plain(Decimal(text))


def _observed_at(value: object, place: str) -> datetime | int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _MICROS.fullmatch(value):
        return int(value)
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        why = "is no time" if time is None else "has no time zone, so it names no moment"
        raise MisuseError(
            f"{place}: observed_at {str(value)[:40]!r} {why}.",
            "Write it as 2026-03-01T10:00:00Z, or as microseconds since 1970.",
        )
    return time


def _sample_size(value: object, place: str) -> int:
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[1-9][0-9]{0,12}", text, re.ASCII):
        raise MisuseError(f"{place}: sample_size {text[:40]!r} is no count from 1 to 10^12.")
    return int(text)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a finite number")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:40]!r} is there twice")
    return fields
