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
from ledger.application.policies.history import is_in_scope
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.cases import GOVERNOR
from ledger.events.notation import money as amount
from ledger.events.plans import PLAN_TYPES, PlanScheduled
from ledger.events.policy_document import PolicyDocument, ReusingPlanningPart
from ledger.events.proving import BodyErased
from ledger.events.recipe_document import ExpectedPart
from ledger.events.registry import known_data
from ledger.events.values import PPM, format_time
from ledger.jobs.grounds import expected_parts, is_paid
from ledger.jobs.plan_schedules import SCHEDULE_TYPES, PlanSchedule, PlanSchedules, PlanTurn
from ledger.jobs.policy_terms import jobs_part
from ledger.jobs.recipes import RecipeShelf
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
        approved: Callable[[str], tuple[ExpectedPart, RecipeShelf, Sequence[Guard]]],
    ) -> None:
        """`approved` returns what the newest approved version of a recipe expects, with its guards.

        Between them the shelf that it is on. It refuses a recipe that has none.
        """
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
        POLICY_UNKNOWN; RECIPE_UNKNOWN or RECIPE_REFUSED where no version of the recipe is approved,
        or its plans could pay no job by it; FIELD_INVALID where none runs to be ended.
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
            kept: Sequence[Guard] = ()
            if recipe:
                expected, shelf, kept = self._approved(recipe)
                self._check_paid(policy, (recipe, expected), shelf, head.position)
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

    def _check_paid(
        self, policy: str, of_it: tuple[str, ExpectedPart], shelf: RecipeShelf, as_of: int
    ) -> None:
        """Refuse a recipe that is dearer than plans by a policy count for any model that takes it.

        As the ledger is now: models that come, and costs that are corrected later, may be dearer.
        """
        recipe, expected = of_it
        compiled = self._histories.fleet_policy(policy, as_of)
        planning = None if compiled is None else compiled.document.planning
        if compiled is None or planning is None or expected.unit != self._info.unit_of_cost:
            return
        scopes = self._histories.scopes(compiled, as_of)
        costs = [
            int(described.cost_micros)
            for one in self._fleet.models()
            if (described := one.model.described) is not None
            and not one.model.retired
            and described.recipe not in shelf.newest
            and any(is_in_scope(activated, described) for activated in scopes)
        ]
        if not costs:
            return
        probe = planning.probe_ppm if isinstance(planning, ReusingPlanningPart) else 0
        most = max(costs)  # what is counted for a test grows with it
        counted, wanted = (most, most * probe // PPM), expected_parts(expected.model_dump())
        if not is_paid(counted, wanted, is_split=_is_by_envelopes(compiled.document)):
            raise _unpaid(policy, recipe, wanted, counted, expected.unit)

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


def _is_by_envelopes(document: PolicyDocument) -> bool:
    """Whether each job by a plan has a budget that pays for it and for its test, each by itself."""
    planning, jobs = document.planning, jobs_part(document)
    steps = planning.steps if isinstance(planning, ReusingPlanningPart) else None
    is_required = jobs is not None and jobs.budget == "required"
    return is_required and steps is not None and steps.budgets


def _unpaid(
    policy: str, recipe: str, wanted: tuple[int, int], counted: tuple[int, int], unit: str
) -> LedgerError:
    expects, counts = (
        f"{amount(cost, unit)} for a job and {amount(test, unit)} for its test"
        for cost, test in (wanted, counted)
    )
    return LedgerError(
        Reason.RECIPE_REFUSED,
        f"Plans by {policy} could pay no job by recipe {recipe}: it expects {expects}, and they "
        f"count at most {counts}, the cost of a model and the share `probe` of it. Nothing was "
        "written.",
        remedy="Draft a version that expects less (`test`, `cost`), correct the cost of the models "
        "(`decision-ledger model update MODEL --cost COST`), or have the policy count more for "
        "tests (`probe` in its part `planning`).",
        metadata={"recipe": recipe, "policy": policy},
    )
