"""The input of a section, how it starts work in a process of its own, and how it says where it is.

Every measurement begins in a fresh process, so that no heap, cache or thread of the one before it
counts. A section itself is such a process; each of its peers is another.
"""

import multiprocessing
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

PLANNED: Final = (2_000, 10)
_TELL_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the bench: where it may write, and how much of the full counts it does."""

    folder: Path
    scale: float
    planned: tuple[int, int] = PLANNED
    """Models and periods of the fleet of which a ledger makes plans."""

    def count(self, full: int, *, multiple: int = 1) -> int:
        """Return a count at the run's scale: a positive multiple."""
        return max(1, round(full * self.scale / multiple)) * multiple

    def path(self, name: str) -> Path:
        """Return a file of the run's folder, which is deleted in the end."""
        return self.folder / name

    def made(self, name: str) -> Path:
        """Return a folder within the run's folder, created if need be."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder


class Progress:
    """Says on stderr how far a measurement has come, every two seconds."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._said_at = time.perf_counter()

    def reach(self, done: int) -> None:
        """Note how much is done."""
        moment = time.perf_counter()
        if moment - self._said_at >= _TELL_SECONDS:
            self._said_at = moment
            say(f"{self._what}: {done:,} of {self._total:,}")


def say(text: str) -> None:
    """Tell the person who waits; results go to stdout."""
    print(f"  {text}", file=sys.stderr, flush=True)


def fresh(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a function of a module returns when a new process calls it."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        return pool.submit(function, *args, **kwargs).result()
