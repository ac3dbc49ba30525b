"""What `signal submit` refuses to guess, what it says of nothing, and when it shows a progress bar.

Method: rows without a time to ledgers of either clock; the real program on a pseudo-terminal and on
a pipe.
"""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.cli.exits import Exit
from tests.cli.conftest import Run
from tests.support.served import START, Served

ONE = ("--model", "fares", "--signal", "log-loss", "--value", "0.5")
HEADING = "model,signal,value,observed_at\n"
TIMED = f"fares,log-loss,0.5,{START * 1_000_000}\n"
UNTIMED = "fares,log-loss,0.5,\n"
WALL = "ledger.example/wall"


def test_where_the_data_tell_the_time_every_observation_states_its_own(
    cli: Run, served: Served
) -> None:
    head = served.head()
    ran = cli("signal", "submit", *ONE)
    assert ran.code == Exit.MISUSE
    assert "the flags: observed_at is missing" in ran.err
    assert "2026-03-01T10:00:00Z" in ran.err
    assert served.head() == head
    ran = cli("signal", "submit", "--batch-size", "1", stdin=HEADING + TIMED * 2 + UNTIMED)
    assert ran.code == Exit.MISUSE
    assert "row 3: observed_at is missing" in ran.err
    assert "--skip 2" in ran.err
    assert served.head() == head + 1, "the second row repeats the first"


def test_where_the_machine_tells_the_time_it_may_be_left_out(cli: Run) -> None:
    assert cli("ledger", "create", WALL).code == 0
    defined = ("--kind", "performance", "--unit", "log-loss", "--direction", "higher-is-worse")
    named = ("--ledger", WALL)
    cli("signal", "define", "log-loss", *defined, "--meaning", "Loss.", *named)
    described = ("--owner", "stays", "--unit-value", "0.000005", "--cost", "9")
    cli("model", "register", "fares", *described, *named)
    deployed = ("--baseline-loss", "0.40", "--trained-through", "2026-01-01")
    assert cli("model", "deploy", "fares", "v1", *deployed, *named).code == 0
    assert cli("signal", "submit", *ONE, *named).code == 0
    ran = cli("signal", "submit", *named, stdin=HEADING + UNTIMED)
    assert (ran.code, ran.out[:23]) == (0, "1 observation recorded,")


def test_an_input_without_rows_submits_nothing_and_says_so(cli: Run, served: Served) -> None:
    head = served.head()
    assert cli("signal", "submit", stdin="").out == (
        "Nothing was submitted: the input holds no rows.\n"
    )
    ran = cli("signal", "submit", "--skip", "1", stdin=HEADING + TIMED)
    assert "Nothing was submitted: the input holds no rows after row 1." in ran.out
    ran = cli("signal", "submit", "--json", stdin=HEADING)
    assert ran.json == {"acknowledged": 0, "position": 0}
    assert served.head() == head


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a pseudo-terminal."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)


def long_input(folder: Path) -> str:
    file = folder / "rows.csv"
    file.write_text(HEADING + TIMED * 5_000)
    return str(file)


def submitting(file: str, served: Served, stderr: int) -> "subprocess.Popen[bytes]":
    line = ["signal", "submit", file, "--server", served.server.address]
    return subprocess.Popen(
        [sys.executable, "-m", "ledger", *line],
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )


def test_a_terminal_shows_how_far_a_long_input_has_come(
    served: Served, tmp_path: Path, terminal: tuple[int, int]
) -> None:
    ours, theirs = terminal
    shown = b""
    with submitting(long_input(tmp_path), served, theirs) as child:
        os.close(theirs)
        try:
            while chunk := os.read(ours, 65_536):
                shown += chunk
        except OSError:  # how Linux says that the other end is closed
            pass
        assert child.stdout is not None
        out = child.stdout.read()
    assert child.returncode == 0
    assert b"Submitting" in shown
    assert "━".encode() in shown
    assert out.startswith(b"5000 observations recorded")
    assert b"Submitting" not in out


def test_a_pipe_is_shown_no_progress(served: Served, tmp_path: Path) -> None:
    with submitting(long_input(tmp_path), served, subprocess.PIPE) as child:
        out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, b"")
    assert out.startswith(b"5000 observations recorded")
