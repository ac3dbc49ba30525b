"""Checking a whole log: every event, the Merkle root, the signed checkpoint, and one kept before.

Where events come from is a Source: a server that is only asked for bytes, or a database opened read
only. What is checked is the same.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ledger.chain.checkpoint import OpenedCheckpoint, open_checkpoint
from ledger.chain.key_history import KeyHistory, KeyHistoryError
from ledger.chain.keys import KeyFormatError, VerifierKey
from ledger.chain.link import GENESIS, Link, Verifier
from ledger.chain.merkle import CompactRange
from ledger.chain.note import NoteError
from ledger.cli import output
from ledger.cli.exits import IntegrityFailure, MisuseError
from ledger.errors import LedgerError

if TYPE_CHECKING:
    from ledger.client import LedgerClient
    from ledger.events.envelope import RecordedEvent

_PAGE: Final = 2_000
_REMEDY: Final = "Stop writing, keep the database as evidence, and call an operator."


@dataclass(frozen=True, slots=True)
class Source:
    """A log to verify."""

    origin: str
    events: Iterator[Link]
    size: int
    """How many events there are said to be."""
    note: str
    """The newest signed checkpoint; empty if there is none."""
    key: str
    """The key that the log itself names."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What holds."""

    origin: str
    size: int
    head: bytes
    root: bytes
    signature: str


def served(client: "LedgerClient") -> Source:
    """Return the log of a server, up to a checkpoint that it signs now."""
    signed = client.get_checkpoint()
    events = client.list_events(until_position=signed.size)
    links = (
        Link(
            event.position,
            event.stream,
            event.stream_version,
            event.type,
            output.iso(event.recorded_at),
            event.body or None,
            event.salt or None,
            event.body_hash,
            event.prev_hash,
            event.event_hash,
        )
        for event in events
    )
    return Source(signed.origin, links, signed.size, signed.note, signed.verifier_key)


def stored(database: str, origin: str) -> Source:
    """Return the log in a database, which is opened read only; LedgerError if that fails."""
    from ledger.clock import SystemClock
    from ledger.storage import open_store

    store = open_store(database, SystemClock(), read_only=True)
    infos = store.ledgers()
    if not origin and len(infos) != 1:
        names = ", ".join(info.origin for info in infos) or "none"
        raise MisuseError(f"{database} holds {len(infos)} ledgers: {names}.", "Name one: --ledger.")
    info = store.ledger(origin) if origin else infos[0]
    head = store.head(info.origin)
    kept = store.checkpoint(info.origin)

    def links() -> Iterator[Link]:
        from ledger.storage.verify import stored_links

        try:
            yield from stored_links(store, info.origin, until=head.position)
        finally:
            store.close()

    key = _key_at(store.key_events(info.origin), kept.size) if kept else ""
    note = kept.note if kept else ""
    return Source(info.origin, links(), head.position, note, key or info.vkey)


def _key_at(events: "Iterable[RecordedEvent]", size: int) -> str:
    """Return a key that signs checkpoints of a size, as the ledger itself says; empty if none."""
    history = KeyHistory()
    for event in events:
        try:
            history.apply(event.type, event.position, event.data)
        except (KeyHistoryError, LedgerError):  # whoever verifies the events names the position
            break
    return next((span.vkey for span in history.signers_at(size)), "")


def verify(source: Source, key: str | None, kept: Path | None) -> Verified:
    """Check the whole log; CHAIN_BROKEN or IntegrityFailure names what does not hold, and where."""
    keys = [_key(key or source.key)]
    newest = _open(source.note, source.origin, keys) if source.note else None
    earlier = _open(_read(kept), source.origin, keys) if kept else None
    # Checkpoints are compared when the tree has just their size.
    due = {opened.checkpoint.size: opened.checkpoint.root for opened in (newest, earlier) if opened}
    verifier, tree = Verifier(origin=source.origin, head=GENESIS), CompactRange()
    with output.progress(f"Verifying {source.origin}", source.size) as move:
        for link in source.events:
            verifier.feed(link)
            tree.append(link.event_hash)
            expected = due.pop(tree.size, None)
            if expected is not None and expected != tree.root():
                raise IntegrityFailure(
                    f"The checkpoint at position {tree.size} has another Merkle root: events up to "
                    "there are not those that were signed.",
                    _REMEDY,
                )
            if tree.size % _PAGE == 0:
                move(tree.size)
    longest = max([source.size, *due])
    if tree.size < longest:
        raise IntegrityFailure(
            f"The log ends at position {tree.size}; {longest} were signed or counted.",
            _REMEDY,
        )
    return Verified(
        source.origin, tree.size, verifier.head, tree.root(), _said(newest, key, earlier)
    )


def _said(
    newest: OpenedCheckpoint | None, key: str | None, earlier: OpenedCheckpoint | None
) -> str:
    if newest is None:
        said = "No checkpoint was signed yet, so nothing vouches for the whole but the chain."
    else:
        said = f"Signed checkpoint over {_events(newest)} holds."
        if key is None:
            said += " Its key came from the ledger itself: compare it with one obtained elsewhere."
    if earlier is not None:
        said += f" So does the one kept before, over {_events(earlier)}."
    return said


def _events(opened: OpenedCheckpoint) -> str:
    return output.counted(opened.checkpoint.size, "event")


def _key(text: str) -> VerifierKey:
    try:
        return VerifierKey.parse(text)
    except KeyFormatError as error:
        raise MisuseError(f"--vkey: {error}.", "Print it with `decision-ledger vkey`.") from error


def _open(note: str, origin: str, keys: list[VerifierKey]) -> OpenedCheckpoint:
    try:
        return open_checkpoint(note.encode(), origin=origin, keys=keys)
    except NoteError as error:
        raise IntegrityFailure(f"The checkpoint does not verify: {error}.", _REMEDY) from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MisuseError(f"{path} cannot be read: {error}.", "Check the path.") from error
