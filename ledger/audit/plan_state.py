"""All that plans by `excess/2` rest on beside models, as the audit folds it."""

from typing import Any, NamedTuple

from ledger.audit.candidate_tests import TYPES as TEST_TYPES
from ledger.audit.candidate_tests import AuditedTests
from ledger.audit.event import AuditedEvent
from ledger.audit.reuse import AuditedProposals
from ledger.events.plans import PLAN_TYPES
from ledger.events.reuse import ReuseProposed
from ledger.events.values import parse_time
from ledger.jobs.plan_schedules import SCHEDULE_TYPES, PlanSchedules, ScheduledBefore


class AuditedPlan(NamedTuple):
    """A plan as later ones go on from it."""

    position: int
    policy: str
    period: int
    next_price: int
    losing: dict[str, int]
    """Since when each model loses that lost in it."""

    @classmethod
    def of(cls, position: int, policy: str, data: dict[str, Any]) -> "AuditedPlan":
        """Return a plan of a policy's models."""
        losing = {
            row["model"]: parse_time(row["losing_since"])
            for row in data["backlog"]
            if row.get("losing_since") is not None
        }
        return cls(position, policy, data["now_period"], int(data["next_price"]), losing)


class AuditedPlanning:
    """Proposals to put versions back, candidate tests, and the money of plans."""

    def __init__(self) -> None:
        self.proposals = AuditedProposals()
        self.schedules = PlanSchedules()
        self.tests = AuditedTests()
        self.budgets: dict[int, tuple[int, int]] = {}
        """The money of each plan that is not made again, and its cap, by its position."""
        self.plans: list[AuditedPlan] = []
        """Each of them."""
        self.second: list[tuple[int, int]] = []
        """(position, first plan of the period) of each that was made again."""
        self._before: dict[int, list[ScheduledBefore]] = {}
        """The plans of each schedule that are not made again, by its position."""
        self.derived: tuple[int, dict[str, Any]] | None = None
        """The plan that was derived last, with the position of its event."""
        self.reused: tuple[tuple[tuple[str, int, str], int, str], list[dict[str, Any]]] | None
        self.reused = None
        """The proposals that were derived last, with the version, horizon and time of theirs."""

    def take(self, event: AuditedEvent) -> None:
        """Take in the next event."""
        data = event.data
        if event.type in SCHEDULE_TYPES:
            self.schedules.apply(event.position, event.stream, event.type, data)
        if data is None:
            return
        if event.type in TEST_TYPES:
            self.tests.take(event)
        elif event.type == ReuseProposed.TYPE:
            self.proposals.add(event.position, data)
        elif event.type in PLAN_TYPES:
            self.tests.planned(event.position, data)
            if (first := data.get("second_to")) is None:
                self.plans.append(AuditedPlan.of(event.position, data["policy"], data))
                money, cap = int(data["purse_micros"]), int(data["purse_cap_micros"])
                self.budgets[event.position] = money, cap
                if (found := self.schedules.of_plan(event.name)) is not None:
                    known = self._before.setdefault(found.position, [])
                    known.append(_before_of(event.position, data))
            else:
                self.second.append((event.position, first))

    def before(self, policy: str, now_period: int, as_of: int) -> AuditedPlan | None:
        """Return the policy's last plan of an earlier period."""
        for one in reversed(self.plans):
            if one.position <= as_of and one.policy == policy and one.period < now_period:
                return one
        return None

    def before_of(self, schedule: int, as_of: int) -> ScheduledBefore | None:
        """Return the newest plan of a schedule up to a position that is not made again."""
        known = [one for one in self._before.get(schedule, ()) if one.position <= as_of]
        return known[-1] if known else None

    def taken_since(self, schedule: int, after: int, as_of: int, probe_ppm: int) -> int:
        """Return what jobs of a schedule's plans took between positions, less what came back."""
        firsts = [one.position for one in self._before.get(schedule, ()) if one.position <= as_of]
        plans = [at for first in firsts for at in self.series(first, as_of)]
        money, before = (self.tests.taken(plans, probe_ppm, at)[0] for at in (as_of, after))
        return money - before

    def series(self, first: int, as_of: int) -> list[int]:
        """Return a plan and those that were made again after it, up to a position."""
        return [first, *(at for at, of in self.second if of == first and at <= as_of)]


def _before_of(position: int, data: dict[str, Any]) -> ScheduledBefore:
    return ScheduledBefore(
        position,
        data["as_of"],
        parse_time(data["made_at"]),
        int(data["purse_micros"]),
        (data["policy_version"], data["policy_digest"]),
        is_stepped="second_to" in data,
    )
