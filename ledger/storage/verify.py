"""Finds damage in a database: every stored row against the events, every event against the chain.

This is the store checking itself, for `doctor`, `log verify` and start-up after a crash. It finds
what a disk, a file system or a careless hand has changed. Whoever rewrites a ledger on purpose can
rewrite it consistently: against that stand signed checkpoints kept elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from ledger.chain.checkpoint import open_checkpoint
from ledger.chain.keys import VerifierKey
from ledger.chain.link import Digest, Link, Verifier
from ledger.chain.merkle import CompactRange
from ledger.errors import chain_broken
from ledger.events.envelope import RecordedEvent
from ledger.events.signals import SignalObserved
from ledger.events.values import format_time
from ledger.storage.checks import request_seal
from ledger.storage.database import damaged
from ledger.storage.reader import SqlReader, time_member
from ledger.storage.schema import checkpoints, ledgers, requests
from ledger.storage.store import LedgerInfo

PAGE: Final = 2_000


@dataclass(frozen=True, slots=True)
class Verified:
    """What a whole ledger was found to be."""

    position: int
    event_hash: bytes
    root: bytes


def verify_database(
    reader: SqlReader, progress: Callable[[str, int], None] | None = None
) -> dict[str, Verified]:
    """Verify the database's own structure and every ledger in it; returns what was verified.

    Raises CHAIN_BROKEN with the first bad position, or 0 where the damage is not in an event.
    """
    try:
        reader.check_structure()
        return {
            info.origin: verify_ledger(reader, info.origin, progress) for info in reader.ledgers()
        }
    except DBAPIError as error:
        raise damaged(f"the database cannot be read: {error.orig}") from error
    except (TypeError, ValueError) as error:  # a column holds what the schema forbids
        raise damaged(f"a row does not have the types of its columns: {error}") from error


def verify_ledger(
    reader: SqlReader, origin: str, progress: Callable[[str, int], None] | None = None
) -> Verified:
    """Verify one ledger: chain, bodies, tree, head, times of observation, request ids, its row."""
    verifier = Verifier(origin=origin)
    tree = CompactRange()
    newest: int | None = None
    position = 0
    sizes = _checkpoints(reader, reader.ledger(origin))
    while page := reader.read(origin, after=position, limit=PAGE):
        for event in page:
            verifier.feed(as_link(event))
            newest = _check_observed(event, newest)
            tree.append(event.event_hash)
            if event.position in sizes and sizes.pop(event.position) != tree.root():
                raise chain_broken(event.position, "the checkpoint of this size has another root")
        position = page[-1].position
        if progress is not None:
            progress(origin, position)
    if sizes:
        raise chain_broken(position + 1, f"a checkpoint covers {max(sizes)} events")
    _check_head(reader, origin, verifier, tree, newest)
    _check_row(reader, reader.ledger(origin))
    _check_requests(reader, origin, position)
    return Verified(position, verifier.head, tree.root())


def as_link(event: RecordedEvent) -> Link:
    """Return an event as the chain sees it."""
    try:
        recorded_at = format_time(event.recorded_at)
    except (TypeError, ValueError) as error:
        raise chain_broken(event.position, f"its record time is no time: {error}") from error
    return Link(
        event.position,
        event.stream,
        event.stream_version,
        event.type,
        recorded_at,
        event.body_bytes,
        event.salt,
        event.body_hash,
        event.prev_hash,
        event.event_hash,
    )


def _check_observed(event: RecordedEvent, newest: int | None) -> int | None:
    """Compare the indexed time with the body's; return the newest time so far."""
    is_observation = event.type == SignalObserved.TYPE
    body = event.body_bytes
    if is_observation != (event.observed_at is not None) or (
        event.observed_at is not None
        and body is not None
        and time_member(event.observed_at) not in body
    ):
        raise chain_broken(event.position, "its indexed observed_at is not its body's")
    if event.observed_at is None:
        return newest
    return event.observed_at if newest is None else max(newest, event.observed_at)


def _check_head(
    reader: SqlReader, origin: str, verifier: Verifier, tree: CompactRange, newest: int | None
) -> None:
    """Compare the stored head with what the events lead to."""
    head = reader.head(origin)
    count = verifier.next_position - 1
    if head.position != count:
        raise chain_broken(
            min(head.position, count) + 1,
            f"the head is at position {head.position}, the last event at {count}",
        )
    recorded_at = verifier.recorded_at or format_time(0)
    if (
        Digest(head.event_hash) != verifier.head
        or format_time(head.recorded_at) != recorded_at
        or head.newest_observed_at != newest
        or head.tree != tree.to_bytes()
    ):
        raise chain_broken(count, "the stored head is not what the events lead to")


def _checkpoints(reader: SqlReader, info: LedgerInfo) -> dict[int, bytes]:
    """Return size → root of the checkpoints kept, each one's signature checked."""
    found: dict[int, bytes] = {}
    statement = select(checkpoints).where(checkpoints.c.ledger_id == info.ledger_id)
    for row in reader.rows(statement):
        try:
            key = VerifierKey.parse(info.vkey)
            opened = open_checkpoint(row.note.encode(), origin=info.origin, keys=[key])
        except ValueError as error:
            raise damaged(f"the checkpoint of size {row.size} is not genuine: {error}") from error
        if opened.checkpoint.size != row.size:
            raise damaged(f"the checkpoint of size {row.size} says {opened.checkpoint.size}")
        found[row.size] = opened.checkpoint.root
    return found


def _check_row(reader: SqlReader, info: LedgerInfo) -> None:
    """Compare a ledger's row with its first events."""
    for event in reader.read(info.origin, limit=2):
        data = event.data
        if event.type == "ledger.created.v1" and data["vkey"] != info.vkey:
            _row_differs(info)
        if event.type.startswith("ledger.configured.") and (
            data["clock"] != info.clock or data["skew_seconds"] != info.skew_seconds
        ):
            _row_differs(info)


def _row_differs(info: LedgerInfo) -> NoReturn:
    raise damaged(f"the row of {info.origin} is not what its first events say")


def _check_requests(reader: SqlReader, origin: str, last: int) -> None:
    """Check every request id: its seal, and that it names positions that exist."""
    ledger_id = reader.ledger(origin).ledger_id
    for row in reader.rows(select(requests).where(requests.c.ledger_id == ledger_id)):
        if not 1 <= row.first_position <= row.last_position + 1 <= last + 1:
            raise damaged(f"request id {row.request_id[:140]!r} names positions beyond the head")
        if request_seal(row) != row.seal:
            raise damaged(f"the row of request id {row.request_id[:140]!r} was changed")
    known = set(reader.rows(select(ledgers.c.ledger_id)))
    for row in reader.rows(select(requests.c.ledger_id).distinct()):
        if row not in known:
            raise damaged(f"request ids name a ledger {row.ledger_id} that does not exist")
