"""Finds damage in a database: every stored row against the events, every event against the chain.

This is the store checking itself, for `doctor` and start-up after a crash. It finds
what a disk, a file system or a careless hand has changed. A forger of a whole ledger can
rewrite it consistently: against that stand signed checkpoints kept elsewhere.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NoReturn

from sqlalchemy import select

from ledger.chain.link import Digest, Link, Verifier
from ledger.errors import LedgerError, chain_broken
from ledger.events.envelope import RecordedEvent
from ledger.events.signals import SignalObserved
from ledger.events.values import format_time
from ledger.storage.checks import request_seal
from ledger.storage.database import damaged
from ledger.storage.reader import SqlReader, time_member
from ledger.storage.schema import requests
from ledger.storage.store import LedgerInfo, RawEvent, Reader
from ledger.storage.vault import Vault
from ledger.storage.verify_signed import check_keys, check_orphans, check_signatures
from ledger.storage.verify_tree import Erasures, TreeCheck

_time_text: Final = lru_cache(4_096)(format_time)  # events of one commit share their time


@dataclass(frozen=True, slots=True)
class Verified:
    """What a whole ledger was found to be."""

    position: int
    event_hash: bytes
    root: bytes


def verify_database(
    reader: SqlReader,
    progress: Callable[[str, int], None] | None = None,
    *,
    vault: Vault | None = None,
) -> dict[str, Verified]:
    """Verify the database's own structure and every ledger in it; returns what was verified.

    With a `vault` the sealed keys are opened too. Raises CHAIN_BROKEN with the first bad position,
    or 0 where the damage is not in an event.
    """
    try:
        reader.check_structure()
        check_orphans(reader)
        return {
            info.origin: verify_ledger(reader, info.origin, progress, vault=vault)
            for info in reader.ledgers()
        }
    except (TypeError, ValueError) as error:  # a column holds what the schema forbids
        raise damaged(f"a row does not have the types of its columns: {error}") from error


def verify_ledger(
    reader: SqlReader,
    origin: str,
    progress: Callable[[str, int], None] | None = None,
    *,
    vault: Vault | None = None,
) -> Verified:
    """Verify one ledger: chain, bodies, tree, head, observations, requests, keys, signatures."""
    (info,) = [each for each in reader.ledgers() if each.origin == origin]  # as it is now
    verifier = Verifier(origin=origin)
    tree, erasures = TreeCheck(reader, info), Erasures()
    newest: int | None = None
    for page in reader.rows_raw(origin):
        for row in page:
            link = _link(row)
            verifier.feed(link)
            newest = _check_observed(link, row[5], newest)
            tree.add(link)
            erasures.add(link)
        if progress is not None:
            progress(origin, verifier.next_position - 1)
    root = tree.finish()
    erasures.finish(reader, origin)
    _check_head(reader, origin, verifier, tree, newest)
    _check_row(reader, info)
    _check_requests(reader, info, verifier.next_position - 1)
    history = check_keys(reader, info, vault)
    check_signatures(reader, info, history)
    return Verified(verifier.next_position - 1, verifier.head, root)


def as_link(event: RecordedEvent) -> Link:
    """Return an event as the chain sees it."""
    return _link(event)


def stored_links(
    reader: Reader, origin: str, *, after: int = 0, until: int | None = None
) -> Iterator[Link]:
    """Yield stored events as the chain sees them, by the quickest way there is; a Verifier judges.

    Nothing of a row is checked here but that its time can be spelled.
    """
    for page in reader.rows_raw(origin, after=after, until=until):
        yield from map(_link, page)


def _link(row: RawEvent) -> Link:
    try:
        recorded_at = _time_text(row[4])
    except (TypeError, ValueError) as error:
        raise chain_broken(row[0], f"its record time is no time: {error}") from error
    return Link(row[0], row[1], row[2], row[3], recorded_at, *row[6:])


def _check_observed(link: Link, observed_at: Any, newest: int | None) -> int | None:  # noqa: ANN401 - as stored
    """Compare the indexed time with the body's; return the newest time so far."""
    if (link.type == SignalObserved.TYPE) != (observed_at is not None) or (
        observed_at is not None
        and link.body is not None
        and time_member(observed_at) not in link.body
    ):
        raise chain_broken(link.position, "its indexed observed_at is not its body's")
    if observed_at is None:
        return newest
    time: int = observed_at
    return time if newest is None else max(newest, time)


def _check_head(
    reader: SqlReader, origin: str, verifier: Verifier, tree: TreeCheck, newest: int | None
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
        or head.tree != tree.compact_range
    ):
        raise chain_broken(count, "the stored head is not what the events lead to")


def _check_row(reader: SqlReader, info: LedgerInfo) -> None:
    """Compare a ledger's row with its first events."""
    for event in reader.read(info.origin, limit=2):
        if event.type == "ledger.created.v1" and event.data["vkey"] != info.vkey:
            _row_differs(info)
        if event.type.startswith("ledger.configured.") and (
            event.data["clock"] != info.clock or event.data["skew_seconds"] != info.skew_seconds
        ):
            _row_differs(info)


def _row_differs(info: LedgerInfo) -> NoReturn:
    raise damaged(f"the row of {info.origin} is not what its first events say")


def _check_requests(reader: SqlReader, info: LedgerInfo, last: int) -> None:
    """Check every request id: its seal, and that it names positions that exist."""
    for row in reader.rows(select(requests).where(requests.c.ledger_id == info.ledger_id)):
        if not 1 <= row.first_position <= row.last_position + 1 <= last + 1:
            raise _request_damaged(row, "names positions beyond the head")
        if request_seal(row) != row.seal:
            raise _request_damaged(row, "was changed")


def _request_damaged(row: Any, why: str) -> LedgerError:  # noqa: ANN401 - a row
    return damaged(f"the row of request id {row.request_id[:140]!r} {why}")
