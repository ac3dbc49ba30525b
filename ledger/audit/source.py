"""The source of an audit: rows of events, kept checkpoints and tiles, in any kind of store.

A source only hands out what it found. It judges nothing, so that every kind of it is held to the
same rules; where it cannot even be read, it says at which position that was.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from ledger.chain.key_history import KeyHistory
from ledger.events.inert import inert
from ledger.events.values import INTEGER_MAX, ORIGIN, parse_time

SourceKind: TypeAlias = Literal["server", "database", "bundle", "tiles"]

Row: TypeAlias = tuple[int, str, int, str, int, bytes | None, bytes | None, bytes, bytes, bytes]
"""position, stream, stream version, type, recorded_at in microseconds, body, salt, body hash,
previous hash, event hash: as found, so a damaged source may hold anything in any place."""


HEADER: Final = (
    rb'\{"body_hash":"(?P<body_hash>[0-9a-f]{64})","ledger":"(?P<ledger>[a-z0-9._/-]{1,255})",'
    rb'"position":(?P<position>[1-9][0-9]{0,15}),"prev_hash":"(?P<prev_hash>[0-9a-f]{64})",'
    rb'"recorded_at":"(?P<recorded_at>[0-9TZ:.-]{27})","stream":"(?P<stream>[a-z0-9._/-]{1,255})",'
    rb'"stream_version":(?P<version>[1-9][0-9]{0,15}),"type":"(?P<type>[a-z0-9._]+)"\}'
)
"""The one form of canonical header; grammars are checked where rows are."""


def checked_origin(name: object) -> str:
    """Return the name that a source gives its ledger; ValueError where no ledger can have it."""
    if type(name) is not str or ORIGIN.fullmatch(name) is None:
        raise ValueError(f"{str(name)[:300]!r} is not a ledger's name")
    return name


def row_of(
    match: re.Match[bytes], origin: str, body: bytes | None, salt: bytes | None, event_hash: bytes
) -> Row:
    """Return the row of a matched header; ValueError where it is of another ledger or no time."""
    if match["ledger"].decode() != origin:
        raise ValueError(f"it is of the ledger {match['ledger'].decode()}")
    position, version = int(match["position"]), int(match["version"])
    if max(position, version) > INTEGER_MAX:
        raise ValueError("a number is beyond 2^53 - 1")
    return (
        position,
        match["stream"].decode(),
        version,
        match["type"].decode(),
        parse_time(match["recorded_at"].decode()),
        body,
        salt,
        bytes.fromhex(match["body_hash"].decode()),
        bytes.fromhex(match["prev_hash"].decode()),
        event_hash,
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold; position 0 where it is not about one event.

    It quotes what a source holds, made inert: its words are one line that acts on no terminal.
    """

    rule: str
    position: int
    what: str
    expected: str = ""
    found: str = ""

    def __post_init__(self) -> None:
        """Make what is quoted inert."""
        for name in ("what", "expected", "found"):
            object.__setattr__(self, name, inert(getattr(self, name)))

    @property
    def sentence(self) -> str:
        """The fault, with both values where there are two."""
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
    """The findings about a source's own consistency, beside its events."""

    checked: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    read: dict[str, str] = field(default_factory=dict)
    """Digests of the rows that were read for it, by name."""

    def fail(
        self, rule: str, position: int, what: str, expected: str = "", found: str = ""
    ) -> None:
        """Note what does not hold."""
        self.findings.append(Finding(rule, position, what, expected, found))


@dataclass(frozen=True, slots=True)
class HashPassResult:
    """The result that the events lead to."""

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


class EventSource(Protocol):
    """The events of one ledger, as rules read them."""

    @property
    def origin(self) -> str:
        """The ledger's name."""

    @property
    def kind(self) -> SourceKind:
        """The kind of source."""

    @property
    def size(self) -> int:
        """How many events are audited: those at positions 1 to size."""

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """The parts that the source says it leaves out."""

    def rows(self, after: int, until: int) -> Iterator[Row]:
        """Yield the rows with after < position <= until in order; UnreadableError at damage."""

    def erased_later(self) -> list[tuple[int, int]]:
        """Return the ranges that were erased after `size`, while the audit ran."""


class LedgerSource(EventSource, Protocol):
    """One ledger, opened to read only."""

    @property
    def has_bodies(self) -> bool:
        """Whether bodies are there at all, or headers only."""

    @property
    def opener(self) -> Opener | None:
        """How another process reads the same; None where only this one can."""

    def sizes(self, after: int, until: int) -> list[int]:
        """Return the claimed sizes of kept checkpoints, after < size <= until, ascending."""

    def notes(self, after: int) -> Iterator[tuple[int, str]]:
        """Yield (claimed size, signed note) of kept checkpoints larger than `after`, ascending."""

    def tiles(self, level: int, first: int, last: int) -> dict[int, bytes] | None:
        """Return index → hashes of stored tiles, both ends included; None if it keeps none."""

    def examine(self, hashed: HashPassResult) -> SourceReport:
        """Compare what the source keeps beside the events with the events."""

    def close(self) -> None:
        """Let go of it."""
