"""Places that a person names: files that are read, databases looked at before they are opened."""

from pathlib import Path
from typing import IO

from ledger.chain.checkpoint import CheckpointBody, claim_of
from ledger.chain.note import NoteError
from ledger.operations.failures import MisuseError
from ledger.reading import NOTE_BYTES_MAX, read_from, read_plain


def check_place(place: str, named: str) -> None:
    """Refuse a folder, or a device, as a place of a ledger; `named` is what names it."""
    from ledger.storage.database import sqlite_file

    path = sqlite_file(place)
    if path is not None and path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "no file"
        raise MisuseError(f"{named}: {path} is {what}.", "Name the file that holds the ledger.")


def check_file(place: str, named: str) -> None:
    """Refuse a place without a file, too; CHAIN_BROKEN where its log or key is left there."""
    from ledger.storage.database import sqlite_file
    from ledger.storage.locked_file import refuse_orphans

    check_place(place, named)
    path = sqlite_file(place)
    if path is not None and not path.exists():
        refuse_orphans(path)
        raise MisuseError(f"{named}: there is no file {path}.", "Check the path.")


def named_bytes(path: Path, most: int = NOTE_BYTES_MAX, opened: IO[bytes] | None = None) -> bytes:
    """Return what is in a file that was named, or in one that is open; MisuseError if it cannot."""
    try:
        return read_plain(path, most) if opened is None else read_from(opened, most, str(path))
    except OSError as error:
        why = error.strerror or error
        raise MisuseError(f"{path} cannot be read: {why}.", "Check the path.") from error


def named_text(path: Path, most: int = NOTE_BYTES_MAX, opened: IO[bytes] | None = None) -> str:
    """Return the UTF-8 text in a file that was named, as `named_bytes` does."""
    try:
        return named_bytes(path, most, opened).decode("utf-8")
    except UnicodeDecodeError as error:
        raise MisuseError(f"{path} is not UTF-8: {error.reason} at byte {error.start}.") from error


def named_checkpoint(note: bytes, origin: str, named: str) -> CheckpointBody:
    """Return what a checkpoint of a ledger states that was kept; MisuseError if it is none.

    Nothing of it is verified: its tree is what the caller asks about.
    """
    try:
        claim = claim_of(note)
    except NoteError as error:
        raise MisuseError(f"{named} is not a checkpoint: {error}.", "Check the path.") from error
    if claim.origin != origin:
        raise MisuseError(f"{named} is of {claim.origin}, not {origin}.", "Name that ledger.")
    return claim
