"""What other projects made may be missing; then the tests that need it are skipped, and say so.

Node's client is one of them: `.ci/run` installs it beside the program that calls by it.
"""

import shutil
from pathlib import Path
from typing import Final, NoReturn

import pytest

NODE_PROGRAM: Final = Path(__file__).parents[1] / "api" / "grpc_js"


def missing(what: str) -> NoReturn:
    """Skip the test that runs, or the module, with one line of what is not checked and why."""
    pytest.skip(what, allow_module_level=True)


def require_node(program: Path = NODE_PROGRAM) -> str:
    """Return where Node is, or skip where it or the client of a program of its is missing."""
    node = shutil.which("node")
    if node is None or not (program / "node_modules" / "@grpc" / "grpc-js").is_dir():
        missing("Node's grpc-js does not call: run `npm ci` in tests/api/grpc_js")
    return node
