"""Checking a whole log: every event, the Merkle root, the signed checkpoint, and one kept before.

Where events come from is a Source: a server that is only asked for bytes, or a database opened read
only. What is checked is the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ledger.chain.checkpoint import OpenedCheckpoint, open_checkpoint
from ledger.chain.cosignature import add_cosignatures
from ledger.chain.key_history import KeyHistory, KeyHistoryError
from ledger.chain.keys import VerifierKey
from ledger.chain.link import GENESIS, Link, Verifier
from ledger.chain.merkle import CompactRange
from ledger.chain.note import NoteError
from ledger.cli import output
from ledger.cli.databases import check_file
from ledger.cli.exits import IntegrityFailure, MisuseError
from ledger.cli.vouching import keys_of, policy_of
from ledger.errors import LedgerError
from ledger.reading import NOTE_BYTES_MAX, read_text

if TYPE_CHECKING:
    from ledger.chain.policy import Policy
    from ledger.client import LedgerClient
    from ledger.events.envelope import RecordedEvent
    from ledger.storage.store import Reader

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
    keys: tuple[str, ...]
    """The keys that the log itself names."""


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
    keys = tuple(key.verifier_key for key in client.list_keys().keys)
    return Source(signed.origin, links, signed.size, signed.note, keys)


def stored(database: str, origin: str) -> Source:
    """Return the log in a database, which is opened read only; LedgerError if that fails."""
    from ledger.clock import SystemClock
    from ledger.storage import open_store

    check_file(database, "--db")
    store = open_store(database, SystemClock(), read_only=True)
    infos = store.ledgers()
    if not origin and len(infos) != 1:
        names = ", ".join(info.origin for info in infos) or "none"
        raise MisuseError(f"{database} holds {len(infos)} ledgers: {names}.", "Name one: --ledger.")
    info = store.ledger(origin) if origin else infos[0]
    head = store.head(info.origin)

    def links() -> Iterator[Link]:
        from ledger.storage.verify import stored_links

        try:
            yield from stored_links(store, info.origin, until=head.position)
        finally:
            store.close()

    keys = _keys_named(store.key_events(info.origin))
    return Source(info.origin, links(), head.position, _note(store, info.origin), keys)


def _note(store: "Reader", origin: str) -> str:
    """Return the newest checkpoint with its cosignatures; empty if none was signed."""
    kept = store.checkpoint(origin)
    if kept is None:
        return ""
    lines = [cosignature.line for cosignature in store.cosignatures(origin, kept.size)]
    return add_cosignatures(kept.note.encode(), lines).decode()


def _keys_named(events: "Iterable[RecordedEvent]") -> tuple[str, ...]:
    """Return the keys that a ledger says have signed its checkpoints."""
    history = KeyHistory()
    for event in events:
        try:
            history.apply(event.type, event.position, event.data)
        except (KeyHistoryError, LedgerError):  # the verification of the events names the position
            break
    return tuple(span.vkey for span in history.spans)


def verify(
    source: Source,
    vkeys: Sequence[str],
    kept: Path | None,
    policy: Path | None = None,
) -> Verified:
    """Check the whole log; CHAIN_BROKEN or IntegrityFailure names what does not hold, and where.

    `vkeys`: keys that were obtained elsewhere; without any, those that the log names.
    """
    quorum = policy_of(policy)
    keys = keys_of(vkeys) or [VerifierKey.parse(text) for text in source.keys]
    witnesses = _witnessed(source.note, quorum) if quorum is not None else ()
    newest = _open(source.note, source.origin, keys) if source.note else None
    earlier = _open(_read(kept), source.origin, keys) if kept else None
    # Checkpoints are compared when the tree has just their size.
    due: dict[int, set[bytes]] = {}
    for opened in (newest, earlier):
        if opened is not None:
            due.setdefault(opened.checkpoint.size, set()).add(opened.checkpoint.root)
    verifier, tree = Verifier(origin=source.origin, head=GENESIS), CompactRange()
    with output.progress(f"Verifying {source.origin}", source.size) as move:
        for link in source.events:
            verifier.feed(link)
            tree.append(link.event_hash)
            expected = due.pop(tree.size, None)
            if expected is not None and expected != {tree.root()}:
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
        source.origin,
        tree.size,
        verifier.head,
        tree.root(),
        _said(newest, bool(vkeys), earlier, witnesses),
    )


def _witnessed(note: str, policy: "Policy") -> tuple[str, ...]:
    """Return the witnesses that have cosigned the newest checkpoint, which the policy accepts."""
    try:
        return policy.check(note.encode()).witnesses
    except NoteError as error:
        raise IntegrityFailure(
            f"The policy does not accept the newest checkpoint: {error}.",
            "Wait for the witnesses, or have a newer one signed.",
        ) from error


def _said(
    newest: OpenedCheckpoint | None,
    is_pinned: bool,
    earlier: OpenedCheckpoint | None,
    witnesses: tuple[str, ...],
) -> str:
    if newest is None:
        said = "No checkpoint was signed yet, so nothing vouches for the whole but the chain."
    else:
        said = f"Signed checkpoint over {_events(newest)} holds."
        if witnesses:
            said += f" It is cosigned by {', '.join(witnesses)}."
        if not is_pinned:
            said += " Its key came from the ledger itself: compare it with one obtained elsewhere."
    if earlier is not None:
        said += f" So does the one kept before, over {_events(earlier)}."
    return said


def _events(opened: OpenedCheckpoint) -> str:
    return output.counted(opened.checkpoint.size, "event")


def _open(note: str, origin: str, keys: list[VerifierKey]) -> OpenedCheckpoint:
    try:
        return open_checkpoint(note.encode(), origin=origin, keys=keys)
    except NoteError as error:
        raise IntegrityFailure(f"The checkpoint does not verify: {error}.", _REMEDY) from error


def _read(path: Path) -> str:
    try:
        return read_text(path, NOTE_BYTES_MAX)
    except (OSError, UnicodeDecodeError) as error:
        raise MisuseError(f"{path} cannot be read: {error}.", "Check the path.") from error
