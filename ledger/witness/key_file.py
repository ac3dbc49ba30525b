"""The file that holds a witness's key: one line of text, readable by its owner only."""

import os
from pathlib import Path
from typing import Final

from ledger.chain.cosignature import CosigningKey
from ledger.chain.keys import KEY_BYTES, KeyFormatError
from ledger.clock import Clock
from ledger.errors import LedgerError, invalid_field
from ledger.reading import NOTE_BYTES_MAX
from ledger.secrecy import ExposedError, read_secret

_OWNER_ONLY: Final = 0o600


def load_key(path: Path, name: str | None, clock: Clock) -> CosigningKey:
    """Return the key in the file; if there is no file, draw a key with this name and keep it.

    Refuses a file that others may read, one that holds another name, and to draw a key without one.
    """
    if not path.exists():
        return _create(path, name, clock)
    try:
        text = read_secret(path, NOTE_BYTES_MAX).decode("utf-8")
        key = CosigningKey.parse(text.removesuffix("\n"))
    except ExposedError as error:
        raise _refused(path, error.why, error.remedy) from error
    except (KeyFormatError, OSError, UnicodeDecodeError) as error:
        raise _refused(path, str(error), "Restore it from a copy.") from error
    if name is not None and name != key.name:
        raise _refused(path, f"it is the key of {key.name}", "Name it so, or use another folder.")
    return key


def _create(path: Path, name: str | None, clock: Clock) -> CosigningKey:
    """Draw a key and keep it, or raise."""
    if name is None:
        raise _refused(path, "it does not exist", "Name the witness, so that a key can be made.")
    try:
        key = CosigningKey(name, clock.random_bytes(KEY_BYTES))
    except KeyFormatError as error:
        raise invalid_field("name", str(error)) from error
    try:
        # Whole or not at all, and never over another key.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{key.to_secret_text()}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _refused(path, str(error), "Choose a folder that can be written.") from error
    return key


def _refused(path: Path, why: str, remedy: str) -> LedgerError:
    """Return the refusal to use a key file."""
    return invalid_field("key", f"{path} cannot be used as the witness's key: {why}", remedy=remedy)
