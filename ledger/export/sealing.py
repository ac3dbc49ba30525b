"""Seals: those of a whole ledger computed again, and the one that a stream bundle holds.

Seals come soon after the position that they are about, so the newest changes are remembered and
undone; a seal that reaches further back is kept for a second pass over the events. The seal of a
stream bundle, `seal.json`, proves that no event of the stream up to it was held back.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.link import Link
from ledger.chain.merkle import ProofError, check_inclusion, leaf_hash, root_of
from ledger.chain.seal import seal_record
from ledger.events.canonical import CanonicalError, decode, encode
from ledger.events.proving import StreamsSealed
from ledger.events.values import HASH_HEX
from ledger.export.data import Data, read_data
from ledger.export.files import SEAL, BundleError
from ledger.export.lines import LineError, parse_alone

REMEMBERED: Final = 10_000
_KEYS: Final = frozenset({"event", "inclusion", "record", "record_inclusion", "record_index"})


class SealError(ValueError):
    """A seal that is not what the events say; `position` is its own."""

    def __init__(self, position: int, why: str) -> None:
        super().__init__(why)
        self.position = position


@dataclass(frozen=True, slots=True)
class SealStatement:
    """The statement of a `streams.sealed.v1`, and where it is."""

    position: int
    as_of: int
    root: str
    streams: int


def seal_of(position: int, data: Data) -> SealStatement:
    """Return what the event of a seal states; SealError if it cannot."""
    if data["as_of"] >= position:
        raise SealError(position, "a seal is about a position before its own")
    return SealStatement(position, data["as_of"], data["root"], data["streams"])


class Streams:
    """How far every stream has come, event by event."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._newest: dict[str, tuple[int, bytes]] = {}
        self._undo: deque[tuple[str, tuple[int, bytes] | None]] = deque(maxlen=remembered)
        self._leaves: dict[str, tuple[bytes, bytes]] = {}
        self._names: list[str] = []
        self._position = 0

    def take(self, link: Link) -> None:
        """Take the next event."""
        stream = link.stream
        self._undo.append((stream, self._newest.get(stream)))
        self._newest[stream] = link.stream_version, link.event_hash
        self._position = link.position

    def reaches(self, as_of: int) -> bool:
        """Return whether the streams at a position can still be told."""
        return self._position - as_of <= len(self._undo)

    def check(self, seal: SealStatement) -> None:
        """Raise SealError unless a seal is right; its position must be within reach."""
        newest = self._newest
        back = self._position - seal.as_of
        if back:
            newest = dict(newest)
            undone = list(self._undo)[-back:]
            for stream, before in reversed(undone):
                if before is None:
                    del newest[stream]
                else:
                    newest[stream] = before
        if len(newest) != seal.streams:
            raise SealError(
                seal.position, f"it counts {seal.streams} streams; there were {len(newest)}"
            )
        if root_of(self._leaf(name, newest[name]) for name in self._sorted(newest)).hex() != (
            seal.root
        ):
            raise SealError(seal.position, f"its root is not that of the streams at {seal.as_of}")

    def _sorted(self, newest: dict[str, tuple[int, bytes]]) -> list[str]:
        if len(self._names) != len(newest) or not newest.keys() >= set(self._names):
            self._names = sorted(newest)  # ASCII, so that bytes and characters sort alike
        return self._names

    def _leaf(self, stream: str, newest: tuple[int, bytes]) -> bytes:
        """Return a stream's leaf in a seal; most of them stay the same from seal to seal."""
        version, hash_ = newest
        known = self._leaves.get(stream)
        if known is None or known[0] != hash_:
            record = seal_record(event_hash=hash_.hex(), stream=stream, stream_version=version)
            known = hash_, leaf_hash(record)
            self._leaves[stream] = known
        return known[1]


def check_late(seals: Iterable[SealStatement], links: Iterable[Link]) -> None:
    """Raise SealError unless the seals are right, by the events of the ledger from the start."""
    due = sorted(seals, key=lambda seal: seal.as_of)
    streams, at = Streams(remembered=0), 0
    for link in links:
        if at == len(due):
            return
        streams.take(link)
        while at < len(due) and due[at].as_of == link.position:
            streams.check(due[at])
            at += 1


# ---- the seal of a stream bundle -----------------------------------------------------------------


def seal_json(
    *,
    event_line: bytes,
    inclusion: Sequence[str],
    record: bytes,
    record_inclusion: Sequence[str],
    record_index: int,
) -> bytes:
    """Return `seal.json`; the event as its line of `events.jsonl`, the record as it was hashed."""
    return encode(
        {
            "event": decode(event_line.removesuffix(b"\n")),
            "inclusion": list(inclusion),
            "record": decode(record),
            "record_inclusion": list(record_inclusion),
            "record_index": record_index,
        }
    )


def check_seal(data: bytes, stated: CheckpointBody, last: Link) -> tuple[Link, int]:
    """Return the sealing event, and the position that it is about.

    BundleError unless the seal fixes the stream's last event, and the tree the seal.
    """
    try:
        value = decode(data)
    except CanonicalError as error:
        raise _fault(str(error)) from error
    if type(value) is not dict or value.keys() != _KEYS:
        raise _fault(f"it does not have exactly the keys {', '.join(sorted(_KEYS))}")
    link, seal = _sealed(value, stated)
    record = {
        "event_hash": last.event_hash.hex(),
        "stream": last.stream,
        "stream_version": last.stream_version,
    }
    if value["record"] != record:
        raise _fault("its record is not of the last event of the bundle")
    if last.position > seal.as_of:
        raise _fault(f"it is as of position {seal.as_of}, before the last event of the bundle")
    _included(
        value["record_index"],
        seal.streams,
        leaf_hash(encode(record)),
        bytes.fromhex(seal.root),
        value["record_inclusion"],
    )
    return link, seal.as_of


def _sealed(value: Mapping[str, Any], stated: CheckpointBody) -> tuple[Link, SealStatement]:
    """Return the seal's event and its statement; it must be in the tree of the checkpoint."""
    try:
        link = parse_alone(encode(value["event"]) + b"\n", stated.origin)
        data = read_data(link)
        if link.type != StreamsSealed.TYPE or data is None:
            raise _fault("its event is not a seal")
        seal = seal_of(link.position, data)
    except (LineError, SealError) as error:
        raise _fault(str(error)) from error
    _included(link.position - 1, stated.size, link.event_hash, stated.root, value["inclusion"])
    return link, seal


def _included(index: object, size: int, leaf: bytes, root: bytes, proof: object) -> None:
    is_list = type(proof) is list and all(
        type(one) is str and HASH_HEX.fullmatch(one) for one in proof
    )
    if type(index) is not int or not isinstance(proof, list) or not is_list:
        raise _fault("an inclusion proof is a list of hashes, its index a number")
    try:
        hashes = [bytes.fromhex(one) for one in proof]
        check_inclusion(index=index, size=size, leaf=leaf, root=root, proof=hashes)
    except ProofError as error:
        raise _fault(str(error)) from error


def _fault(why: str) -> BundleError:
    return BundleError(SEAL, 0, why)
