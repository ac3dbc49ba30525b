"""A bundle as one tar archive, without writing it: any piece of it, from any byte on.

The same folder always gives the same bytes: fixed order, times, owners and modes. An archive
by another tar is read too, as long as it holds plain files.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Final

from ledger.export.bag import (
    DECLARATION_FILE,
    INFO_FILE,
    MANIFEST_FILE,
    PAYLOAD,
    TAG_MANIFEST_FILE,
)

BLOCK: Final = tarfile.BLOCKSIZE
_RECORD: Final = tarfile.RECORDSIZE
_FIRST: Final = (DECLARATION_FILE, INFO_FILE, MANIFEST_FILE, TAG_MANIFEST_FILE)
_FORMATS: Final = (tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT)
_READ: Final = 1 << 20


class ArchiveError(ValueError):
    """A tar archive that holds anything but a folder of plain files; the text says where."""


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


# ---- reading -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: where its bytes stand."""

    start: int
    size: int


def members(path: Path) -> dict[str, Member]:
    """Return the files of an archive by their path below its one folder, if it has one.

    Every byte that is not a file's own is checked: headers are what a tar program would write for
    what they say, all padding is zero, and nothing follows the end.
    """
    entries: list[tuple[tarfile.TarInfo, Member]] = []
    with path.open("rb") as file:
        size = file.seek(0, 2)
        at = 0
        while at < size:
            file.seek(at)
            block = file.read(BLOCK)
            if not any(block):
                break
            entry = _entry(block, at)
            at += BLOCK
            length = entry.size if entry.isreg() else 0
            if at + length > size:
                raise ArchiveError(f"the archive ends within {entry.name[:160]!r}")
            entries.append((entry, Member(at, length)))
            at += length
            _check_zero(file, at, -at % BLOCK)
            at += -at % BLOCK
        if size - at < 2 * BLOCK:
            raise ArchiveError("the archive does not end as it should: it may be cut short")
        _check_zero(file, at, size - at)
    return _below_top(entries)


def _entry(block: bytes, at: int) -> tarfile.TarInfo:
    try:
        entry = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        is_plain = any(entry.tobuf(form, "utf-8", "strict") == block for form in _FORMATS)
    except (tarfile.HeaderError, ValueError) as error:
        raise ArchiveError(f"byte {at}: this is not a header of a tar archive: {error}") from error
    if not is_plain:
        raise ArchiveError(f"byte {at}: the header is not in a form that tar writes; unpack it")
    return entry


def _check_zero(file: BufferedReader, start: int, count: int) -> None:
    file.seek(start)
    while count:
        data = file.read(min(count, _READ))
        if not data or any(data):
            raise ArchiveError(f"from byte {start} on: there is more than the files and zeros")
        count -= len(data)


def _below_top(entries: list[tuple[tarfile.TarInfo, Member]]) -> dict[str, Member]:
    """Return the files without the folder that holds them all, if there is one."""
    tops = {_plain(entry).partition("/")[0] for entry, _ in entries} - {"."}
    prefix = f"{min(tops)}/" if len(tops) == 1 else ""
    found: dict[str, Member] = {}
    for entry, member in entries:
        name = _plain(entry).removeprefix(prefix)
        if entry.isreg() and name not in found:
            found[name] = member
        elif not entry.isdir() or name not in {".", prefix[:-1], PAYLOAD[:-1]}:
            raise ArchiveError(f"{entry.name[:160]!r} is not a plain file that belongs there")
    return found


def _plain(entry: tarfile.TarInfo) -> str:
    return entry.name.removeprefix("./")


class MemberFile(RawIOBase):
    """One file of an archive, to read."""

    def __init__(self, path: Path, member: Member) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._file.seek(member.start)
        self._left = member.size

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Read into a buffer, up to the end of the member."""
        data = self._file.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)

    def close(self) -> None:
        """Close the archive's file too."""
        self._file.close()
        super().close()
