"""Erasing bodies under a recorded legal ground, by an actor whom the operator has authorised.

The ledger's own part is one transaction of storage. What is kept elsewhere of what was erased
(projections, exports) follows after the commit: each keeper of copies registers with `on_erased`,
and the request is answered once all of them are gone.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller, CommandResult, fields_named
from ledger.application.erasures import PositionRange
from ledger.application.fleet.fleet import Fleet
from ledger.application.operators import ERASERS, NamedActors
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.proving import BodyErased
from ledger.events.registry import BY_TYPE
from ledger.limits import ERASED_POSITIONS_MAX, ERASED_RANGES_MAX
from ledger.storage.records import LedgerInfo
from ledger.storage.store import Store

OnErased = Callable[[int, Sequence[PositionRange]], None]
"""Given where an erasure is and what it names: returns once its own copies are gone.

Called again where a request is repeated. Raises LedgerError where copies are left.
"""

_NAMED_MAX: Final = 10
_PERMANENT_TYPES: Final = frozenset(type_ for type_, cls in BY_TYPE.items() if cls.KEEPS_BODY)


@dataclass(frozen=True, slots=True)
class ErasureResult:
    """What an erasure did: where it is, and how many bodies it removed."""

    written: CommandResult
    bodies: int


class Erasure:
    """The command of one ledger. `actors` are the only ones who may erase."""

    def __init__(
        self, store: Store, info: LedgerInfo, fleet: Fleet, actors: Collection[str]
    ) -> None:
        self._store = store
        self._info = info
        self._appender = Appender(store, info.origin)
        self._fleet = fleet
        self._actors = NamedActors(ERASERS, actors)
        self._keepers: list[OnErased] = []

    def on_erased(self, callback: OnErased) -> None:
        """Have somebody who keeps copies of bodies remove them after each erasure."""
        self._keepers.append(callback)

    def erase_bodies(
        self, caller: Caller, ranges: Sequence[PositionRange], ground: str, authority: str
    ) -> ErasureResult:
        """Remove body and salt of the events in these ranges, and record who did it and why.

        ACTOR_NOT_AUTHORISED, FIELD_INVALID, POSITION_BEYOND_HEAD, BODY_PERMANENT, BODY_ERASED
        where all are gone already. STORE_UNAVAILABLE where the ledger has erased them but a copy
        is left elsewhere: the same request again removes that.
        """
        self._actors.check(caller.actor, "erase bodies")
        _check_ranges(ranges)
        with fields_named():
            data = BodyErased(
                authority=authority, ground=ground, positions=[[*each] for each in ranges]
            )
        self._check_erasable(ranges)
        request = self._appender.request(caller, BodyErased.METHOD, Proposal([Addition.of(data)]))
        try:
            result, bodies = self._store.requests.erase(request, ranges)
        except LedgerError as error:
            if error.reason is Reason.BODY_ERASED:  # perhaps by somebody who did not see it through
                self._remove_copies(self._store.events.head(self._info.origin).position, ranges)
            raise
        self._remove_copies(result.last_position, ranges)
        return ErasureResult(CommandResult.of(result), bodies)

    def _check_erasable(self, ranges: Sequence[PositionRange]) -> None:
        """Name every position whose body can never be erased; storage alone refuses the first."""
        kept = self._store.events.of_types(
            self._info.origin,
            _PERMANENT_TYPES,
            after=ranges[0][0] - 1,
            at_or_before=ranges[-1][1],
        )
        found = [
            event
            for event in kept
            if any(first <= event.position <= last for first, last in ranges)
        ]
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

    def _remove_copies(self, position: int, ranges: Sequence[PositionRange]) -> None:
        """Have every copy removed; all are tried, whatever becomes of one."""
        self._fleet.refresh(position)
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
    """Refuse ranges that are none, overlap, are not in order, or name too much at once."""
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
