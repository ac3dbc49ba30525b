"""What was published of a server's ledgers, read before it serves them again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.note import parse as parse_note
from ledger.errors import LedgerError, Reason

_NAME: Final = "checkpoint"


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint that was found: where, of which ledger, and the note."""

    path: Path
    origin: str
    note: bytes


def read_published(path: Path) -> list[Published]:
    """Return what lies at a path: one note, a folder of `log publish`, or several such folders.

    Nothing where nothing was published yet; STORE_UNAVAILABLE where a file cannot be read or is no
    checkpoint, since whoever asked for the comparison must not believe that it was made.
    """
    found = []
    for file in _files(path):
        try:
            note = file.read_bytes()
            found.append(Published(file, parse_checkpoint(parse_note(note).text).origin, note))
        except (OSError, ValueError) as error:
            raise LedgerError(
                Reason.STORE_UNAVAILABLE,
                f"The published checkpoint {file} cannot be used: {error}.",
                remedy="Correct `checkpoints.published`, or bring back what was published there.",
                metadata={"path": str(file)},
            ) from error
    return found


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif (path / _NAME).is_file():
        yield path / _NAME
    else:
        yield from sorted(path.glob(f"*/{_NAME}"))
