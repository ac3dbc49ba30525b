"""`serve` as a process: it says when it is ready, signs unasked, and stops when told.

It refuses other addresses than loopback, and a database that is behind what was published. Method:
the real program in a child process; each wait is for a line, a checkpoint or its end.
"""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import structlog

from ledger.cli.exits import Exit
from ledger.cli.server import log_to_stderr
from ledger.client import LedgerClient, Signal
from tests.cli.conftest import Run
from tests.support.served import serving
from tests.support.server_process import until
from tools.shapes import SHAPES, fields_of

PROGRAM = [sys.executable, "-m", "ledger", "serve", "--listen", "127.0.0.1:0", "--json"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_is_ready_when_it_says_so_and_ends_when_told(
    tmp_path: Path, number: signal.Signals
) -> None:
    stated = ["--db", str(tmp_path / "l.sqlite"), "--create", "ledger.example/one"]
    port_file = tmp_path / "port"
    with subprocess.Popen(
        [*PROGRAM, *stated, "--clock", "data", "--port-file", str(port_file)],
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
        _, said = child.communicate(timeout=120)
    assert child.returncode == 0
    assert "Stopping" in said
    assert int(port_file.read_text()) == ready["port"]


HANGING = """
import threading
import ledger.limits
ledger.limits.STOP_SECONDS_MAX = 1.5
from ledger.service import Service
Service.stop = lambda self: threading.Event().wait()
from ledger.cli.main import run
run()
"""


def test_serve_ends_soon_after_the_grace_though_something_hangs(tmp_path: Path) -> None:
    stated = ["--db", str(tmp_path / "l.sqlite"), "--create", "ledger.example/one"]
    with subprocess.Popen(
        [sys.executable, "-c", HANGING, "serve", "--listen", "127.0.0.1:0", "--json", *stated],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["address"]
        child.terminate()
        _, said = child.communicate(timeout=30)
    assert child.returncode == Exit.REFUSED
    assert "Something hangs" in said
    assert "on record" in said


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.0.2.1:50051", "example.org:1", "nonsense"])
def test_serve_refuses_any_address_but_loopback(run: Run, tmp_path: Path, address: str) -> None:
    database = tmp_path / "l.sqlite"
    ran = run("serve", "--listen", address, "--db", str(database))
    assert ran.code == Exit.MISUSE
    assert "listen" in ran.err
    assert not database.exists()


def test_serve_creates_a_ledger_with_a_currency_and_says_if_it_has_another(tmp_path: Path) -> None:
    words = ("--db", str(tmp_path / "l.sqlite"), "--create", "ledger.example/one")
    with subprocess.Popen(
        [*PROGRAM, *words, "--clock", "data", "--currency", "EUR"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        with LedgerClient(json.loads(child.stdout.readline())["address"]) as client:
            made = client.get_ledger()
        child.terminate()
        _, said = child.communicate(timeout=120)
    assert (made.unit_of_cost, made.leap_seconds) == ("EUR", 31 * 86_400)
    assert "Created the ledger ledger.example/one with clock data and amounts in EUR." in said
    with subprocess.Popen(
        [*PROGRAM, *words, "--currency", "USD", "--administrator", "users/ana", "--person", "s-1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.terminate()
        _, said = child.communicate(timeout=120)
    was = "created before, with clock data, not wall; unit of cost EUR, not USD."
    assert "created before, and users/ana is no administrator of it: `authority begin`" in said
    assert f"The ledger ledger.example/one was {was}" in said


def test_serve_on_a_taken_port_makes_nothing(run: Run, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        made = tmp_path / "new.sqlite"
        ran = run("serve", "--db", str(made), "--listen", listen, "--create", "ledger.example/x")
    assert ran.code == Exit.MISUSE
    assert f"{listen} cannot be bound" in ran.err
    assert list(tmp_path.glob("new.sqlite*")) == []


def test_serve_refuses_a_clock_that_there_is_not(run: Run) -> None:
    assert run("serve", "--clock", "sundial").code == Exit.MISUSE


def signed_from(client: LedgerClient, size: int) -> list[int]:
    """Return the sizes, from this one on, that were signed; nothing is signed for that."""
    return [signed.size for signed in client.list_checkpoints(after_size=size - 1)]


def test_as_it_comes_serve_covers_each_event_within_a_second(tmp_path: Path) -> None:
    """Method: no setting but a master key; checkpoints are only listed, which signs nothing."""
    database, secret = tmp_path / "l.sqlite", "5a" * 32
    with subprocess.Popen(
        [*PROGRAM, "--db", str(database), "--create", "ledger.example/one"],
        env=os.environ | {"LEDGER_KEYS__SECRET": secret},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        assert child.stdout is not None
        waited: list[float] = []
        with LedgerClient(json.loads(child.stdout.readline())["address"]) as client:
            # The quickest counts: a busy machine may be late with most, too rare a signer with all.
            while len(waited) < 5 or min(waited) >= 1.0:
                number = len(waited)
                assert number < 30
                defined = Signal(
                    f"loss-{number}", "PERFORMANCE", "nats", "HIGHER_IS_WORSE", "Loss."
                )
                position = client.define_signal(defined).position
                began = time.monotonic()
                until(partial(signed_from, client, position))
                waited.append(time.monotonic() - began)
            sizes = signed_from(client, 1)
        child.terminate()
        child.communicate(timeout=120)
    assert sizes == sorted(set(sizes))
    assert len(sizes) >= 5
    assert [path.name for path in tmp_path.glob("*.key")] == []
    assert bytes.fromhex(secret) not in database.read_bytes()


def test_serve_does_not_serve_what_is_behind_the_published_checkpoint(tmp_path: Path) -> None:
    """Method: a database is copied, goes on and has its checkpoint kept; the copy is served."""
    now, backup, published = tmp_path / "now", tmp_path / "backup", tmp_path / "checkpoint"
    now.mkdir()
    with serving(now) as server:
        server.prepare()
        size = server.head()
    shutil.copytree(now, backup)
    with serving(now) as server:
        server.add_model("hotels")
        signed = server.service.ledger().attestation.checkpoints.sign()
    published.write_text(signed.note)
    ran = subprocess.run(
        [*PROGRAM, "--db", str(backup / "ledger.sqlite")],
        env=os.environ | {"LEDGER_CHECKPOINTS__PUBLISHED": str(published)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (Exit.INTEGRITY, "")
    error = json.loads(ran.stderr.splitlines()[-1])["error"]
    assert error["reason"] == "LEDGER_BEHIND"
    assert f"a checkpoint of {signed.size} events" in error["message"]
    assert f"{size} only" in error["message"]


def test_a_line_that_standard_error_does_not_take_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read, written = os.pipe()
    os.close(read)
    closed = io.StringIO()
    closed.close()
    with os.fdopen(written, "w") as broken:
        for stream in (broken, closed):
            monkeypatch.setattr("sys.stderr", stream)
            log_to_stderr("info", "json")
            structlog.get_logger("ledger.test").error("the writer stopped")
        taken = io.StringIO()
        monkeypatch.setattr("sys.stderr", taken)
        structlog.get_logger("ledger.test").error("the writer stopped")
        assert "the writer stopped" in taken.getvalue()
        monkeypatch.undo()
        with suppress(BrokenPipeError):  # what was buffered goes nowhere
            broken.close()
