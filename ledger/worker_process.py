"""A process that computes for this one: it starts with the first call, and is over with its caller.

`python -m ledger.worker_process` is that process. It reads calls from its standard input and writes
an answer to each to its standard output, pickled both: only this program talks to it. Of secrets it
inherits what it needs to read the database by itself, and none of the settings. It ends with
its input, so also when its parent dies, and an interrupt of the terminal is its parent's to hear.
"""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from ledger.secrecy import DATABASE_PASSWORDS, child_environment

T = TypeVar("T")

_ROOT: Final = Path(__file__).resolve().parents[1]


class WorkerDiedError(Exception):
    """The process could not be started, or has ended without an answer."""


class WorkerProcess:
    """One such process; after a death the next call starts another. Threads wait for each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def call(self, function: Callable[..., T], *given: object) -> T:
        """Return what a module's function returns there, or raise what it raises there.

        Function, arguments and result must pass between processes. WorkerDiedError where no answer
        comes.
        """
        with self._lock:
            try:
                is_raised, answer = self._ask((function, given))
            except (OSError, EOFError, pickle.UnpicklingError) as error:
                self._forget()  # it may take a moment to be over
                raise WorkerDiedError(str(error) or "it has ended") from error
        if is_raised:
            raise answer
        return answer  # type: ignore[no-any-return]  # what the function returned

    def close(self) -> None:
        """End the process for good; one that computes is not waited for."""
        self._is_closed = True
        process = self._process
        if process is not None:
            process.kill()
        with self._lock:
            self._forget()

    def _ask(self, call: tuple[object, ...]) -> tuple[bool, Any]:
        if self._is_closed:
            raise EOFError("it was ended")
        process = self._process
        if process is None or process.poll() is not None:
            self._forget()
            process = self._process = _start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(pickle.dumps(call))
        process.stdin.flush()
        is_raised, answer = pickle.load(process.stdout)  # noqa: S301 - of our own making
        return is_raised, answer

    def _forget(self) -> None:
        """Take leave of a process that is over."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except OSError:  # what it was still to be told
                continue
        process.wait()


def _start() -> "subprocess.Popen[bytes]":
    paths = [str(_ROOT), *filter(None, sys.path)]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "ledger.worker_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=child_environment(DATABASE_PASSWORDS) | {"PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,
    )


def serve() -> None:
    """Answer calls until the input ends."""
    calls, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    while True:
        try:
            function, given = pickle.load(calls)  # noqa: S301 - of our own making
        except EOFError:
            return
        try:
            answer = False, function(*given)
        except Exception as error:  # noqa: BLE001 - it is the caller's
            answer = True, error
        try:
            answers.write(pickle.dumps(answer))
            answers.flush()
        except BrokenPipeError:  # the caller is no more
            return


if __name__ == "__main__":
    serve()
