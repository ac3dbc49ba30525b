"""`decision-ledger log publish`: static tiles from a live server, or from a database read only."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ledger.cli import output
from ledger.cli.databases import check_file
from ledger.cli.exits import IntegrityFailure, MisuseError
from ledger.cli.proofs import believing, first_use_said
from ledger.cli.session import session
from ledger.cli.vouching import Keys, PolicyFile, keys_of, policy_of

if TYPE_CHECKING:
    from ledger.chain.policy import Policy
    from ledger.client import LedgerClient
    from ledger.export.publishing import Headers
    from ledger.storage.sql_store import SqlStore
    from ledger.storage.store import KeptCheckpoint

_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Source:
    """A verified checkpoint, and where the headers that it covers come from."""

    note: str
    size: int
    headers: "Headers"


def publish(
    folder: Annotated[Path, typer.Argument(help="The folder to publish into.")],
    database: Annotated[
        str | None,
        typer.Option("--db", help="Publish from this database, read only, without a server."),
    ] = None,
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Publish the ledger as static tiles (C2SP tlog-tiles), for mirrors, CDNs and any follower.

    Writes what is new since the last run; the checkpoint comes last. Entries are the canonical
    headers: bodies never leave this way. With --policy only a checkpoint that has its quorum. Exits
    with 4, and changes nothing that is served, if the ledger does not extend what was published.
    """
    from ledger.export.publishing import PublishError, TileFolder

    chosen = session()
    origin = chosen.ledger or chosen.settings.client.ledger
    source = _served(vkey, policy) if database is None else _stored(database, origin, vkey, policy)
    with source as found, output.progress(f"Publishing into {folder}", found.size) as move:
        try:
            done = TileFolder(folder).publish(found.note.encode(), found.headers, move)
        except PublishError as error:
            raise IntegrityFailure(
                f"Nothing was published: {error}.",
                "Keep folder and ledger as evidence; publish into another folder meanwhile.",
            ) from error
    chosen.show(
        done,
        f"{done.origin}: {output.counted(done.size, 'event')} published in {folder}, "
        f"{done.size - done.previous_size} of them new.",
    )


@contextmanager
def _served(vkey: list[str] | None, policy: Path | None) -> Iterator[_Source]:
    """Yield the log of a server, under a checkpoint that it signs now."""
    with believing(vkey, policy) as client:
        signed = client.verified_checkpoint()
        first_use_said(signed)
        yield _Source(
            signed.note,
            signed.size,
            lambda after, until: _headers(client, signed.origin, after, until),
        )


def _headers(client: "LedgerClient", origin: str, after: int, until: int) -> Iterator[bytes]:
    from ledger.chain.link import header_bytes

    for event in client.list_events(after_position=after, until_position=until):
        yield header_bytes(
            body_hash=event.body_hash.hex(),
            ledger=origin,
            position=event.position,
            prev_hash=event.prev_hash.hex(),
            recorded_at=output.iso(event.recorded_at),
            stream=event.stream,
            stream_version=event.stream_version,
            type_=event.type,
        )


@contextmanager
def _stored(
    database: str,
    origin: str,
    vkey: list[str] | None,
    policy: Path | None,
) -> Iterator[_Source]:
    """Yield the log in a database, under the newest checkpoint that was signed there."""
    from ledger.clock import SystemClock
    from ledger.storage import open_store

    check_file(database, "--db")
    store = open_store(database, SystemClock(), read_only=True)
    try:
        infos = store.ledgers()
        if not origin and len(infos) != 1:
            names = ", ".join(info.origin for info in infos) or "none"
            raise MisuseError(
                f"{database} holds {len(infos)} ledgers: {names}.", "Name one: --ledger."
            )
        origin = origin or infos[0].origin
        store.ledger(origin)
        size, note = _newest(store, origin, policy_of(policy))
        _check(store, origin, size, note, vkey)
        yield _Source(note, size, lambda after, until: _rows(store, origin, after, until))
    finally:
        store.close()


def _newest(store: "SqlStore", origin: str, policy: "Policy | None") -> tuple[int, str]:
    """Return the newest checkpoint with its cosignatures; with a policy, that it accepts."""
    from ledger.chain.note import NoteError

    newest = store.checkpoint(origin)
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


def _kept_after(store: "SqlStore", origin: str, after: int) -> "Iterator[KeptCheckpoint]":
    while page := store.checkpoints(origin, after_size=after, limit=_PAGE):
        yield from page
        after = page[-1].size


def _cosigned(store: "SqlStore", origin: str, kept: "KeptCheckpoint") -> str:
    from ledger.chain.cosignature import add_cosignatures

    lines = [cosignature.line for cosignature in store.cosignatures(origin, kept.size)]
    return add_cosignatures(kept.note.encode(), lines).decode()


def _check(store: "SqlStore", origin: str, size: int, note: str, vkey: list[str] | None) -> None:
    """Refuse a checkpoint that no key has signed that is known elsewhere, or by the ledger."""
    from ledger.chain.checkpoint import open_checkpoint
    from ledger.chain.key_history import KeyHistory, KeyHistoryError
    from ledger.chain.note import NoteError

    keys = keys_of(vkey or ())
    if not keys:
        history = KeyHistory()
        try:
            for event in store.key_events(origin, until=size):
                history.apply(event.type, event.position, event.data)
        except KeyHistoryError as error:
            raise IntegrityFailure(f"Its keys do not hold: {error}.", "Run an audit.") from error
        keys = history.valid_at(size)
        output.say(f"The key came from {origin} itself: compare it with one obtained elsewhere.")
    try:
        open_checkpoint(note.encode(), origin=origin, keys=keys)
    except NoteError as error:
        raise IntegrityFailure(
            f"The checkpoint over {size} events does not verify: {error}.", "Run an audit."
        ) from error


def _rows(store: "SqlStore", origin: str, after: int, until: int) -> Iterable[bytes]:
    from ledger.chain.link import header_bytes
    from ledger.storage.verify import stored_links

    for link in stored_links(store, origin, after=after, until=until):
        yield header_bytes(
            body_hash=link.body_hash.hex(),
            ledger=origin,
            position=link.position,
            prev_hash=link.prev_hash.hex(),
            recorded_at=link.recorded_at,
            stream=link.stream,
            stream_version=link.stream_version,
            type_=link.type,
        )
