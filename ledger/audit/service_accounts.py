"""The accounts of services: how much they recorded, how much is there, and spans without."""

from array import array
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.audit.event import AuditedEvent
from ledger.audit.gaps import Uncovered
from ledger.audit.moments import Moments
from ledger.events.access import ACCESS_KINDS, AccessRecorded, ReadsCounted
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.proving import (
    ACCOUNTED,
    ACCOUNTED_READS,
    REFUSED,
    ServiceAccountedV3,
    StreamsSealed,
)
from ledger.events.registry import HOUSEKEEPING_TYPES

SERVICE: Final = "system/service"
EVALUATOR: Final = "system/evaluator"
_BY: Final = {
    "scores": ((ScoreComputed.TYPE,), EVALUATOR),
    "decisions": (DECISION_TYPES, EVALUATOR),
    "seals": ((StreamsSealed.TYPE,), "system/sealer"),
    "refused": (REFUSED, "system/refusals"),
    "reads": ((ReadsCounted.TYPE,), "system/access"),
    "accesses": ((AccessRecorded.TYPE,), "system/access"),
}
_TOTALS: Final = frozenset({*REFUSED, ReadsCounted.TYPE})
"""The types of which each is a count by itself: without its body nothing is known of that."""
_SINCE_V2: Final = ("reads", "accesses")
_SINCE_V3: Final = ("governed_through",)
COUNTED: Final = tuple(name for name in _BY if name not in _SINCE_V2)
_COUNTER_OF: Final = {
    type_: (name, actor) for name, (types, actor) in _BY.items() for type_ in types
}
LATE_SECONDS: Final = 300
"""How late something due may come of a service that was busy, or whose database was away."""
_DERIVED: Final = frozenset({ScoreComputed.TYPE, *DECISION_TYPES})
_STREAMS: Final = ("models/", "policies/")
"""Where something can be recorded that makes a score due."""

_BEGINNING: Final = 2
"""A ledger is created and configured before a service serves it."""
UNLANDED: Final = 1 << 62
"""Later than any time."""


def rising(type_: str) -> tuple[str, ...]:
    """Return the members of an account of a type that never fall."""
    later = _SINCE_V2 if type_ in ACCOUNTED_READS else ()
    governed = _SINCE_V3 if type_ == ServiceAccountedV3.TYPE else ()
    return (*COUNTED, "ran_seconds", *later, *governed)


@dataclass(slots=True)
class _Counter:
    """Where something was recorded, and how much of it there was up to there."""

    positions: "array[int]" = field(default_factory=lambda: array("q"))
    totals: "array[int]" = field(default_factory=lambda: array("q"))

    def add(self, position: int, number: int) -> None:
        self.positions.append(position)
        self.totals.append(number + (self.totals[-1] if self.totals else 0))

    def after(self, position: int) -> int:
        """Return how much was recorded after a position."""
        before = bisect_right(self.positions, position)
        whole = self.totals[-1] if self.totals else 0
        return whole - (self.totals[before - 1] if before else 0)


@dataclass(slots=True)
class _Given:
    """The accounts of one service: the last one, and what there was to seal at each.

    It landed with the first event after its beginning that is dated later than all before. Until
    then its clock may have been behind the record, which is used, and may leap unnoticed once. From
    then on as much time has passed for it as the record says.
    """

    last: dict[str, Any]
    landed_at: int
    last_at: int = 0
    """When the last one was recorded."""
    ran: "array[int]" = field(default_factory=lambda: array("q"))
    news_at: "array[int]" = field(default_factory=lambda: array("q"))


class ServiceAccounts:
    """The accounts so far, and what they are held against."""

    def __init__(self, moments: Moments) -> None:
        self._moments = moments
        self._counters = {name: _Counter() for name in _BY}
        self._given: dict[str, _Given] = {}
        self._aloft: list[_Given] = []
        self._recorded_at = 0
        self._news_at = self._sealed = 0
        """The newest event that is to be sealed, and how far a seal reaches."""
        self.blind_at = 0
        """The last account or count of refusals or reads whose body is gone; 0 for none."""
        self.unevaluated, self.unsealed_spans = Uncovered(), Uncovered()
        self.uncounted, self.unwatched = Uncovered(), Uncovered()
        """Events that no service covers: one that evaluates, one that seals, one that counted a
        refusal, one that records every read."""

    def before(self, service: str) -> dict[str, Any] | None:
        """Return the last account that a service gave."""
        given = self._given.get(service)
        return None if given is None else given.last

    def landed_at(self, data: dict[str, Any]) -> int:
        """Return when the service of an account landed."""
        given = self._given.get(data["service"])
        if given is not None:
            return given.landed_at
        return self._moments.rise_after(data["after"]) or UNLANDED

    def last_landed_at(self, position: int) -> int:
        """Return when the last service landed that evaluates and had begun by a position."""
        return max(
            (
                given.landed_at
                for given in self._given.values()
                if given.last["evaluated_through"] and given.last["after"] < position
            ),
            default=0,
        )

    def open_for(self, first: int, due_at: int, last: int, paid_at: int) -> int:
        """Return for how long a debt was open in the time of a service that had its turn at it."""
        return max(
            (
                min(paid_at, given.last_at) - max(due_at, given.landed_at)
                for given in self._given.values()
                if given.last["after"] < last and given.last["evaluated_through"] >= first
            ),
            default=0,
        )

    def is_passed(self, first: int, passed: int) -> bool:
        """Whether a service scored others as of a position that had its turn at an older debt."""
        return any(
            given.last["after"] <= passed and given.last["evaluated_through"] >= first
            for given in self._given.values()
        )

    def unsealed(self, data: dict[str, Any]) -> int:
        """Return the position of an event that was to be sealed before this account; 0 for none.

        The service had run for its interval and some time since, and for some time more: a database
        that was out of order for once does not make a seal late.
        """
        given, every = self._given.get(data["service"]), data["seal_seconds"]
        if given is None or not every:
            return 0
        before = bisect_right(given.ran, data["ran_seconds"] - LATE_SECONDS) - 1
        if before < 0:
            return 0
        first = bisect_right(given.ran, given.ran[before] - every - LATE_SECONDS) - 1
        news_at = given.news_at[first] if first >= 0 else 0
        return news_at if news_at > self._sealed else 0

    def recorded(self, name: str, after: int) -> int:
        """Return how much of what is counted is there after a position."""
        return self._counters[name].after(after)

    def apply(self, event: AuditedEvent) -> None:
        """Take in an event."""
        if event.recorded_at > self._recorded_at:
            for given in self._aloft:
                given.landed_at = event.recorded_at
            self._aloft.clear()
            self._recorded_at = event.recorded_at
        if event.type not in HOUSEKEEPING_TYPES:
            self._news_at = event.position
            if event.position > _BEGINNING:
                self.unsealed_spans.see(event)
                self.uncounted.see(event)
                self.unwatched.see(event)
        elif event.type == StreamsSealed.TYPE and event.data is not None:
            self._sealed = max(self._sealed, event.data["as_of"])
        if event.stream.startswith(_STREAMS) and event.type not in _DERIVED:
            self.unevaluated.see(event)
        elif event.type in ACCOUNTED and event.data is not None:
            self._account(event.data, event.position, event.recorded_at)
        elif event.type in _COUNTER_OF:
            name, actor = _COUNTER_OF[event.type]
            if event.raw is None or event.actor == actor:
                # A score whose body is gone may have been the evaluator's.
                is_total = event.type in _TOTALS and event.data is not None
                self._counters[name].add(event.position, event.known["total"] if is_total else 1)
        if event.raw is None and event.type in {*ACCOUNTED, *_TOTALS}:
            self.blind_at = event.position

    def _account(self, data: dict[str, Any], position: int, recorded_at: int) -> None:
        given = self._given.get(data["service"])
        if given is None:
            given = self._given[data["service"]] = _Given(data, self.landed_at(data))
            if given.landed_at == UNLANDED:
                self._aloft.append(given)
        given.last, given.last_at = data, recorded_at
        given.ran.append(data["ran_seconds"])
        given.news_at.append(self._news_at)
        after = data["after"]
        if data["evaluated_through"]:
            self.unevaluated.cover(after, data["evaluated_through"])
        if data["seal_seconds"]:
            self.unsealed_spans.cover(after, position)
        if data["refused"]:
            self.uncounted.cover(after, position)
        if data.get("reads_seconds") and set(ACCESS_KINDS) <= {*data["accesses_recorded"]}:
            self.unwatched.cover(after, position)
