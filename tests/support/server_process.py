"""A real server in a process of its own, to be killed, stopped and started again by tests.

`ServerProcess()` is an interpreter that has imported everything and waits to be told what to serve,
so that the next one is ready while the present one is being killed. It serves as `serve` does:
SIGTERM drains it, SIGKILL does not. It ends when its standard input does, so it outlives no test.
"""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import structlog

from ledger.api.server import ApiServer
from ledger.client import LedgerClient, RetryOptions
from ledger.clock import SystemClock
from ledger.service import Service
from ledger.worker.stopping import StopSignal
from tests.support.dying import die_at
from tests.support.executing import execute
from tests.support.forked import ROOT, Forked, forks
from tests.support.hooks import evaluator_of, hurry_governor
from tools.quiet import quiet

DEADLINE_SECONDS = 60.0
"""What only a hang reaches, on a busy machine too."""
ONCE = RetryOptions(attempts_max=1, patience_seconds=0.0)
"""For clients that shall hear of a dead server at once."""

_POLL_SECONDS = 0.01
_CLOCK = SystemClock()


def is_running(pid: int) -> bool:
    """Whether a process is there and not only waits to be buried."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False


def until(
    condition: Callable[[], object],
    what: str = "it comes about",
    *,
    seconds: float = DEADLINE_SECONDS,
) -> None:
    """Wait until a condition holds; fail when it still does not at the deadline."""
    end = _CLOCK.monotonic_seconds() + seconds
    pause = threading.Event()
    while not condition():
        assert _CLOCK.monotonic_seconds() < end, f"{what}: not within {seconds:g} s"
        pause.wait(_POLL_SECONDS)


class ServerProcess:
    """One process; it serves once. A context manager that kills what still runs."""

    def __init__(self, log: Path, *, modules: Path = ROOT) -> None:
        """Start the process; what the server logs is added to a file.

        `modules` is one more folder that modules could be imported from.
        """
        self._log = log
        self._address = ""
        with log.open("ab") as errors:
            self.process = Forked(errors.fileno(), modules)

    def __enter__(self) -> Self:
        """Return the process."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it unless it has ended."""
        self.kill()

    def serve(self, database: str, **options: Any) -> None:  # noqa: ANN401 - JSON
        """Tell it to serve a database; does not wait.

        Settings are named as `quiet` takes them; `file_bytes_max` lets every write
        beyond that size of a file fail, as a disk does that is full or broken. `dies`, a moment of
        `tests.support.dying` and a number, lets it kill itself at that append about a job.
        """
        options.setdefault("operators__actors", ["users/ada"])
        if database.startswith("postgresql"):
            options.setdefault("keys__secret", "00" * 32)  # no file is beside that database
        self._write(json.dumps({"database": database, **options}))

    def address(self) -> str:
        """Wait until it serves, and return where."""
        if not self._address:
            self._address = self._read()
        assert self._address, f"the server did not start:\n{self._log.read_text()[-3_000:]}"
        return self._address

    def is_evaluating(self) -> bool:
        """Ask whether its evaluator holds the lease."""
        self._write("is_evaluating")
        return self._read() == "True"

    def sleep_in(self, place: str) -> None:
        """Have it stop itself, as by SIGSTOP, in its next transaction on PostgreSQL.

        `transaction`: with all written but the commit; `copy`: in the midst of sending events.
        """
        self._write(f"sleep {place}")
        assert self._read() == "ok"

    def sleeps(self) -> bool:
        """Return whether the process is stopped."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text("ascii")
        return stat.rpartition(")")[2].split()[0] == "T"

    def ends_within(self, seconds: float) -> bool:
        """Give it time; return whether it has ended meanwhile."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """Kill it with SIGKILL, which no process can refuse or prepare for."""
        if self.process.poll() is None:
            self.process.kill()
        self._reap()

    def stop(self, seconds: float = DEADLINE_SECONDS) -> int:
        """Ask it to end by SIGTERM; return its exit code."""
        self.process.terminate()
        self.process.wait(seconds)
        return self._reap()

    def _reap(self) -> int:
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(DEADLINE_SECONDS)

    def _write(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def _read(self) -> str:
        return self.process.stdout.readline().strip()


@contextmanager
def served(log: Path, database: str, **options: Any) -> Iterator[tuple[ServerProcess, str]]:  # noqa: ANN401
    """Serve a database from a process until the block ends; gives the process and its address."""
    with ServerProcess(log) as server:
        server.serve(database, **options)
        yield server, server.address()


def client(address: str, actor: str = "users/ada", *, retry: RetryOptions = ONCE) -> LedgerClient:
    """Return a client that does not repeat anything unless told to."""
    return LedgerClient(address, actor=actor, retry=retry, deadline_seconds=DEADLINE_SECONDS)


def main() -> None:
    """Serve what the first line of standard input says, until SIGTERM or the end of the input."""
    line = sys.stdin.readline()
    if not line:
        return
    options = json.loads(line)
    if (work := options.pop("executor", None)) is not None:
        execute(**work)
        return
    if (size := options.pop("file_bytes_max", None)) is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    if (dies := options.pop("dies", None)) is not None:
        die_at(*dies)
    if options.pop("governs_at_once", False):
        hurry_governor(0.05)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    ended = StopSignal()
    ended.take_signals()
    settings = quiet(**options)
    with (
        Service(settings) as service,
        ApiServer(service, "127.0.0.1:0", authentication=settings.authentication) as server,
    ):
        _say(server.address)
        threading.Thread(target=_answer, args=(service, ended), daemon=True).start()
        while not ended.wait(DEADLINE_SECONDS):
            pass


def _answer(service: Service, ended: StopSignal) -> None:
    """Answer questions from standard input about what no call tells; its end ends the server."""
    for line in sys.stdin:
        if line.startswith("sleep "):
            _sleep_in(line.split()[1])
            _say("ok")
            continue
        evaluator = evaluator_of(service.follower())
        _say(str(evaluator is not None and evaluator.is_active))
    ended.tell()


def _sleep_in(place: str) -> None:
    """Let the next transaction stop this process once."""
    import psycopg

    from ledger.storage.postgres import PostgresDatabase

    owner, name = {
        "transaction": (PostgresDatabase, "announce"),
        "copy": (psycopg.Copy, "write_row"),
    }[place]
    usual, due = getattr(owner, name), [signal.SIGSTOP]

    def stopping(*arguments: object) -> object:
        while due:  # once, though a loop may have kept this function
            os.kill(os.getpid(), due.pop())
        return usual(*arguments)

    setattr(owner, name, stopping)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__" and forks(socket.socket(fileno=int(sys.argv[1]))):
    main()
