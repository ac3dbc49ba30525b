"""Tables as files: CSV, Parquet, or one HTML page. Each is whole when it has its name.

A spreadsheet runs what looks like a formula, so text that begins like one is guarded by an
apostrophe in CSV, as OWASP advises; numbers and times never are text here. Parquet holds the values
as they are. The page has no script and loads nothing.
"""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from ledger.compliance.tables import Cell, Kind, Table, shown, stacked
from ledger.private import make_folder, write_whole

Form = Literal["csv", "parquet", "html"]
FORMS: Final[tuple[Form, ...]] = ("csv", "parquet", "html")

# With the full width forms that some spreadsheets read as the plain ones.
_FORMULA_STARTS: Final = (*"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


class ParquetMissingError(Exception):
    """The library that writes Parquet is not installed."""


def guarded(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def csv_bytes(table: Table) -> bytes:
    """Return a table as CSV (RFC 4180, UTF-8), text guarded against formulas."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([column.name for column in table.columns])
    for row in table.rows:
        writer.writerow(
            [_csv_cell(cell, column.kind) for cell, column in zip(row, table.columns, strict=True)]
        )
    return out.getvalue().encode()


def _csv_cell(cell: Cell, kind: Kind) -> str:
    text = shown(cell, kind)
    return guarded(text) if kind in {"text", "prose"} else text


def parquet_bytes(table: Table) -> bytes:
    """Return a table as Parquet; ParquetMissingError without the extra `parquet`.

    Times are UTC timestamps in microseconds, decimals text in the ledger's own spelling, since some
    are wider than any decimal type. A time before any data is null. Meanings of columns are field
    metadata.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, and slow to load
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise ParquetMissingError("Parquet needs pyarrow.") from error
    kinds: dict[Kind, Any] = {
        "text": pa.string(),
        "prose": pa.string(),
        "integer": pa.int64(),
        "share": pa.int64(),
        "span": pa.int64(),
        "brief": pa.int64(),
        "money": pa.string(),
        "decimal": pa.string(),
        "ratio": pa.string(),
        "time": pa.timestamp("us", tz="UTC"),
        "boolean": pa.bool_(),
    }
    schema = pa.schema(
        [
            pa.field(column.name, kinds[column.kind], metadata={"meaning": column.meaning})
            for column in table.columns
        ],
        metadata={"title": table.title, "note": table.note},
    )
    arrays = [
        pa.array(
            [(row[at] or None) if column.kind == "time" else row[at] for row in table.rows],
            type=kinds[column.kind],
        )
        for at, column in enumerate(table.columns)
    ]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), out)
    return out.getvalue()


def html_page(
    title: str, facts: Sequence[tuple[str, str]], tables: Sequence[Table], unit: str = ""
) -> bytes:
    """Return one page with all the tables; `facts` are the lines of its head."""
    from ledger import pages  # noqa: PLC0415 - a client alone has no Jinja, and needs none for CSV

    environment = pages.environment("ledger.compliance", "templates")
    environment.filters["stacked"] = stacked
    template = environment.get_template("tables.html.jinja")
    return template.render(title=title, facts=facts, tables=tables, unit=unit).encode()


def write_tables(
    tables: Sequence[Table],
    folder: Path,
    form: Form,
    *,
    title: str,
    facts: Sequence[tuple[str, str]],
    unit: str = "",
) -> list[Path]:
    """Write the tables into a folder and return the files: one a table, or one page for all.

    For their owner only, as every export is; one that is there already keeps its rights.
    """
    make_folder(folder)
    if form == "html":
        return [_written(folder / "compliance.html", html_page(title, facts, tables, unit))]
    make: Callable[[Table], bytes] = csv_bytes if form == "csv" else parquet_bytes
    return [_written(folder / f"{table.name}.{form}", make(table)) for table in tables]


def _written(path: Path, content: bytes) -> Path:
    write_whole(path, content)
    return path
