"""The hash pass over one stretch of a ledger: every header, body, link, version and time in it.

A stretch is checked knowing nothing of what lies before it, so that several are checked at once;
what it takes for granted at its border is reported; `verified_prefix` compares it with the next.
The first thing that does not hold ends it. This is the hot loop of an audit: raw rows, no object
for an event, and grammar only where something new appears.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.audit.source import Finding, LedgerSource, Row, UnreadableError
from ledger.chain.key_history import KEY_TYPES
from ledger.chain.link import DIGEST_BYTES, SALT_BYTES
from ledger.chain.tiles import TILE_BYTES
from ledger.events.horizons import CONCERNED_TYPES, HorizonFacts, facts_of
from ledger.events.proving import AUDITED, BodyErased, StreamsSealed
from ledger.events.system import CONFIGURED
from ledger.events.values import STREAM, TYPE, format_time

SEGMENT: Final = 1 << 16
"""Events in a stretch: a complete subtree, so that subtrees join to the tree."""

NOTABLE: Final = KEY_TYPES | {
    *CONFIGURED,
    *AUDITED,
    StreamsSealed.TYPE,
    BodyErased.TYPE,
}
"""Types whose bodies the later passes must know before they begin."""

RULE: Final = "chain"
_WIDTH: Final = 256
_TILE_LEVELS: Final = 8
_sha256 = hashlib.sha256


@dataclass(slots=True)
class Segment:
    """The findings from `first` on; `last` is the last valid position."""

    first: int
    last: int
    before: bytes = b""
    """The hash that the first event names as the one before it."""
    head: bytes = b""
    began_at: int = 0
    ended_at: int = 0
    streams: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Stream → first version, its position, last version."""
    types: dict[str, int] = field(default_factory=dict)
    notable: list[tuple[int, str, bytes | None]] = field(default_factory=list)
    concerned: list[HorizonFacts] = field(default_factory=list)
    """The facts about horizons, where they are asked for."""
    leaves: bytes = b""
    """The hashes of its events, one behind the other."""
    nodes: list[tuple[int, bytes]] = field(default_factory=list)
    """(level, hash) of the complete subtrees that make it up, biggest first where it is aligned."""
    prefixes: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)
    """The same up to each size that was asked for."""
    tiles_checked: int = 0
    wrong_tiles: list[Finding] = field(default_factory=list)
    fault: Finding | None = None


class _Fault(Exception):  # noqa: N818 - a finding on its way out of the loop
    """The first thing that does not hold."""

    def __init__(self, what: str, expected: object = "", found: object = "") -> None:
        super().__init__(what)
        self.what = what
        self.expected = _shown(expected)
        self.found = _shown(found)


def check_segment(
    source: LedgerSource,
    first: int,
    last: int,
    extra: Sequence[int] = (),
    *,
    has_horizons: bool = False,
) -> Segment:
    """Return what a source's events at positions first to last are found to be.

    The root can be told at the sizes of all kept checkpoints, and at the `extra` ones.
    `has_horizons`: also what of them concerns horizons.
    """
    segment = Segment(first, first - 1)
    rows = held_rows(source, segment, last)
    if has_horizons:
        rows = _concerned(rows, segment)
    segment.leaves = b"".join([row[9] for row in rows])
    count = segment.last - first + 1
    levels = subtree(segment.leaves)
    sizes = {size - first + 1 for size in (*source.sizes(first - 1, segment.last), *extra)}
    is_aligned = (first - 1) % SEGMENT == 0
    segment.nodes = nodes_of(levels, count) if is_aligned else _single(levels[0], count)
    for size in sizes:
        if 1 <= size <= count:
            nodes = nodes_of(levels, size) if is_aligned else _single(levels[0], size)
            segment.prefixes[first - 1 + size] = nodes
    _compare_tiles(source, segment, levels)
    return segment


def _concerned(rows: Iterable[Row], segment: Segment) -> Iterator[Row]:
    """Yield the rows, and note what of them concerns horizons."""
    for row in rows:
        if row[3] in CONCERNED_TYPES:
            segment.concerned.append(facts_of(row[0], row[1], row[3], row[5]))
        yield row


def held_rows(source: LedgerSource, segment: Segment, last: int) -> Iterator[Row]:
    """Yield the rows of a stretch up to `last`, each once it holds with those before it.

    The first thing that does not hold ends them, and is the segment's fault.
    """
    try:
        yield from _check(source.rows(segment.first - 1, last), source.origin, segment)
    except _Fault as fault:
        segment.fault = Finding(RULE, segment.last + 1, fault.what, fault.expected, fault.found)
    except UnreadableError as error:
        position = max(error.position, segment.last + 1)
        segment.fault = Finding(RULE, position, f"it cannot be read: {error.why}")
    except (AttributeError, TypeError, ValueError) as error:
        what = f"a column does not hold what it should: {error}"
        segment.fault = Finding(RULE, segment.last + 1, what)
    if segment.last < last and segment.fault is None:
        what, missing = "the event is missing", segment.last + 1
        segment.fault = Finding(RULE, missing, what, f"position {missing}", "none")


def _single(leaves: bytes, count: int) -> list[tuple[int, bytes]]:
    """Return the first leaves one by one, for a stretch that begins in the middle of a subtree."""
    return [(0, leaves[at : at + DIGEST_BYTES]) for at in range(0, count * DIGEST_BYTES, 32)]


def nodes_of(levels: Sequence[bytes], count: int) -> list[tuple[int, bytes]]:
    """Return (level, hash) of the complete subtrees over the first `count` leaves."""
    nodes: list[tuple[int, bytes]] = []
    start = 0
    for level in range(len(levels) - 1, -1, -1):
        if count >> level & 1:
            at = (start >> level) * DIGEST_BYTES
            nodes.append((level, levels[level][at : at + DIGEST_BYTES]))
            start += 1 << level
    return nodes


def _compare_tiles(source: LedgerSource, segment: Segment, levels: Sequence[bytes]) -> None:
    """Compare the stored tiles of levels 0 and 1 under the stretch with its own hashes."""
    start, count = segment.first - 1, segment.last - segment.first + 1
    if count <= 0:
        return
    stored = source.tiles(0, start // _WIDTH, (start + count - 1) // _WIDTH)
    if stored is None:
        return
    at = start
    while at < start + count:
        number, skipped = divmod(at, _WIDTH)
        end = min((number + 1) * _WIDTH, start + count)
        expected = levels[0][(at - start) * DIGEST_BYTES : (end - start) * DIGEST_BYTES]
        compare_tile(segment, 0, number, stored.get(number), expected, skipped)
        at = end
    if start % SEGMENT == 0 and len(levels) > _TILE_LEVELS:
        number = start // SEGMENT
        upper = source.tiles(1, number, number) or {}
        compare_tile(segment, 1, number, upper.get(number), levels[_TILE_LEVELS], 0)


def compare_tile(
    segment: Segment, level: int, number: int, stored: object, expected: bytes, skipped: int
) -> None:
    """Note whether a stored tile holds the expected hashes from its place `skipped` on."""
    segment.tiles_checked += 1
    held = stored if isinstance(stored, bytes) else b""
    part = held[skipped * DIGEST_BYTES :][: len(expected)]
    if part == expected and len(held) <= TILE_BYTES:
        return
    wrong = next(
        (
            at
            for at in range(0, len(expected), DIGEST_BYTES)
            if part[at : at + DIGEST_BYTES] != expected[at : at + DIGEST_BYTES]
        ),
        len(expected) - DIGEST_BYTES,  # where only more is there than a tile can hold
    )
    leaf = number * _WIDTH + skipped + wrong // DIGEST_BYTES << _TILE_LEVELS * level
    what = f"the tile of level {level}, number {number} does not hold the events' hashes"
    shown = part[wrong : wrong + DIGEST_BYTES].hex() or "none"
    segment.wrong_tiles.append(
        Finding("tiles", leaf + 1, what, expected[wrong : wrong + DIGEST_BYTES].hex(), shown)
    )


def _check(  # noqa: C901, PLR0912 - the hot loop: a call each would double it
    rows: Iterable[Row], origin: str, segment: Segment
) -> Iterator[Row]:
    position = segment.first - 1
    previous, previous_hex, moment, time_text = b"", "", -1, ""
    versions: dict[str, int] = {}
    types, sha256 = segment.types, _sha256
    middle = f'","ledger":"{origin}","position":'
    for row in rows:
        (
            at, stream, version, type_, recorded_at, body, salt, body_hash, prev_hash, stored,
        ) = row  # fmt: skip
        position += 1
        if at != position or type(at) is not int:
            raise _Fault("there is another position", position, at)
        if prev_hash != previous:
            if previous:
                raise _Fault("it does not link to the event before it", previous, prev_hash)
            segment.before = _digest(prev_hash, "previous hash")
            previous_hex = prev_hash.hex()
        if recorded_at != moment:
            if type(recorded_at) is not int or recorded_at < moment:
                raise _Fault("it was recorded before the event before it", moment, recorded_at)
            moment, time_text = recorded_at, format_time(recorded_at)
            if position == segment.first:
                segment.began_at = recorded_at
        known = versions.get(stream)
        if known is None:
            _check_stream(stream, version, position)
            segment.streams[stream] = (version, position, version)
        elif version != known + 1:
            raise _Fault(f"stream {stream} has another version", known + 1, version)
        versions[stream] = version
        if type_ in types:
            types[type_] += 1
        else:
            types[_type(type_)] = 1
        if len(body_hash) != DIGEST_BYTES:
            raise _Fault("the body hash is not 32 bytes long")
        digest = sha256(
            f'\x00{{"body_hash":"{body_hash.hex()}{middle}{position},'
            f'"prev_hash":"{previous_hex}","recorded_at":"{time_text}","stream":"{stream}",'
            f'"stream_version":{version},"type":"{type_}"}}'.encode("ascii")
        ).digest()
        if digest != stored:
            raise _Fault("the header does not have the event's hash", stored, digest)
        if body is None or salt is None:
            _check_absence(body, salt)
        elif len(salt) != SALT_BYTES or sha256(b"\x02" + salt + body).digest() != body_hash:
            found = sha256(b"\x02" + salt + body).digest()
            raise _Fault("the body does not have the header's body hash", body_hash, found)
        if type_ in NOTABLE:
            segment.notable.append((position, type_, body))
        previous, previous_hex = digest, digest.hex()
        segment.last = position
        segment.head, segment.ended_at = digest, moment
        yield row
    for stream, version in versions.items():
        first_version, first_position, _ = segment.streams[stream]
        segment.streams[stream] = (first_version, first_position, version)


def _type(value: object) -> str:
    if type(value) is not str or TYPE.fullmatch(value) is None:
        raise _Fault(f"{str(value)[:160]!r} is not an event type")
    return value


def _digest(value: Any, name: str) -> bytes:  # noqa: ANN401 - a column as found
    if type(value) is not bytes or len(value) != DIGEST_BYTES:
        raise _Fault(f"the {name} is not 32 bytes")
    return value


def _check_stream(stream: object, version: object, position: int) -> None:
    if type(stream) is not str or STREAM.fullmatch(stream) is None:
        raise _Fault(f"{str(stream)[:160]!r} is not a stream name")
    if type(version) is not int or not 1 <= version <= position:
        raise _Fault(f"stream {stream} cannot have this version there", "1 or more", version)


def _check_absence(body: object, salt: object) -> None:
    if body is not None or salt is not None:
        raise _Fault("body and salt are not absent together")


def subtree(leaves: bytes) -> list[bytes]:
    """Return the complete nodes over concatenated leaf hashes, level by level."""
    levels = [leaves]
    sha256 = _sha256
    while (below := levels[-1]) and len(below) >= 2 * DIGEST_BYTES:
        end = len(below) - len(below) % (2 * DIGEST_BYTES)
        levels.append(
            b"".join(
                [
                    sha256(b"\x01" + below[at : at + 2 * DIGEST_BYTES]).digest()
                    for at in range(0, end, 2 * DIGEST_BYTES)
                ]
            )
        )
    return levels


def _shown(value: object) -> str:
    """Return a value as a finding shows it."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return str(value)[:200]
