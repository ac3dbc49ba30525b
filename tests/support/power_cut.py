"""The states in which a power cut can leave files, from a record of writes and syncs.

A disk keeps what a sync has ended for. Of what was written since, any part may be there: each write
whole, missing or torn at its sectors of 512 bytes, whichever came first; a cut to a length or the
removal of a file may be undone. The sources of chance are seeds, so that a state has a number.
"""

import random  # noqa: TID251 - drawn from seeds, which name the states
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SECTOR = 512
ACKNOWLEDGED = "acknowledged"
_OF_A_PROCESS = ("-shm", ".lock")  # what these hold means nothing once the process is gone
_HEAD = struct.Struct("<cBQI")


class Record(NamedTuple):
    """One thing that the process did: see power_cut.c."""

    op: str
    name: str
    offset: int
    data: bytes


def read_record(path: Path) -> list[Record]:
    """Return everything that was recorded, in order."""
    raw, at, found = path.read_bytes(), 0, []
    while at < len(raw):
        op, name_length, offset, length = _HEAD.unpack_from(raw, at)
        at += _HEAD.size
        name = raw[at : at + name_length].decode()
        at += name_length
        found.append(Record(op.decode(), name, offset, raw[at : at + length]))
        at += length
    assert at == len(raw), "the record is whole"
    return found


@dataclass
class DiskFile:
    """One file: what is on the disk for certain, and what was done to it since."""

    content: bytearray | None = None
    pending: list[Record] = field(default_factory=list)
    synced: int = 0
    """How much of what is pending a sync that has begun will cover."""

    def note(self, record: Record, *, is_lying: bool) -> None:
        """Take a record into account; a lying disk says that it is done and does nothing."""
        if record.op == "B":
            self.synced = len(self.pending)
        elif record.op == "E":
            if not is_lying:
                for done in self.pending[: self.synced]:
                    self.content = applied(self.content, done)
                del self.pending[: self.synced]
                self.synced = 0
        else:
            self.pending.append(record)


def applied(content: bytearray | None, record: Record) -> bytearray | None:
    """Return a file's content after a write, a cut or a removal."""
    if record.op == "U":
        return None
    content = bytearray() if content is None else content
    if record.op == "T":
        del content[record.offset :]
        content.extend(bytes(record.offset - len(content)))
        return content
    gap = record.offset - len(content)
    if gap > 0:
        content.extend(bytes(gap))
    content[record.offset : record.offset + len(record.data)] = record.data
    return content


def torn(record: Record, chance: random.Random) -> Iterator[Record]:
    """Yield the sectors of a write that arrived, in any order."""
    if record.op != "W":
        yield record
        return
    at, pieces = 0, []
    while at < len(record.data):
        size = SECTOR - (record.offset + at) % SECTOR
        pieces.append(record._replace(offset=record.offset + at, data=record.data[at : at + size]))
        at += size
    chance.shuffle(pieces)
    yield from pieces[: chance.randint(0, len(pieces))]


def survivors(pending: list[Record], kind: str, chance: random.Random) -> Iterator[Record]:
    """Yield what of the unsynced arrived: all, nothing, a subset, another order, or torn writes."""
    match kind:
        case "all":
            yield from pending
        case "none":
            return
        case "subset":
            yield from (record for record in pending if chance.random() < 0.5)
        case "all but one":
            missing = chance.randrange(len(pending)) if pending else 0
            yield from (record for at, record in enumerate(pending) if at != missing)
        case "reordered":
            # The older of two writes to one place may be the one that lasts.
            some = [record for record in pending if chance.random() < 0.7]
            chance.shuffle(some)
            yield from some
        case "torn":
            for record in pending:
                yield from torn(record, chance)
        case "last torn":
            yield from pending[:-1]
            for record in pending[-1:]:
                yield from torn(record, chance)


KINDS = ("all", "none", "subset", "all but one", "reordered", "torn", "last torn")


class State(NamedTuple):
    """What a power cut left, and what had been acknowledged before it."""

    label: str
    files: dict[str, bytes]
    acknowledged: bytes


class Disk:
    """Replays a record from files that are all on the disk."""

    def __init__(self, base: dict[str, bytes], *, is_lying: bool = False) -> None:
        self._files = {name: DiskFile(bytearray(content)) for name, content in base.items()}
        self._is_lying = is_lying
        self._acknowledged = bytearray()

    def note(self, record: Record) -> None:
        """Go one step on."""
        if record.name == ACKNOWLEDGED:
            self._acknowledged += record.data
        elif not record.name.endswith(_OF_A_PROCESS):
            self._files.setdefault(record.name, DiskFile()).note(record, is_lying=self._is_lying)

    def cut(self, label: str, kind: str) -> State:
        """Return one state that a power cut may leave now."""
        chance = random.Random(label)
        files: dict[str, bytes] = {}
        for name, file in self._files.items():
            content = None if file.content is None else bytearray(file.content)
            for record in survivors(file.pending, kind, chance):
                content = applied(content, record)
            if content is not None:
                files[name] = bytes(content)
        return State(label, files, bytes(self._acknowledged))


def moments(records: list[Record], count: int) -> list[int]:
    """Return after which records the power is cut: around every sync, and spread over the rest."""
    syncs = [
        at + shift for at, record in enumerate(records) if record.op in "BE" for shift in (0, 1)
    ]
    chance = random.Random(count)
    chosen = set(chance.sample(syncs, min(len(syncs), count * 2 // 3)))
    rest = [at for at in range(len(records) + 1) if at not in chosen]
    return sorted(chosen | set(chance.sample(rest, min(len(rest), count - len(chosen)))))


def states(
    base: dict[str, bytes], records: list[Record], count: int, *, is_lying: bool = False
) -> Iterator[State]:
    """Yield so many moments' states of every kind, each different content once."""
    disk, seen, at = Disk(base, is_lying=is_lying), set[int](), 0
    for moment in moments(records, count):
        while at < moment:
            disk.note(records[at])
            at += 1
        for kind in KINDS:
            state = disk.cut(f"after record {moment}, {kind}", kind)
            content = hash((tuple(sorted(state.files.items())), state.acknowledged))
            if content not in seen:
                seen.add(content)
                yield state
