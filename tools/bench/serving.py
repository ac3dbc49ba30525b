"""The real server in a process of its own: the service over a file, behind gRPC on loopback.

Run as a module it is that process: it prints its address and serves until its stdin is closed.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.api.server import ApiServer
from ledger.service import Service, ServiceOptions

_STILL = "--still"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: where it listens, and its process."""

    address: str
    pid: int

    def memory_mb(self) -> float:
        """Return its resident memory in millions of bytes."""
        return _kilobytes(self.pid, "VmRSS") * 1024 / 1e6

    def cpu_seconds(self) -> float:
        """Return the processor time it has used, in all its threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100  # USER_HZ is 100 on Linux


@contextmanager
def serving(database: Path, *, is_live: bool) -> Iterator[Server]:
    """Serve a database while the context lasts; `is_live` with evaluator and projections."""
    command = [sys.executable, "-m", "tools.bench.serving", str(database)]
    if not is_live:
        command.append(_STILL)
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="ascii"
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError("the server did not start; see above")
        yield Server(address, process.pid)
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def _kilobytes(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    raise RuntimeError(f"this system does not tell {field}")


def main() -> None:
    """Serve until stdin is closed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument(_STILL, action="store_true")
    options = parser.parse_args()
    is_live = not options.still
    service = Service(
        ServiceOptions(options.database, is_evaluating=is_live, is_projecting=is_live)
    )
    with service, ApiServer(service, "127.0.0.1:0") as server:
        print(server.address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
