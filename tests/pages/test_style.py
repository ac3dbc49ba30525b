"""Both pages for people are one product: on a narrow and a wide screen, in the dark and on paper.

Method: a report and a compliance page are rendered and taken apart; their style is one text, which
says what must hold on paper; no cell is without its heading, and no column without its cell.
"""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ledger.compliance.facts import FactFilter
from ledger.compliance.files import html_page
from ledger.compliance.report import TABLES, tables_of
from ledger.compliance.tables import Cell, Table, cell_text, columns, heading_of, shown
from tests.compliance.conftest import golden  # noqa: F401 - a fixture
from tests.support.bundles import small_ledger
from tests.support.facts import FactList


class Tables(HTMLParser):
    """The tables of rows of a page: headings, and the label and text of each cell."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[list[str]] = []
        self.rows: list[list[tuple[str, str]]] = []
        self.tags: list[str] = []
        self._is_rows = False
        self._into = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = dict(attrs)
        if tag == "table":
            self._is_rows = named.get("class") == "rows"
            if self._is_rows:
                self.headings.append([])
        elif tag == "tr" and self._is_rows:
            self.rows.append([])
        elif tag == "td" and self._is_rows:
            self._into = "td"
            self.rows[-1].append((named.get("data-label") or "", ""))
        elif tag == "th" and self._is_rows:
            self._into = "th"

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self._into = ""

    def handle_data(self, data: str) -> None:
        if self._into == "th":
            self.headings[-1].append(data)
        elif self._into == "td":
            label, text = self.rows[-1][-1]
            self.rows[-1][-1] = label, text + data


@pytest.fixture
def compliance(golden: FactList) -> str:  # noqa: F811
    page = html_page("T", [("Ledger", "l")], tables_of(golden, FactFilter()), "EUR")
    return page.decode()


@pytest.fixture
def report(tmp_path: Path) -> str:
    small_ledger().write(tmp_path)
    return (tmp_path / "data" / "report.html").read_text("utf-8")


def style_of(page: str) -> str:
    (found,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    return str(found)


def test_both_pages_have_one_style(compliance: str, report: str) -> None:
    assert style_of(compliance) == style_of(report)


def test_no_fact_about_a_page_is_kept_on_one_line(compliance: str, report: str) -> None:
    for page in (compliance, report):
        (facts,) = re.findall(r'<table class="facts">(.*?)</table>', page, re.DOTALL)
        assert "when" not in facts, "a narrow screen would cut it off"


def test_the_style_has_a_narrow_screen_the_dark_and_paper(report: str) -> None:
    style = style_of(report)
    assert "@media (prefers-color-scheme: dark)" in style
    assert "@media screen and (max-width: 46rem)" in style
    assert "@page { size: A4 landscape;" in style
    paper = style[style.index("@media print") :]
    assert "thead { display: table-header-group; }" in paper
    assert re.search(r"\btr,.* \{ break-inside: avoid; \}", paper)
    assert ".scroll { overflow: visible; }" in paper
    assert "color-scheme: light" in paper
    assert "overflow: hidden" not in style
    assert "position: sticky" not in style


@pytest.mark.parametrize("name", ["compliance", "report"])
def test_nothing_is_folded_away_and_every_cell_says_its_column(
    name: str, request: pytest.FixtureRequest
) -> None:
    found = Tables(request.getfixturevalue(name))
    assert "details" not in found.tags
    assert found.tags.count("thead") == len(found.headings) > 0
    known = {heading for headings in found.headings for heading in headings}
    labels = [label for row in found.rows for label, _ in row]
    assert labels
    assert set(labels) <= known


@pytest.mark.parametrize("name", TABLES)
def test_a_page_shows_every_column_of_a_table(golden: FactList, name: str) -> None:  # noqa: F811
    table = TABLES[name](golden, FactFilter())
    page = Tables(html_page("T", [], [table], "EUR").decode())
    texts = [" ".join(text for _, text in row) for row in page.rows if row]
    for row, text in zip(table.rows, texts, strict=True):
        for cell, column in zip(row, table.columns, strict=True):
            assert cell_text(cell, column.kind, "EUR") in text, column.name


def test_a_historical_decision_is_marked_on_the_page(golden: FactList) -> None:  # noqa: F811
    table = TABLES["decisions"](golden, FactFilter())
    page = Tables(html_page("T", [], [table], "EUR").decode())
    at = [column.name for column in table.columns].index("historical")
    marked = ["historical yes" in " ".join(text for _, text in row) for row in page.rows if row]
    assert marked == [row[at] for row in table.rows]
    assert set(marked) == {True, False}


def test_a_page_has_people_s_units_where_data_has_integers() -> None:
    described = columns(
        ("impact_ppm", "share", "s"),
        ("cost_micros", "money", "m"),
        ("silent_seconds", "span", "d"),
        ("rank", "ratio", "r"),
        ("at", "time", "t"),
        ("since", "time", "t"),
    )
    row: tuple[Cell, ...] = (334_276, "40000000", 5_400, "993750", 1_772_625_600_000_000, 0)
    page = html_page("T", [], [Table("t", "T", described, (row,))], "EUR").decode()
    cells = [text for row in Tables(page).rows for _, text in row]
    assert cells == [
        "33.4%",
        "40.00 EUR",
        "1h30m",
        "99.3%",
        "2026-03-04T12:00:00Z",
        "before any data",
    ]
    assert [heading_of(one) for one in described[:3]] == ["impact", "cost", "silent"]
    data = [shown(cell, one.kind) for cell, one in zip(row, described, strict=True)]
    assert data[:5] == ["334276", "40000000", "5400", "993750", "2026-03-04T12:00:00.000000Z"]
