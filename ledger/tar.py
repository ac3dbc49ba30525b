"""A tar archive to read: where each file of a bundle lies in it.

The standard library's reader believes what a header says and differs between releases. Here every
byte that is not a file's own has one meaning or is refused: a size counts only if the archive has
that many bytes, and an extended header may say only what is listed below. Mode, owner and times
say nothing of a bundle and are not read.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Final

BLOCK: Final = 512
ENTRIES_MAX: Final = 100
"""A bundle has 12 files; a folder and an extended header may be beside each."""
EXTENDED_BYTES_MAX: Final = 1 << 20
ZEROS_MAX: Final = 1 << 20
"""Behind the last file. Tars end in some 10,000."""

_READ: Final = 1 << 20
_FIELDS: Final = struct.Struct("100s24x12s12x8s1s100s8s80x155s12s")
"""Name, size, checksum, type, link, form, prefix and rest of a header; the others are not read."""
_POSIX, _GNU = b"ustar\x0000", b"ustar  \0"
_FILE, _OLD_FILE, _FOLDER, _EXTENDED = b"0", b"\0", b"5", b"x"
_OCTAL: Final = re.compile(rb"([0-7]{11})[\0 ]")
_BINARY: Final = 0x80
_BEYOND_OCTAL: Final = 8**11
"""From here on GNU tar writes a size in binary, behind that byte."""
_NAME: Final = re.compile(rb"([^\0]*)\0*")
_RECORD: Final = re.compile(rb"([1-9][0-9]{0,6}) ([^=\n]+)=")
_PATH: Final = b"path"
_HARMLESS: Final = re.compile(
    rb"[acm]time|[ug]id|[ug]name|comment|RHT\.security\.selinux"
    rb"|LIBARCHIVE\.(?:creationtime|xattr\..+)|SCHILY\.(?:dev|ino|nlink|fflags|(?:xattr|acl)\..+)"
)
"""Of an extended header: what says nothing of a file's name, size, kind and content."""


class ArchiveError(ValueError):
    """An archive that holds anything but a folder of plain files; the text says where."""


class ArchiveFormError(ArchiveError):
    """An archive in a form that is not read here; what it holds may be right all the same."""

    def __init__(self, at: int, why: str) -> None:
        super().__init__(f"byte {at}: {why}")


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: where its bytes stand."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """The fields of a header. Its name is bytes: only that of a file or folder has to be text."""

    name: bytes
    kind: bytes
    member: Member


def members(path: Path) -> dict[str, Member]:
    """Return the files of an archive by their path below its one folder, if it has one.

    Nothing of a file is read. ArchiveError where any byte beside them is not what it should be.
    """
    with path.open("rb") as file:
        return _below_top(list(_named(file)))


def _named(file: BufferedReader) -> Iterator[tuple[str, _Entry]]:
    """Yield the files and folders, each under the name that counts."""
    said: dict[bytes, bytes] | None = None
    for entry in _entries(file):
        start, size = entry.member.start, entry.member.size
        if entry.kind != _EXTENDED:
            yield _plain(entry.name if said is None else said.get(_PATH, entry.name), entry), entry
            said = None
        elif said is not None or size > EXTENDED_BYTES_MAX:
            why = "a file has one extended header, of a megabyte at most"
            raise ArchiveFormError(start, why)
        else:
            file.seek(start)
            said = _records(file.read(size), start)
    if said is not None:
        raise ArchiveError("an extended header comes last, and there is no file that it is of")


def _entries(file: BufferedReader) -> Iterator[_Entry]:
    """Yield what each header says; all padding is zeros, and so is all behind the last file."""
    size = file.seek(0, 2)
    at = number = 0
    while True:
        file.seek(at)
        block = file.read(BLOCK)
        if not any(block):
            break
        number += 1
        if number > ENTRIES_MAX:
            raise ArchiveError(f"it has more than {ENTRIES_MAX} entries, which no bundle has")
        entry = _entry(block, at)
        at = entry.member.start + entry.member.size
        if at > size:
            raise ArchiveError(f"byte {entry.member.start}: the archive ends within this file")
        yield entry
        _check_zero(file, at, -at % BLOCK)
        at += -at % BLOCK
    if not 2 * BLOCK <= size - at <= ZEROS_MAX:
        raise ArchiveError(
            "the archive does not end as it should: it may be cut short or drawn out"
        )
    _check_zero(file, at, size - at)


def _entry(block: bytes, at: int) -> _Entry:
    """Return what a header says; ArchiveError unless each field that is read has its one form."""
    if len(block) < BLOCK:
        raise ArchiveError("the archive does not end as it should: it may be cut short")
    name, size_text, checksum, kind, link, form, prefix, rest = _FIELDS.unpack(block)
    # Its own eight bytes count as spaces.
    if checksum != b"%06o\0 " % (sum(block) - sum(checksum) + 8 * ord(" ")):
        why = "this is no header of a tar archive; a compressed one has to be unpacked first"
        raise ArchiveError(f"byte {at}: {why}")
    if kind not in (_FILE, _OLD_FILE, _FOLDER, _EXTENDED):
        raise ArchiveFormError(at, f"an entry of type {kind!r} is no plain file")
    size = _size(size_text, at)
    parts = [_NAME.fullmatch(part) for part in (prefix, name)]
    is_form = form == _POSIX or (form == _GNU and not any(prefix))
    if not is_form or None in parts or any(link) or any(rest) or (kind == _FOLDER and size):
        raise ArchiveFormError(at, "the header is not in a form that is read here")
    named = b"/".join(part[1] for part in parts if part and part[1])
    return _Entry(named, kind, Member(at + BLOCK, size))


def _size(text: bytes, at: int) -> int:
    octal = _OCTAL.fullmatch(text)
    if octal is not None:
        return int(octal[1], 8)
    if text[0] < _BINARY:
        raise ArchiveFormError(at, "the size in the header is not written in octal digits")
    size = int.from_bytes(text[1:], "big")
    if text[0] != _BINARY or size < _BEYOND_OCTAL:
        raise ArchiveError(
            f"byte {at}: the size in the header is below zero, or written to mislead"
        )
    return size


def _records(records: bytes, start: int) -> dict[bytes, bytes]:
    """Return what an extended header says; ArchiveFormError for more than is harmless."""
    said: dict[bytes, bytes] = {}
    at = 0
    while at < len(records):
        match = _RECORD.match(records, at)
        end = at + int(match[1]) if match else 0
        if match is None or not match.end() < end <= len(records) or records[end - 1] != ord("\n"):
            raise ArchiveFormError(start + at, "the extended header is no list of records")
        key = match[2]
        if key in said or (key != _PATH and not _HARMLESS.fullmatch(key)):
            why = f"the extended header says {key.decode(errors='replace')[:100]!r}"
            raise ArchiveFormError(start + at, why)
        said[key] = records[match.end() : end - 1]
        at = end
    return said


def _plain(raw: bytes, entry: _Entry) -> str:
    """Return a name without the `./` that says nothing; ArchiveError for one that leads away."""
    at = entry.member.start - BLOCK
    try:
        name = raw.decode()
    except UnicodeDecodeError as error:
        raise ArchiveFormError(at, "a name is not UTF-8") from error
    if entry.kind == _FOLDER:
        name = name.removesuffix("/")
    if name == "." and entry.kind == _FOLDER:
        return name
    name = name.removeprefix("./")
    if {"", ".", ".."} & set(name.split("/")) or "\0" in name:
        raise ArchiveError(f"byte {at}: {name[:160]!r} is no place in a folder")
    return name


def _check_zero(file: BufferedReader, start: int, count: int) -> None:
    file.seek(start)
    while count:
        data = file.read(min(count, _READ))
        if not data or any(data):
            raise ArchiveError(f"from byte {start} on: there is more than the files and zeros")
        count -= len(data)


def _below_top(entries: list[tuple[str, _Entry]]) -> dict[str, Member]:
    """Return the files without the folder that holds them all, if there is one."""
    tops = {name.partition("/")[0] for name, _ in entries} - {"."}
    prefix = f"{min(tops)}/" if len(tops) == 1 else ""
    folders = {".", prefix.rstrip("/"), f"{prefix}data"}
    found: dict[str, Member] = {}
    for name, entry in entries:
        path = name.removeprefix(prefix)
        if entry.kind != _FOLDER and path not in found:
            found[path] = entry.member
        elif entry.kind != _FOLDER or name not in folders:
            raise ArchiveError(f"{name[:160]!r} is not a plain file that belongs there")
    return found


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
