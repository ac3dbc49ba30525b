"""The threat model is a table of attacks that are played: each row names its tests, and they exist.

Method: the rows are read from the page, the tests that they name are looked up in their modules;
each test that plays an attacker by the command line must belong to a row.
"""

import ast
import re
from functools import cache

import pytest

from tests.support.pages import DOCS, ROOT

PAGE = DOCS / "threat_model.md"
PLAYED = "tests/cli/test_threats.py"


def rows() -> dict[str, list[str]]:
    """Return the tests that each row names, by its part."""
    found = {}
    for line in PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] not in {"part", "---"}:
            part, told, tests = cells
            assert told
            found[part] = re.findall(r"`([^`]+)`", tests)
            assert tests == ", ".join(f"`{test}`" for test in found[part]), part
    return found


@cache
def names_of_tests(module: str) -> frozenset[str]:
    """Return the tests of a module that are run for every change."""
    tree = ast.parse((ROOT / module).read_text("utf-8"))
    return frozenset(
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if not any("slow" in ast.unparse(mark) for mark in node.decorator_list)
    )


@pytest.mark.parametrize("part", rows())
def test_a_row_names_tests_that_are_there_and_run_for_every_change(part: str) -> None:
    named = rows()[part]
    assert named, "a row that no test plays is a wish"
    for name in named:
        module, _, test = name.partition("::")
        assert test in names_of_tests(module), name


def test_every_attack_that_is_played_has_its_row() -> None:
    named = [name for tests in rows().values() for name in tests]
    assert {name for name in named if name.startswith(PLAYED)} == {
        f"{PLAYED}::{test}" for test in names_of_tests(PLAYED)
    }
    assert len(named) == len(set(named)), "each plays one row"
