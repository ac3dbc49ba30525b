"""Erasure: body and salt of events are removed, and the event that says so is appended with it.

The header and every hash stay, so each proof made before or after still verifies. Beside them the
row keeps the time of an observation, by which windows are selected: the existence of the event
stays known, its content does not.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import and_, delete, or_, select, update

from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.proving import BodyErased
from ledger.events.registry import KEPT_NAMES, typed
from ledger.storage.checks import request_key
from ledger.storage.events import Events
from ledger.storage.records import AppendRequest, AppendResult, LedgerInfo
from ledger.storage.schema import events, requests
from ledger.storage.write_queue import WriteTransaction

Ranges = Sequence[tuple[int, int]]
"""First and last positions, ascending and apart."""

_KEPT: Final = or_(*(events.c.type.startswith(f"{kept}.v") for kept in sorted(KEPT_NAMES)))


def check_ranges(ranges: Ranges) -> None:
    """Refuse ranges that are not ascending and apart."""
    before = 0
    for first, last in ranges:
        if not before < first <= last:
            raise invalid_field("positions", "must be ranges that ascend and do not overlap")
        before = last
    if not before:
        raise invalid_field("positions", "names no event")


def erase(
    transaction: WriteTransaction,
    recorded: Events,
    info: LedgerInfo,
    request: AppendRequest,
    ranges: Ranges,
) -> tuple[AppendResult, int]:
    """Append and remove in the writer's transaction; return how many bodies that removed.

    A repeat removes nothing and is told the first count again.
    """
    key = request_key(info, request)
    transaction.group.begin([info], [key] if key is not None else [])
    if key is not None and transaction.group.knows(key):
        result = transaction.group.admit(info, request)
        return result, _removed_by(recorded, info, result.first_position)
    first, last = ranges[0][0], ranges[-1][1]
    result = transaction.group.admit(info, request)
    if last >= result.first_position:
        raise LedgerError(
            Reason.POSITION_BEYOND_HEAD,
            f"There is no event at position {last}; the newest is {result.first_position - 1}.",
            remedy="Name positions of events that are there.",
            metadata={"position": str(last), "head": str(result.first_position - 1)},
        )
    removed = sum(_remove(transaction, info, each) for each in ranges)
    if removed == 0:
        raise LedgerError(
            Reason.BODY_ERASED,
            "All of these bodies are erased already.",
            remedy="Nothing is left to do; `body.erased` events say when and on which ground.",
            metadata={"position": str(first)},
        )
    _forget_requests(transaction, info, first, last)
    return result, removed


def _remove(transaction: WriteTransaction, info: LedgerInfo, positions: tuple[int, int]) -> int:
    """Remove the bodies of a range; BODY_PERMANENT names the first that cannot be."""
    within = and_(events.c.ledger_id == info.ledger_id, events.c.position.between(*positions))
    kept = select(events.c.position, events.c.type).where(within, _KEPT).limit(1)
    found = transaction.connection.execute(kept.order_by(events.c.position)).first()
    if found is not None:
        raise LedgerError(
            Reason.BODY_PERMANENT,
            f"The body of the {found.type} at position {found.position} can never be erased.",
            remedy="Leave that position out.",
            metadata={"position": str(found.position), "type": found.type},
        )
    erased = update(events).where(within, events.c.body.is_not(None)).values(body=None, salt=None)
    return transaction.connection.execute(erased).rowcount


def _forget_requests(
    transaction: WriteTransaction, info: LedgerInfo, first: int, last: int
) -> None:
    """Delete the request ids all of whose events have lost their bodies: they name an actor.

    While one body is left it says the same, and the id still has to be known.
    """
    left = select(events.c.position).where(
        events.c.ledger_id == info.ledger_id,
        events.c.position.between(requests.c.first_position, requests.c.last_position),
        events.c.body.is_not(None),
    )
    transaction.connection.execute(
        delete(requests).where(
            requests.c.ledger_id == info.ledger_id,
            requests.c.first_position.between(1, last),
            requests.c.last_position >= first,
            requests.c.last_position >= requests.c.first_position,
            ~left.exists(),
        )
    )


def _removed_by(recorded: Events, info: LedgerInfo, position: int) -> int:
    """Return how many bodies the `body.erased` event at a position removed."""
    *earlier, own = [
        [(first, last) for first, last in typed(event, BodyErased).positions]
        for event in recorded.of_types(
            info.origin, {BodyErased.TYPE}, stream=BodyErased.STREAM, at_or_before=position
        )
    ]
    gone = union(each for ranges in earlier for each in ranges)
    return sum(last - first + 1 for first, last in own) - _overlap(own, gone)


def union(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return ranges that cover the same positions, ascending and apart."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _overlap(one: Iterable[tuple[int, int]], other: Sequence[tuple[int, int]]) -> int:
    """Return how many positions are in both; each ascends and is apart."""
    shared, at = 0, 0
    for first, last in one:
        while at < len(other) and other[at][1] < first:
            at += 1
        look = at
        while look < len(other) and other[look][0] <= last:
            shared += min(last, other[look][1]) - max(first, other[look][0]) + 1
            look += 1
    return shared
