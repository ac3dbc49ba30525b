"""How far a plan in the making has come."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from ledger.errors import LedgerError, Reason

T = TypeVar("T")


@dataclass(slots=True)
class PlanProgress:
    """How far a plan has come, for other threads to look at."""

    models: int = 0
    """0 until they are counted."""
    read: int = 0
    ranked: int = 0
    is_unwanted: bool = False
    """Whether it is to be broken off."""

    def each_read(self, models: Iterable[T]) -> Iterator[T]:
        """Yield what is read of models, and count them; DRAINING where it is broken off."""
        self.read = 0
        for one in models:
            yield one
            self.read += 1
            self._check()
        self.read = self.models  # of the others there was nothing to read

    def each_ranked(self, rows: Iterable[T]) -> Iterator[T]:
        """Yield rows of the plan, and count them; DRAINING where it is broken off."""
        self.ranked = 0
        for one in rows:
            yield one
            self.ranked += 1
            self._check()

    def _check(self) -> None:
        if self.is_unwanted:
            raise LedgerError(
                Reason.DRAINING,
                "The server is shutting down; no plan was made.",
                remedy="Send the same request again, with its id, to a server that is up.",
            )
