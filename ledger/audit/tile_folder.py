"""A folder of static tiles as a source: headers, tiles and a checkpoint, as mirrors serve them."""

import hashlib
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from ledger.audit.source import (
    HEADER,
    HashPassResult,
    Opener,
    Row,
    SourceKind,
    SourceReport,
    UnreadableError,
    Withheld,
    checked_origin,
    row_of,
)
from ledger.chain.checkpoint import claim_of
from ledger.chain.entries import ENTRIES_BYTES_MAX, EntriesError, decode_entries
from ledger.chain.tiles import TILE_BYTES, TILE_WIDTH, Tile, entries_path, tile_path
from ledger.errors import LedgerError, Reason
from ledger.events.inert import inert
from ledger.reading import NOTE_BYTES_MAX, read_plain

_ENTRY: Final = re.compile(HEADER)


class TileFolderSource:
    """One log in a folder. Bodies are not published, so rules about them cannot be applied."""

    kind: SourceKind = "tiles"
    has_bodies = False
    withheld: tuple[Withheld, ...] = ()

    def __init__(self, folder: Path) -> None:
        """Read the checkpoint; STORE_UNAVAILABLE where there is none."""
        self._folder = folder
        try:
            self._note = read_plain(folder / "checkpoint", NOTE_BYTES_MAX).decode("utf-8")
            claimed = claim_of(self._note.encode())
            self.origin, self.size = checked_origin(claimed.origin), claimed.size
        except (OSError, ValueError) as error:
            raise LedgerError(
                Reason.STORE_UNAVAILABLE,
                f"{folder} holds no checkpoint of a log: {inert(str(error))}.",
                remedy="Name the folder that `log publish` wrote.",
            ) from error

    @property
    def opener(self) -> Opener | None:
        """Open the same folder in another process."""
        return partial(TileFolderSource, self._folder)

    def rows(self, after: int, until: int) -> Iterator[Row]:
        """Yield the entries' headers; the bundle that holds a position is read as a whole."""
        position = after
        while position < until:
            number, skipped = divmod(position, TILE_WIDTH)
            width = min(TILE_WIDTH, self.size - number * TILE_WIDTH)
            path = entries_path(number, width)
            try:
                entries = decode_entries(read_plain(self._folder / path, ENTRIES_BYTES_MAX))
            except OSError as error:
                raise UnreadableError(position + 1, f"{path}: {error.strerror}") from error
            except EntriesError as error:
                raise UnreadableError(position + 1, f"{path}: {error}") from error
            if len(entries) != width:
                what = f"{path} holds {len(entries)} entries instead of {width}"
                raise UnreadableError(position + 1, what)
            for entry in entries[skipped : until - number * TILE_WIDTH]:
                position += 1
                yield self._row(entry, position, path)

    def _row(self, entry: bytes, position: int, path: str) -> Row:
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise UnreadableError(position, f"{path} holds an entry that is not a canonical header")
        hash_ = hashlib.sha256(b"\x00" + entry).digest()
        try:
            return row_of(match, self.origin, None, None, hash_)
        except ValueError as error:
            raise UnreadableError(position, f"{path}: {error}") from error

    def sizes(self, after: int, until: int) -> list[int]:
        """Return the size of the one checkpoint."""
        return [self.size] if after < self.size <= until else []

    def notes(self, after: int) -> Iterator[tuple[int, str]]:
        """Yield the one checkpoint."""
        if self.size > after:
            yield self.size, self._note

    def tiles(self, level: int, first: int, last: int) -> dict[int, bytes] | None:
        """Return the published tiles."""
        count = self.size >> 8 * level
        found: dict[int, bytes] = {}
        for number in range(first, last + 1):
            width = min(TILE_WIDTH, count - number * TILE_WIDTH)
            if width < 1:
                continue
            try:
                path = self._folder / tile_path(Tile(level, number, width))
                found[number] = read_plain(path, TILE_BYTES)
            except OSError:
                continue  # its absence, or what is there instead, is the finding
        return found

    def erased_later(self) -> list[tuple[int, int]]:
        """Return nothing: there are no bodies."""
        return []

    def examine(self, hashed: HashPassResult) -> SourceReport:  # noqa: ARG002 - nothing else is kept
        """Return nothing: there is nothing beside the events."""
        return SourceReport()

    def close(self) -> None:
        """Do nothing: files are opened as they are read."""
