"""`decision-ledger worker` says what it does, ends as scripts expect, and shows no traceback.

Method: a real server; the command in this process, and in one of its own where it is told to end.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run, against
from tests.support.served import Served, serving
from tests.support.server_process import until
from tests.support.worked import WORKER, Workshop, workshop


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as found:
        found.create()
        yield found


@pytest.fixture
def shop(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    return workshop(tmp_path, served.server.address)


@pytest.fixture
def cli(served: Served) -> Run:
    return against(served)


@pytest.fixture
def line(shop: Workshop) -> tuple[str, ...]:
    work = str(shop.folder / "work" / "one")
    return ("worker", "--recipes", str(shop.recipes), "--work", work, "--actor", WORKER)


def test_it_works_until_nothing_is_left(cli: Run, shop: Workshop, line: tuple[str, ...]) -> None:
    assert cli(*line, "--once").out == "Worked on 0 jobs.\n"
    shop.propose("j1")
    ran = cli(*line, "--once", "--json")
    assert ran.code == 0
    assert ran.json == {
        "jobs": [
            {"job": "j1", "model": "fares", "attempt": 1, "end": "observing", "reason": ""}
        ]
    }  # fmt: skip
    events = [json.loads(one)["event"] for one in ran.err.splitlines()]
    assert events[:3] == ["worker.began", "job.leased", "step.began"]
    assert events.count("gate.judged") == 4


def test_a_failed_step_is_an_exit_code_with_its_last_lines(
    cli: Run, shop: Workshop, line: tuple[str, ...]
) -> None:
    shop.propose("j1")
    shop.behave(candidate={"python": "raise KeyError('\\x1b[31mno column')"})
    ran = cli(*line, "--once")
    assert ran.code == 1
    assert "the step of candidate failed. It ended with exit code 1. Its log is " in ran.err
    assert "\n  | KeyError: '\\x1b[31mno column'\n" in ran.err
    assert "\x1b" not in ran.err


def test_what_it_cannot_work_with_is_misuse(cli: Run, shop: Workshop, tmp_path: Path) -> None:
    ran = cli("worker", "--recipes", str(tmp_path / "none"), "--once")
    assert ran.code == 2
    assert "none is no folder. Name the folder of recipes: --recipes." in ran.err
    line = ("worker", "--recipes", str(shop.recipes), "--once")
    ran = cli(*line, "--work", str(shop.recipes / "weekly" / "step.py"))
    assert (ran.code, "Traceback" in ran.err) == (2, False)
    ran = cli(*line, "--poll", "soon")
    assert (ran.code, "--poll: " in ran.err) == (2, True)
    work = tmp_path / "elsewhere"
    work.mkdir()
    (work / "state.json").write_text('{"format":"worker/1","ledger":"example.com/other"}')
    ran = cli(*line, "--work", str(work))
    assert ran.code == 2
    assert "is of a worker for example.com/other, and this is " in ran.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_ends_its_step_and_goes_on_with_the_lease_later(
    served: Served, shop: Workshop, line: tuple[str, ...], cli: Run, number: signal.Signals
) -> None:
    shop.propose("j1")
    wait = (
        "import time; (notes / 'pid').write_text(str(os.getpid()))\n"
        "if not (notes / 'go').exists(): time.sleep(600)"
    )
    shop.behave(candidate={"python": wait})
    command = [sys.executable, "-m", "ledger", *line, "--server", served.server.address]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        until((shop.notes / "pid").exists, "its step runs")
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in said
    pid = (shop.notes / "pid").read_text()
    assert not pid or not Path(f"/proc/{pid}").exists()
    (shop.notes / "go").touch()
    ran = cli(*line, "--once", "--json")
    assert [(one["end"], one["attempt"]) for one in ran.json["jobs"]] == [("observing", 1)]
    assert shop.ran.count("j1 data_integrity") == 1


def test_told_to_end_with_give_up_it_leaves_its_job_to_others(
    served: Served, shop: Workshop, line: tuple[str, ...]
) -> None:
    shop.propose("j1")
    wait = "import time; (notes / 'pid').write_text(str(os.getpid())); time.sleep(600)"
    shop.behave(candidate={"python": wait})
    command = [sys.executable, "-m", "ledger", *line, "--give-up"]
    command += ["--server", served.server.address]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        until((shop.notes / "pid").exists, "its step runs")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in said) == (0, False)
    with served.client() as client:
        [job] = client.list_jobs()
        assert (job.state, job.attempt, job.gates_passed) == ("READY", 2, 1)
    shop.behave()
    [worked] = shop.work("other", "services/worker-2")
    assert (worked.end, worked.attempt) == ("observing", 2)
