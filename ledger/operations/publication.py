"""The log that a publication as static tiles is made of, and publishing it.

It comes from a live server, or from a database that is opened read only.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ledger.chain.checkpoint import open_checkpoint
from ledger.chain.cosignature import add_cosignatures
from ledger.chain.key_history import KeyHistory, KeyHistoryError
from ledger.chain.keys import VerifierKey
from ledger.chain.link import Link, header_bytes
from ledger.chain.note import NoteError
from ledger.database_url import shown
from ledger.export.publishing import Headers, PublicationResult, PublishError, TileFolder
from ledger.operations.failures import IntegrityFailure, MisuseError
from ledger.operations.places import check_file
from ledger.operations.served_ledger import link_of
from ledger.operations.trust import TrustAnchors

if TYPE_CHECKING:
    from ledger.chain.policy import WitnessPolicy
    from ledger.client import LedgerClient, VerifiedCheckpoint
    from ledger.storage.records import KeptCheckpoint
    from ledger.storage.store import Store

_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class PublishableLog:
    """A verified checkpoint, and where the headers that it covers come from."""

    origin: str
    note: str
    size: int
    headers: Headers
    is_taken_at_its_word: bool
    """Whether the key came from the log itself."""


def publish(folder: Path, log: PublishableLog, move: Callable[[int], None]) -> PublicationResult:
    """Write what is new of a log; IntegrityFailure if it does not extend what was published."""
    try:
        return TileFolder(folder).publish(log.note.encode(), log.headers, move)
    except PublishError as error:
        raise IntegrityFailure(
            f"Nothing was published: {error}.",
            "Keep folder and ledger as evidence; publish into another folder meanwhile.",
        ) from error


def served_log(client: "LedgerClient", signed: "VerifiedCheckpoint") -> PublishableLog:
    """Return the log of a server, under a checkpoint of it that was verified."""

    def headers(after: int, until: int) -> Iterator[bytes]:
        for event in client.list_events(after_position=after, until_position=until):
            yield _header(link_of(event), signed.origin)

    return PublishableLog(
        signed.origin, signed.note, signed.size, headers, is_taken_at_its_word=False
    )


@contextmanager
def stored_log(database: str, origin: str, given: TrustAnchors) -> Iterator[PublishableLog]:
    """Yield the log in a database, under the newest checkpoint that was signed there.

    With a policy it is the newest that the policy accepts. `origin` chooses among several ledgers.
    """
    from ledger.clock import SystemClock
    from ledger.storage import open_store

    check_file(database, "--db")
    store = open_store(database, SystemClock(), read_only=True)
    try:
        infos = store.ledgers.all()
        if not origin and len(infos) != 1:
            names = ", ".join(info.origin for info in infos) or "none"
            raise MisuseError(
                f"{shown(database)} holds {len(infos)} ledgers: {names}.", "Name one: --ledger."
            )
        origin = origin or infos[0].origin
        store.ledgers.named(origin)
        size, note = _newest(store, origin, given.policy)
        _check(store, origin, size, note, given.keys)
        yield PublishableLog(
            origin,
            note,
            size,
            lambda after, until: (
                _header(link, origin)
                for link in store.events.links(origin, after=after, until=until)
            ),
            is_taken_at_its_word=not given.keys,
        )
    finally:
        store.close()


def _newest(store: "Store", origin: str, policy: "WitnessPolicy | None") -> tuple[int, str]:
    """Return the newest checkpoint with its cosignatures; with a policy, that it accepts."""
    newest = store.proofs.checkpoint(origin)
    if newest is None:
        raise MisuseError("No checkpoint was signed yet.", "Let the server sign one first.")
    if policy is None:
        return newest.size, _cosigned(store, origin, newest)
    why, window = "", _PAGE
    while True:  # backwards in windows that grow, since the newest that is accepted is wanted
        after = max(newest.size - window, 0)
        for kept in reversed(list(_kept_after(store, origin, after))):
            note = _cosigned(store, origin, kept)
            try:
                policy.check(note.encode())
            except NoteError as error:
                why = why or str(error)
            else:
                return kept.size, note
        if after == 0:
            raise IntegrityFailure(
                f"The policy accepts no checkpoint of {origin}: {why}.", "Wait for the witnesses."
            )
        window *= 8


def _kept_after(store: "Store", origin: str, after: int) -> "Iterator[KeptCheckpoint]":
    while page := store.proofs.checkpoints(origin, after_size=after, limit=_PAGE):
        yield from page
        after = page[-1].size


def _cosigned(store: "Store", origin: str, kept: "KeptCheckpoint") -> str:
    lines = [cosignature.line for cosignature in store.proofs.cosignatures(origin, kept.size)]
    try:
        return add_cosignatures(kept.note.encode(), lines).decode()
    except (NoteError, UnicodeEncodeError) as error:
        raise IntegrityFailure(
            f"The checkpoint kept over {kept.size} events cannot be read: {error}.", "Run an audit."
        ) from error


def _check(store: "Store", origin: str, size: int, note: str, keys: Iterable[VerifierKey]) -> None:
    """Refuse a checkpoint that no key has signed that is known elsewhere, or by the ledger."""
    keys = list(keys)
    if not keys:
        history = KeyHistory()
        try:
            for event in store.events.key_events(origin, until=size):
                history.apply(event.type, event.position, event.data)
        except KeyHistoryError as error:
            raise IntegrityFailure(f"Its keys do not hold: {error}.", "Run an audit.") from error
        keys = history.valid_at(size)
    try:
        open_checkpoint(note.encode(), origin=origin, keys=keys)
    except NoteError as error:
        raise IntegrityFailure(
            f"The checkpoint over {size} events does not verify: {error}.", "Run an audit."
        ) from error


def _header(link: Link, origin: str) -> bytes:
    """Return the header of an event as it was found; IntegrityFailure where it can have none."""
    try:
        return header_bytes(
            body_hash=link.body_hash.hex(),
            ledger=origin,
            position=link.position,
            prev_hash=link.prev_hash.hex(),
            recorded_at=link.recorded_at,
            stream=link.stream,
            stream_version=link.stream_version,
            type_=link.type,
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise IntegrityFailure(
            f"The event at position {link.position} holds what no header can: {error}.",
            "Run an audit.",
        ) from error
