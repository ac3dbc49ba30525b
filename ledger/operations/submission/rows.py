"""Rows of observations as people and programs write them, read strictly.

JSON: one object a line, no key twice, no NaN. CSV: a heading line, no column twice, as many cells
as headings. Numbers keep the digits they are written with: the server rounds them. An error
names its row.
"""

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, NoReturn

from ledger.client.inputs import TIME_FORMS, NoTimeError, micros_of_integer, micros_of_text, plain
from ledger.client.observation_details import ObservationDetail
from ledger.client.observations import Observation
from ledger.limits import SAMPLE_SIZE_MAX
from ledger.operations.failures import MisuseError
from ledger.operations.submission.details import detail_of
from ledger.operations.submission.headings import FIELDS, REQUIRED, FieldMap, check_heading
from ledger.reading import fault

LINE_CHARS_MAX: Final = 64 * 1024  # a row is small; a file without line ends must not fill memory

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_HUGE: Final = Decimal(10) ** 30


class Row(NamedTuple):
    """One observation, where it is, and how many bytes of the input are behind it."""

    number: int
    """From 1; the heading of a CSV file does not count. 0: it was stated by flags."""
    observation: Observation
    bytes_read: int

    @property
    def corrects(self) -> bool:
        """Whether it takes its time from an observation that it corrects."""
        detail = self.observation.detail
        return isinstance(detail, ObservationDetail) and bool(detail.corrects)

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


def raw_lines(source: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file; MisuseError at the first that is longer than a row can be."""
    number = 0
    while raw := source.readline(LINE_CHARS_MAX + 1):
        number += 1
        if len(raw) > LINE_CHARS_MAX:
            raise MisuseError(f"Line {number} is longer than {LINE_CHARS_MAX} bytes.")
        yield raw


def size_of(file: Path | None) -> int | None:
    """Return how many bytes a file has; None where that cannot be known."""
    return file.stat().st_size if file is not None and file.is_file() else None


def read(
    source: BinaryIO,
    form: str,
    file: Path | None,
    *,
    delimiter: str = ",",
    names: FieldMap | None = None,
) -> Iterator[Row]:
    """Yield the rows of JSON lines or CSV; MisuseError names the first bad one."""
    counted = _Counted(source)
    lines = iter(counted)
    first = next(lines, "")
    begin = first.lstrip()[:1]
    if form == "auto":
        is_csv = file is not None and file.suffix.lower() == ".csv"
        form = "csv" if is_csv or begin not in {"{", "["} else "jsonl"
    if form == "jsonl" and begin == "[":
        raise MisuseError(
            "The input is a JSON array, where one object a line is expected.",
            f"Take it apart: jq -c '.[]' {file or 'FILE'} | decision-ledger signal submit",
        )
    known = names or FieldMap()
    rows = _jsonl(first, lines, known)
    if form == "csv":
        rows = _csv(first, lines, delimiter, known)
    for number, fields in rows:
        yield Row(number, observation(fields, f"row {number}"), counted.bytes_read)


class _Counted:
    """The lines of a file of UTF-8 text, with a count of the bytes behind them."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.bytes_read = 0

    def __iter__(self) -> Iterator[str]:
        for line, raw in enumerate(raw_lines(self._source), 1):
            self.bytes_read += len(raw)
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise MisuseError(f"Line {line} is not UTF-8: {error.reason}.") from error
            yield text.removeprefix("\ufeff") if line == 1 else text


def _jsonl(
    first: str, lines: Iterable[str], names: FieldMap
) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(chain([first], lines), 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(
                line,
                parse_float=Decimal,
                parse_constant=_refuse_constant,
                object_pairs_hook=_refuse_duplicates,
            )
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise MisuseError(f"row {number}: {fault(error)}.", "Correct that line.") from error
        if not isinstance(fields, dict):
            raise MisuseError(f"row {number}: it is not a JSON object.", "Write one object a line.")
        stated = names.fields([*fields], f"row {number}")
        yield number, dict(zip(stated, fields.values(), strict=True))


def _csv(
    first: str, lines: Iterable[str], delimiter: str, names: FieldMap
) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(chain([first] if first else [], lines), strict=True, delimiter=delimiter)
    try:
        heading = next(reader, [])
        if not heading:
            return
        check_heading(heading, delimiter)
        if not any(names.field(name) for name in heading):
            raise MisuseError(
                f"The first line is not a heading with {', '.join(REQUIRED)}.",
                f"Begin the file with a line such as {','.join(FIELDS)}.",
            )
        columns = names.fields(heading, "The heading")
        if missing := [name for name in REQUIRED if name not in columns]:
            raise MisuseError(
                f"The heading has no column {missing[0]}.",
                f"It was: {','.join(heading)[:200]}. Rename one: --map NAME={missing[0]}",
            )
        for number, cells in enumerate(reader, 1):
            if not cells:
                continue
            if len(cells) != len(columns):
                raise MisuseError(
                    f"row {number}: it has {len(cells)} cells, the heading has {len(columns)}."
                )
            # An empty cell of a field that may be left out is left out.
            pairs = zip(columns, cells, strict=True)
            yield number, {k: v for k, v in pairs if v or k in REQUIRED}
    except csv.Error as error:
        raise MisuseError(f"line {reader.line_num}: {error}.", "Correct that line.") from error


def observation(fields: dict[str, Any], place: str) -> Observation:
    """Return the observation that the fields of a row state; MisuseError names the place."""
    for name in REQUIRED:
        if (stated := fields.get(name)) is None or stated == "":
            raise MisuseError(f"{place}: {name} is missing.")
    for name in ("model", "signal", "model_version"):
        if not isinstance(fields.get(name, ""), str):
            raise MisuseError(f"{place}: {name} is not text.")
    return Observation(
        fields["model"],
        fields["signal"],
        decimal_text(fields["value"], f"{place}: value"),
        _observed_at(fields["observed_at"], place) if "observed_at" in fields else None,
        fields.get("model_version", ""),
        _sample_size(fields.get("sample_size", 1), place),
        detail_of(fields, place),
    )


def decimal_text(value: object, name: str) -> str:
    """Return the plain spelling of a decimal as people write it; MisuseError has the name."""
    number = _number(value)
    if number is None:
        raise MisuseError(
            f"{name} {_shown(value)} is not a number.", "Write a decimal such as 0.412."
        )
    return plain(number)


def _number(value: object) -> Decimal | None:
    text = str(value).strip() if isinstance(value, str | int | Decimal) else ""
    if isinstance(value, bool) or not _NUMBER.fullmatch(text):
        return None
    return Decimal(text)


def _shown(value: object) -> str:
    """Return a value for a message; what holds others only by its kind."""
    is_plain = isinstance(value, str | int | Decimal | None)
    return repr(str(value)[:40]) if is_plain else f"(a {type(value).__name__})"


def _observed_at(value: object, place: str) -> int:
    number = None if isinstance(value, str) else _number(value)
    try:
        if isinstance(value, str):
            return micros_of_text(value.strip())
        if number is not None and abs(number) < _HUGE and number == int(number):
            return micros_of_integer(int(number))
    except NoTimeError as error:
        raise MisuseError(f"{place}: observed_at {error.fault}.", error.remedy) from None
    raise MisuseError(f"{place}: observed_at {_shown(value)} is not a time.", TIME_FORMS)


def _sample_size(value: object, place: str) -> int:
    number = _number(value)
    if number is None or not 1 <= number <= SAMPLE_SIZE_MAX or number != int(number):
        raise MisuseError(f"{place}: sample_size {_shown(value)} is not a count from 1 to 10^12.")
    return int(number)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a finite number")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:40]!r} is there twice")
    return fields
