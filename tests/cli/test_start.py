"""Help and version answer at once: what they import is a small part of what commands need.

Method: run the command line in a process of its own and ask which packages it has imported; how
long that takes is measured by the bench and never asserted.
"""

import json
import subprocess
import sys

import pytest

from ledger.cli.exits import Exit
from ledger.cli.tree import TREE
from tools import reference

# Not pydantic: typer itself imports it where it is installed.
HEAVY = {"cel_expr_python", "cryptography", "google", "grpc", "jinja2", "sqlalchemy", "yaml"}
PROGRAM = """
import json, sys
from ledger.cli.main import run
sys.argv[0] = "decision-ledger"
try:
    run()
except SystemExit as ended:
    print(json.dumps([ended.code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def imported(*line: str) -> set[str]:
    """Return the packages that a line imports; it must end well."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *line], capture_output=True, text=True, check=True
    )
    code, names = json.loads(ran.stdout.splitlines()[-1])
    assert code == 0, ran.stderr
    return set(names)


@pytest.mark.parametrize("line", [("--version",), ("--help",), ("plan", "--help")], ids=" ".join)
def test_help_and_version_import_nothing_heavy(line: tuple[str, ...]) -> None:
    assert imported(*line) & HEAVY == set()


def test_a_command_that_calls_a_server_imports_what_that_takes() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, "vkey", "--server", "127.0.0.1:1"],
        capture_output=True,
        text=True,
        check=False,
    )
    code, names = json.loads(ran.stdout.splitlines()[-1])
    assert code == Exit.UNREACHABLE
    assert {"grpc", "pydantic"} <= set(names)


def test_each_command_of_the_tree_is_where_the_tree_says() -> None:
    names = {name for name, _ in reference.commands()}
    for name, entry in TREE.items():
        if isinstance(entry, str):
            assert name in names
        else:
            assert {f"{name} {member}" for member in entry[1]} <= names
