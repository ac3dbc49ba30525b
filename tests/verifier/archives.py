"""Tars of a bundle in the forms that programs write, and headers changed with their checksum."""

import re
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

BLOCK = 512
CHECKSUM = slice(148, 156)
SIZE = re.compile(rb"[0-7]{11}")


def tarred(
    place: Path,
    folder: Path,
    *,
    top: str = "",
    form: int = tarfile.GNU_FORMAT,
    mtime: float = 0,
    folders: Sequence[str] = (),
    files: Sequence[str] = (),
    said: dict[str, str] | None = None,
) -> Path:
    """Write a tar of a bundle's files below `top`, then empty entries of these names and types.

    `said` goes into the extended header of the first file.
    """
    with tarfile.open(place, "w", format=form) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            item = archive.gettarinfo(path)
            item.name = f"{top}{path.relative_to(folder).as_posix()}"  # also one that begins at /
            item.mtime = mtime
            item.pax_headers, said = said or {}, None
            with path.open("rb") as file:
                archive.addfile(item, file)
        for name in folders:
            item = tarfile.TarInfo(name)
            item.type = tarfile.DIRTYPE
            archive.addfile(item)
        for name in files:
            archive.addfile(tarfile.TarInfo(name))
    return place


def headers(content: bytes | bytearray) -> list[int]:
    """Return where the headers of a tar stand, up to one that states no size."""
    found, at = [], 0
    while SIZE.fullmatch(content[at + 124 : at + 135]):
        found.append(at)
        at += BLOCK + -(-int(content[at + 124 : at + 135], 8) // BLOCK) * BLOCK
    return found


def summed(content: bytearray, at: int) -> None:
    """Write the checksum that belongs to the header at a place."""
    header = content[at : at + BLOCK]
    header[CHECKSUM] = b" " * 8
    content[at : at + BLOCK] = header
    content[at + CHECKSUM.start : at + CHECKSUM.stop] = b"%06o\0 " % sum(header)


def edited(start: int, text: bytes, which: int = 0) -> Callable[[Path], None]:
    """Return what writes bytes into a header, with the checksum that belongs to it."""

    def change(place: Path) -> None:
        content = bytearray(place.read_bytes())
        at = headers(content)[which]
        content[at + start : at + start + len(text)] = text
        summed(content, at)
        place.write_bytes(content)

    return change


def ended(zeros: int, more: bytes = b"") -> Callable[[Path], None]:
    """Return what makes a tar end in so many zeros and something else."""

    def change(place: Path) -> None:
        content = place.read_bytes()
        at = headers(content)[-1]
        size = int(content[at + 124 : at + 135], 8)
        end = at + BLOCK + -(-size // BLOCK) * BLOCK
        place.write_bytes(content[:end] + bytes(zeros) + more)

    return change
