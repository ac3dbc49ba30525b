"""A process that computes for another answers like a function, and is never left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import LedgerError, Reason, chain_broken
from ledger.worker_process import WorkerDiedError, WorkerProcess
from tests.support.server_process import is_running, until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def process() -> Iterator[WorkerProcess]:
    process = WorkerProcess()
    yield process
    process.close()


def refuse(position: int) -> None:
    raise chain_broken(position, "it is not there")


def say_and_return(text: str) -> str:
    os.write(sys.stdout.fileno(), text.encode())
    return text


def test_it_answers_with_what_the_function_returns_from_one_process_that_is_not_this_one(
    process: WorkerProcess,
) -> None:
    assert process.call(divmod, 47, 5) == (9, 2)
    assert process.call(os.getpid) == process.call(os.getpid) != os.getpid()


def test_what_a_function_raises_there_is_raised_here_with_all_that_it_says(
    process: WorkerProcess,
) -> None:
    with pytest.raises(LedgerError) as caught:
        process.call(refuse, 7)
    assert caught.value.reason is Reason.CHAIN_BROKEN
    assert caught.value.metadata == {"position": "7", "why": "it is not there"}
    assert process.call(abs, -3) == 3, "the process goes on"


def test_what_a_library_prints_there_is_no_answer(process: WorkerProcess) -> None:
    assert process.call(say_and_return, "words") == "words"
    assert process.call(abs, -3) == 3


def test_a_process_that_dies_over_a_call_is_told_of_and_the_next_call_starts_another(
    process: WorkerProcess,
) -> None:
    first = process.call(os.getpid)
    with pytest.raises(WorkerDiedError):
        process.call(os._exit, 3)
    assert process.call(os.getpid) not in {first, os.getpid()}


def test_a_call_after_the_end_starts_nothing(process: WorkerProcess) -> None:
    pid = process.call(os.getpid)
    process.close()
    assert not is_running(pid)
    with pytest.raises(WorkerDiedError, match="it was ended"):
        process.call(abs, -3)


def test_it_ends_when_its_parent_is_killed() -> None:
    code = (
        "import os; from ledger.worker_process import WorkerProcess\n"
        "print(WorkerProcess().call(os.getpid), flush=True)\n"
        "input()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    until(lambda: not is_running(pid), "the process ends with its parent")
