"""Whether every event that names a request id lies in a request that is remembered.

A repeat of one that is not would be recorded again. Numbers are kept side by side: there may be as
many as events.
"""

from array import array
from collections.abc import Iterator
from typing import Final

_MEMBER: Final = b'"request_id":'
_NONE: Final = b'"request_id":null,'


class RequestCover:
    """The positions that name a request id, and the stretches that are remembered."""

    def __init__(self) -> None:
        self._named = array("Q")
        self._kept: list[tuple[int, int]] = []

    def note(self, position: int, body: bytes) -> None:
        """Take in the next event; the envelope's member is the last of that name in a body."""
        at = body.rfind(_MEMBER)
        if at >= 0 and not body.startswith(_NONE, at):
            self._named.append(position)

    def cover(self, first: int, last: int) -> None:
        """Take in a request that is remembered."""
        self._kept.append((first, last))

    def missing(self) -> Iterator[int]:
        """Yield each position that names a request id and lies in no request."""
        kept = iter(sorted(self._kept))
        first, last = next(kept, (0, 0))
        reach = 0
        for position in self._named:
            while first and first <= position:
                reach = max(reach, last)
                first, last = next(kept, (0, 0))
            if position > reach:
                yield position
