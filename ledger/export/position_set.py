"""Sets of positions as ranges, ascending and not touching: 16 bytes for each range."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator


class PositionSet:
    """A set of positions. Grows at its end only."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, pairs: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts = array("q")
        self._lasts = array("q")
        for first, last in pairs:
            self.add(first, last)

    def add(self, first: int, last: int | None = None) -> None:
        """Add positions that lie behind all there are; ValueError for others."""
        end = first if last is None else last
        if first > end or first < 1 or (self._lasts and first <= self._lasts[-1]):
            raise ValueError(f"positions {first} to {end} do not come next")
        if self._lasts and self._lasts[-1] == first - 1:
            self._lasts[-1] = end
        else:
            self._firsts.append(first)
            self._lasts.append(end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield first and last position of each range."""
        return zip(self._firsts, self._lasts, strict=True)

    def __len__(self) -> int:
        """Return how many ranges there are."""
        return len(self._firsts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PositionSet) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __contains__(self, position: int) -> bool:
        at = bisect_right(self._firsts, position) - 1
        return at >= 0 and position <= self._lasts[at]

    def count(self) -> int:
        """Return how many positions there are."""
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    def without(self, others: "PositionSet") -> "PositionSet":
        """Return the positions that are not in the others."""
        left, cuts = PositionSet(), list(others)
        at = 0
        for first, last in self:
            start = first
            while at and cuts[at - 1][1] >= start:
                at -= 1
            while at < len(cuts) and cuts[at][0] <= last:
                if cuts[at][1] >= start:
                    if cuts[at][0] > start:
                        left.add(start, cuts[at][0] - 1)
                    start = cuts[at][1] + 1
                at += 1
            if start <= last:
                left.add(start, last)
        return left


def united(pairs: Iterable[tuple[int, int]]) -> PositionSet:
    """Return the set of positions in any of the ranges, which may overlap and come in any order."""
    found = PositionSet()
    first = last = 0
    for start, end in sorted(pairs):
        if last and start <= last + 1:
            last = max(last, end)
            continue
        if last:
            found.add(first, last)
        first, last = start, end
    if last:
        found.add(first, last)
    return found
