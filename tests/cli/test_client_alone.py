"""A client's machine needs a client's packages: without those of a server it works as before.

Method: processes in which the packages of the extra `server` cannot be imported.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ledger.cli.exits import Exit

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = {"pyyaml": "yaml", "grpcio-health-checking": "grpc_health",
           "grpcio-reflection": "grpc_reflection"}  # fmt: skip
BLOCKED = {
    MODULES.get(name, name.replace("-", "_"))
    for text in PROJECT["optional-dependencies"]["server"]
    for name in re.findall(r"^[a-z0-9-]+", text)
}
WITHOUT = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Absent())
sys.argv[0] = "decision-ledger"
"""


def run(program: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + program, *words],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_packages_of_a_server_are_those_that_are_blocked() -> None:
    assert {"sqlalchemy", "eventsourcing", "structlog", "yaml"} <= BLOCKED
    assert run("import sqlalchemy").returncode == 1


def test_the_client_is_imported_whole() -> None:
    ran = run("import ledger.client, ledger.client.aio.client, ledger.client.blocking.client")
    assert ran.returncode == 0, ran.stderr


CALLING = ["vkey", "model list", "priorities", "verify", "log checkpoint", "signal list",
           "decision show fares", "key list", "plan list", "projection status"]  # fmt: skip
EACH = """
import json
from typer.testing import CliRunner
from ledger.cli.main import app
for line in sys.argv[1:]:
    ran = CliRunner().invoke(app, [*line.split(), "--server", "127.0.0.1:1"])
    print(json.dumps([line, ran.exit_code, ran.stderr, repr(ran.exception)]))
"""


def test_commands_that_call_a_server_get_as_far_as_calling_it() -> None:
    ran = run(EACH, *CALLING)
    assert ran.returncode == 0, ran.stderr
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [line for line, *_ in found] == CALLING
    for line, code, said, exception in found:
        assert code == Exit.UNREACHABLE, (line, exception)
        assert "No ledger answers" in said, line


@pytest.mark.parametrize("line", ["serve --db l.sqlite", "doctor", "log publish x --db l.sqlite"])
def test_what_needs_a_server_says_what_to_install(line: str, tmp_path: Path) -> None:
    words = line.replace("l.sqlite", str(tmp_path / "l.sqlite")).split()
    ran = run("from ledger.cli.main import run; run()", *words)
    assert "Traceback" not in ran.stderr
    assert ran.returncode == Exit.MISUSE, ran.stderr
    assert "pip install 'decision-ledger[server]'" in ran.stderr
