"""A real server of its own for the demo: a process that serves one SQLite file on a free port.

It is what `decision-ledger serve` runs, with two differences. Models are evaluated on request only:
the demo asks for every evaluation itself, so that two runs write the same ledger on a busy machine
too. And the governor, who looks every few seconds at what is due, looks at once when it is asked by
a line with a ledger's origin. The process ends when its standard input does, so it never outlives
the demo.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import structlog

from ledger.api.server import ApiServer
from ledger.service import Service
from tools.quiet import quiet

LEDGER_FILE: Final = "ledger.sqlite"
LOG_FILE: Final = "server.log"
ACTOR: Final = "services/demo"
"""The actor that runs the demo and may create its ledger."""

_ROOT: Final = Path(__file__).parents[2]
_ANY_PORT: Final = "127.0.0.1:0"
_STOP_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class DemoServer:
    """A server that runs."""

    address: str
    _orders: IO[str]
    _answers: IO[str]

    def govern(self, origin: str) -> int:
        """Have the governor of a ledger look now; return how many events it recorded."""
        self._orders.write(origin + "\n")
        self._orders.flush()
        return int(self._answers.readline())


@contextmanager
def serving(directory: Path) -> Iterator[DemoServer]:
    """Serve a ledger file in a directory, and yield the server; its log is beside it.

    Raises RuntimeError with the end of the log where the server does not come up.
    """
    log = directory / LOG_FILE
    command = [sys.executable, "-m", "tools.demo.server", str(directory.absolute() / LEDGER_FILE)]
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command,
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            if not address:
                raise RuntimeError(f"the server did not start:\n{log.read_text()[-2_000:]}")
            yield DemoServer(address, process.stdin, process.stdout)
        finally:
            process.stdin.close()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
    if process.returncode:
        raise RuntimeError(f"the server failed:\n{log.read_text()[-2_000:]}")


def serve(database: str) -> None:
    """Serve until standard input ends; the address is the one line that is written."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    options = quiet(database, service__evaluate=False, operators__actors=(ACTOR,))
    with Service(options) as service, ApiServer(service, _ANY_PORT) as server:
        print(server.address, flush=True)
        for line in sys.stdin:
            print(service.ledger(line.strip()).governor.run_due(), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
