"""A server stops when it is told to, whichever thread the system tells.

Method: a process waits as servers do, and one of its other threads sends itself the signal.
"""

import signal
import subprocess
import sys

import pytest

WAITING = """
import signal, sys, threading
from ledger.cli.server import stop_signal
wait = stop_signal()
def waits():
    return sys._current_frames()[threading.main_thread().ident].f_code is wait.__code__
def send():
    while {during} and not waits():
        threading.Event().wait(0.01)
    signal.pthread_kill(threading.get_ident(), {number})
thread = threading.Thread(target=send)
thread.start()
wait()
print("stopped")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("when", ["at once", "during the wait"])
def test_a_signal_that_another_thread_was_given_ends_the_wait(
    number: signal.Signals, when: str
) -> None:
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            WAITING.format(number=int(number), during=when == "during the wait"),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "stopped\n", "")
