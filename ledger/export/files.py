"""The files of a bundle: names, reading them from a folder or a tar archive, and what is wrong."""

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from ledger.export.bag import (
    DECLARATION_FILE,
    INFO_FILE,
    MANIFEST_FILE,
    PAYLOAD,
    TAG_MANIFEST_FILE,
)
from ledger.export.scope import Kind
from ledger.tar import ENTRIES_MAX, ArchiveError, ArchiveFormError, MemberFile, members

EVENTS: Final = f"{PAYLOAD}events.jsonl"
CHECKPOINT: Final = f"{PAYLOAD}checkpoint"
PROOFS: Final = f"{PAYLOAD}proofs.jsonl"
SEAL: Final = f"{PAYLOAD}seal.json"
KEYS: Final = f"{PAYLOAD}keys.json"
SCOPE: Final = f"{PAYLOAD}scope.json"
REPORT: Final = f"{PAYLOAD}report.html"
VERIFIER: Final = f"{PAYLOAD}verify_bundle.py"

TAG_FILES: Final = frozenset({DECLARATION_FILE, INFO_FILE, MANIFEST_FILE, TAG_MANIFEST_FILE})
_ALWAYS: Final = TAG_FILES | {EVENTS, CHECKPOINT, KEYS, SCOPE, REPORT, VERIFIER}
FILES: Final[Mapping[Kind, frozenset[str]]] = {
    "full": _ALWAYS,
    "range": _ALWAYS | {PROOFS},
    "stream": _ALWAYS | {PROOFS, SEAL},
}
"""Every file of a bundle, by kind: no fewer and no more."""

SMALL_BYTES_MAX: Final = 1 << 20
LARGER_BYTES_MAX: Final[Mapping[str, int]] = {SCOPE: 16 << 20, REPORT: 16 << 20}
"""Of the files that may have more than that: one lists every withheld range."""
LINE_BYTES_MAX: Final[Mapping[str, int]] = {EVENTS: 64 << 20, PROOFS: 1 << 13}
"""The most bytes of a line, in the files that are read by lines and have no other bound."""

_BUFFER: Final = 1 << 20


class BundleError(ValueError):
    """A bundle that does not verify: the file and the line (0: the file as a whole), and why."""

    def __init__(self, file: str, line: int, why: str) -> None:
        super().__init__(file, line, why)
        self.file = file
        self.line = line
        self.why = why

    def __str__(self) -> str:
        """Return all three in one sentence."""
        place = f"{self.file}, line {self.line}" if self.line else self.file
        return f"{place}: {self.why}"


class BundleFormError(BundleError):
    """An archive in a form that is not read here; the folder in it may verify all the same."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle to read: every file with its bytes, and what opens one."""

    sizes: Mapping[str, int]
    open: Callable[[str], BinaryIO]


def open_bundle(path: Path) -> Bundle:
    """Return the bundle in a folder or a tar archive; BundleError where there is neither."""
    try:
        if path.is_dir():
            found = dict(_found(path, ""))
            return Bundle(found, lambda name: _opened(path, name))
        packed = members(path)
    except ArchiveFormError as error:
        raise BundleFormError(path.name, 0, str(error)) from error
    except ArchiveError as error:
        raise BundleError(path.name, 0, str(error)) from error
    except OSError as error:
        raise BundleError(path.name, 0, f"it cannot be read: {error.strerror}") from error
    sizes = {name: member.size for name, member in packed.items()}
    return Bundle(sizes, lambda name: BufferedReader(MemberFile(path, packed[name]), _BUFFER))


def _opened(folder: Path, name: str) -> BinaryIO:
    try:
        return (folder / name).open("rb", buffering=_BUFFER)
    except OSError as error:
        raise BundleError(name, 0, f"it cannot be read: {error.strerror}") from error


def fault_of_size(name: str, size: int) -> str:
    """Return why a file is too large for any verifier, "" if it is not."""
    most = LARGER_BYTES_MAX.get(name, SMALL_BYTES_MAX)
    return f"{size} bytes are more than {most}" * (size > most and name not in LINE_BYTES_MAX)


def check_size(bundle: Bundle, name: str) -> None:
    """Raise BundleError for a file that is larger than any honest one."""
    if fault := fault_of_size(name, bundle.sizes[name]):
        raise BundleError(name, 0, fault)


def read_all(bundle: Bundle, name: str) -> bytes:
    """Return the content of a file that is small."""
    check_size(bundle, name)
    with bundle.open(name) as file:
        return file.read(bundle.sizes[name])


def _found(folder: Path, prefix: str) -> "list[tuple[str, int]]":
    """Return path and size of every file; BundleError for what is neither file nor folder."""
    found = []
    paths = sorted(islice(folder.iterdir(), ENTRIES_MAX + 1))
    if len(paths) > ENTRIES_MAX:
        raise BundleError(prefix or folder.name, 0, f"it holds more than {ENTRIES_MAX} files")
    for path in paths:
        name, status = f"{prefix}{path.name}", path.lstat()
        if stat.S_ISDIR(status.st_mode):
            if prefix or name != PAYLOAD.rstrip("/"):
                raise BundleError(name, 0, "no such folder belongs to a bundle")
            found += _found(path, f"{name}/")
        elif stat.S_ISREG(status.st_mode):
            found.append((name, status.st_size))
        else:
            raise BundleError(name, 0, "it is not a plain file")
    return found
