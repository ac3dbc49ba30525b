"""No file of known answers lies about unused: each is loaded by a test, or says why not.

Method: the names of vector files are looked for among the string constants of every test module.
"""

import ast
from pathlib import Path

from tests.support.vectors import OWN, foreign_folder

TESTS = Path(__file__).resolve().parents[1]
LEFT_OUT = {
    "mldsa44_checkpoint.json": (
        "ML-DSA-44 signatures are optional in the formats, and nothing here makes or takes them"
    ),
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
    assert unused(foreign_folder()) <= set(LEFT_OUT)
