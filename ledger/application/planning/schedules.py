"""Schedules of plans in one ledger: set by people, and carried out by the governor."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller, fields_named, ledger_time, none_after
from ledger.application.fleet.fleet import Fleet
from ledger.application.fleet.history import HistoryReader
from ledger.application.periodic_task import GovernorTurn, record_each
from ledger.application.planning.commands import PlanCommands
from ledger.application.planning.plans import plans_newest_first
from ledger.errors import Reason, invalid_field
from ledger.events.cases import GOVERNOR
from ledger.events.plans import PLAN_TYPES, PlanScheduled
from ledger.events.proving import BodyErased
from ledger.events.registry import known_data
from ledger.events.values import format_time
from ledger.jobs.plan_schedules import SCHEDULE_TYPES, PlanSchedule, PlanSchedules, PlanTurn
from ledger.limits import BUDGET_MICROS_MAX
from ledger.storage.records import AppendResult, Guard, LedgerInfo
from ledger.storage.store import Store

_CALLER: Final = Caller(GOVERNOR)
_TRIES: Final = 5
_SOONER: Final = frozenset({Reason.ALREADY_EXISTS, Reason.VERSION_CONFLICT})
"""Another server has made it, or the schedule is another one."""


class PlanTimes(NamedTuple):
    """By which policy plans are made, how often, and how their jobs are proposed."""

    policy: str
    every_seconds: int | None
    """None for no more."""
    recipe: str = ""
    """By which the governor proposes them; empty where people do."""


class ScheduledPlans:
    """The schedules of one ledger."""

    def __init__(
        self,
        store: Store,
        info: LedgerInfo,
        fleet: Fleet,
        histories: HistoryReader,
        plans: PlanCommands,
        approved: Callable[[str], Sequence[Guard]],
    ) -> None:
        """`approved` returns the guards that a recipe has an approved version, or refuses it."""
        self._store = store
        self._info = info
        self._fleet = fleet
        self._histories = histories
        self._plans = plans
        self._approved = approved
        self._appender = Appender(store, info.origin)
        # Of the governor alone: it looks every few seconds, and a plan has a row for each model.
        self._followed, self._followed_to = PlanSchedules(), 0

    def set(
        self,
        caller: Caller,
        times: PlanTimes,
        budget: tuple[int, int],
        reason: str,
    ) -> AppendResult:
        """Record that plans by a policy are made by the clock; without a span, that none is.

        Where one runs it is replaced, and what that had saved up with it. `budget`: the money of
        the first plan, which each period of the policy adds later; and the most that is saved up.
        POLICY_UNKNOWN; RECIPE_UNKNOWN or RECIPE_REFUSED where no version of the recipe is approved;
        FIELD_INVALID where none runs to be ended.
        """
        (policy, every_seconds, recipe), (money, cap) = times, budget

        def decide() -> Proposal:
            head = self._store.events.head(self._info.origin)
            self._fleet.refresh(head.position)
            if self._fleet.policy(policy) is None:
                raise self._fleet.policy_unknown(policy)
            if not 0 <= money <= cap <= BUDGET_MICROS_MAX:
                raise invalid_field("purse_micros", f"must be from 0 to the cap, {cap}")
            if every_seconds is None and policy not in self.running(head.position).running:
                why = f"is not given, and no schedule of {policy} runs that could end"
                raise invalid_field("every_seconds", why)
            kept = self._approved(recipe) if recipe else ()
            with fields_named():
                data = PlanScheduled(
                    policy=policy,
                    since=format_time(ledger_time(self._info, self._store, head)),
                    every_seconds=every_seconds,
                    purse_micros=str(money),
                    purse_cap_micros=str(cap),
                    recipe=recipe or None,
                    reason=reason,
                )
            guard = none_after(head.position, data.stream_name, PlanScheduled.TYPE)
            return Proposal([Addition.of(data)], [guard, *kept])

        return self._appender.append(caller, PlanScheduled.METHOD, decide, tries=_TRIES)

    def running(self, as_of: int | None = None) -> PlanSchedules:
        """Return the schedules that run at a position or now, each with its newest plan."""
        events, origin = self._store.events, self._info.origin
        if as_of is None:
            as_of = events.head(origin).position
        schedules = PlanSchedules()
        for event in events.of_types(origin, (PlanScheduled.TYPE,), at_or_before=as_of):
            schedules.apply(event.position, event.stream, event.type, known_data(event))
        waiting = {one.position for one in schedules.running.values()}
        if not waiting:
            return schedules
        for event in plans_newest_first(events, origin, PLAN_TYPES, as_of):
            if not waiting or event.position < min(waiting):
                break
            found = schedules.of_plan(event.stream.partition("/")[2])
            if found is not None and found.position in waiting:
                schedules.apply(event.position, event.stream, event.type, None)
                waiting.remove(found.position)
        return schedules

    def followed(self) -> PlanSchedules:
        """Return the schedules at the head; for the thread of the governor alone."""
        events, origin = self._store.events, self._info.origin
        as_of = events.head(origin).position
        schedules, after = self._followed, self._followed_to
        if events.of_types(origin, (BodyErased.TYPE,), after=after, limit=1):
            after = 0  # it may be of a schedule
        if after == 0 or not schedules.running:  # no plan is read while there is no schedule
            schedules = self._followed = self.running(as_of)
        else:
            for event in events.of_types(origin, SCHEDULE_TYPES, after=after, at_or_before=as_of):
                is_schedule = event.type == PlanScheduled.TYPE
                data = known_data(event) if is_schedule else None
                schedules.apply(event.position, event.stream, event.type, data)
        self._followed_to = as_of
        return schedules

    def run_due(self) -> GovernorTurn:
        """Make each plan that is due, of a policy that is in force and plans."""
        head = self._store.events.head(self._info.origin)
        now = ledger_time(self._info, self._store, head)
        due = [
            one
            for one in self.followed().running.values()
            if one.due_at <= now and self._plans_by(one.policy, head.position)
        ]
        return record_each(due, self._make, _SOONER)

    def _plans_by(self, policy: str, as_of: int) -> bool:
        found = self._histories.fleet_policy(policy, as_of)
        return found is not None and found.document.planning is not None

    def _make(self, one: PlanSchedule) -> None:
        self._plans.make(_CALLER, policy=one.policy, turn=PlanTurn(one))
