"""A tally of the events of a bundle while it is written: gaps, and facts to report.

Memory does not grow with the events: 16 bytes for each run of events without body, and the facts.
"""

from ledger.chain.link import EventRow
from ledger.events.canonical import decode
from ledger.events.proving import BodyErased
from ledger.export.facts import ReportFacts
from ledger.export.position_set import PositionSet, united
from ledger.export.scope import ERASED, ERASED_LATER, BundlePlan, BundleScope


class BundleTally:
    """Counts what passes; `scope` says what it was once all has."""

    def __init__(self, plan: BundlePlan) -> None:
        self._plan = plan
        self.facts = ReportFacts()
        self._withheld = PositionSet()
        self._absent = PositionSet()
        self._erased: list[tuple[int, int]] = []

    def take(self, row: EventRow, *, is_gap: bool) -> None:
        """Take the next event; `is_gap` where its body is not in the bundle."""
        position, stream, type_ = row[0], row[1], row[3]
        self.facts.take(row, has_body=not is_gap)
        if is_gap:
            is_withheld = self._plan.withholding.applies(type_, stream)
            (self._withheld if is_withheld else self._absent).add(position)
        elif type_ == BodyErased.TYPE:
            ranges = decode(row[5] or b"")["data"]["positions"]
            self._erased += [(first, last) for first, last in ranges]

    def scope(self) -> BundleScope:
        """Return what the bundle's scope is, once all events have passed."""
        plan, facts, proven = self._plan, self.facts, united(self._erased)
        unproven = ERASED_LATER if plan.kind == "full" else ERASED
        withheld = {
            plan.withholding.reason: self._withheld.without(proven),
            unproven: self._absent.without(proven),
        }
        return BundleScope(
            plan.kind,
            facts.first,
            facts.last,
            plan.stream,
            plan.requested_at,
            plan.requested_by,
            dict(sorted(facts.counts.items())),
            tuple(sorted((reason, ranges) for reason, ranges in withheld.items() if len(ranges))),
        )

    def proven_erased(self) -> int:
        """Return how many bodies are missing that an event of the bundle says were erased."""
        proven = united(self._erased)
        gaps = (self._withheld, self._absent)
        return sum(one.count() - one.without(proven).count() for one in gaps)
