"""No file of known answers lies about unused: each is loaded by a test, or says why not.

Method: the names of vector files are looked for among the string constants of every test module.
"""

import ast
from pathlib import Path

import pytest

from tests.support.vectors import vector_path

TESTS = Path(__file__).resolve().parents[1]
FOLDER = vector_path("rfc6962_hash.json").parent
FILES = sorted(path.name for path in FOLDER.glob("*.json"))
LEFT_OUT = {
    "mldsa44_checkpoint.json": (
        "ML-DSA-44 signatures are optional in the formats, and nothing here makes or takes them"
    ),
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


@pytest.mark.parametrize("file", FILES)
def test_vector_file_has_a_test_that_loads_it(file: str) -> None:
    is_used = bool({file, file.removesuffix(".json")} & NAMED)
    assert is_used != (file in LEFT_OUT)


def test_what_is_left_out_is_there() -> None:
    assert set(LEFT_OUT) < set(FILES)
