"""A worker that kills itself at a moment: `killed_worker.py MOMENT ADDRESS RECIPES WORK`.

Moments are counted: before and after each write of its state, each call of the ledger that it may
repeat, and each start of a step. Where its work ends before the moment, it prints how many passed.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ledger.client import LedgerClient
from ledger.clock import SystemClock
from ledger.worker import attending, calls, running, state
from ledger.worker.executor import Worker, WorkerOptions
from ledger.worker.stopping import StopSignal


class Moments:
    """Counts, and kills this process at one of them."""

    def __init__(self, last: int) -> None:
        self._last = last
        self.passed = 0

    def __call__(self) -> None:
        self.passed += 1
        if self.passed == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, act: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function with a moment before it and one after it."""

        def counted(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - any function
            self()
            answer = act(*given, **named)
            self()
            return answer

        return counted


def main(moment: str, address: str, recipes: str, work: str) -> None:
    moments = Moments(int(moment))
    state.write_whole = moments.around(state.write_whole)  # type: ignore[attr-defined]
    calls.PatientCalls.ask = moments.around(calls.PatientCalls.ask)  # type: ignore[method-assign]
    vars(attending)["RunningStep"] = moments.around(running.RunningStep)
    options = WorkerOptions(Path(recipes), Path(work), is_once=True, patience_seconds=60.0)
    with LedgerClient(address, actor="services/worker-1", deadline_seconds=60.0) as client:
        worker = Worker(client, options, SystemClock(), StopSignal(), lambda *_: None)
        worker.run()
    sys.stdout.write(f"{moments.passed}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
