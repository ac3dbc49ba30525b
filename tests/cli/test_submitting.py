"""What `signal submit` refuses to guess, what it says of nothing, and when it shows a progress bar.

Method: rows without a time to ledgers of either clock; the real program on a pseudo-terminal and on
a pipe.
"""

import os
import pty
import signal
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
    assert "the flags: this ledger takes its time from the data: state observed_at." in ran.err
    assert "2026-03-01T10:00:00Z" in ran.err
    assert served.head() == head
    ran = cli("signal", "submit", "--batch-size", "1", stdin=HEADING + TIMED * 2 + UNTIMED)
    assert ran.code == Exit.MISUSE
    assert "row 3: this ledger takes its time from the data: state observed_at." in ran.err
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
    assert (ran.json["acknowledged"], ran.json["position"]) == (0, 0)
    assert served.head() == head


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a pseudo-terminal."""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)


def long_input(folder: Path) -> str:
    file = folder / "rows.csv"
    lines = [f"fares,log-loss,0.5,{START * 1_000_000 + number}\n" for number in range(5_000)]
    file.write_text(HEADING + "".join(lines))
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
        out, err = child.communicate(timeout=120)
    assert (child.returncode, err) == (0, b"")
    assert out.startswith(b"5000 observations recorded")


def test_rows_come_through_a_named_pipe_and_an_interrupt_ends_the_wait_for_more(
    served: Served, tmp_path: Path
) -> None:
    pipe, head = tmp_path / "pipe", served.head()
    os.mkfifo(pipe)
    with submitting(str(pipe), served, subprocess.PIPE) as child:
        pipe.write_text(HEADING + TIMED)  # waits until it is read
        out, err = child.communicate(timeout=120)
    assert (child.returncode, err) == (0, b"")
    assert out == f"1 observation recorded, up to position {head + 1}.\n".encode()
    with submitting(str(pipe), served, subprocess.PIPE) as child, pipe.open("w"):
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=120)
    assert child.returncode == Exit.INTERRUPTED
    assert b"Traceback" not in err
    assert served.head() == head + 1


ROWS = "".join(f"fares,log-loss,0.{5 + n},{(START + n) * 1_000_000},100\n" for n in range(3))
MARCH = "model,signal,value,observed_at,sample_size\n" + ROWS


def test_the_same_file_twice_is_recorded_once_and_the_second_run_says_where(
    cli: Run, served: Served, tmp_path: Path
) -> None:
    file, head = tmp_path / "march.csv", served.head()
    file.write_text(MARCH)
    first = cli("signal", "submit", str(file), "--batch-size", "2")
    assert first.out == f"3 observations recorded, up to position {head + 3}.\n"
    again = cli("signal", "submit", str(file), "--batch-size", "2")
    where = f"positions {head + 1} to {head + 3}"
    assert again.out == f"Nothing new. 3 observations are already on record at {where}.\n"
    other = cli("signal", "submit", str(file), "--batch-size", "3")
    assert other.out == again.out, "cut in other batches it is known by its observations"
    ran = cli("signal", "submit", "--json", stdin=MARCH + "fares,log-loss,0.9,1767312000s,1\n")
    assert ran.json["already_on_record"] == ran.json["left_out"] == 3
    assert (ran.json["acknowledged"], ran.json["position"]) == (4, head + 4)
    kept = cli("signal", "submit", str(file), "--keep-duplicates")
    assert "3 observations recorded" in kept.out
    assert "3 observations repeat earlier ones." in kept.out
    assert served.head() == head + 7


def test_states_and_doctor_show_what_was_recorded_again(cli: Run, tmp_path: Path) -> None:
    file = tmp_path / "march.csv"
    file.write_text(MARCH)
    doctor = ("doctor", "--db", str(tmp_path / "ledger.sqlite"))
    cli("signal", "submit", str(file))
    assert cli("signal", "states", "fares").out.splitlines()[1].endswith("  0")
    assert "no recent observation repeats another one" in cli(*doctor).out
    cli("signal", "submit", str(file), "--keep-duplicates")
    heading, row = cli("signal", "states", "fares").out.splitlines()
    assert heading.endswith("REPEATED")
    assert row.endswith("  3")
    ran = cli(*doctor)
    assert "count again: fares log-loss 3" in ran.out
    assert "leave" in ran.out or "left out" in ran.out


def test_one_observation_by_flags_is_not_recorded_twice(cli: Run, served: Served) -> None:
    head = served.head()
    at = ("--observed-at", "2026-03-06T12:00:00Z")
    assert cli("signal", "submit", *ONE, *at).out == f"Recorded at position {head + 1}.\n"
    again = cli("signal", "submit", *ONE, *at)
    assert again.out == f"1 observation is already on record at position {head + 1}.\n"
    assert served.head() == head + 1


def test_what_was_rounded_and_what_became_0_is_said_once(cli: Run, served: Served) -> None:
    text = (
        "model,signal,value,observed_at\n"
        f"fares,log-loss,0.47123456789123,{START * 1_000_000}\n"
        f"fares,log-loss,6e-27,{START * 1_000_000}\n"
    )
    small = "1 value was too small for 9 decimals and was recorded as 0; send -log10(p) instead."
    ran = cli("signal", "submit", stdin=text)
    assert ran.out.splitlines()[0].endswith(f"1 value was rounded to 9 decimals. {small}")
    ran = cli("signal", "submit", stdin=f"{HEADING}fares,log-loss,7e-27,{START * 1_000_000 + 1}\n")
    assert ran.out == f"1 observation recorded, up to position {served.head()}. {small}\n"


@pytest.mark.parametrize("value", ["0.41234567890123", "4.1234567890123e-1"])
def test_a_stated_loss_is_rounded_as_an_observed_value_and_the_answer_says_so(
    cli: Run, value: str
) -> None:
    line = ("model", "deploy", "fares", "v9", "--baseline-loss")
    times = ("--trained-through", "2026-01-15", "--in-service-at", "2026-02-01")
    ran = cli(*line, value, *times)
    assert ran.code == 0
    assert ran.out.endswith(" 1 value was rounded to 9 decimals.\n")
    assert cli("model", "show", "fares", "--json").json["deployments"][-1]["baseline_loss"] == (
        "0.412345679"
    )


def test_a_stated_loss_that_rounds_to_0_is_refused(cli: Run) -> None:
    line = ("model", "deploy", "fares", "v9", "--baseline-loss", "4e-10")
    ran = cli(*line, "--trained-through", "2026-01-15", "--in-service-at", "2026-02-01")
    assert ran.code == Exit.REFUSED
    assert "baseline_loss: '0.0000000004' is too small for 9 decimals." in ran.err


def test_a_leap_of_time_is_refused_with_the_flag_that_takes_it(cli: Run, served: Served) -> None:
    far = f"fares,log-loss,0.5,{(START + 9 * 365 * 86_400) * 1_000_000}\n"
    assert cli("signal", "submit", stdin=HEADING + TIMED).code == 0
    head = served.head()
    for given in ((*ONE, "--observed-at", "2034-12-30T00:00:00Z"), ()):
        ran = cli("signal", "submit", *given, stdin=HEADING + far)
        assert ran.code == Exit.REFUSED
        assert "takes leaps of 31 days at most" in ran.err
        assert "--allow-leap" in ran.err
    deployed = ("--baseline-loss", "0.4", "--trained-through", "2026-01-01")
    ran = cli(
        "model", "deploy", "fares", "v2", *deployed, "--in-service-at", "2034-12-30T00:00:00Z"
    )
    assert (ran.code, "--allow-leap" in ran.err) == (Exit.REFUSED, True)
    assert served.head() == head
    assert cli("signal", "submit", "--allow-leap", stdin=HEADING + far).code == 0


def test_a_ledger_is_created_with_a_bound_on_leaps_of_its_own(cli: Run) -> None:
    made = cli("ledger", "create", "ledger.example/sparse", "--clock", "data", "--leap", "90d")
    assert made.code == 0, made.err
    shown = cli("ledger", "show", "--ledger", "ledger.example/sparse", "--json").json
    assert shown["leap_seconds"] == 90 * 86_400
