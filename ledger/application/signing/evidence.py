"""Evidence of a contradiction: two genuine statements about one ledger that cannot both hold.

Kept as files, because the database is what is in doubt. While there is one about a ledger nothing
is signed for it: somebody has to look, and to move it elsewhere.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from ledger.events.canonical import decode, encode
from ledger.private import make_folder, write_whole

LOG_ONLY: Final = "in the log only"
_SUFFIX: Final = ".json"
_log: Final = structlog.get_logger("ledger.signing")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What was found: whose statement, its note, and ours if there was one to set against it."""

    origin: str
    why: str
    source: str
    theirs: str
    ours: str = ""

    def encode(self) -> bytes:
        """Return the file's bytes."""
        members = ("origin", "why", "source", "theirs", "ours")
        return encode({name: getattr(self, name) for name in members}) + b"\n"


class Evidence:
    """Keeps contradictions in a folder; without one it keeps them as long as the process lives."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._kept: list[Contradiction] = []

    def keep(self, found: Contradiction) -> str:
        """Keep a contradiction and return where it is, in words.

        A disk that does not take it changes nothing about what was found: no error is raised.
        """
        self._kept.append(found)
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
        for path in self._files():
            try:
                found = decode(path.read_bytes().removesuffix(b"\n"))
                origin_found, why = found["origin"], str(found["why"])
            except (OSError, ValueError, TypeError, KeyError):
                return str(path), "it cannot be read"
            if origin_found == origin:
                return str(path), why
        return None

    def _files(self) -> Iterator[Path]:
        if self._folder is not None and self._folder.is_dir():
            yield from sorted(self._folder.glob(f"*{_SUFFIX}"))


def evidence_folder(setting: str, database: str) -> Path:
    """Return where a server keeps evidence: as set, else beside a SQLite file or where it runs."""
    if setting:
        return Path(setting)
    scheme, mark, path = database.partition("://")
    if not mark:
        return Path(f"{database}.evidence")
    is_file = scheme.startswith("sqlite") and path[1:]
    return Path(f"{path[1:]}.evidence") if is_file else Path("ledger.evidence")
