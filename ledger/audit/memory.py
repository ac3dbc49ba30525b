"""The auditor's own memory: what it verified before, so that a ledger cannot tell it another story.

One JSON file, replaced as a whole or not at all. It holds nothing secret; whoever can change it can
make the auditor forget, so it belongs where the ledger's operator cannot write.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger.audit.joining import Joined
from ledger.errors import LedgerError, Reason

_FORMAT: Final = "audit-state/1"


@dataclass(frozen=True, slots=True)
class Remembered:
    """A ledger as it was verified before."""

    size: int
    root: bytes
    checkpoint: str
    """The signed note; empty if none vouched for it."""
    checkpoint_size: int
    vkeys: tuple[str, ...]
    joined: Joined


class Memory:
    """A state file."""

    def __init__(self, path: Path) -> None:
        """Read the file if there is one; FIELD_INVALID where it is no state of an audit."""
        self._path = path
        self._ledgers: dict[str, dict[str, Any]] = {}
        if not path.exists():
            return
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            self._ledgers = dict(document[_FORMAT])
            for origin in self._ledgers:
                self.recall(origin)
                self.resume(origin, "")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LedgerError(
                Reason.FIELD_INVALID,
                f"{path} is no state of an audit: {error}.",
                remedy="Restore it from a copy, or name another file to begin anew.",
                metadata={"field": "state"},
            ) from error

    def recall(self, origin: str) -> Remembered | None:
        """Return what was verified of a ledger before."""
        found = self._ledgers.get(origin, {}).get("verified")
        if found is None:
            return None
        return Remembered(
            int(found["size"]),
            bytes.fromhex(found["root"]),
            str(found["checkpoint"]),
            int(found["checkpoint_size"]),
            tuple(str(vkey) for vkey in found["vkeys"]),
            Joined.from_data(found["joined"]),
        )

    def resume(self, origin: str, place: str) -> Joined | None:
        """Return how far an audit of this source came that was broken off."""
        found = self._ledgers.get(origin, {}).get("interrupted")
        if found is None or found["place"] != place:
            return None
        return Joined.from_data(found["joined"])

    def note(self, origin: str, place: str, joined: Joined) -> None:
        """Remember how far the hashes of a source are checked."""
        entry = self._ledgers.setdefault(origin, {})
        entry["interrupted"] = {"place": place, "joined": joined.to_data()}
        self._save()

    def forget_interruption(self, origin: str) -> None:
        """Drop what was noted on the way: the audit came to an end."""
        if self._ledgers.get(origin, {}).pop("interrupted", None) is not None:
            self._save()

    def remember(self, origin: str, verified: Remembered) -> None:
        """Remember a ledger that held."""
        joined = verified.joined.to_data() | {"roots": {}}
        self._ledgers[origin] = {
            "verified": {
                "size": verified.size,
                "root": verified.root.hex(),
                "checkpoint": verified.checkpoint,
                "checkpoint_size": verified.checkpoint_size,
                "vkeys": list(verified.vkeys),
                "joined": joined,
            }
        }
        self._save()

    def _save(self) -> None:
        document = {_FORMAT: self._ledgers}
        beside = self._path.with_name(self._path.name + ".new")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w", encoding="utf-8") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
