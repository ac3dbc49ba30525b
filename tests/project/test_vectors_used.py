"""No file of known answers lies about unused, and ours are what their maker makes.

Method: the names of vector files are looked for among the string constants of every test module;
our own are made again, by code that shares nothing with the product, and compared to the byte.
"""

import ast
import json
from pathlib import Path

import pytest

from tests.support.vectors import (
    OWN,
    VectorsMissingError,
    load_cases,
    load_documents,
    require_foreign,
)
from tools.known_answers.__main__ import FILES, contents

TESTS = Path(__file__).resolve().parents[1]
LEFT_OUT = {
    "planner_v2.json": "our own format, of a procedure that nothing here carries out",
}


def constants_of(module: Path) -> set[str]:
    """Return every string constant of a module that loads vectors."""
    source = module.read_text(encoding="utf-8")
    if "tests.support.vectors" not in source or module == Path(__file__):
        return set()
    nodes = ast.walk(ast.parse(source))
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


NAMED = {name for module in TESTS.rglob("test_*.py") for name in constants_of(module)}


def unused(folder: Path) -> set[str]:
    """Return the vector files of a folder that no test loads."""
    files = {path.name for path in folder.glob("*.json")}
    assert files
    return {file for file in files if not {file, file.removesuffix(".json")} & NAMED}


def test_every_vector_file_of_ours_has_a_test_that_loads_it() -> None:
    assert unused(OWN) == set()


def test_every_vector_file_of_others_has_a_test_that_loads_it_or_a_reason() -> None:
    assert unused(require_foreign()) <= set(LEFT_OUT)


def test_our_known_answers_are_made_again_to_the_byte() -> None:
    made = contents()
    for name, text in made.items():
        assert (OWN / name).read_text(encoding="utf-8") == text, name


def test_the_maker_of_known_answers_shares_no_code_with_the_product() -> None:
    maker = TESTS.parent / "tools" / "known_answers"
    imported = {
        name.split(".")[0]
        for module in maker.glob("*.py")
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert {"ledger", "projections", "tests"}.isdisjoint(imported)
    tools = {
        node.module
        for module in maker.glob("*.py")
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tools")
    }
    assert all(str(name).startswith("tools.known_answers") for name in tools)


def test_every_format_of_others_has_known_answers_of_ours() -> None:
    theirs = {path.name for path in require_foreign().glob("*.json")}
    assert theirs - set(LEFT_OUT) <= {path.name for path in OWN.glob("*.json")}


def test_without_a_folder_of_others_ours_are_all_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEDGER_VECTORS", str(tmp_path / "missing"))
    for name in FILES:
        assert len(load_documents(name)) == 1
        assert all("own-" in case for case in load_cases(name))
    with pytest.raises(BaseException, match="LEDGER_VECTORS may name another folder") as caught:
        require_foreign()
    assert type(caught.value).__name__ == "Skipped"


def test_a_folder_of_others_that_lacks_a_file_fails_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEDGER_VECTORS", str(tmp_path))
    with pytest.raises(VectorsMissingError, match="Set LEDGER_VECTORS"):
        load_cases("vkeys.json")


def test_with_a_folder_of_others_the_cases_of_both_are_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "vkeys.json").write_text(json.dumps({"cases": [{"id": "theirs"}]}))
    monkeypatch.setenv("LEDGER_VECTORS", str(tmp_path))
    assert {"theirs", "own-w1.example.com"} <= set(load_cases("vkeys.json"))
