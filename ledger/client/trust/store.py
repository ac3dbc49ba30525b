"""The memory of a client: the ledgers it has verified, and the evidence when one lies.

For each ledger: the keys that are trusted and the newest checkpoint that was verified. Either in
memory, for as long as the store lives, or in a JSON file that is replaced as a whole and that
several processes may share. Beside the file, in `evidence/`, is what was refused: what was
remembered and what was received, both as they were signed. Nothing there is ever overwritten.
"""

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from ledger.chain import checkpoint as checkpoints
from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.keys import ED25519, KeyFormatError, VerifierKey
from ledger.client.errors import TrustFileError
from ledger.private import make_folder, open_file, write_whole
from ledger.reading import STATE_BYTES_MAX, parse_json, read_text

_FORMAT: Final = "ledger-trust/1"
_PRIVATE: Final = 0o600
_DIGEST_CHARS: Final = 16


class FirstUseWarning(UserWarning):
    """A ledger's key was taken at the ledger's own word, because none was pinned."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A verifier key, and for which sizes of checkpoints it counts as far as is known."""

    verifier_key: str
    from_position: int = 0
    until_position: int | None = None
    revoked_from: int | None = None
    seen_at: int | None = field(default=None, compare=False)
    """The size of the first checkpoint that it was seen to sign: it was named no later."""

    def covers(self, size: int) -> bool:
        """Return whether its signature counts for a tree of this size."""
        is_within = self.until_position is None or size <= self.until_position
        is_good = self.revoked_from is None or size < self.revoked_from
        return self.from_position <= size and is_within and is_good


@dataclass(frozen=True, slots=True)
class TrustedLedger:
    """The memory of one ledger. `note` is the newest verified checkpoint, "" before any."""

    origin: str
    keys: tuple[TrustedKey, ...]
    note: str = ""
    is_pinned: bool = False
    """Whether its first key was obtained elsewhere, and not taken at first use."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A contradiction: both notes as they were signed, and the proof that was to join them."""

    kind: str
    origin: str
    why: str
    remembered: str
    received: str
    proof: tuple[bytes, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what is written."""
        return {**asdict(self), "proof": [hash_.hex() for hash_ in self.proof]}


class TrustStore:
    """Remembers what was verified, in memory or in a file. Safe between threads and processes."""

    def __init__(self, path: Path | str | None = None) -> None:
        """Remember in the file at `path`, which is made at first use; None: in memory."""
        self.path = None if path is None else Path(path)
        self.evidence: list[Disagreement] = []
        """The evidence given to this store, newest last, at most the last thousand."""
        self._lock = threading.RLock()
        self._ledgers: dict[str, TrustedLedger] = {}
        self._servers: dict[str, str] = {}
        if self.path is not None:
            self._read()

    def pin(self, verifier_key: str) -> TrustedLedger:
        """Trust a key that was obtained elsewhere; the ledger is the one that it names.

        What was trusted at first use is forgotten. ValueError if it is no key of a ledger.
        """
        key = _parsed(verifier_key)
        with self._changing():
            known = self._ledgers.get(key.name)
            if known is None or not known.is_pinned:
                known = TrustedLedger(key.name, (), known.note if known else "", is_pinned=True)
            if verifier_key not in {one.verifier_key for one in known.keys}:
                known = replace(known, keys=(*known.keys, TrustedKey(verifier_key)))
            self._ledgers[key.name] = known
        return known

    def forget(self, origin: str) -> None:
        """Forget a ledger; what comes next is compared with nothing. Evidence stays."""
        with self._changing():
            self._ledgers.pop(origin, None)

    def known(self, origin: str) -> TrustedLedger | None:
        """Return what is known of a ledger, as other processes have left it."""
        with self._lock:
            if self.path is not None:
                self._read()
            return self._ledgers.get(origin)

    def all(self) -> dict[str, TrustedLedger]:
        """Return what is known of every ledger, by origin."""
        with self._lock:
            if self.path is not None:
                self._read()
            return dict(self._ledgers)

    def advance(self, before: TrustedLedger | None, after: TrustedLedger) -> bool:
        """Remember `after` if what is known is still `before`; False if it is not."""
        if before == after:
            return True
        with self._changing():
            if self._ledgers.get(after.origin) != before:
                return False
            self._ledgers[after.origin] = after
        return True

    def served_by(self, target: str) -> str:
        """Return the origin of the ledger that a server gave as its first one, "" if unknown."""
        with self._lock:
            return self._servers.get(target, "")

    def bind(self, target: str, origin: str) -> None:
        """Remember which ledger a server gives as its first one."""
        if self.served_by(target) != origin:
            with self._changing():
                self._servers[target] = origin

    def keep(self, evidence: Disagreement, found_at: str) -> Path | None:
        """Keep what did not agree; return the file, None where this store has none.

        The same evidence found again is the same file, and a file is never written twice.
        """
        with self._lock:
            self.evidence = [*self.evidence[-999:], evidence]
        if self.path is None:
            return None
        folder = self.path.parent / "evidence"
        content = evidence.to_json()
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        name = "".join(c if c.isalnum() or c in ".-" else "_" for c in evidence.origin)[:100]
        path = folder / f"{name}-{evidence.kind}-{digest[:_DIGEST_CHARS]}.json"
        text = json.dumps({**content, "found_at": found_at}, indent=2, ensure_ascii=False) + "\n"
        try:
            make_folder(folder)
            with open_file(path, "x") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            return path
        except OSError as error:
            raise TrustFileError(path, f"evidence cannot be kept: {error.strerror}") from error
        return path

    # ---- the file --------------------------------------------------------------------------------

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Change what is known: from what the file holds now, and into the file when done."""
        with self._lock:
            if self.path is None:
                yield
                return
            try:
                make_folder(self.path.parent)
                lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT, _PRIVATE)
            except OSError as error:
                raise TrustFileError(self.path, str(error.strerror)) from error
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._read()
                yield
                self._write()
            finally:
                os.close(lock)

    def _read(self) -> None:
        assert self.path is not None
        try:
            text = read_text(self.path, STATE_BYTES_MAX)
        except FileNotFoundError:
            self._ledgers, self._servers = {}, {}
            return
        except (OSError, UnicodeDecodeError) as error:
            raise TrustFileError(self.path, str(error)) from error
        try:
            document = parse_json(text)
            if document["format"] != _FORMAT:
                raise ValueError(f"its format is {document['format']!r}")  # noqa: TRY301
            self._servers = dict(document["servers"])
            self._ledgers = {
                origin: _trusted(origin, stated) for origin, stated in document["ledgers"].items()
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TrustFileError(self.path, f"it is damaged: {repr(error)[:300]}") from error

    def _write(self) -> None:
        """Replace the file, so that a reader finds all of the old or all of the new."""
        assert self.path is not None
        ledgers = {
            origin: {
                "pinned": known.is_pinned,
                "keys": [asdict(key) for key in known.keys],
                "checkpoint": known.note,
            }
            for origin, known in sorted(self._ledgers.items())
        }
        document = {"format": _FORMAT, "servers": self._servers, "ledgers": ledgers}
        try:  # durably, or a crash brings back what was remembered before
            write_whole(self.path, f"{json.dumps(document, indent=2)}\n".encode())
        except OSError as error:
            raise TrustFileError(self.path, str(error.strerror)) from error


def _trusted(origin: str, stated: Mapping[str, Any]) -> TrustedLedger:
    keys = tuple(TrustedKey(**key) for key in stated["keys"])
    for key in keys:
        if _parsed(key.verifier_key).name != origin:
            raise ValueError(f"a key of {origin} has another name")
    note, is_pinned = stated["checkpoint"], stated["pinned"]
    if not isinstance(note, str) or not isinstance(is_pinned, bool):
        raise TypeError(f"checkpoint and pinned of {origin} are text and a boolean")
    if note and claim_of(note).origin != origin:
        raise ValueError(f"the checkpoint of {origin} is of another ledger")
    return TrustedLedger(origin, keys, note, is_pinned)


def claim_of(note: str) -> CheckpointBody:
    """Return what a note states; NoteError if it is no checkpoint. Nothing is verified."""
    return checkpoints.claim_of(note.encode())


def _parsed(verifier_key: str) -> VerifierKey:
    key = VerifierKey.parse(verifier_key)
    if key.type != ED25519:
        raise KeyFormatError("a ledger's key signs notes, and this is a witness's")
    return key
