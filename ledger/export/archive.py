"""A bundle as one tar archive, without writing it: any piece of it, from any byte on.

The same folder always gives the same bytes: fixed order, times, owners and modes. `tar.py` reads
it, and what other programs write.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.export.bag import (
    DECLARATION_FILE,
    INFO_FILE,
    MANIFEST_FILE,
    PAYLOAD,
    TAG_MANIFEST_FILE,
)
from ledger.tar import ArchiveError

BLOCK: Final = tarfile.BLOCKSIZE
_RECORD: Final = tarfile.RECORDSIZE
_FIRST: Final = (DECLARATION_FILE, INFO_FILE, MANIFEST_FILE, TAG_MANIFEST_FILE)
_READ: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes of the archive: given, or those of a file."""

    start: int
    size: int
    content: bytes | Path


class Archive:
    """The archive of a finished bundle's folder."""

    def __init__(self, folder: Path, name: str) -> None:
        """Lay out the files of the folder below the folder `name`."""
        self._pieces: list[_Piece] = []
        self.size = 0
        for path in archived_files(folder):
            size = (folder / path).stat().st_size
            self._add(_header(f"{name}/{path}", size))
            self._add(folder / path, size)
            self._add(bytes(-size % BLOCK))
        self._add(bytes(2 * BLOCK))
        self._add(bytes(-self.size % _RECORD))

    def _add(self, content: bytes | Path, size: int | None = None) -> None:
        length = len(content) if isinstance(content, bytes) else size or 0
        if length:
            self._pieces.append(_Piece(self.size, length, content))
            self.size += length

    def read(self, offset: int, chunk: int = _READ) -> Iterator[bytes]:
        """Yield the archive from a byte on, at most `chunk` bytes at a time."""
        for piece in self._pieces:
            skip = max(offset - piece.start, 0)
            if skip >= piece.size:
                continue
            if isinstance(piece.content, bytes):
                yield piece.content[skip:]
                continue
            with piece.content.open("rb") as file:
                file.seek(skip)
                left = piece.size - skip
                while left:
                    data = file.read(min(chunk, left))
                    if not data:
                        raise ArchiveError(f"{piece.content.name} has become shorter")
                    left -= len(data)
                    yield data


def archived_files(folder: Path) -> list[str]:
    """Return the paths of a bundle's files in the order of the archive: tag files first."""
    payload = sorted(f"{PAYLOAD}{path.name}" for path in (folder / PAYLOAD).iterdir())
    return [*_FIRST, *payload]


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o644
    return entry.tobuf(tarfile.GNU_FORMAT)
