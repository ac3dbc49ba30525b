"""The money of plans: what tests left of a period's, and what a schedule has come to."""

from collections.abc import Mapping
from dataclasses import replace

from ledger.application.planning.candidate_tests import TEST_TYPES, CandidateTests
from ledger.application.planning.fleet_reading import FleetReading, PlanSources
from ledger.application.planning.plans import PlanRequest, is_second, plans_newest_first
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.envelope import RecordedEvent
from ledger.events.plans import PLAN_TYPES, PlanMade, PlanMadeV2
from ledger.events.values import SECOND, parse_time
from ledger.jobs.plan_schedules import (
    PlanSchedule,
    PlanTurn,
    ScheduledBefore,
    is_made_again,
    is_plan_of,
    money_of,
)


class PlanMoney:
    """Reckons the money of plans of one ledger from the jobs of those before."""

    def __init__(self, sources: PlanSources) -> None:
        self._events = sources.events
        self._ledger = sources.ledger
        self._histories = sources.histories
        self._plans = sources.plans

    def second(
        self, first: RecordedEvent, request: PlanRequest, fleet: FleetReading
    ) -> PlanRequest:
        """Return a request for what the tests of a period left of the money of its first plan.

        FIELD_INVALID where that plan is not the first of this period by the same policy version, or
        none of its jobs was tested.
        """
        made, policy = self._plans.of(first), request.policy
        own = policy.policy, policy.version, policy.digest, request.now_period
        if not isinstance(made, PlanMadeV2) or made.second_to is not None:
            raise invalid_field("second_to", "is not the first plan of a period by excess/2")
        if (made.policy, made.policy_version, made.policy_digest, made.now_period) != own:
            raise invalid_field("second_to", "is of another period, or of another policy version")
        plans = self._series(first.position, made, request.as_of)
        if not fleet.tests.is_tested(frozenset(plans)):
            raise invalid_field("second_to", "none of its jobs was tested or bought untested yet")
        return _left_to(first.position, plans, request, fleet)

    def scheduled(self, turn: PlanTurn, request: PlanRequest, fleet: FleetReading) -> PlanRequest:
        """Return a request for the money that a schedule has come to.

        Where this period has a plan of it already, the plan is made again: also before the next one
        is due, if tests of its jobs left money since, and else ALREADY_EXISTS.
        """
        schedule = turn.schedule
        period, policy = request.planning.period_seconds * SECOND, request.policy
        found = self._before(schedule, request.as_of)
        before, taken = None, 0
        if found is not None:
            position, made = found
            before = _before_of(position, made)
            named = policy.version, policy.digest
            if is_made_again(before, named, request.made_at, period):
                plans = self._series(position, made, request.as_of)
                if turn.is_again:
                    _check_left(turn, plans, request, fleet)
                return _left_to(position, plans, request, fleet)
            if turn.is_again:
                raise _not_again(turn, "its period has no plan that could be")
            taken = self._taken_since(schedule, before.as_of, request, fleet)
        money = money_of(schedule, before, taken, request.made_at, period)
        cap = int(schedule.purse_cap_micros)
        return replace(request, budget_micros=money, budget_cap_micros=cap)

    def _before(self, schedule: PlanSchedule, as_of: int) -> tuple[int, PlanMade] | None:
        """Return the newest plan of a schedule that is not made again, with its position."""
        for event in plans_newest_first(self._events, self._ledger, PLAN_TYPES, as_of):
            if event.position < schedule.position:
                break
            if not is_plan_of(schedule, event.stream):
                continue
            made = self._known(event, as_of)
            if made is not None and not is_second(made):
                return event.position, made
        return None

    def _series(self, position: int, first: PlanMade, as_of: int) -> dict[int, PlanMade]:
        """Return the first plan of a period with those that were made again after it."""
        plans = {position: first}
        for event in plans_newest_first(self._events, self._ledger, PLAN_TYPES, as_of):
            if event.position <= position:
                break
            later = self._known(event, as_of)
            if isinstance(later, PlanMadeV2) and later.second_to == position:
                plans[event.position] = later
        return plans

    def _taken_since(
        self, schedule: PlanSchedule, position: int, request: PlanRequest, fleet: FleetReading
    ) -> int:
        """Return what jobs of a schedule's plans took after a position, less what came back."""
        events = self._events.of_types(self._ledger, TEST_TYPES, at_or_before=position)
        before, costs = CandidateTests().apply(events), dict[int, Mapping[str, int]]()
        for plan in sorted(fleet.tests.plans_moved_since(before)):
            if made := self._of_schedule(schedule, plan, request.as_of):
                costs[plan] = _costs(made)
        probe = request.planning.probe_ppm
        return sum(
            fleet.tests.taken(plan, cost, probe) - before.taken(plan, cost, probe)
            for plan, cost in costs.items()
        )

    def _of_schedule(self, schedule: PlanSchedule, position: int, as_of: int) -> PlanMade | None:
        """Return the plan at a position if it is of a schedule, or was made again for one of it."""
        event = self._events.event(self._ledger, position)
        made = None if event is None else self._known(event, as_of)
        if event is None or made is None:
            return None
        is_its = is_plan_of(schedule, event.stream)
        if not is_its and isinstance(made, PlanMadeV2) and made.second_to is not None:
            first = self._events.event(self._ledger, made.second_to)
            is_its = first is not None and is_plan_of(schedule, first.stream)
        return made if is_its else None

    def _known(self, event: RecordedEvent, as_of: int) -> PlanMade | None:
        """Return a plan; None where it was erased by a position."""
        is_gone = self._histories.erasures.passes_over(event, as_of)
        return None if is_gone else self._plans.of(event)


def _before_of(position: int, made: PlanMade) -> ScheduledBefore:
    return ScheduledBefore(
        position,
        made.as_of,
        parse_time(made.made_at),
        int(made.purse_micros),
        (made.policy_version, made.policy_digest),
        is_stepped=isinstance(made, PlanMadeV2),
    )


def _costs(made: PlanMade) -> dict[str, int]:
    return {row.model: int(row.cost_micros) for row in made.backlog}


def _check_left(
    turn: PlanTurn, plans: Mapping[int, PlanMade], request: PlanRequest, fleet: FleetReading
) -> None:
    """Refuse to make a plan again that is due anyway, or for which there is no new money."""
    newest, probe = plans[max(plans)], request.planning.probe_ppm
    if request.made_at >= turn.schedule.due_at:
        raise _not_again(turn, "the next plan of its schedule is due")
    if fault := fleet.tests.left_fault(frozenset(plans), newest.as_of, probe):
        raise _not_again(turn, fault)


def _not_again(turn: PlanTurn, why: str) -> LedgerError:
    plan = turn.schedule.newest_plan
    return LedgerError(
        Reason.ALREADY_EXISTS,
        f"Plan {plan} is not made again: {why}.",
        remedy="Wait for the next plan of its schedule, or for the tests of its jobs.",
        metadata={"plan": plan},
    )


def _left_to(
    first: int, plans: Mapping[int, PlanMade], request: PlanRequest, fleet: FleetReading
) -> PlanRequest:
    """Return a request for what the jobs of a period's plans left of the money of the first."""
    probe, made = request.planning.probe_ppm, plans[first]
    taken = sum(fleet.tests.taken(at, _costs(one), probe) for at, one in plans.items())
    return replace(
        request,
        second_to=first,
        budget_micros=max(0, int(made.purse_micros) - taken),
        budget_cap_micros=int(made.purse_cap_micros),
    )
