"""Ledgers to measure on, written in process: what is timed here is never how they were made.

Monitors are paced so that a model's window of 28 days holds just under 500 observations however
long the ledger is; a longer ledger reaches further back.
"""

from collections import deque
from pathlib import Path
from typing import Final

from ledger.application.commands import Caller
from ledger.application.fleet.intake import PendingBatch
from ledger.application.ledger import LedgerApplication
from tools.bench import fleet
from tools.bench.run import Progress

SPARSE_STEP: Final = 13 * 60 * fleet.MINUTE + 30 * fleet.MINUTE
"""Between batches that hold ten observations of each model: 49 batches in 28 days."""
DECIDED_TIMES: Final = 20
_DECIDED_MODELS: Final = 10
_IN_FLIGHT: Final = 8
_ASKING: Final = Caller("users/ana")


def written(path: Path, observations: int) -> Path:
    """Write a ledger of so many observations, and decisions all along it, unless it is there."""
    if path.exists():
        return path
    fleet.create(str(path))
    progress = Progress(f"writing {path.name}", observations)
    pause = max(1, observations // fleet.BATCH // DECIDED_TIMES)
    with fleet.still(str(path)) as service:
        ledger = service.ledger()
        waiting: deque[PendingBatch] = deque()
        for number, rows in enumerate(fleet.batches(observations, SPARSE_STEP), start=1):
            caller = Caller(fleet.MONITOR, request_id=f"batch-{number}", digest=bytes(32))
            waiting.append(ledger.intake.submit(caller, rows))
            if len(waiting) > _IN_FLIGHT or number % pause == 0:
                waiting.popleft().result()
            if number % pause == 0:
                _drain(waiting)
                _decide(ledger, number // pause)
            progress.reach(number * fleet.BATCH)
        _drain(waiting)
    return path


def _decide(ledger: LedgerApplication, turn: int) -> None:
    """Decide about ten models, others each time, so that decisions lie all along the ledger."""
    first = turn * _DECIDED_MODELS
    chosen = [fleet.MODELS[(first + at) % len(fleet.MODELS)] for at in range(_DECIDED_MODELS)]
    ledger.decisions.evaluate(_ASKING, chosen, None)


def _drain(waiting: "deque[PendingBatch]") -> None:
    while waiting:
        waiting.popleft().result()
