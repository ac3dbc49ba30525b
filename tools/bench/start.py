"""The cost of a command before it does anything: processor time of a whole process.

Each line is run by itself several times, beside a Python that does nothing. A command that calls a
server is pointed at a port on which nothing listens, so what is measured is its own start.
"""

import os
import subprocess
import sys
from typing import Final

from tools.bench.rows import Peer, Row, at_most, load_average, median
from tools.bench.run import Run

_TURNS: Final = 7
_PROGRAM: Final = (
    "import sys; sys.argv[0] = 'decision-ledger'; from ledger.cli.main import run; run()"
)
_NOWHERE: Final = ("--server", "127.0.0.1:1")
LINES: Final[dict[str, tuple[float, tuple[str, ...]]]] = {
    "--version": (0.25, ("--version",)),
    "--help": (0.25, ("--help",)),
    "model list": (0.5, ("model", "list", *_NOWHERE)),
    "signal submit": (0.5, ("signal", "submit", os.devnull, *_NOWHERE)),
    "verify": (0.5, ("verify", *_NOWHERE)),
    "verify DATABASE": (0.5, ("verify", "postgresql://127.0.0.1:1/nowhere")),
    "audit run": (0.5, ("audit", "run", "nowhere.sqlite")),
}


def measure(run: Run) -> list[Row]:
    """Return the rows of this section."""
    beside = Peer("python -c pass", _seconds(run, "pass"))
    return [
        Row(
            "start",
            f"decision-ledger {name}, processor time",
            _seconds(run, _PROGRAM, *words),
            "s",
            at_most(seconds),
            beside,
            f"median of {_TURNS} processes",
            load_average(),
        )
        for name, (seconds, words) in LINES.items()
    ]


def _seconds(run: Run, program: str, *words: str) -> float:
    """Return the median of the processor time that such a process takes."""
    found = []
    for _ in range(_TURNS):
        child = subprocess.Popen(
            [sys.executable, "-c", program, *words],
            cwd=run.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        _, _, usage = os.wait4(child.pid, 0)
        child.returncode = 0  # it was waited for here
        found.append(usage.ru_utime + usage.ru_stime)
    return median(found)
