"""The real server in a process of its own: `decision-ledger serve` over a file, on loopback."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

_PROGRAM: Final = "from ledger.cli.main import run; run()"


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
def serving(
    database: Path,
    *,
    is_live: bool,
    checkpoint_seconds: float = 1.0,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Server]:
    """Serve a database while the context lasts; `is_live` with evaluator and projections.

    `variables` are further settings of the server.
    """
    live = "true" if is_live else "false"
    command = [sys.executable, "-c", _PROGRAM, "--json", "serve"]
    process = subprocess.Popen(
        [*command, "--db", str(database), "--listen", "127.0.0.1:0"],
        env={
            **os.environ,
            "LEDGER_SERVICE__EVALUATE": live,
            "LEDGER_SERVICE__PROJECT": live,
            "LEDGER_CHECKPOINTS__SECONDS": str(checkpoint_seconds),
            **variables,
        },
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    try:
        ready = process.stdout.readline()
        if not ready:
            raise RuntimeError("the server did not start; see above")
        yield Server(json.loads(ready)["address"], process.pid)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _kilobytes(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    raise RuntimeError(f"this system does not tell {field}")
