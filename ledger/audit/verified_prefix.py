"""Stretches joined to a whole: links, versions and times across their borders, and the tree.

The joined part is all that an audit needs to go on later, and small enough for its state.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.audit.segment import RULE, SEGMENT, Segment, compare_tile
from ledger.audit.source import Finding, LedgerSource
from ledger.chain.link import GENESIS
from ledger.chain.merkle import EMPTY_ROOT

_LEVEL: Final = SEGMENT.bit_length() - 1  # of a whole stretch, and of the hashes of level-2 tiles
_WIDTH: Final = 256

Node = tuple[int, bytes]


def push(edge: list[Node], nodes: Iterable[Node]) -> None:
    """Extend a tree's right edge by complete subtrees."""
    for added in nodes:
        level, hash_ = added
        while edge and edge[-1][0] == level:
            hash_ = hashlib.sha256(b"\x01" + edge.pop()[1] + hash_).digest()
            level += 1
        edge.append((level, hash_))


def root_of(edge: Sequence[Node]) -> bytes:
    """Return the root over a right edge."""
    if not edge:
        return bytes(EMPTY_ROOT)
    root = edge[-1][1]
    for _, left in reversed(edge[:-1]):
        root = hashlib.sha256(b"\x01" + left + root).digest()
    return root


@dataclass(slots=True)
class VerifiedPrefix:
    """The ledger as far as its hashes were checked."""

    position: int = 0
    head: bytes = bytes(GENESIS)
    ended_at: int = 0
    streams: dict[str, int] = field(default_factory=dict)
    """The version that each stream has reached."""
    edge: list[Node] = field(default_factory=list)
    whole: list[bytes] = field(default_factory=list)
    """The root of each whole stretch: what the tiles above level 1 are made of."""
    roots: dict[int, bytes] = field(default_factory=dict)
    """The root at the size of each kept checkpoint."""
    types: dict[str, int] = field(default_factory=dict)
    notable: list[tuple[int, str, bytes | None]] = field(default_factory=list)
    tiles_checked: int = 0

    @property
    def root(self) -> bytes:
        """The root of the tree over what is joined."""
        return root_of(self.edge)

    def tree(self) -> bytes:
        """Return the size and the right edge's hashes, as a stored head keeps them."""
        return self.position.to_bytes(8, "big") + b"".join(hash_ for _, hash_ in self.edge)

    def add(self, segment: Segment) -> list[Finding]:
        """Take in the stretch that comes next; returns what does not hold, by position."""
        assert segment.first == self.position + 1
        findings = [*self._borders(segment), *segment.wrong_tiles]
        if segment.fault is not None:
            findings.append(segment.fault)
        for size, nodes in segment.prefixes.items():
            edge = list(self.edge)
            push(edge, nodes)
            self.roots[size] = root_of(edge)
        count = segment.last - segment.first + 1
        if (segment.first - 1) % SEGMENT == 0 and count == SEGMENT:
            self.whole.append(segment.nodes[0][1])
        push(self.edge, segment.nodes)
        if (segment.first - 1) % SEGMENT and segment.last % SEGMENT == 0 and segment.last:
            self.whole.append(_last_whole(self.edge, segment.last))
        self.streams.update({name: last for name, (_, _, last) in segment.streams.items()})
        for type_, number in segment.types.items():
            self.types[type_] = self.types.get(type_, 0) + number
        self.notable += segment.notable
        self.tiles_checked += segment.tiles_checked
        if count > 0:
            self.position, self.head = segment.last, segment.head
            self.ended_at = segment.ended_at
        return sorted(findings, key=lambda finding: finding.position)

    def _borders(self, segment: Segment) -> list[Finding]:
        """Compare what a stretch took for granted with what lies before it."""
        found: list[Finding] = []
        first = segment.first
        if segment.last < first:
            return found
        if segment.before != self.head:
            what = "it does not link to the event before it"
            found.append(Finding(RULE, first, what, self.head.hex(), segment.before.hex()))
        if segment.began_at < self.ended_at:
            what = "it was recorded before the event before it"
            found.append(Finding(RULE, first, what, str(self.ended_at), str(segment.began_at)))
        for stream, (version, position, _) in segment.streams.items():
            expected = self.streams.get(stream, 0) + 1
            if version != expected:
                what = f"stream {stream} has another version"
                found.append(Finding(RULE, position, what, str(expected), str(version)))
        return found

    def check_upper_tiles(self, source: LedgerSource) -> list[Finding]:
        """Compare the stored tiles of level 2 and above, which lie over whole stretches."""
        collected = Segment(1, self.position)
        level, below = 2, self.whole
        while below:
            numbers = range((len(below) + _WIDTH - 1) // _WIDTH)
            stored = source.tiles(level, 0, len(numbers) - 1)
            if stored is None:
                break
            for number in numbers:
                hashes = b"".join(below[number * _WIDTH : (number + 1) * _WIDTH])
                compare_tile(collected, level, number, stored.get(number), hashes, 0)
            below = [
                root_of([(0, hash_) for hash_ in below[at : at + _WIDTH]])
                for at in range(0, len(below) - _WIDTH + 1, _WIDTH)
            ]
            level += 1
        self.tiles_checked += collected.tiles_checked
        return collected.wrong_tiles

    # ---- what a state file keeps -----------------------------------------------------------------

    def to_data(self) -> dict[str, Any]:
        """Return all that going on later needs, for JSON."""
        return {
            "position": self.position,
            "head": self.head.hex(),
            "ended_at": self.ended_at,
            "streams": self.streams,
            "edge": [[level, hash_.hex()] for level, hash_ in self.edge],
            "whole": b"".join(self.whole).hex(),
            "roots": {str(size): root.hex() for size, root in self.roots.items()},
            "types": self.types,
            "notable": [
                [position, type_, None if body is None else body.hex()]
                for position, type_, body in self.notable
            ],
            "tiles_checked": self.tiles_checked,
        }

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "VerifiedPrefix":
        """Return what `to_data` wrote; KeyError, TypeError or ValueError if it did not."""
        whole = bytes.fromhex(data["whole"])
        return cls(
            position=int(data["position"]),
            head=bytes.fromhex(data["head"]),
            ended_at=int(data["ended_at"]),
            streams={str(name): int(version) for name, version in data["streams"].items()},
            edge=[(int(level), bytes.fromhex(hash_)) for level, hash_ in data["edge"]],
            whole=[whole[at : at + 32] for at in range(0, len(whole), 32)],
            roots={int(size): bytes.fromhex(root) for size, root in data["roots"].items()},
            types={str(name): int(count) for name, count in data["types"].items()},
            notable=[
                (int(position), str(type_), None if body is None else bytes.fromhex(body))
                for position, type_, body in data["notable"]
            ],
            tiles_checked=int(data["tiles_checked"]),
        )


def _last_whole(edge: Sequence[Node], size: int) -> bytes:
    """Return the root of the last whole stretch of a tree whose size is a multiple of it."""
    level, hash_ = edge[-1]
    assert level >= _LEVEL
    assert size % SEGMENT == 0
    # A larger subtree has swallowed it; then it cannot be told apart from here any more.
    return hash_ if level == _LEVEL else b""
