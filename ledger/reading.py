"""Reading files that others wrote: bounded before they are read, and never a crash of the parser.

A file that is too large, or no plain file, is refused as one that cannot be read: an OSError whose
text says so.
"""

import errno
import json
import os
import stat
import tomllib
from bisect import bisect_left
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, NamedTuple

NOTE_BYTES_MAX: Final = 1024 * 1024  # a checkpoint, a proof, a witness policy, a key, a config
RECEIPT_BYTES_MAX: Final = 16 * 1024 * 1024  # an event with its body, and proofs of it
STATE_BYTES_MAX: Final = 64 * 1024 * 1024  # what clients and auditors remember of many ledgers


def open_plain(path: Path) -> BinaryIO:
    """Open a file to read; OSError, too, where it is anything but a plain file.

    A pipe is refused before it can hold a reader up, and a device before it is asked for bytes.
    """
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "it is not a plain file", str(path))
    return os.fdopen(file, "rb")


def read_plain(path: Path, most: int) -> bytes:
    """Return what a plain file holds; OSError, too, where that is more than `most` bytes."""
    with open_plain(path) as source:
        return read_from(source, most, str(path))


def read_from(source: IO[bytes], most: int, name: str) -> bytes:
    """Return what is left of an open file, as `read_plain` does."""
    try:
        size = os.fstat(source.fileno()).st_size
    except OSError:  # no file below it, as in tests
        size = 0
    data = b"" if size > most else source.read(most + 1)
    if size > most or len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", name)
    return data


class Stamp(NamedTuple):
    """The marks of a file that change with its content: place on the disk, size, time."""

    device: int
    number: int
    size: int
    changed_at: int


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def read_text(path: Path, most: int) -> str:
    """Return the UTF-8 text in a file, as `read_plain` does; UnicodeDecodeError for other bytes."""
    return read_plain(path, most).decode("utf-8")


def parse_json(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Return what JSON says; ValueError also where it is nested too deeply for a parser."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(fault(error)) from None


def parse_toml(text: str) -> dict[str, Any]:
    """Return what TOML says; ValueError, which names the line, also where a parser has a limit."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(str(error)) from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{fault(error)} (at line {_line_of_limit(text)})") from None


def _line_of_limit(text: str) -> int:
    """Return the first line with which a text meets a limit of the parser, by halving."""
    lines = text.split("\n")
    counts = range(1, len(lines))
    return 1 + bisect_left(counts, 1, key=lambda count: _meets_limit(lines[:count]))


def _meets_limit(lines: list[str]) -> bool:
    try:
        tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return False  # cut in the middle of a value, which is no limit
    except (ValueError, RecursionError):
        return True
    return False


def fault(error: Exception) -> str:
    """Say what was wrong with a file, also where a parser only met a limit of its own."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = str(error)
    return "a number in it is too long" if said.startswith("Exceeds the limit") else said
