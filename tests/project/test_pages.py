"""The README and the pages in `ledger/docs` do what they say: their blocks are carried out.

Method: take the blocks out of each page, run them in order in an empty folder against a server of
their own, and compare with what the page shows. Only what must differ from run to run is masked:
hashes, keys, ports and seconds.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import limits
from ledger.chain.policy import parse_policy
from tests.support.pages import (
    BLOCK,
    DOCS,
    PAGES,
    ROOT,
    block,
    blocks,
    commands,
    environment,
    files_of_project,
    is_shown,
    story,
)
from tools import reference

README = ROOT / "README.md"
STORIES = [
    pytest.param(page, marks=() if page == README else pytest.mark.slow)  # minutes, all together
    for page in PAGES
    if {"console", "python"} & {word for word, _ in blocks(page)}
]
ROOMS = [
    ROOT / path
    for path in files_of_project()
    if path.suffix == ".md" and len(path.parts) > 1 and ROOT / path not in PAGES
]
RUN_BY_ALL = "python3 tools/dev.py test"
_SECONDS = 500


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", STORIES, ids=name_of)
def test_a_page_prints_what_it_shows(page: Path, tmp_path: Path) -> None:
    with story(tmp_path) as shell:
        for step in shell.tell(page):
            assert is_shown(step.shown, step.printed), f"$ {step.command}\n{step.printed}"
        if page == README:  # its program submits an observation
            tail = f"decision-ledger log tail -n 1 --json --server {shell.first}"
            assert "signal.observed.v1" in shell.run(tail)


def test_the_client_of_the_readme_has_three_lines() -> None:
    assert len(block(README, "python").splitlines()) == 3


@pytest.mark.slow
def test_the_demo_prints_what_the_pages_show(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo"],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for page in (README, DOCS / "demo.md"):
        (command, shown), *others = commands(block(page, "demo"))
        assert command == "python3 tools/dev.py demo"
        assert others in ([], [(RUN_BY_ALL, "")])
        assert is_shown(shown, done.stdout), f"{page}\n{done.stdout}"


def test_lines_left_out_are_those_where_the_page_says_so() -> None:
    assert is_shown("a\n…\nd\n", "a\nb\nc\nd\n")
    assert is_shown("a\n…\n", "a\nb\n")
    assert is_shown("a\n…\nb\n", "a\nb\n")
    assert not is_shown("a\nd\n", "a\nb\nd\n")
    assert not is_shown("a\n…\nd\n", "a\nb\nd\ne\n")
    assert not is_shown("", "a\n")


def test_the_test_command_of_the_readme_is_run_for_every_change() -> None:
    assert f"$ {RUN_BY_ALL}\n" in block(README, "demo")
    assert f"\n{RUN_BY_ALL}\n" in (ROOT / ".ci" / "run").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_of_a_page_is_carried_out_or_is_a_file(page: Path) -> None:
    text = page.read_text("utf-8")
    assert text.count("\n```") == 2 * len(BLOCK.findall(text))
    words = [word for word, _ in blocks(page)]
    assert [word for word in words if word not in {"console", "demo", "python"}] == [
        word for word in words if re.fullmatch(r"[a-z]+\.[a-z]+", word)
    ]


def test_the_readme_is_short_and_names_every_page() -> None:
    text = README.read_text("utf-8")
    assert text.count("\n") <= 200
    assert [page for page in PAGES[1:] if f"]({name_of(page)})" not in text] == []


@pytest.mark.parametrize("page", [*PAGES, *ROOMS], ids=name_of)
def test_every_link_of_a_page_leads_to_a_file_of_the_project(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)\s]*\)", page.read_text("utf-8"))
    local = [link for link in links if not link.startswith("https://")]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(
        r"`((?:ledger|projections|proto|tests|tools)/[\w/.]*[\w/])`", page.read_text("utf-8")
    )
    assert [path for path in named if not (ROOT / path).exists()] == []


# ---- figures and tables --------------------------------------------------------------------------


@pytest.mark.parametrize("page", reference.TABLES)
def test_a_page_has_the_tables_that_the_code_gives(page: str) -> None:
    have = (ROOT / page).read_text("utf-8")
    assert have == reference.renewed(page), "run python -m tools.reference"


def test_the_policy_of_the_page_asks_for_two_of_three_witnesses() -> None:
    policy = parse_policy(block(DOCS / "verifying.md", "witnesses.policy").encode())
    assert [witness.name for witness in policy.witnesses] == ["w1", "w2", "w3"]
    assert policy.quorum == policy.groups[0].name
    assert policy.groups[0].threshold == 2


def test_the_page_of_limits_has_the_numbers_of_the_code() -> None:
    page = (DOCS / "limits.md").read_text("utf-8")
    streams = f"{limits.INGEST_STREAMS_PER_CONNECTION}, {limits.WATCHERS_PER_CONNECTION}"
    positions = f"{limits.ERASED_RANGES_MAX:,} ranges, {limits.ERASED_POSITIONS_MAX:,} positions"
    policy = f"{limits.SIGNALS_PER_POLICY_MAX} signals, {limits.RULES_MAX} rules"
    for row in (
        f"| {limits.MESSAGE_BYTES_MAX >> 20} MiB; {limits.BATCH_OBSERVATIONS_MAX:,} observations |",
        f"| {limits.INGEST_STREAMS_MAX}, {limits.WATCHERS_MAX}; a connection {streams} |",
        f"| {limits.CALL_THREADS}, {limits.QUEUED_CALLS_MAX:,}; ",
        f"skew, {limits.SKEW_SECONDS_DEFAULT // 60} minutes by default",
        f"| {policy}, {limits.DOCUMENT_BYTES_MAX >> 10} KiB of text |",
        f"| {positions}; {limits.TEXT_CHARS_MAX:,} characters |",
        f"| exports under way at once | {limits.EXPORTS_MAX} |",
    ):
        assert row in page


# ---- the rooms -----------------------------------------------------------------------------------


def first_cells(page: Path) -> set[str]:
    """Return what the first cells of a page's tables name."""
    rows = re.findall(r"^\| ([^|]+) \|", page.read_text("utf-8"), re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


@pytest.mark.parametrize("room", ["ledger/chain", "ledger/export", "ledger/storage", "projections"])
def test_the_page_of_a_room_names_each_of_its_files(room: str) -> None:
    files = {path.name for path in (ROOT / room).glob("*.py")} - {"__init__.py"}
    named = {name for name in first_cells(ROOT / room / "README.md") if name.endswith(".py")}
    assert named == files


def test_the_architecture_names_each_room_and_the_page_of_tests_each_folder() -> None:
    for folder, page in (("ledger", "ledger/README.md"), ("tests", "tests/README.md")):
        below = [path for path in (ROOT / folder).iterdir() if any(path.rglob("*.*"))]
        rooms = {f"{path.name}/" for path in below if path.is_dir()} - {"__pycache__/"}
        assert rooms - first_cells(ROOT / page) == set()


def test_every_path_that_the_architecture_names_exists() -> None:
    text = (ROOT / "ledger" / "README.md").read_text("utf-8")
    named = re.findall(r"`([a-z_./]+(?:\.py|\.md|/))`", text)
    assert len(named) > 40
    places = [ROOT / "ledger", ROOT / "ledger" / "application", ROOT]
    lost = [path for path in named if not any((place / path).exists() for place in places)]
    assert lost == []


def test_every_function_that_the_architecture_names_is_in_the_file_it_names() -> None:
    text = (ROOT / "ledger" / "README.md").read_text("utf-8")
    named = re.findall(r"`([a-z_/]+\.py)`: `(?:[A-Z]\w+\.)?([a-z_]+)`", text)
    assert {name for _, name in named} >= {"submit", "sign", "decide"}
    for path, name in named:
        assert f"def {name}(" in (ROOT / "ledger" / path).read_text("utf-8"), f"{path}: {name}"
