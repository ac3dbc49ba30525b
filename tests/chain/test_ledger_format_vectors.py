"""The ledger format's known answers, made by code that shares nothing with this project."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.vectors import OWN, load_vectors
from tools.vectors import FAIL, PASS, UNREADABLE, main
from tools.vectors_ledger import check_ledger_format

FILE = "ledger_format_v1.json"
CASES = dict(check_ledger_format(load_vectors(FILE)))


@pytest.mark.parametrize("case", CASES)
def test_known_answer(case: str) -> None:
    assert CASES[case] is None


def test_every_event_checkpoint_and_the_seal_were_checked() -> None:
    document = load_vectors(FILE)
    assert len(CASES) == len(document["events"]) + len(document["checkpoints"]) + 1


def leaves_of(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every text and number in a document."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves_of(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for key, item in enumerate(value) for leaf in leaves_of(item, (*path, key))]
    return [] if value is None or isinstance(value, bool) else [path]


def changed(value: str | int) -> str | int:
    """Return a text or number in which one character differs, of the same kind."""
    if isinstance(value, int):
        return value + 1
    middle = len(value) // 2
    other = "0" if value[middle : middle + 1] != "0" else "1"
    return value[:middle] + other + value[middle + 1 :]


def small_document() -> dict[str, Any]:
    document: dict[str, Any] = copy.deepcopy(load_vectors(FILE))
    document["events"] = document["events"][:4]
    document["checkpoints"] = document["checkpoints"][:3]
    del document["seal"]
    return document


@pytest.mark.parametrize("path", leaves_of(small_document()), ids=lambda p: ".".join(map(str, p)))
def test_every_changed_value_is_found(path: tuple[Any, ...], tmp_path: Path) -> None:
    document = small_document()
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = changed(place[path[-1]])
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(document))
    assert main([str(file)]) == FAIL


def test_a_wrong_seal_is_found() -> None:
    document = copy.deepcopy(load_vectors(FILE))
    document["seal"]["records"].pop()
    problem = dict(check_ledger_format(document))["seal"]
    assert problem
    assert problem.startswith("records: expected")


def test_the_tool_prints_a_line_per_file(capsys: pytest.CaptureFixture[str]) -> None:
    files = [OWN / name for name in (FILE, "kernel_v1.json", "kernel_v2.json", "planner_v1.json")]
    assert main([str(file) for file in files]) == PASS
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(files)
    assert lines[0] == f"{files[0]}: {len(CASES)} cases of ledger_format_v1 pass"


def test_the_tool_names_the_first_failing_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = small_document()
    document["events"][2]["event"]["hash"] = "00" * 32
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(document))
    assert main([str(file)]) == FAIL
    assert f"{file}: case event 3 of ledger_format_v1 FAILS: event hash: expected '0000" in (
        capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"events": [], "events": []}', "a key twice"),
        (b"[]", "none of the formats"),
        (b'{"cases": []}', "none of the formats"),
        (b'{"format": "decision-ledger/1", "origin": "a", "events": []}', "holds no cases"),
    ],
)
def test_the_tool_says_why_a_file_cannot_be_checked(
    content: bytes | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "odd.json"
    if content is not None:
        file.write_bytes(content)
    assert main([str(file)]) == UNREADABLE
    assert words in capsys.readouterr().out


def test_the_tool_without_arguments_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == UNREADABLE
    assert "python -m tools.vectors" in capsys.readouterr().out
