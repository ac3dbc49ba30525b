"""The digest of a file on this machine, read in parts."""

import hashlib
from pathlib import Path

from ledger.operations.failures import MisuseError


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file in hex; MisuseError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MisuseError(f"{path} cannot be read: {error.strerror}.") from error
