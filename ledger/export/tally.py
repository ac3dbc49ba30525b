"""A tally of the events of a bundle while they pass: counts, gaps, and facts to report.

Memory does not grow with the events: 16 bytes for each run of events without body, and the newest
decisions, plans and activations for the report.
"""

from collections import Counter, deque
from typing import Any, Final

from ledger.chain.link import EventRow
from ledger.events.canonical import decode
from ledger.events.decisions import DECISION_TYPES, DecisionMade, DecisionOverridden
from ledger.events.plans import PlanMade
from ledger.events.policies import PolicyActivated
from ledger.events.proving import BodyErased
from ledger.events.values import format_time
from ledger.export.position_set import PositionSet, united
from ledger.export.scope import ERASED, ERASED_LATER, BundlePlan, BundleScope

DECISIONS_SHOWN: Final = 500  # each with its explanation, which takes some ms
OTHERS_SHOWN: Final = 200

_KEPT: Final = {
    DecisionMade.TYPE: DECISIONS_SHOWN,
    DecisionOverridden.TYPE: OTHERS_SHOWN,
    PlanMade.TYPE: OTHERS_SHOWN // 4,
    PolicyActivated.TYPE: OTHERS_SHOWN,
}
_KINDS: Final = {type_: type_ for type_ in _KEPT if type_ != DecisionMade.TYPE} | dict.fromkeys(
    DECISION_TYPES, DecisionMade.TYPE
)
"""The kind that each type is kept under; decisions of every procedure together."""
_UNSET: Final = format_time(0)
_SPECIAL: Final = frozenset({*_KINDS, BodyErased.TYPE})


class BundleTally:
    """Counts what passes; `scope` says what it was once all has."""

    def __init__(self, plan: BundlePlan) -> None:
        self._plan = plan
        self.counts: Counter[str] = Counter()
        self.first = self.last = 0
        self.first_time = self.last_time = ""
        self.first_data_time = ""
        """The first time that is not from before any data; empty if there is none."""
        self.newest: dict[str, deque[tuple[int, str, str, bytes]]] = {
            type_: deque(maxlen=count) for type_, count in _KEPT.items()
        }
        self._withheld = PositionSet()
        self._absent = PositionSet()
        self._erased: list[tuple[int, int]] = []

    @property
    def events(self) -> int:
        """How many events there were."""
        return self.counts.total()

    def take(self, row: EventRow, *, is_gap: bool) -> None:
        """Take the next event; `is_gap` where its body is not in the bundle."""
        position, stream, type_, time = row[0], row[1], row[3], row[4]
        self.counts[type_] += 1
        self.last, self.last_time = position, time
        if not self.first:
            self.first, self.first_time = position, time
        if not self.first_data_time and time != _UNSET:
            self.first_data_time = time
        if is_gap:
            is_withheld = self._plan.withholding.applies(type_, stream)
            (self._withheld if is_withheld else self._absent).add(position)
        elif type_ in _SPECIAL:
            body = row[5] or b""
            if type_ == BodyErased.TYPE:
                data: Any = decode(body)["data"]
                self._erased += [(first, last) for first, last in data["positions"]]
            else:
                self.newest[_KINDS[type_]].append((position, time, type_, body))

    def scope(self) -> BundleScope:
        """Return what the bundle's scope is, once all events have passed."""
        plan, proven = self._plan, united(self._erased)
        unproven = ERASED_LATER if plan.kind == "full" else ERASED
        withheld = {
            plan.withholding.reason: self._withheld.without(proven),
            unproven: self._absent.without(proven),
        }
        return BundleScope(
            plan.kind,
            self.first,
            self.last,
            plan.stream,
            plan.requested_at,
            plan.requested_by,
            dict(sorted(self.counts.items())),
            tuple(sorted((reason, ranges) for reason, ranges in withheld.items() if len(ranges))),
        )

    def proven_erased(self) -> int:
        """Return how many bodies are missing that an event of the bundle says were erased."""
        proven = united(self._erased)
        gaps = (self._withheld, self._absent)
        return sum(one.count() - one.without(proven).count() for one in gaps)
