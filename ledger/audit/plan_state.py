"""All that plans by `excess/2` rest on beside models, as the audit folds it."""

from typing import Any

from ledger.audit.candidate_tests import TYPES as TEST_TYPES
from ledger.audit.candidate_tests import AuditedTests
from ledger.audit.event import AuditedEvent
from ledger.audit.reuse import AuditedProposals
from ledger.events.plans import PLAN_TYPES
from ledger.events.reuse import ReuseProposed


class AuditedPlanning:
    """Proposals to put versions back, candidate tests, and the money of plans."""

    def __init__(self) -> None:
        self.proposals = AuditedProposals()
        self.tests = AuditedTests()
        self.budgets: dict[int, int] = {}
        """The money of each plan that is not made again, by its position."""
        self.plans: list[tuple[int, str, int, int]] = []
        """(position, policy, period, next price) of each of them."""
        self.second: list[tuple[int, int]] = []
        """(position, first plan of the period) of each that was made again."""
        self.derived: tuple[int, dict[str, Any]] | None = None
        """The plan that was derived last, with the position of its event."""

    def take(self, event: AuditedEvent) -> None:
        """Take in the next event."""
        data = event.data
        if data is None:
            return
        if event.type in TEST_TYPES:
            self.tests.take(event)
        elif event.type == ReuseProposed.TYPE:
            self.proposals.add(event.position, data)
        elif event.type in PLAN_TYPES:
            self.tests.planned(event.position, data)
            if (first := data.get("second_to")) is None:
                made = data["policy"], data["now_period"], int(data["next_price"])
                self.plans.append((event.position, *made))
                self.budgets[event.position] = int(data["purse_micros"])
            else:
                self.second.append((event.position, first))

    def price_before(self, policy: str, now_period: int, as_of: int) -> int | None:
        """Return the next price of the policy's last plan of an earlier period."""
        for position, name, period, next_price in reversed(self.plans):
            if position <= as_of and name == policy and period < now_period:
                return next_price
        return None

    def series(self, first: int, as_of: int) -> list[int]:
        """Return a plan and those that were made again after it, up to a position."""
        return [first, *(at for at, of in self.second if of == first and at <= as_of)]
