"""Telling the repeated observations of a request apart, within the writer's transaction.

What was placed earlier in the same group counts as on record, and so does what is earlier in
the same request. A request is told apart before any of it is placed, so leaving out happens before
the append, and a repeat of the request finds what the first attempt found.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from ledger.events.fast import identity_of, repeated_part
from ledger.storage.chains import Chain
from ledger.storage.database import EVENT_COLUMNS, EVENT_WIDTH
from ledger.storage.duplicates import NONE_FOUND, Duplicates, stored_repeats
from ledger.storage.records import AppendRequest, AppendResult, NewEvent

_LEDGER: Final = EVENT_COLUMNS.index("ledger_id")
_POSITION: Final = EVENT_COLUMNS.index("position")
_STREAM: Final = EVENT_COLUMNS.index("stream")
_OBSERVED_AT: Final = EVENT_COLUMNS.index("observed_at")
_BODY: Final = EVENT_COLUMNS.index("body")

_Split = tuple[Sequence[NewEvent], Sequence[bytes], Duplicates]


class Repeats:
    """Finds repeats for one group, whose rows that are not stored yet it reads along."""

    def __init__(self, connection: Connection, rows: list[Any]) -> None:
        self._connection = connection
        self._rows = rows
        self._indexed = 0
        self._placed: dict[tuple[int, str, int], list[tuple[int, bytes]]] = {}

    def told_apart(self, chain: Chain, request: AppendRequest, bodies: Sequence[bytes]) -> _Split:
        """Return the events and bodies to place, and what was found of repeats.

        Remembers all of them as seen: a number that is seen without need costs a look-up, no more.
        """
        new = request.events
        times = [event.observed_at for event in new if event.observed_at is not None]
        if not times:
            return new, bodies, NONE_FOUND
        recent, ledger_id = chain.recent, chain.info.ledger_id
        identities = request.identities or [
            identity_of(event.stream, event.observed_at, body)
            for event, body in zip(new, bodies, strict=True)
            if event.observed_at is not None
        ]
        floor = recent.learn_floors(self._connection, ledger_id, {event.stream for event in new})
        is_mixed = len(times) < len(new)  # which no call of the service makes: it is only noted
        suspects = [] if is_mixed else recent.suspects(new, times, identities, floor)
        recent.remember(times, identities)
        if not suspects:
            return new, bodies, NONE_FOUND
        found = self._find(chain, request, bodies, suspects, chain.position + 1)
        return _split(request, bodies, found)

    def found_before(
        self, chain: Chain, request: AppendRequest, result: AppendResult
    ) -> Duplicates:
        """Return what the first attempt of a repeated request found, from what was there then."""
        new = request.events
        if not new or any(event.observed_at is None for event in new):
            return NONE_FOUND
        bodies = [event.body for event in new if isinstance(event.body, bytes)]
        found = self._find(chain, request, bodies, range(len(new)), result.first_position)
        _, _, duplicates = _split(request, bodies, found)
        if not request.leave_out_duplicates:
            return duplicates
        left_out = len(new) - (result.last_position - result.first_position + 1)
        return duplicates._replace(found=left_out, left_out=left_out)

    def _find(
        self,
        chain: Chain,
        request: AppendRequest,
        bodies: Sequence[bytes],
        suspects: Sequence[int],
        first: int,
    ) -> dict[int, int]:
        """Return, by index, the position of what each repeated suspect repeats.

        `first` is where the request's own events begin: a repeat within it has the position, from
        there on, that its original is given.
        """
        ledger_id, new = chain.info.ledger_id, request.events
        times: dict[str, set[int]] = {}
        for index in suspects:
            times.setdefault(new[index].stream, set()).add(new[index].observed_at or 0)
        known = stored_repeats(self._connection, ledger_id, times, first)
        self._index_placed()
        for stream, wanted in times.items():
            for at in wanted:
                for position, body in self._placed.get((ledger_id, stream, at), ()):
                    if position < first:
                        known.setdefault((stream, repeated_part(body)), position)
        found: dict[int, int] = {}
        for index in suspects:
            identity = (new[index].stream, repeated_part(bodies[index]))
            original = known.get(identity)
            if original is None:
                left_out = len(found) if request.leave_out_duplicates else 0
                known[identity] = first + index - left_out
            else:
                found[index] = original
        return found

    def _index_placed(self) -> None:
        """Take note of the observations that the group has placed since the last look."""
        rows = self._rows
        for at in range(self._indexed, len(rows), EVENT_WIDTH):
            observed_at = rows[at + _OBSERVED_AT]
            if observed_at is not None:
                key = rows[at + _LEDGER], rows[at + _STREAM], observed_at
                placed = rows[at + _POSITION], rows[at + _BODY]
                self._placed.setdefault(key, []).append(placed)
        self._indexed = len(rows)


def _split(request: AppendRequest, bodies: Sequence[bytes], found: dict[int, int]) -> _Split:
    """Return what of a request is to be placed, given what each of its repeats repeats."""
    if not found:
        return request.events, bodies, NONE_FOUND
    first, last = min(found.values()), max(found.values())
    if not request.leave_out_duplicates:
        return request.events, bodies, Duplicates(len(found), 0, first, last)
    kept = [index for index in range(len(bodies)) if index not in found]
    return (
        [request.events[index] for index in kept],
        [bodies[index] for index in kept],
        Duplicates(len(found), len(found), first, last),
    )
