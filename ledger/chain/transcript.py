"""The transcript of an audit: one root over what was read and every verdict, by named parts.

Two auditors compare the roots; where those differ, the parts say in what. Which parts there are,
and of what each is the digest, is in `docs/spec/transcript_v1.md`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ledger.chain.link import Digest
from ledger.chain.merkle import leaf_hash, root_of
from ledger.events.canonical import encode

EVENTS: Final = "events"
RESULTS: Final = "results"
SOURCE: Final = "source"

_OF_THE_SOURCE: Final = frozenset(
    {"checkpoints", "keys", "memory", "tiles", "truncation", "witnesses"}
)
_GROUPS_OF_THE_SOURCE: Final = ("bundle.", "database.")

Result = tuple[str, int, int, int]
"""A check's name, and how often it was applied, failed, and could not be applied."""


def transcript_root(parts: Mapping[str, str]) -> Digest:
    """Return the RFC 6962 root over the parts, name → digest in hex, in order of their names."""
    records = (encode({"digest": parts[name], "name": name}) for name in sorted(parts))
    return root_of(leaf_hash(record) for record in records)


def part_digest(value: Any) -> str:  # noqa: ANN401 - any value of canonical JSON
    """Return the digest of a part, in hex: SHA-256 of its canonical JSON."""
    return hashlib.sha256(encode(value)).hexdigest()


def events_digest(origin: str, size: int, root: str) -> str:
    """Return the digest of the part that fixes the events, by the tree over them."""
    return part_digest({"ledger": origin, "root": root, "size": size})


def results_digest(results: Sequence[Result]) -> str:
    """Return the digest of the results of the checks that are about events."""
    return part_digest(_rows(one for one in results if not _is_of_the_source(one[0])))


def source_digest(kind: str, results: Sequence[Result]) -> str:
    """Return the digest of what was read, and of the results of the checks that are about that."""
    rows = _rows(one for one in results if _is_of_the_source(one[0]))
    return part_digest({"kind": kind, "results": rows})


def transcript_fault(origin: str, data: Mapping[str, Any]) -> str | None:
    """Return why a transcript cannot be that of the audit it came with, as an event records both.

    Compared are the parts that every reader can compute from the event; the auditor answers for
    the others.
    """
    parts = {one["name"]: one["digest"] for one in data["transcript_parts"]}
    if [one["name"] for one in data["transcript_parts"]] != sorted(parts):
        return "the parts of its transcript do not ascend by name"
    root = transcript_root(parts).hex()
    if data["transcript"] != root:
        return f"its transcript is {data['transcript']}, and the root over its parts is {root}"
    results = [
        (one["rule"], one["checked"], one["failed"], one["unchecked"]) for one in data["checks"]
    ]
    for name, digest in (
        (EVENTS, events_digest(origin, data["size"], data["root"])),
        (RESULTS, results_digest(results)),
        (SOURCE, source_digest(data["source"], results)),
    ):
        if parts.get(name) != digest:
            return f"the part {name} of its transcript is not that of this audit"
    return None


def _is_of_the_source(check: str) -> bool:
    return check in _OF_THE_SOURCE or check.startswith(_GROUPS_OF_THE_SOURCE)


def _rows(results: Any) -> list[list[str | int]]:  # noqa: ANN401 - an iterable of results
    return [list(one) for one in sorted(results)]
