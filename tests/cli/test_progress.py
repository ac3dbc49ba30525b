"""What takes long shows how far it has come, and can be interrupted and taken up again.

Method: the real program on a pseudo-terminal, which keeps what was shown; and a Ctrl-C in the
middle of a transfer, after which the same command is given again.
"""

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ledger.cli.exits import Exit
from ledger.client import LedgerClient
from tests.cli.conftest import Run
from tests.support.served import Served


def on_a_terminal(*line: str) -> tuple[int, str, bytes]:
    """Run a command; return its exit code, standard output, and what a terminal showed."""
    ours, theirs = pty.openpty()
    shown = b""
    with subprocess.Popen(
        [sys.executable, "-m", "ledger", *line],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "200"},
    ) as child:
        os.close(theirs)
        try:
            while chunk := os.read(ours, 65_536):
                shown += chunk
        except OSError:  # how Linux says that the other end is closed
            pass
        finally:
            os.close(ours)
        assert child.stdout is not None
        out = child.stdout.read().decode()
    return child.returncode, out, shown


def test_a_terminal_shows_how_far_the_long_commands_have_come(
    told: Run, served: Served, folder: Path, tmp_path: Path
) -> None:
    key = str(told("vkey", "--json").json["verifier_key"])
    server = ("--server", served.server.address)
    bundle, database = str(tmp_path / "bundle.tar"), str(folder / "ledger.sqlite")
    for line, labels in (
        (("export", "create", bundle, *server), ("Writing", "Fetching", "Verifying")),
        (("verify", bundle, "--vkey", key), ("Verifying",)),
        (("audit", "run", database), ("Auditing",)),
        (("verify", database), ("Verifying",)),
        (("log", "publish", str(tmp_path / "tiles"), *server), ("Publishing",)),
    ):
        code, out, shown = on_a_terminal(*line)
        assert code == 0, shown
        assert "━".encode() in shown, line
        for label in labels:
            assert label.encode() in shown, line
            assert "━" not in out


def test_an_export_that_was_interrupted_is_taken_up_by_the_same_command(
    told: Run, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, offsets = str(tmp_path / "bundle.tar"), []
    original = LedgerClient.read_export

    def interrupted(client: LedgerClient, name: str, *, offset: int = 0) -> Any:  # noqa: ANN401
        offsets.append(offset)
        for at, part in enumerate(original(client, name, offset=offset)):
            yield part
            if at == 0 and len(offsets) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(LedgerClient, "read_export", interrupted)
    ran = told("export", "create", out)
    assert (ran.code, "Interrupted." in ran.err) == (Exit.INTERRUPTED, True)
    assert not Path(out).exists()
    fetched = (tmp_path / "bundle.tar.part").stat().st_size
    assert fetched > 0
    assert told("export", "create", out).code == 0
    assert offsets == [0, fetched]
    assert len(served.service.exports().all()) == 1
    assert [path.name for path in tmp_path.glob("bundle*")] == ["bundle.tar"]
