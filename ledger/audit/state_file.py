"""The auditor's own memory: what it verified before, so that a ledger cannot tell it another story.

One JSON file, replaced as a whole or not at all. It holds nothing secret; a writer of it can make
the auditor forget, so it belongs where the ledger's operator cannot write.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ledger.audit.verified_prefix import VerifiedPrefix
from ledger.errors import LedgerError, Reason
from ledger.private import make_folder, write_whole
from ledger.reading import STATE_BYTES_MAX, fault, parse_json, read_text

_FORMAT: Final = "audit-state/1"


@dataclass(frozen=True, slots=True)
class EarlierAudit:
    """A ledger as it was verified before."""

    size: int
    root: bytes
    checkpoint: str
    """The signed note; empty if none vouched for it."""
    checkpoint_size: int
    vkeys: tuple[str, ...]
    joined: VerifiedPrefix


class AuditStateFile:
    """A state file. Audits of several ledgers, and several at once, may share it."""

    def __init__(self, path: Path) -> None:
        """Read the file if there is one; FIELD_INVALID where it is no state of an audit."""
        self._path = path
        self._ledgers = self._read()

    def _read(self) -> dict[str, dict[str, Any]]:
        """Return what the file holds now."""
        if not self._path.exists():
            return {}
        try:
            document = parse_json(read_text(self._path, STATE_BYTES_MAX))
            ledgers: dict[str, dict[str, Any]] = dict(document[_FORMAT])
            for entry in ledgers.values():
                _remembered(entry)
                _interrupted(entry, "")
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            ArithmeticError,
        ) as error:
            raise LedgerError(
                Reason.FIELD_INVALID,
                f"{self._path} is not the state of an audit: {fault(error)}.",
                remedy="Restore it from a copy, or name another file to begin again.",
                metadata={"field": "state"},
            ) from error
        return ledgers

    def recall(self, origin: str) -> EarlierAudit | None:
        """Return what was verified of a ledger before."""
        return _remembered(self._ledgers.get(origin, {}))

    def resume(self, origin: str, place: str) -> VerifiedPrefix | None:
        """Return how far an audit of this source came that was broken off."""
        return _interrupted(self._ledgers.get(origin, {}), place)

    def note(self, origin: str, place: str, joined: VerifiedPrefix) -> None:
        """Remember how far the hashes of a source are checked."""
        with self._changing(origin) as entry:
            entry["interrupted"] = {"place": place, "joined": joined.to_data()}

    def forget_interruption(self, origin: str) -> None:
        """Drop what was noted on the way: the audit came to an end."""
        if "interrupted" in self._ledgers.get(origin, {}):
            with self._changing(origin) as entry:
                entry.pop("interrupted", None)

    def remember(self, origin: str, verified: EarlierAudit) -> None:
        """Remember a ledger that held.

        Another audit may have remembered more of it meanwhile, or another history of the same
        size: that stays, and the next audit compares with it.
        """
        joined = verified.joined.to_data() | {"roots": {}}
        with self._changing(origin) as entry:
            entry.pop("interrupted", None)
            known = _remembered(entry)
            if known is not None and known.size > verified.size:
                return
            if known is not None and known.size == verified.size and known.root != verified.root:
                return
            entry["verified"] = {
                "size": verified.size,
                "root": verified.root.hex(),
                "checkpoint": verified.checkpoint,
                "checkpoint_size": verified.checkpoint_size,
                "vkeys": list(verified.vkeys),
                "joined": joined,
            }

    @contextmanager
    def _changing(self, origin: str) -> Iterator[dict[str, Any]]:
        """Change one ledger's entry in what the file holds now; no other process does meanwhile."""
        make_folder(self._path.parent)
        lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._ledgers = self._read()
            yield self._ledgers.setdefault(origin, {})
            self._save()
        finally:
            os.close(lock)

    def _save(self) -> None:
        # Durably, or a crash brings back what was remembered before.
        write_whole(self._path, json.dumps({_FORMAT: self._ledgers}).encode())


def _remembered(entry: dict[str, Any]) -> EarlierAudit | None:
    found = entry.get("verified")
    if found is None:
        return None
    return EarlierAudit(
        int(found["size"]),
        bytes.fromhex(found["root"]),
        str(found["checkpoint"]),
        int(found["checkpoint_size"]),
        tuple(str(vkey) for vkey in found["vkeys"]),
        VerifiedPrefix.from_data(found["joined"]),
    )


def _interrupted(entry: dict[str, Any], place: str) -> VerifiedPrefix | None:
    found = entry.get("interrupted")
    if found is None or found["place"] != place:
        return None
    return VerifiedPrefix.from_data(found["joined"])
