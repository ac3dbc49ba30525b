"""The transcript of an audit: what it read and found, digested part by part.

`docs/spec/transcript_v1.md` defines each part.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger.audit.source import Finding
from ledger.chain import transcript
from ledger.chain.transcript import part_digest
from ledger.events.canonical import encode
from ledger.events.values import INTEGER_MAX

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Transcript:
    """One root over what an audit has read and found, and the parts that it is made of."""

    root: str
    parts: dict[str, str]
    """Name → digest, in hex."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """The audit that a transcript is made of."""

    kind: str
    origin: str
    size: int
    root: str
    bodiless: Sequence[tuple[int, int]]
    """Ranges of positions whose body the rules did not find, in order; none touches another."""
    meanings: Mapping[str, str]
    """Every rule of this release, with what it means."""
    results: Sequence[transcript.Result]
    findings: Sequence[Finding]
    unchecked: Iterable[tuple[str, str, int]]
    trust: Mapping[str, Any]
    read: Mapping[str, str]
    """Digests of the rows that were read beside the events, by name."""


def transcript_of(record: AuditRecord) -> Transcript:
    """Return the transcript of an audit: the same on any machine, however many cores it has."""
    parts = {
        transcript.EVENTS: transcript.events_digest(record.origin, record.size, record.root),
        "bodies": part_digest([list(span) for span in record.bodiless]),
        "rules": part_digest(dict(record.meanings)),
        transcript.RESULTS: transcript.results_digest(record.results),
        "unchecked": part_digest([list(one) for one in sorted(record.unchecked)]),
        "findings": part_digest(_lines(record.findings)),
        transcript.SOURCE: transcript.source_digest(record.kind, record.results),
        "trust": part_digest(dict(record.trust)),
    }
    parts |= record.read
    return Transcript(transcript.transcript_root(parts).hex(), dict(sorted(parts.items())))


def _lines(findings: Iterable[Finding]) -> list[list[object]]:
    """Return findings in order; damage may have any number for a position, and any text."""
    ordered = sorted((one.rule, one.position, one.sentence) for one in findings)
    return [[rule, _cell(position), _cell(what)] for rule, position, what in ordered]


class RowDigest:
    """The digest of rows in the order in which they are read, in pages of any size."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def update(self, rows: Iterable[Sequence[object]]) -> None:
        """Take in further rows."""
        for row in rows:
            self._digest.update(encode([_cell(value) for value in row]) + b"\n")

    def hexdigest(self) -> str:
        """Return the digest of all rows so far."""
        return self._digest.hexdigest()


def digested(
    query: Callable[..., list[Any]], tables: Mapping[str, str], digests: dict[str, RowDigest]
) -> Callable[..., list[Any]]:
    """Return `query` as it is, but for the rows of some statements being digested by table.

    The events determine what is not digested, such as tiles and indexed times: there a row that
    differs is a finding.
    """

    def run(sql: str, *parameters: object) -> list[Any]:
        rows = query(sql, *parameters)
        if (table := tables.get(sql)) is not None:
            digests.setdefault(f"rows.{table}", RowDigest()).update(rows)
        return rows

    return run


def _cell(value: object) -> object:
    """Return a column for canonical JSON; a damaged one may hold anything."""
    if isinstance(value, bytes | bytearray | memoryview):
        return {"hex": bytes(value).hex()}
    if value is None or (type(value) is int and abs(value) <= INTEGER_MAX):
        return value
    if type(value) is str and _SURROGATE.search(value) is None:
        return value
    return {"other": ascii(value)}
