"""Bodies that are erased: the command, and which were erased by which event.

An erasure has a recorded legal ground and an actor whom the operator has authorised. The ledger's
own part is one transaction of storage. Copies of erased bodies elsewhere (the fleet,
projections, exports) go after the commit: each keeper of copies registers with `on_erased`,
and the request is answered once all of them are gone.

An erasure is for good, so what was decided after it is always computed without the erased body;
what was decided before it cannot be computed again. `Erasures.passes_over` is where the two part.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller, fields_named
from ledger.errors import LedgerError, Reason, body_erased, event_unreadable, invalid_field
from ledger.events.envelope import RecordedEvent
from ledger.events.policies import ACTIVATED_TYPES
from ledger.events.proving import BodyErased
from ledger.events.registry import BY_TYPE, typed
from ledger.export.position_set import PositionSet, united
from ledger.limits import ERASED_POSITIONS_MAX, ERASED_RANGES_MAX
from ledger.storage.events import Events
from ledger.storage.records import AppendResult, Guard, Head, LedgerInfo
from ledger.storage.store import Store

T = TypeVar("T")

PositionRange = tuple[int, int]
"""First and last position, both included."""

OnErased = Callable[[int, Sequence[PositionRange]], None]
"""Given where an erasure is and what it names: returns once its own copies are gone.

Called again where a request is repeated. Raises LedgerError where copies are left.
"""

KeepsActivations = Callable[[], tuple[bool, Guard]]
"""Returns whether activations are not erased any more, and the guard of the answer."""

_NAMED_MAX: Final = 10
_PERMANENT_TYPES: Final = frozenset(type_ for type_, cls in BY_TYPE.items() if cls.KEEPS_BODY)


# ---- the command ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """The result of an erasure: where it is, and how many bodies it removed."""

    written: AppendResult
    bodies: int


class Erasure:
    """The command of one ledger; who may give it is for the gate of the API."""

    def __init__(self, store: Store, info: LedgerInfo, keeps_activations: KeepsActivations) -> None:
        self._store = store
        self._info = info
        self._keeps_activations = keeps_activations
        self._appender = Appender(store, info.origin)
        self._keepers: list[OnErased] = []

    def on_erased(self, callback: OnErased) -> None:
        """Register a keeper of copies of bodies, who removes them after each erasure."""
        self._keepers.append(callback)

    def erase_bodies(
        self, caller: Caller, ranges: Sequence[PositionRange], ground: str, authority: str
    ) -> ErasureResult:
        """Remove body and salt of the events in these ranges, and record who did it and why.

        FIELD_INVALID, POSITION_BEYOND_HEAD, BODY_ERASED where all are gone already. BODY_PERMANENT:
        also for activations, once a version was drafted that asks for approvals. STORE_UNAVAILABLE
        where the ledger has erased them but a copy is left: the same request again removes that.
        """
        _check_ranges(ranges)
        with fields_named():
            data = BodyErased(
                authority=authority, ground=ground, positions=[[*each] for each in ranges]
            )
        proposal = Proposal([Addition.of(data)], self._check_erasable(ranges))
        request = self._appender.request(caller, BodyErased.METHOD, proposal)
        try:
            result, bodies = self._store.requests.erase(request, ranges)
        except LedgerError as error:
            if error.reason is Reason.BODY_ERASED:  # perhaps by a call that did not finish
                self._remove_copies(self._store.events.head(self._info.origin).position, ranges)
            raise
        self._remove_copies(result.last_position, ranges)
        return ErasureResult(result, bodies)

    def _check_erasable(self, ranges: Sequence[PositionRange]) -> list[Guard]:
        """Name every position whose body can never be erased; storage alone refuses the first.

        Return the guards that it is so.
        """
        guards: list[Guard] = []
        found = self._of_types(_PERMANENT_TYPES, ranges)
        if activations := self._of_types(ACTIVATED_TYPES, ranges):
            are_kept, guard = self._keeps_activations()
            guards.append(guard)
            found += activations if are_kept else []
        if found:
            named = ", ".join(f"{event.position} ({event.type})" for event in found[:_NAMED_MAX])
            more = f" and {len(found) - _NAMED_MAX} more" if len(found) > _NAMED_MAX else ""
            raise LedgerError(
                Reason.BODY_PERMANENT,
                f"These bodies can never be erased: {named}{more}. Nothing was erased.",
                remedy="Leave those positions out: without them the rest could not be judged.",
                metadata={
                    "position": str(found[0].position),
                    "positions": ",".join(str(event.position) for event in found[:_NAMED_MAX]),
                },
            )

        return guards

    def _of_types(
        self, types: Collection[str], ranges: Sequence[PositionRange]
    ) -> list[RecordedEvent]:
        """Return the events of some types that the ranges name."""
        first, last = ranges[0][0], ranges[-1][1]
        within = self._store.events.of_types(
            self._info.origin, types, after=first - 1, at_or_before=last
        )
        return [event for event in within if any(a <= event.position <= b for a, b in ranges)]

    def _remove_copies(self, position: int, ranges: Sequence[PositionRange]) -> None:
        """Have every copy removed; all are tried, even if one fails."""
        failures: list[LedgerError] = []
        for keeper in self._keepers:
            try:
                keeper(position, ranges)
            except LedgerError as error:
                failures.append(error)
        if failures:
            raise LedgerError(
                Reason.STORE_UNAVAILABLE,
                f"The ledger has erased the bodies, but copies are left: {failures[0].message}",
                remedy="Correct that, then send the same request again.",
                retry_after_seconds=1.0,
                metadata=failures[0].metadata,
            )


def _check_ranges(ranges: Sequence[PositionRange]) -> None:
    """Refuse ranges that are invalid, overlap, are not in order, or name too much at once."""
    if not 1 <= len(ranges) <= ERASED_RANGES_MAX:
        raise invalid_field(
            "positions", f"must be 1 to {ERASED_RANGES_MAX} ranges, not {len(ranges)}"
        )
    before, total = 0, 0
    for index, (first, last) in enumerate(ranges):
        if first < 1:
            raise invalid_field(f"positions[{index}].first", "must be 1 or more")
        if last < first:
            raise invalid_field(f"positions[{index}].last", f"is {last}, before first, {first}")
        if first <= before:
            raise invalid_field(
                f"positions[{index}].first",
                f"is {first}, within or before the range that ends at {before}",
            )
        before = last
        total += last - first + 1
    if total > ERASED_POSITIONS_MAX:
        raise invalid_field(
            "positions", f"name {total} positions; at most {ERASED_POSITIONS_MAX} at once"
        )


# ---- which bodies were erased --------------------------------------------------------------------


class Erasures:
    """The erasures of one ledger. Safe between threads; reads only what is new."""

    def __init__(self, events: Events, ledger: str) -> None:
        self._events = events
        self._ledger = ledger
        self._lock = threading.Lock()
        self._known: tuple[tuple[int, PositionSet], ...] = ()

    def erased_by(self, position: int) -> int | None:
        """Return where the erasure of a position's body is, None if it was not erased."""
        found = _covering(self._known, position)
        return _covering(self._read(), position) if found is None else found

    def newest(self) -> int:
        """Return where the newest erasure is; 0 for none."""
        known = self._read()
        return known[-1][0] if known else 0

    def refusal(self, position: int) -> LedgerError:
        """Return why nothing can be had of a body that is gone.

        BODY_ERASED with its erasure; EVENT_UNREADABLE where no erasure names it: it was lost.
        """
        erased_by = self.erased_by(position)
        if erased_by is None:
            return event_unreadable(position, "its body is missing, and no erasure names it")
        return body_erased(position, erased_by)

    def passes_over(self, event: RecordedEvent, as_of: int) -> bool:
        """Whether a fold as of a position goes on without this event's body.

        False where the body is there. True where it was erased by then: a reader there has only
        the header. BODY_ERASED where it was erased later: what was made of it then cannot
        be made again.
        """
        if event.body_bytes is not None:
            return False
        erased_by = self.erased_by(event.position)
        if erased_by is None or erased_by > as_of:
            raise self.refusal(event.position)
        return True

    def known(self, events: Iterable[RecordedEvent], as_of: int) -> list[RecordedEvent]:
        """Return those of some events whose bodies a fold as of a position has."""
        return [
            event
            for event in events
            if event.body_bytes is not None or not self.passes_over(event, as_of)
        ]

    def _read(self) -> Sequence[tuple[int, PositionSet]]:
        """Return all erasures, with those that are new."""
        with self._lock:
            after = self._known[-1][0] if self._known else 0
            for event in self._events.of_types(self._ledger, (BodyErased.TYPE,), after=after):
                pairs = [(first, last) for first, last in typed(event, BodyErased).positions]
                self._known = (*self._known, (event.position, united(pairs)))
            return self._known


def at_newest_head(events: Events, ledger: str, make: Callable[[Head], T]) -> T:
    """Return what is made as of the head; again where a body that it reads was erased after it."""
    while True:
        head = events.head(ledger)
        try:
            return make(head)
        except LedgerError as error:
            erased_by = error.metadata.get("erased_by", "")
            is_later = bool(erased_by) and int(erased_by) > head.position
            if error.reason is not Reason.BODY_ERASED or not is_later:
                raise


def with_bodies(  # noqa: PLR0913 - a page of a range of a stream
    events: Events,
    ledger: str,
    types: Collection[str],
    *,
    stream: str | None = None,
    after: int = 0,
    until: int,
    limit: int,
    descending: bool = False,
) -> list[RecordedEvent]:
    """Return events of some types with after < position <= until, without the erased ones.

    Nothing is known of those but that they were made.
    """
    found: list[RecordedEvent] = []
    while len(found) < limit:
        page = events.of_types(
            ledger,
            types,
            stream=stream,
            after=after,
            at_or_before=until,
            limit=limit,
            descending=descending,
        )
        found += [event for event in page if event.body_bytes is not None]
        if len(page) < limit:
            break
        if descending:
            until = page[-1].position - 1
        else:
            after = page[-1].position
    return found[:limit]


def _covering(erasures: Sequence[tuple[int, PositionSet]], position: int) -> int | None:
    return next((erased_by for erased_by, ranges in erasures if position in ranges), None)
