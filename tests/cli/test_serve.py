"""`serve` as a process: it says when it is ready, refuses other addresses, and stops when told.

Method: the real program in a child process; whoever waits, waits for a line or for its end.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.cli.exits import Exit
from ledger.cli.shapes import SHAPES, fields_of
from ledger.client import LedgerClient
from tests.cli.conftest import Run


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_is_ready_when_it_says_so_and_ends_when_told(
    tmp_path: Path, number: signal.Signals
) -> None:
    program = [sys.executable, "-m", "ledger", "serve", "--listen", "127.0.0.1:0", "--json"]
    stated = ["--db", str(tmp_path / "l.sqlite"), "--create", "ledger.example/one"]
    port_file = tmp_path / "port"
    with subprocess.Popen(
        [*program, *stated, "--clock", "data", "--port-file", str(port_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        ready = json.loads(child.stdout.readline())
        assert tuple(ready) == fields_of(SHAPES["serve"])
        with LedgerClient(ready["address"]) as client:
            assert client.get_ledger().origin == "ledger.example/one"
        child.send_signal(number)
        _, said = child.communicate(timeout=30)
    assert child.returncode == 0
    assert "Stopping" in said
    assert int(port_file.read_text()) == ready["port"]


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.0.2.1:50051", "example.org:1", "nonsense"])
def test_serve_refuses_any_address_but_loopback(run: Run, tmp_path: Path, address: str) -> None:
    database = tmp_path / "l.sqlite"
    ran = run("serve", "--listen", address, "--db", str(database))
    assert ran.code == Exit.MISUSE
    assert "listen" in ran.err
    assert not database.exists()


def test_serve_refuses_a_clock_that_there_is_not(run: Run) -> None:
    assert run("serve", "--clock", "sundial").code == Exit.MISUSE
