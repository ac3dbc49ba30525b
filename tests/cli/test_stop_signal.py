"""A server stops when it is told to, whichever thread the system tells.

Method: a process waits as servers do, and one of its other threads sends itself the signal.
"""

import signal
import subprocess
import sys

import pytest

WAITING = """
import signal, threading, time
from ledger.cli.serve import stop_signal
wait = stop_signal()
thread = threading.Thread(
    target=lambda: (time.sleep({pause}), signal.pthread_kill(threading.get_ident(), {number}))
)
thread.start()
wait()
print("stopped")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("pause", [0, 0.3])  # before the wait, and most likely during it
def test_a_signal_that_another_thread_was_given_ends_the_wait(
    number: signal.Signals, pause: float
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WAITING.format(number=int(number), pause=pause)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "stopped\n", "")
