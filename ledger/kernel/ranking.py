"""By what a plan takes models in: the planner's own rank, their priority, or their forecast.

Its page is `docs/plans.md`. The planner's arithmetic stays as it is; another ranking puts its
backlog in another order, and says which models are wanted in place of the price.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import NamedTuple

from ledger.events.plans import PlanOutcome
from ledger.events.policy_document import Ranking
from ledger.events.values import PPM
from ledger.kernel.excess import BacklogRow


class Worth(NamedTuple):
    """The forecast of a model's next job."""

    benefit_micros: int
    cost_micros: int

    def share_ppm(self) -> int:
        """Return its benefit as a share of its cost, rounded down; a cost of 0 counts as 1."""
        return self.benefit_micros * PPM // max(1, self.cost_micros)


@dataclass(frozen=True, slots=True)
class Ranked:
    """The ranking of one plan, with what it reads of each model."""

    by: Ranking
    priorities: Mapping[str, int]
    """The newest score of each model that has one; empty unless it ranks by them."""
    worths: Mapping[str, Worth]
    """The forecast of each model; empty unless it ranks by them."""
    price_ppm: int = PPM
    """The benefit that a forecast must bring for its cost."""

    def backlog(self, rows: Sequence[BacklogRow]) -> list[BacklogRow]:
        """Return the rows best first, and among equals in ascending order of id."""
        if self.by == "excess":
            return list(rows)
        named = sorted(rows, key=lambda row: row.id)
        if self.by == "priority":
            return sorted(named, key=lambda row: -self.priorities.get(row.id, -1))
        return sorted(named, key=cmp_to_key(self._dearer))

    def _dearer(self, row: BacklogRow, other: BacklogRow) -> int:
        """Return below 0 where a row's forecast brings more for its cost than another's."""
        one, two = self.worths[row.id], self.worths[other.id]
        left = one.benefit_micros * max(1, two.cost_micros)
        right = two.benefit_micros * max(1, one.cost_micros)
        return (left < right) - (left > right)

    def unwanted(self, row: BacklogRow, price: int) -> PlanOutcome | None:
        """Return why a model is not wanted at a price of the planner; None where it is."""
        if self.by == "priority":
            priority = self.priorities.get(row.id)
            if priority is None:
                return "no_evidence"
            return None if priority > 0 else "below_price"
        if not row.seen:
            return "no_evidence"
        if self.by == "excess":
            return None if row.rank >= price else "below_price"
        worth = self.worths[row.id]
        is_worth = worth.benefit_micros * PPM >= worth.cost_micros * self.price_ppm
        return None if is_worth and worth.benefit_micros > 0 else "below_price"

    def is_worth_its_cost(self, row: BacklogRow) -> bool:
        """Whether a model below the planner's price is worth its cost all the same."""
        return self.by == "excess" and row.rank >= PPM
