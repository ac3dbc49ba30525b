"""Evidence of a contradiction: two genuine statements about one ledger that cannot both hold.

Kept as files, because the database is what is in doubt. While there is one about a ledger nothing
is signed for it: an operator has to look, and to move it elsewhere.
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import structlog

from ledger.events.canonical import decode, encode
from ledger.private import make_folder, write_whole
from ledger.storage.database import sqlite_file

LOG_ONLY: Final = "in the log only"
_SUFFIX: Final = ".json"
_log: Final = structlog.get_logger("ledger.signing")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """The contradiction: whose statement, its note, and ours if there was one to compare."""

    origin: str
    why: str
    source: str
    theirs: str
    ours: str = ""

    def encode(self) -> bytes:
        """Return the file's bytes."""
        return encode(asdict(self)) + b"\n"


class Evidence:
    """Keeps contradictions in a folder; without one they are in the log only."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def keep(self, found: Contradiction) -> str:
        """Keep a contradiction and return where it is, in words.

        A disk that does not take it changes nothing about what was found: no error is raised.
        """
        if self._folder is None:
            return LOG_ONLY
        data = found.encode()
        path = self._folder / f"{hashlib.sha256(data).hexdigest()[:32]}{_SUFFIX}"
        try:
            make_folder(self._folder)
            write_whole(path, data)
        except OSError as error:
            _log.error("evidence.not_kept", path=str(path), why=str(error))
            return LOG_ONLY
        return str(path)

    def about(self, origin: str) -> tuple[str, str] | None:
        """Return (where, why) of a contradiction about a ledger, or None.

        A file that cannot be read counts: it was put there for a reason.
        """
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")) if self._folder is not None else ():
            try:
                found = decode(path.read_bytes().removesuffix(b"\n"))
                origin_found, why = found["origin"], str(found["why"])
            except (OSError, ValueError, TypeError, KeyError):
                return str(path), "it cannot be read"
            if origin_found == origin:
                return str(path), why
        return None


def evidence_folder(setting: str, database: str) -> Path:
    """Return where a server keeps evidence: as set, else beside a SQLite file or where it runs."""
    return Path(setting or f"{sqlite_file(database) or 'ledger'}.evidence")
