"""Tables become files that hold exactly what they held, and harm no reader who opens them.

Method: arbitrary text through CSV and Parquet and back; hostile text through the page.
"""

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.compliance.files import csv_bytes, guarded, html_page, parquet_bytes, write_tables
from ledger.compliance.tables import Table, as_records, columns

COLUMNS = columns(
    ("name", "text", "a name"),
    ("count", "integer", "a count"),
    ("value", "decimal", "a value"),
    ("at", "time", "a time"),
    ("is_open", "boolean", "a statement"),
)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"' & é"
NOON = 1_767_268_800_123_456


def table(*names: str | None) -> Table:
    return Table("t", "A table", COLUMNS, tuple((name, -5, "-1.5", NOON, True) for name in names))


def rows_of(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", "\uff0d1"]
)
def test_text_that_begins_like_a_formula_is_guarded(text: str) -> None:
    assert rows_of(csv_bytes(table(text)))[1][0] == f"'{text}"


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
def test_csv_gives_every_text_back_behind_its_guard(text: str) -> None:
    found = rows_of(csv_bytes(table(text)))[1][0]
    assert found == guarded(text)
    assert found.removeprefix("'") == text.removeprefix("'")
    assert not re.match(r"[=+\-@\t\r\n]", found)


def test_numbers_and_times_are_not_guarded() -> None:
    row = rows_of(csv_bytes(table("a")))[1]
    assert row == ["a", "-5", "-1.5", "2026-01-01T12:00:00.123456Z", "yes"]


def test_what_is_not_known_is_empty_in_csv_and_null_in_records() -> None:
    empty = Table("t", "A table", COLUMNS, ((None,) * 5,))
    assert rows_of(csv_bytes(empty))[1] == [""] * 5
    assert as_records(empty) == [dict.fromkeys(column.name for column in COLUMNS)]


def test_a_time_before_any_data_is_none_in_every_form() -> None:
    early = Table("t", "A table", COLUMNS, (("a", 1, "1", 0, True),))
    assert rows_of(csv_bytes(early))[1][3] == ""
    assert as_records(early)[0]["at"] is None
    read = pq.read_table(io.BytesIO(parquet_bytes(early)))
    assert read.column("at").to_pylist() == [None]
    assert b"before any data" in html_page("T", (), [early])


def test_parquet_holds_the_values_with_their_types_and_meanings() -> None:
    read = pq.read_table(io.BytesIO(parquet_bytes(table("=1+1", None))))
    assert read.column("name").to_pylist() == ["=1+1", None]
    assert read.column("count").to_pylist() == [-5, -5]
    assert read.column("value").to_pylist() == ["-1.5", "-1.5"]
    at = read.column("at").to_pylist()[0]
    assert at.isoformat() == "2026-01-01T12:00:00.123456+00:00"
    assert read.schema.field("count").metadata == {b"meaning": b"a count"}


class Elements(HTMLParser):
    """Which elements a page has, with their attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_runs_nothing_and_loads_nothing_whatever_it_shows() -> None:
    hostile = Table(HOSTILE, HOSTILE, COLUMNS, ((HOSTILE, 1, "1", NOON, False),), HOSTILE)
    page = html_page(HOSTILE, [(HOSTILE, HOSTILE)], [hostile])
    parsed = Elements()
    parsed.feed(page.decode())
    tags = {tag for tag, _ in parsed.seen}
    assert not tags & {"script", "img", "link", "iframe", "object", "form"}
    assert all(not name.startswith("on") for _, attrs in parsed.seen for name in attrs)
    assert all("src" not in attrs for _, attrs in parsed.seen)
    links = [attrs["href"] for tag, attrs in parsed.seen if tag == "a"]
    assert all((link or "").startswith("#") for link in links)
    assert parsed.text.count(HOSTILE) >= 5


@pytest.mark.parametrize(("form", "names"), [("csv", ["t.csv"]), ("parquet", ["t.parquet"])])
def test_each_table_is_a_file(tmp_path: Path, form: str, names: list[str]) -> None:
    written = write_tables([table("a")], tmp_path / "new", form, title="T", facts=[])  # type: ignore[arg-type]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == names


def test_one_page_holds_all_tables(tmp_path: Path) -> None:
    (page,) = write_tables(
        [table("a"), table("b")], tmp_path, "html", title="T", facts=[("k", "v")]
    )
    assert page.read_text("utf-8").count('<table class="rows">') == 2
