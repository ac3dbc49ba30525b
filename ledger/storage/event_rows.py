"""Rows of the table of events as events: each value has the type and the range that it must have.

SQLite stores any type in any column, so what a row holds is looked at before anything believes it.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from operator import ne
from typing import Any, Final

from ledger.chain.link import EventRow
from ledger.errors import LedgerError, chain_broken, event_unreadable
from ledger.events.envelope import RecordedEvent
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import TIME_LIMIT, format_time
from ledger.storage.records import RawEvent

_SHAPES: Final = {
    (int, str, int, str, int, observed_at, body, salt, bytes, bytes, bytes)
    for observed_at, body, salt in product(
        (int, type(None)), (bytes, type(None)), (bytes, type(None))
    )
}


def events_of(rows: Iterable[Sequence[Any]]) -> list[RecordedEvent]:
    """Return rows as events; CHAIN_BROKEN where one has a value that no event can have."""
    found = []
    for row in rows:
        if tuple(map(type, row)) not in _SHAPES:
            raise _mistyped(row)
        event = RecordedEvent._make(row)
        recorded, observed = event.recorded_at, event.observed_at or 0
        if not (0 <= recorded < TIME_LIMIT and 0 <= observed < TIME_LIMIT):
            raise chain_broken(event.position, "no event can have its time")
        found.append(event)
    return found


def timed(rows: Iterable[RawEvent]) -> Iterator[EventRow]:
    """Yield rows as the chain sees them, with their time as text; CHAIN_BROKEN if it is none."""
    micros, text = None, ""
    for position, stream, version, type_, time, _, body, salt, body_hash, prev_hash, hash_ in rows:
        if time != micros:  # events of one commit share their time
            try:
                micros, text = time, format_time(time)
            except (TypeError, ValueError) as error:
                raise chain_broken(position, f"its record time is not a time: {error}") from error
        yield position, stream, version, type_, text, body, salt, body_hash, prev_hash, hash_


def _mistyped(row: Sequence[Any]) -> LedgerError:
    """Return the refusal of a row with a value of the wrong type, which SQLite can store.

    Equal bytes in the wrong type would break every comparison downstream in its own way.
    """
    shape = min(_SHAPES, key=lambda known: sum(map(ne, known, map(type, row))))
    wrong = next(
        at
        for at, (want, value) in enumerate(zip(shape, row, strict=True))
        if want is not type(value)
    )
    return chain_broken(
        row[0] if type(row[0]) is int else 0,
        f"its {RecordedEvent._fields[wrong]} is stored as {type(row[wrong]).__name__}",
    )


def checked_observations(found: Iterable[RecordedEvent]) -> list[RecordedEvent]:
    """Return observations; EVENT_UNREADABLE where the indexed time is not the one that was hashed.

    The body is canonical JSON, so its time is there in exactly one spelling.
    """
    checked = []
    for event in found:
        body = event.body_bytes
        if event.type not in OBSERVED_TYPES or event.observed_at is None:
            raise event_unreadable(event.position, "it has a time of observation but is none")
        if body is not None and _time_member(event.observed_at) not in body:
            raise event_unreadable(event.position, "its indexed observed_at is not its body's")
        checked.append(event)
    return checked


def _time_member(micros: int) -> bytes:
    """Return how a body spells its time of observation."""
    return b'"observed_at":"' + format_time(micros).encode("ascii") + b'"'
