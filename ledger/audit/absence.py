"""Bodies that are not there: which erasure names them, or what the source says it left out."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from ledger.audit.source import Withheld
from ledger.events.canonical import CanonicalError, decode
from ledger.events.proving import BodyErased

LATER: Final = 1 << 62
"""The position of an erasure that comes after the audited events."""

_LOOKS_MAX: Final = 100
"""How often newer erasures are looked for because of a body that nothing accounts for."""


@dataclass(frozen=True, slots=True)
class Absence:
    """Why a body is not there; `erased_by` is the position of the erasure, 0 without one."""

    reason: str
    erased_by: int = 0


class Absences:
    """Ranges of absent bodies, each with its reason; the earliest erasure counts."""

    def __init__(
        self,
        notable: Iterable[tuple[int, str, bytes | None]],
        later: Callable[[], Sequence[tuple[int, int]]],
        withheld: Sequence[Withheld],
    ) -> None:
        """`notable` holds the erasures; `later` returns the ranges erased since then, up to now."""
        self._audited = [
            (first, last, position)
            for position, type_, body in notable
            if type_ == BodyErased.TYPE and body is not None
            for first, last in ranges_of(body)
        ]
        self._later = later
        self._looks = _LOOKS_MAX
        self._look()
        self._withheld = withheld
        self._starts: list[int] = []
        self._ends: list[int] = []

    def note(self, position: int) -> None:
        """Note that the body at a position is absent; positions ascend."""
        if self._ends and self._ends[-1] == position - 1:
            self._ends[-1] = position
        else:
            self._starts.append(position)
            self._ends.append(position)

    def of(self, position: int) -> Absence | None:
        """Return why the body at a position is absent; None if nothing accounts for it."""
        found = self._accounted(position)
        if found is None and self._looks:  # it may have been erased a moment ago
            self._looks -= 1
            self._look()
            found = self._accounted(position)
        return found

    def _look(self) -> None:
        """Learn what was erased up to now."""
        erased = self._audited + [(first, last, LATER) for first, last in self._later()]
        self._erased = sorted(erased)
        self._firsts = [first for first, _, _ in self._erased]
        self._reach = list(accumulate((last for _, last, _ in self._erased), max))

    def _accounted(self, position: int) -> Absence | None:
        erasures = []
        at = bisect_right(self._firsts, position) - 1
        while at >= 0 and self._reach[at] >= position:  # ranges before it may reach further
            if self._erased[at][1] >= position:
                erasures.append(self._erased[at][2])
            at -= 1
        if erasures:
            return Absence("erased", min(erasures))
        for one in self._withheld:
            if one.first <= position <= one.last:
                return Absence(f"withheld: {one.reason}")
        return None

    def reason(self, position: int) -> str:
        """Return why the body at a position is absent, in words."""
        absence = self.of(position)
        return "not there" if absence is None else absence.reason

    def all_absent(self, first: int, last: int) -> int:
        """Return the first position of a range whose body was not noted as absent; 0 for none."""
        at = first
        while at <= last:
            index = bisect_right(self._starts, at) - 1
            if index < 0 or self._ends[index] < at:
                return at
            at = self._ends[index] + 1
        return 0

    def needed(self, position: int, as_of: int) -> bool:
        """Whether what has a horizon could still read the absent body at a position.

        After its erasure it could not be; until then its reader had it, and it is missing now.
        """
        absence = self.of(position)
        erasure = absence.erased_by if absence is not None else 0
        return position <= as_of and (erasure == 0 or as_of < erasure)

    def missed(self, positions: Iterable[int], as_of: int) -> str:
        """Return why the first absent body is absent that what has a horizon could still read.

        Empty where it could read none of those at these positions.
        """
        needed = (position for position in positions if self.needed(position, as_of))
        first = next(needed, 0)
        return self.reason(first) if first else ""

    def missed_of(self, gone: Mapping[str, Sequence[int]], types: Iterable[str], as_of: int) -> str:
        """Return the same of the absent bodies of these types."""
        return self.missed((place for type_ in types for place in gone.get(type_, ())), as_of)


def ranges_of(body: bytes) -> list[tuple[int, int]]:
    """Return the ranges in an erasure's body; none where it is not well-formed."""
    try:
        found = decode(body)["data"]["positions"]
        return [(int(first), int(last)) for first, last in found]
    except (CanonicalError, KeyError, TypeError, ValueError):
        return []
