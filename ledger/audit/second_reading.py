"""Two readings of the same events: the rules judge exactly the rows whose hashes were checked.

A source is read twice, first by many processes. A row that changes in between, or a source that
answers one reader other than another, would let hashes and rules judge different ledgers. So the
second reading hashes each row again, in the same code, and holds it to the hash of the first.
Where all are equal, both readings end at the same root.
"""

import os
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import Final

from ledger.audit.segment import Segment, held_rows
from ledger.audit.source import EventSource, Finding, LedgerSource, Row, SourceKind, Withheld
from ledger.audit.verified_prefix import VerifiedPrefix
from ledger.chain.link import DIGEST_BYTES

RULE: Final = "passes"
_CHUNK: Final = 4_096 * DIGEST_BYTES


class FirstReading:
    """The hash of every event as the first pass read it, in a file that goes with this object."""

    def __init__(self, joined: VerifiedPrefix) -> None:
        """Begin behind what an interrupted pass had joined: of that only the end is known."""
        self._known_at, self._head = joined.position, joined.head
        self._file = TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `close`

    def take(self, leaves: bytes) -> None:
        """Keep the hashes of the stretch that comes next."""
        view = memoryview(leaves)
        while view:
            view = view[self._file.write(view) :]

    def hashes(self, after: int) -> Iterator[bytes]:
        """Yield the hash of each event behind a position; empty where it is not known."""
        for position in range(after + 1, self._known_at + 1):
            yield self._head if position == self._known_at else b""
        at = max(after - self._known_at, 0) * DIGEST_BYTES
        while chunk := os.pread(self._file.fileno(), _CHUNK, at):
            for start in range(0, len(chunk), DIGEST_BYTES):
                yield chunk[start : start + DIGEST_BYTES]
            at += len(chunk)

    def close(self) -> None:
        """Throw the hashes away."""
        self._file.close()


class DifferentReadingError(Exception):
    """The second reading is not the first; `finding` says from which position on."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


class SecondReading(EventSource):
    """A source's events once more: it gives out only rows that the first pass has hashed."""

    def __init__(self, source: LedgerSource, first: FirstReading) -> None:
        self._source = source
        self._first = first

    @property
    def kind(self) -> SourceKind:
        """The kind of source."""
        return self._source.kind

    @property
    def origin(self) -> str:
        """The ledger's name."""
        return self._source.origin

    @property
    def size(self) -> int:
        """How many events there are."""
        return self._source.size

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """The parts that the source says it leaves out."""
        return self._source.withheld

    def erased_later(self) -> list[tuple[int, int]]:
        """Return the ranges that were erased after `size`, while the audit ran."""
        return self._source.erased_later()

    def rows(self, after: int, until: int) -> Iterator[Row]:
        """Yield rows as the source does; DifferentReadingError at the first that is another."""
        segment = Segment(after + 1, after)
        again = held_rows(self._source, segment, until)
        for row, known in zip(again, self._first.hashes(after), strict=False):
            if row[9] != known and known:
                what = "the rules were shown another event than the hash pass"
                raise _different(row[0], what, known.hex(), row[9].hex())
            yield row
        if (fault := segment.fault) is not None:
            what = f"the hash pass was shown an event that holds, and the rules: {fault.what}"
            raise _different(fault.position, what, fault.expected, fault.found)


def _different(position: int, what: str, expected: str, found: str) -> DifferentReadingError:
    return DifferentReadingError(Finding(RULE, position, what, expected, found))
