"""What an audit reads from: rows of events, kept checkpoints and tiles, whatever holds them.

A source only hands out what it found. It judges nothing, so that every kind of it is held to the
same rules; where it cannot even be read, it says at which position that was.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from ledger.chain.key_history import KeyHistory

SourceKind: TypeAlias = Literal["server", "database", "bundle", "tiles"]

Row: TypeAlias = tuple[int, str, int, str, int, bytes | None, bytes | None, bytes, bytes, bytes]
"""position, stream, stream version, type, recorded_at in microseconds, body, salt, body hash,
previous hash, event hash: as found, so a damaged source may hold anything in any place."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold; position 0 where it is not about one event."""

    rule: str
    position: int
    what: str
    expected: str = ""
    found: str = ""

    @property
    def sentence(self) -> str:
        """What is wrong, with both values where there are two."""
        compared = f" (expected {self.expected}, found {self.found})" if self.expected else ""
        return f"{self.what}{compared}"

    def __str__(self) -> str:
        """Return it in one line."""
        where = f"position {self.position}: " if self.position else ""
        return f"{where}{self.sentence} [{self.rule}]"


@dataclass(frozen=True, slots=True)
class Withheld:
    """Positions whose bodies a source leaves out, both ends included, and why it says so."""

    first: int
    last: int
    reason: str


@dataclass(slots=True)
class SourceReport:
    """What a source's own consistency was found to be, beside its events."""

    checked: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class HashPassResult:
    """What the events were found to lead to."""

    tree: bytes
    """Size and right edge of the tree, as a stored head keeps it."""
    types: dict[str, int]
    """How many events of each type there are."""
    keys: KeyHistory
    """The ledger's keys over time."""


class UnreadableError(Exception):
    """A source cannot be read on; `position` is that of the first event that it did not give."""

    def __init__(self, position: int, why: str) -> None:
        super().__init__(why)
        self.position = position
        self.why = why


Opener: TypeAlias = Callable[[], "LedgerSource"]
"""Opens the same source again, in a process of its own; must travel there."""


class LedgerSource(Protocol):
    """One ledger, opened to read only."""

    @property
    def kind(self) -> SourceKind:
        """What it is."""

    @property
    def origin(self) -> str:
        """The ledger's name."""

    @property
    def size(self) -> int:
        """How many events are audited: those at positions 1 to size."""

    @property
    def has_bodies(self) -> bool:
        """Whether bodies are there at all, or headers only."""

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """What is left out by the source's own account."""

    @property
    def opener(self) -> Opener | None:
        """How another process reads the same; None where only this one can."""

    def rows(self, after: int, until: int) -> Iterator[Row]:
        """Yield the rows with after < position <= until in order; UnreadableError at damage."""

    def sizes(self, after: int, until: int) -> list[int]:
        """Return the claimed sizes of kept checkpoints, after < size <= until, ascending."""

    def notes(self, after: int) -> Iterator[tuple[int, str]]:
        """Yield (claimed size, signed note) of kept checkpoints larger than `after`, ascending."""

    def tiles(self, level: int, first: int, last: int) -> dict[int, bytes] | None:
        """Return index → hashes of stored tiles, both ends included; None if it keeps none."""

    def erased_later(self) -> list[tuple[int, int]]:
        """Return the ranges that were erased after `size`, while the audit ran."""

    def examine(self, hashed: HashPassResult) -> SourceReport:
        """Compare what the source keeps beside the events with the events."""

    def close(self) -> None:
        """Let go of it."""
