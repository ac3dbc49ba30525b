"""The ledger as static files (C2SP tlog-tiles): a folder that any mirror or CDN can serve.

`checkpoint` is the signed note, `tile/…` the tree, `tile/entries/…` the canonical headers, whose
leaf hashes are the event hashes. Bodies are not among them and never leave this way. Full tiles
never change; the checkpoint is replaced last, so its reader finds every tile that it needs.
An interrupted run goes on where it stopped: full tiles are there already, and are checked.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from ledger.chain.checkpoint import CheckpointBody, claim_of
from ledger.chain.entries import (
    ENTRIES_BYTES_MAX,
    EntriesError,
    decode_entries,
    encode_entries,
)
from ledger.chain.link import DIGEST_BYTES, event_hash
from ledger.chain.merkle import CompactRange
from ledger.chain.note import NoteError
from ledger.chain.tiles import (
    TILE_WIDTH,
    RightEdge,
    Tile,
    TileError,
    entries_path,
    tile_path,
    tiles_of,
    tree_at,
)
from ledger.reading import NOTE_BYTES_MAX, fault, read_plain

CHECKPOINT: Final = "checkpoint"
_TILE_BYTES: Final = TILE_WIDTH * DIGEST_BYTES

Headers = Callable[[int, int], Iterable[bytes]]
"""Gives the canonical headers after a position, up to another one, in order."""


class PublishError(ValueError):
    """A folder or a ledger that does not go with the checkpoint; the text says what and where."""


@dataclass(frozen=True, slots=True)
class PublicationResult:
    """The part that a run has published, after the part that was there before."""

    folder: str
    origin: str
    size: int
    previous_size: int
    tiles: int
    entries: int


class TileFolder:
    """A folder of static tiles, read and written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tiles = self._entries = 0  # files that the run has written

    def checkpoint(self) -> tuple[CheckpointBody, bytes] | None:
        """Return what was published last, unverified, and its note; None before the first."""
        try:
            note = read_plain(self._folder / CHECKPOINT, NOTE_BYTES_MAX)
        except FileNotFoundError:
            return None
        try:
            return claim_of(note), note
        except NoteError as error:
            raise PublishError(
                f"{self._folder / CHECKPOINT} is not a checkpoint: {error}"
            ) from error

    def publish(
        self, note: bytes, headers: Headers, advance: Callable[[int], None] = lambda _: None
    ) -> PublicationResult:
        """Publish a verified checkpoint with all that it covers; `advance` is told how far it is.

        PublishError if it does not extend what was published, or the headers are not what it
        signs; then nothing of what is served has changed.
        """
        with self._alone():
            return self._publish(note, headers, advance)

    def _publish(
        self, note: bytes, headers: Headers, advance: Callable[[int], None]
    ) -> PublicationResult:
        claim = claim_of(note)
        before = self.checkpoint()
        old = before[0] if before else None
        if old is not None and (old.origin != claim.origin or old.size > claim.size):
            raise PublishError(
                f"{self._folder} holds {old.size} events of {old.origin}; a checkpoint over "
                f"{claim.size} events of {claim.origin} does not extend it"
            )
        edge = self._edge(old)
        self._tiles = self._entries = 0
        if edge.size < claim.size:
            try:
                self._extend(edge, claim.size, headers, advance)
                self._check(edge, claim)
            except PublishError:
                self._remove_beyond(old.size if old else 0, claim.size)
                raise
            self._write_edge(edge)
        else:
            self._check(edge, claim)
        if before is None or before[1] != note:
            os.sync()  # a reader of the checkpoint finds its tiles, even after a loss of power
            self._write(CHECKPOINT, note)
        if old is not None:
            self._remove_outgrown(old.size, claim.size)
        return PublicationResult(
            str(self._folder),
            claim.origin,
            claim.size,
            old.size if old else 0,
            self._tiles,
            self._entries,
        )

    # ---- the edge --------------------------------------------------------------------------------

    def _edge(self, old: CheckpointBody | None) -> RightEdge:
        """Return the right edge of what was published, read back and held against its root."""
        if old is None:
            return RightEdge(CompactRange(), [])
        try:
            read = self._tiles_at(old.size)
            edge = RightEdge.load(tree_at(old.size, read), read)
        except (TileError, ValueError) as error:
            raise PublishError(f"the tiles in {self._folder} are damaged: {error}") from error
        self._check(edge, old)
        return edge

    def _tiles_at(self, size: int) -> Callable[[Sequence[tuple[int, int]]], list[bytes]]:
        """Return what reads tiles as they were published for a size, or as they are full now."""

        def read(wanted: Sequence[tuple[int, int]]) -> list[bytes]:
            return [self._tile(level, index, size) for level, index in wanted]

        return read

    def _tile(self, level: int, index: int, size: int) -> bytes:
        width = min(TILE_WIDTH, (size >> 8 * level) - index * TILE_WIDTH)
        for path in (tile_path(Tile(level, index, width)), tile_path(Tile(level, index))):
            try:
                return read_plain(self._folder / path, _TILE_BYTES)
            except FileNotFoundError:
                continue
        raise PublishError(f"{self._folder / path} is missing")

    def _check(self, edge: RightEdge, claim: CheckpointBody) -> None:
        if edge.root() != claim.root:
            raise PublishError(
                f"the tree of {edge.size} events does not have the root that was signed: what is "
                "in the folder or what came is not what the checkpoint covers"
            )

    # ---- growing ---------------------------------------------------------------------------------

    def _extend(
        self, edge: RightEdge, size: int, headers: Headers, advance: Callable[[int], None]
    ) -> None:
        """Grow the tree to a size, and write every tile and bundle that becomes full."""
        for entries in self._kept(edge.size, size):
            self._add(edge, entries)
            advance(edge.size)
        unfinished = self._unfinished(edge.size)
        coming = iter(headers(edge.size, size))
        while edge.size < size:
            room = min(TILE_WIDTH - edge.size % TILE_WIDTH, size - edge.size)
            new = list(islice(coming, room))
            if len(new) != room:
                raise PublishError(f"the ledger ends at position {edge.size + len(new)}")
            self._add(edge, [*unfinished, *new], known=len(unfinished))
            unfinished = []
            advance(edge.size)

    def _add(self, edge: RightEdge, entries: list[bytes], known: int = 0) -> None:
        """Add the entries of one tile, of which the first are in the tree already."""
        index = edge.size // TILE_WIDTH
        changed = edge.extend(event_hash(header) for header in entries[known:])
        for (level, place), hashes in changed.items():
            if len(hashes) == _TILE_BYTES:
                self._tiles += self._write(tile_path(Tile(level, place)), hashes)
        self._entries += self._write(entries_path(index, len(entries)), encode_entries(entries))

    def _kept(self, start: int, size: int) -> Iterator[list[bytes]]:
        """Yield the bundles that an interrupted run has left, as long as they and tiles agree."""
        while start % TILE_WIDTH == 0 and start + TILE_WIDTH <= size:
            index = start // TILE_WIDTH
            try:
                path = self._folder / entries_path(index)
                entries = decode_entries(read_plain(path, ENTRIES_BYTES_MAX))
                hashes = read_plain(self._folder / tile_path(Tile(0, index)), _TILE_BYTES)
            except (FileNotFoundError, EntriesError):
                return
            if b"".join(map(event_hash, entries)) != hashes:
                return
            yield entries
            start += TILE_WIDTH

    def _unfinished(self, size: int) -> list[bytes]:
        """Return the entries of the unfinished tile at a size that was published or is full."""
        width = size % TILE_WIDTH
        if not width:
            return []
        path = self._folder / entries_path(size // TILE_WIDTH, width)
        try:
            entries = decode_entries(read_plain(path, ENTRIES_BYTES_MAX))
            hashes = self._tile(0, size // TILE_WIDTH, size)
        except (OSError, EntriesError) as error:
            raise PublishError(f"{path} cannot be read: {fault(error)}") from error
        if b"".join(map(event_hash, entries)) != hashes[: width * DIGEST_BYTES]:
            raise PublishError(f"{path} does not hold the entries of its tile")
        return entries

    def _write_edge(self, edge: RightEdge) -> None:
        """Write the unfinished tile of each level."""
        for level, hashes in enumerate(edge.partial):
            if hashes:
                index = (edge.size >> 8 * level) // TILE_WIDTH
                tile = Tile(level, index, len(hashes) // DIGEST_BYTES)
                self._tiles += self._write(tile_path(tile), hashes)

    # ---- files -----------------------------------------------------------------------------------

    def _write(self, path: str, data: bytes) -> int:
        """Write a file as a whole; return 1, or 0 if it is there already just so."""
        target = self._folder / path
        if target.is_file() and target.stat().st_size == len(data) and target.read_bytes() == data:
            return 0
        target.parent.mkdir(parents=True, exist_ok=True)
        new = target.with_name(f"{target.name}.new")
        with new.open("wb") as file:
            file.write(data)
            if path == CHECKPOINT:
                file.flush()
                os.fsync(file.fileno())
        new.replace(target)
        return 1

    def _remove_beyond(self, old_size: int, size: int) -> None:
        """Remove what a run has written that failed: nothing that was published needs it."""
        published = set(tiles_of(old_size))
        for tile in set(tiles_of(size)) - published:
            (self._folder / tile_path(tile)).unlink(missing_ok=True)
            if tile.level == 0:
                path = entries_path(tile.index, tile.width)
                (self._folder / path).unlink(missing_ok=True)

    def _remove_outgrown(self, old_size: int, size: int) -> None:
        """Remove partial tiles that are full by now: readers of older checkpoints take those."""
        level = 0
        while old_size >> 8 * level:
            index = (old_size >> 8 * level) // TILE_WIDTH
            if (size >> 8 * level) // TILE_WIDTH > index:
                paths = [tile_path(Tile(level, index, 1))]
                paths += [entries_path(index, 1)] if level == 0 else []
                for path in paths:
                    folder = (self._folder / path).parent
                    for file in folder.glob("*") if folder.is_dir() else ():
                        file.unlink()
                    if folder.is_dir():
                        folder.rmdir()
            level += 1

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other runs out of the folder, by a file beside it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(f"{self._folder}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise PublishError(f"another run is publishing into {self._folder}") from error
        finally:
            os.close(lock)
