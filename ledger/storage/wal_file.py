"""What SQLite's files say before SQLite reads them: a database's header, its log, the log's index.

A log says which file it goes with: `statement` is a number over the header that the file had when
the log began, and over the log's own salts; the server writes it into the file's header, field
`application_id`, by the first transactions of every log. So a copy that was put beside a log of
another file is told from the file that a crash left, although pages may have moved from the log
into the file already. Formats: https://www.sqlite.org/fileformat2.html and walformat.html.
"""

import hashlib
import os
import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

HEADER_BYTES: Final = 100
MAGIC: Final = b"SQLite format 3\x00"

_APPLICATION_ID: Final = 68  # where it is in the header
_TAG_BITS: Final = 12
_LOG_HEADER: Final = 32
_FRAME_HEADER: Final = 24
_MAGICS: Final = {0x377F0682: "little", 0x377F0683: "big"}  # log magic → order of its checksums
_PAGE_SIZES: Final = {1 << power for power in range(9, 17)}
_WORD: Final = 0xFFFFFFFF
_INDEX_HEADER: Final = 48
_INDEX_VERSION: Final = 3_007_000


class WalIndex(NamedTuple):
    """The index of a log: so many frames were committed, so many moved into the file."""

    salts: bytes
    frames: int
    moved: int


def application_id(header: bytes) -> int:
    """Return the number in a database's header in which logs state their file."""
    (found,) = struct.unpack_from(">i", header, _APPLICATION_ID)
    return int(found)


def statement(header: bytes, salts: bytes) -> int:
    """Return the number by which the log with these salts states that it began on this file.

    20 bits tell the file, 12 that it is a statement and of this log: files carry old ones along.
    """
    file = hashlib.sha256(header + salts).digest()[:4]
    (number,) = struct.unpack(">i", _tagged(file, salts))
    return int(number)


def _is_statement(number: int, salts: bytes) -> bool:
    """Return whether a number was written by the log with these salts."""
    written = struct.pack(">i", number)
    return written == _tagged(written, salts)


def _tagged(number: bytes, salts: bytes) -> bytes:
    file = int.from_bytes(number, "big") >> _TAG_BITS
    tag = hashlib.sha256(salts + file.to_bytes(4, "big")).digest()[:4]
    mask = (1 << _TAG_BITS) - 1
    return (file << _TAG_BITS | int.from_bytes(tag, "big") & mask).to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class WalFile:
    """A log that is open for reading. SQLite does not lock it, so it may be opened and closed."""

    descriptor: int

    def salts(self) -> bytes:
        """Return what tells this log from the one before; empty if it has not begun."""
        header = os.pread(self.descriptor, _LOG_HEADER, 0)
        return header[16:24] if _is_whole(header) else b""

    def frames(self) -> int:
        """Return how many frames there is room for in the file, written or not."""
        header = os.pread(self.descriptor, _LOG_HEADER, 0)
        if not _is_whole(header):
            return 0
        size = os.fstat(self.descriptor).st_size
        return (size - _LOG_HEADER) // (_FRAME_HEADER + _page_bytes(header))

    def goes_with(self, header: bytes) -> bool:
        """Return whether a file with this header may be the one that the log was written for.

        True also for a log that states nothing: one of an older release, or one so young that
        nothing in it was acknowledged.
        """
        if self._is_met(header, self._first_pages()):
            return True
        # A torn end must not accuse the file: look again, at what SQLite would apply and no more.
        return self._is_met(header, self._committed_first_pages())

    def _is_met(self, header: bytes, first_pages: Iterator[bytes]) -> bool:
        salts = self.salts()
        stated = statement(header, salts)
        numbers: set[int] = set()
        for found in first_pages:
            if found == header:  # moved into the file already
                return True
            numbers.add(application_id(found))
            if stated in numbers:
                return True
        says_nothing = not any(_is_statement(number, salts) for number in numbers)
        return says_nothing and numbers <= {application_id(header)}

    def _first_pages(self) -> Iterator[bytes]:
        """Yield the database header in each frame that has one, as far as frames are this log's."""
        log = os.pread(self.descriptor, _LOG_HEADER, 0)
        if not _is_whole(log):
            return
        step = _FRAME_HEADER + _page_bytes(log)
        for number in range(self.frames()):
            at = _LOG_HEADER + number * step
            frame = os.pread(self.descriptor, _FRAME_HEADER, at)
            if frame[8:16] != log[16:24]:
                return
            if frame[:4] == b"\x00\x00\x00\x01":
                yield os.pread(self.descriptor, HEADER_BYTES, at + _FRAME_HEADER)

    def _committed_first_pages(self) -> Iterator[bytes]:
        """Yield the same of those transactions that are whole; reads and sums up everything."""
        log = os.pread(self.descriptor, _LOG_HEADER, 0)
        if not _is_whole(log):
            return
        order = _MAGICS[struct.unpack_from(">I", log)[0]]
        page_bytes, found = _page_bytes(log), []
        sums = _summed(log[:24], order, (0, 0))
        for number in range(self.frames()):
            at = _LOG_HEADER + number * (_FRAME_HEADER + page_bytes)
            frame = os.pread(self.descriptor, _FRAME_HEADER, at)
            page = os.pread(self.descriptor, page_bytes, at + _FRAME_HEADER)
            sums = _summed(frame[:8] + page, order, sums)
            if frame[8:16] != log[16:24] or frame[16:24] != struct.pack(">II", *sums):
                return
            if frame[:4] == b"\x00\x00\x00\x01":
                found.append(page[:HEADER_BYTES])
            if frame[4:8] != bytes(4):  # it commits
                yield from found
                found = []


def read_claim(index: Path) -> WalIndex | None:
    """Return what a log's index says, None where there is none or it is not whole.

    Not while a connection of this process is open: closing the file would drop its locks.
    """
    try:
        data = index.read_bytes()[: 2 * _INDEX_HEADER + 4]
    except OSError:
        return None
    return parse_claim(data)


def parse_claim(data: bytes) -> WalIndex | None:
    """Return what the first bytes of an index say. Its numbers are written as this machine does."""
    if len(data) < 2 * _INDEX_HEADER + 4 or data[:_INDEX_HEADER] != data[_INDEX_HEADER:-4]:
        return None
    version, *_ = struct.unpack_from("=I", data)
    sums = _summed(data[:40], sys.byteorder, (0, 0))
    if version != _INDEX_VERSION or sums != struct.unpack_from("=II", data, 40):
        return None
    (frames,) = struct.unpack_from("=I", data, 16)
    (moved,) = struct.unpack_from("=I", data, 2 * _INDEX_HEADER)
    return WalIndex(data[32:40], frames, moved)


def _page_bytes(log_header: bytes) -> int:
    return int.from_bytes(log_header[8:12], "big")


def _is_whole(log_header: bytes) -> bool:
    """Return whether SQLite would go by this header."""
    if len(log_header) < _LOG_HEADER:
        return False
    order = _MAGICS.get(int.from_bytes(log_header[:4], "big"))
    if order is None or _page_bytes(log_header) not in _PAGE_SIZES:
        return False
    return struct.pack(">II", *_summed(log_header[:24], order, (0, 0))) == log_header[24:32]


def _summed(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    """Carry SQLite's running checksum on over more data."""
    words = array("I", data)
    if order != sys.byteorder:
        words.byteswap()
    first, second = sums
    pairs = iter(words)
    for word in pairs:
        first = (first + word + second) & _WORD
        second = (second + next(pairs) + first) & _WORD
    return first, second
