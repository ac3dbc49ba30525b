"""The trust machine states its steps once, in numbers, and each step is a function that names it.

Method: read the numbers of the package's docstring and those at which functions begin theirs.
"""

import ast
import re
from pathlib import Path

from ledger.client import trust

STATED = re.findall(r"^\s*(\d+(?:\.\d)?)\.? ", trust.__doc__ or "", re.MULTILINE)


def taken() -> dict[str, list[str]]:
    """Return by number the functions whose docstring says that they are this step."""
    steps: dict[str, list[str]] = {}
    for path in sorted(Path(trust.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                said = re.match(r"Step (\d+(?:\.\d)?): ", ast.get_docstring(node) or "")
                if said:
                    steps.setdefault(said[1], []).append(node.name)
    return steps


def test_the_steps_are_numbered_in_order() -> None:
    assert STATED[:4] == ["1", "2", "3", "3.1"]
    assert sorted(STATED, key=lambda number: [int(part) for part in number.split(".")]) == STATED
    whole = [int(number) for number in STATED if "." not in number]
    assert whole == list(range(1, len(whole) + 1))


def test_every_step_that_the_package_states_is_a_function_and_no_function_takes_another() -> None:
    assert set(taken()) == set(STATED)
