"""Numbers that look like chance and are the same every time: digests of a count."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """The numbers of one case; another topic or seed gives others."""

    def __init__(self, topic: str, seed: int) -> None:
        self._start = f"{topic} {seed}"
        self._count = 0

    def between(self, least: int, most: int) -> int:
        """Return a number from least to most, both included."""
        self._count += 1
        digest = hashlib.sha256(f"{self._start} {self._count}".encode()).digest()
        return least + int.from_bytes(digest, "big") % (most - least + 1)

    def one_of(self, items: Sequence[T]) -> T:
        """Return one of several."""
        return items[self.between(0, len(items) - 1)]
