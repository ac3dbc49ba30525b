"""The stored tree against the events, and missing bodies against the events that erased them."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import func, select

from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.link import Link
from ledger.chain.merkle import CompactRange
from ledger.chain.note import NoteError
from ledger.chain.note import parse as parse_note
from ledger.chain.tiles import TILE_BYTES, RightEdge, tiles_of
from ledger.errors import chain_broken
from ledger.events.proving import BodyErased
from ledger.events.registry import keeps_body, typed
from ledger.storage.database import damaged
from ledger.storage.erasure import union
from ledger.storage.reader import SqlReader
from ledger.storage.schema import tiles
from ledger.storage.store import KeptCheckpoint, LedgerInfo

_BATCH: Final = 4_096  # leaves that are put into the tree at once
_PAGE: Final = 1_000


class TreeCheck:
    """Grows the tree of a ledger's events, and compares tiles and checkpoints with it."""

    def __init__(self, reader: SqlReader, info: LedgerInfo) -> None:
        self._reader = reader
        self._info = info
        self._edge = RightEdge(CompactRange(), ())
        self._leaves: list[bytes] = []
        self._checkpoints = _kept(reader, info.origin)
        self._due = next(self._checkpoints, None)

    @property
    def compact_range(self) -> bytes:
        """The tree as a head stores it."""
        return self._edge.tree.to_bytes()

    def add(self, link: Link) -> None:
        """Take in the next event."""
        self._leaves.append(link.event_hash)
        if self._due is not None and self._due.size == link.position:
            self._grow()
            if _claimed_root(self._due) != self._edge.root():
                raise chain_broken(link.position, "the checkpoint of this size has another root")
            self._due = next(self._checkpoints, None)
        elif len(self._leaves) == _BATCH:
            self._grow()

    def finish(self) -> bytes:
        """Compare what is left at the end, and return the root."""
        self._grow()
        size = self._edge.size
        if self._due is not None:
            raise chain_broken(size + 1, f"a checkpoint covers {self._due.size} events")
        partial = {
            (level, size >> 8 * level + 8): hashes
            for level, hashes in enumerate(self._edge.partial)
            if hashes
        }
        self._compare(partial)
        found = select(func.count()).where(tiles.c.ledger_id == self._info.ledger_id)
        count, expected = self._reader.rows(found)[0][0], sum(1 for _ in tiles_of(size))
        if count != expected:
            raise damaged(f"{self._info.origin} has {count} tiles instead of {expected}")
        return self._edge.root()

    def _grow(self) -> None:
        """Put the leaves gathered into the tree; compare the tiles that are full now."""
        changed = self._edge.extend(self._leaves)
        self._leaves.clear()
        self._compare({at: hashes for at, hashes in changed.items() if len(hashes) == TILE_BYTES})

    def _compare(self, expected: dict[tuple[int, int], bytes]) -> None:
        stored = self._reader.tiles(self._info.origin, [*expected])
        for (level, index), hashes in zip(expected, stored, strict=True):
            if hashes != expected[level, index]:
                raise damaged(f"tile {index} of level {level} is not that of the events")


def _kept(reader: SqlReader, origin: str) -> Iterator[KeptCheckpoint]:
    """Yield the checkpoints kept, by size."""
    size = -1
    while page := reader.checkpoints(origin, after_size=size, limit=_PAGE):
        if size < 0 and page[0].size < 1:
            raise damaged(f"a checkpoint of size {page[0].size} is kept")
        yield from page
        size = page[-1].size


def _claimed_root(kept: KeptCheckpoint) -> bytes:
    """Return the root that a note states, whatever key signed it."""
    try:
        return parse_checkpoint(parse_note(kept.note.encode()).text).root
    except NoteError as error:
        raise damaged(f"the checkpoint of size {kept.size} is unreadable: {error}") from error


class Erasures:
    """Remembers which bodies are missing, and holds them against the events that say so."""

    def __init__(self) -> None:
        self._missing: list[tuple[int, int]] = []

    def add(self, link: Link) -> None:
        """Take in the next event."""
        if link.body is not None:
            return
        if keeps_body(link.type):
            raise chain_broken(link.position, f"the body of {link.type} can never be erased")
        if self._missing and self._missing[-1][1] == link.position - 1:
            self._missing[-1] = (self._missing[-1][0], link.position)
        else:
            self._missing.append((link.position, link.position))

    def finish(self, reader: SqlReader, origin: str) -> None:
        """Raise CHAIN_BROKEN unless exactly those bodies are missing that were recorded as erased.

        A `body.erased` event can only speak of what is before it.
        """
        stated: list[tuple[int, int]] = []
        for event in reader.of_types(origin, {BodyErased.TYPE}, stream=BodyErased.STREAM):
            ranges = [(first, last) for first, last in typed(event, BodyErased).positions]
            if any(not 1 <= first <= last < event.position for first, last in ranges):
                raise chain_broken(event.position, "it erases what does not stand before it")
            stated += ranges
        erased = union(stated)
        if erased == self._missing:
            return
        position = _first_difference(erased, self._missing)
        if any(first <= position <= last for first, last in erased):
            raise chain_broken(position, "its body is there, but was erased by an event")
        raise chain_broken(position, "its body is missing, and no event says that it was erased")


def _first_difference(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> int:
    """Return the smallest position that is in one of two different sets of ranges only."""
    for mine, theirs in zip(one, other, strict=False):
        if mine[0] != theirs[0]:
            return min(mine[0], theirs[0])
        if mine[1] != theirs[1]:
            return min(mine[1], theirs[1]) + 1
    longer = one if len(one) > len(other) else other
    return longer[min(len(one), len(other))][0]
