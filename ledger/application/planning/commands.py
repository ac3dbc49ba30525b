"""Making a plan on request, and reading what was planned."""

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import count
from typing import Final

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import (
    Caller,
    ledger_time,
    model_stream,
    none_after,
    plan_stream,
    unbroken,
)
from ledger.application.erasure import at_newest_head, with_bodies
from ledger.application.fleet.fleet import Fleet
from ledger.application.fleet.history import HistoryReader
from ledger.application.fleet.intake import name_fault
from ledger.application.names import did_you_mean, nearest
from ledger.application.planning.plan_money import PlanMoney
from ledger.application.planning.plans import PlanRequest
from ledger.application.planning.progress import PlanProgress
from ledger.application.planning.reuse import FleetReuse
from ledger.application.planning.shadow_plans import ShadowPlanning
from ledger.application.policies.compiled import CompiledPolicy
from ledger.clock import Clock, uuid7
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.envelope import RecordedEvent
from ledger.events.models import DESCRIBING, ModelDeployed
from ledger.events.plans import PLAN_TYPES, PlanMade, PlanRowPart, PlanScheduled
from ledger.events.policies import ACTIVATED_TYPES
from ledger.events.policy_document import PlanningPart, ReusingPlanningPart
from ledger.events.registry import known_data, typed
from ledger.events.reuse import ReuseProposed
from ledger.events.shadows import SHADOW_TYPES, ShadowPlanned
from ledger.events.values import SECOND, parse_time
from ledger.jobs.grounds import Counted, PlanGround
from ledger.jobs.plan_schedules import PlanSchedule, PlanTurn, is_of_schedule
from ledger.limits import BUDGET_MICROS_MAX
from ledger.storage.records import AppendResult, Guard, Head, LedgerInfo
from ledger.storage.store import Store

_OVERTAKEN: Final = 3
"""After so many tries the jobs of this server wait until the plan is recorded."""
_PATIENT: Final = 8
"""After so many they go on all the same: another server overtakes the plan, or a person does."""
_TRIES: Final = 20  # each time what it rests on changed while the plan was made
_COMPARED: Final = 200  # newest plans, when a name is unknown


class PlanCommands:
    """The plans of one ledger."""

    def __init__(
        self,
        store: Store,
        info: LedgerInfo,
        fleet: Fleet,
        histories: HistoryReader,
        money: PlanMoney,
        shadows: ShadowPlanning,
        clock: Clock,
    ) -> None:
        self._store = store
        self._info = info
        self._appender = Appender(store, info.origin)
        self._fleet = fleet
        self._histories = histories
        self._planning = shadows.planning
        self._money = money
        self._shadows = shadows
        self._clock = clock
        self.work = threading.Lock()
        """Held while a job of this server changes, or by a plan that was overtaken too often."""

    def make(  # noqa: PLR0913 - the members of a request, and who makes it
        self,
        caller: Caller,
        *,
        policy: str,
        budget_micros: int = 0,
        budget_cap_micros: int = 0,
        plan_id: str = "",
        second_to: str = "",
        progress: PlanProgress | None = None,
        turn: PlanTurn | None = None,
    ) -> tuple[PlanMade, RecordedEvent]:
        """Rank the fleet as of the head under a budget, and record the plan.

        With it the plan of each shadow that has a model of it.
        `policy` "" means the one in force for the whole ledger. ALREADY_EXISTS where a plan of
        that id was made. `second_to` names the first plan of this period, by that policy, whose
        tests left money: the budget is then what they left. `progress` is told how far it is.
        `turn`: that of the schedule by which it is made, with its id and its money; the schedule
        must still run.
        """
        name, budget = plan_id or uuid7(self._clock), (budget_micros, budget_cap_micros)
        tries = count()

        def decide() -> Proposal:
            if (at := next(tries)) == _OVERTAKEN:
                in_peace.enter_context(self.work)
            elif at == _PATIENT:
                in_peace.close()
            if turn is None:
                self._check_asked(name, *budget)
            reused, made, beside = at_newest_head(
                self._store.events,
                self._info.origin,
                lambda head: self._made(
                    self._request(name, policy, head, budget, turn),
                    turn or second_to,
                    progress,
                ),
            )
            cause, kept = None, list[Guard]()
            if turn is not None:
                self._check_new(made.plan)
                cause, kept = turn.schedule.position, _still(turn.schedule, made.as_of)
            guards = [
                *kept,
                Guard(made.stream_name, None, expected_count=0),
                *unbroken(made.TYPE, made.stream_name, made.as_of),
                none_after(made.as_of, None, *SHADOW_TYPES),
            ]
            first = [Addition.of(each) for each in reused]
            shadowed = [Addition.of(each, follows=len(first)) for each in beside]
            return Proposal([*first, Addition.of(made, cause=cause), *shadowed], guards)

        with ExitStack() as in_peace:
            written = self._appender.append(
                caller, PlanMade.METHOD, decide, tries=_TRIES, refusal=_overtaken
            )
        [event] = self._written(written, PLAN_TYPES)
        return typed(event, PlanMade), event

    def propose_reuse(
        self, caller: Caller, policy: str
    ) -> tuple[AppendResult, list[tuple[ReuseProposed, RecordedEvent]]]:
        """Record which versions are to be put back as of the head, and return it, by model.

        What was proposed before in the same period is not proposed again. `policy` "" means the
        one in force for the whole ledger.
        """

        def made(head: Head) -> tuple[int, list[ReuseProposed]]:
            compiled, made_at = self._asked_policy(policy, head)
            fleet = self._planning.reading(compiled, head.position, made_at)
            return head.position, FleetReuse(fleet).unproposed()

        def decide() -> Proposal:
            as_of, found = at_newest_head(self._store.events, self._info.origin, made)
            guards = [
                *unbroken(ReuseProposed.TYPE, ReuseProposed.STREAM, as_of),
                none_after(as_of, None, ReuseProposed.TYPE),
            ]
            return Proposal([Addition.of(each) for each in found], guards)

        written = self._appender.append(caller, ReuseProposed.METHOD, decide, tries=_TRIES)
        events = self._written(written, (ReuseProposed.TYPE,))
        return written, [(typed(event, ReuseProposed), event) for event in events]

    def _written(self, written: AppendResult, types: Sequence[str]) -> list[RecordedEvent]:
        """Return the events of some types that a request left, in order."""
        return self._store.events.of_types(
            self._info.origin,
            types,
            after=written.first_position - 1,
            at_or_before=written.last_position,
        )

    def _made(
        self, request: PlanRequest, paid_by: PlanTurn | str, progress: PlanProgress | None
    ) -> tuple[list[ReuseProposed], PlanMade, list[ShadowPlanned]]:
        """Return what is to be put back, a plan, and that of each shadow beside it.

        `paid_by`: a turn of a schedule, or the first plan of the period; "" for the money that is
        asked for.
        """
        fleet = self._planning.reading(request.policy, request.as_of, request.made_at, progress)
        if isinstance(paid_by, PlanTurn):
            request = self._money.scheduled(paid_by, request, fleet)
        elif paid_by:
            request = self._money.second(self.get(paid_by)[1], request, fleet)
        reuse = FleetReuse(fleet)
        made = self._planning.compute(request, reuse)
        return reuse.unproposed(), made, list(self._shadows.beside(request, reuse))

    def _check_asked(self, name: str, budget_micros: int, budget_cap_micros: int) -> None:
        if not 0 <= budget_micros <= budget_cap_micros:
            fault = f"must be from 0 to the cap, {budget_cap_micros}"
            raise invalid_field("purse_micros", fault)
        if budget_cap_micros > BUDGET_MICROS_MAX:
            raise invalid_field("purse_cap_micros", f"must be at most {BUDGET_MICROS_MAX}")
        if wrong := name_fault(name):
            raise invalid_field("plan_id", wrong, remedy="Leave it empty to be given an id.")
        if is_of_schedule(name):
            fault = "has the form of the ids of plans that are made by a schedule"
            raise invalid_field("plan_id", fault, remedy="Leave it empty to be given an id.")
        self._check_new(name)

    def _check_new(self, name: str) -> None:
        if self._named(name) is not None:
            raise LedgerError(
                Reason.ALREADY_EXISTS,
                f"A plan {name!r} was already made.",
                remedy="Leave the plan's id empty, or choose another.",
                metadata={"plan": name},
            )

    def get(self, plan_id: str) -> tuple[PlanMade, RecordedEvent]:
        """Return a plan; PLAN_UNKNOWN where it was never made."""
        event = self._named(plan_id)
        if event is None:
            names = [
                stream.partition("/")[2]
                for type_ in PLAN_TYPES
                for stream in self._store.events.newest_streams(self._info.origin, type_, _COMPARED)
            ]
            raise LedgerError(
                Reason.PLAN_UNKNOWN,
                f"No plan {plan_id!r} was made.",
                remedy=did_you_mean(plan_id, names)
                + "List the plans: `decision-ledger plan list`.",
                metadata={"plan": plan_id, "nearest": nearest(plan_id, names)},
            )
        if event.body_bytes is None:
            raise self._histories.erasures.refusal(event.position)
        return self._planning.plans.of(event), event

    def ground(self, plan_id: str, model: str, head: Head) -> tuple[PlanGround, PlanRowPart | None]:
        """Return a plan as the ground of a job as of a head, and its row of the model, if any.

        PLAN_UNKNOWN where it was never made.
        """
        made, event = self.get(plan_id)
        row = next((one for one in made.backlog if one.model == model), None)
        part = self._part(made)
        steps = part.steps if isinstance(part, ReusingPlanningPart) else None
        is_bounded = steps is not None and steps.budgets
        plans = self._behind(event.position, head, PLAN_TYPES)
        trained = self._behind(made.as_of, head, (ModelDeployed.TYPE,), model_stream(model))
        described = self._behind(made.as_of, head, DESCRIBING, model_stream(model))
        ground = PlanGround(
            position=event.position,
            as_of=made.as_of,
            made_at=parse_time(made.made_at),
            policy=made.policy,
            counts_for=self.period_of(made),
            concurrency=None if steps is None else steps.concurrency,
            models=frozenset(one.model for one in made.backlog),
            newest=_last(plans, event.position, "policy", made.policy),
            activated=_last(self._behind(made.as_of, head, ACTIVATED_TYPES), 0),
            trained=_last(trained, 0, "kind", "trained"),
            counted=None if row is None else Counted.of(row.model_dump(), is_bounded=is_bounded),
            unit=self._info.unit_of_cost,
            described=_last(described, 0),
            bounded_by=self._bounding(model, head),
            lacks_decision=part.candidates == "decided" and not self._is_decided(model, head),
        )
        return ground, row

    def period_of(self, made: PlanMade) -> int:
        """Return the span of a period of the policy version that made a plan, in microseconds."""
        return self._part(made).period_seconds * SECOND

    def _part(self, made: PlanMade) -> PlanningPart:
        """Return the part of its policy version by which a plan was made."""
        policy = self._histories.compiled(made.policy, made.policy_version, made.policy_digest)
        part = policy.document.planning
        assert part is not None, "a plan was made by it"
        return part

    def _bounding(self, model: str, head: Head) -> str:
        """Return the policy in force for a model where it has steps; "" where it has not."""
        found = self._histories.policy_for(model, head.position)
        planning = found.document.planning if found else None
        has_steps = isinstance(planning, ReusingPlanningPart) and planning.steps is not None
        return found.policy if found and has_steps else ""

    def _is_decided(self, model: str, head: Head) -> bool:
        """Whether a model's retraining is in force."""
        found = self._histories.decision_in_force(model, head.position)
        return found is not None and found.data.action == "SCHEDULE_RETRAINING"

    def _behind(
        self, position: int, head: Head, types: Sequence[str], stream: str | None = None
    ) -> list[RecordedEvent]:
        """Return the events of some types behind a position, up to a head."""
        return self._store.events.of_types(
            self._info.origin, types, stream=stream, after=position, at_or_before=head.position
        )

    def page(self, *, before: int, limit: int) -> list[tuple[PlanMade, RecordedEvent]]:
        """Return plans with positions below `before`, newest first; erased ones are left out."""
        events = with_bodies(
            self._store.events,
            self._info.origin,
            PLAN_TYPES,
            until=before - 1,
            limit=limit,
            descending=True,
        )
        return [(typed(one, PlanMade), one) for one in events]

    def _named(self, name: str) -> RecordedEvent | None:
        """Return the event of a plan, if one of that id was made."""
        found = self._store.events.of_types(
            self._info.origin, PLAN_TYPES, stream=plan_stream(name), limit=1
        )
        return found[0] if found else None

    def _request(
        self,
        plan_id: str,
        policy: str,
        head: Head,
        budget: tuple[int, int],
        turn: PlanTurn | None,
    ) -> PlanRequest:
        """Return what to plan as of a head; POLICY_UNKNOWN or POLICY_NOT_IN_FORCE."""
        compiled, made_at = self._asked_policy(policy, head)
        name = plan_id if turn is None else turn.plan_at(made_at)
        return PlanRequest(name, head.position, made_at, compiled, *budget)

    def _asked_policy(self, policy: str, head: Head) -> tuple[CompiledPolicy, int]:
        """Return the policy that is asked for, and the ledger's time at a head."""
        compiled = self._histories.fleet_policy(policy, head.position)
        if compiled is None:
            if policy and self._fleet.policy(policy) is None:
                raise self._fleet.policy_unknown(policy)
            raise LedgerError(
                Reason.POLICY_NOT_IN_FORCE,
                f"No policy {policy or 'for the whole ledger'} is in force.",
                remedy="Put one in force, then make the plan: "
                "`decision-ledger policy activate POLICY VERSION --rationale WHY`.",
                metadata={"policy": policy},
            )
        return compiled, ledger_time(self._info, self._store, head)


def _still(schedule: PlanSchedule, as_of: int) -> list[Guard]:
    """Return the guards that a schedule runs on, and that no plan of it came meanwhile."""
    stream = f"plan_schedules/{schedule.policy}"
    return [
        none_after(schedule.position, stream, PlanScheduled.TYPE),
        none_after(as_of, None, *PLAN_TYPES),
    ]


def _overtaken(conflict: LedgerError) -> LedgerError:
    """Return the refusal of a plan under which its fleet changed each time that it was made."""
    return LedgerError(
        conflict.reason,
        f"The plan was made {_TRIES} times, and a job, a budget, a deployment or another plan of "
        "the fleet changed each time meanwhile, so nothing was recorded.",
        remedy="Make it again in a moment, when less is going on.",
        metadata=conflict.metadata,
    )


def _last(found: Sequence[RecordedEvent], before: int, member: str = "", value: str = "") -> int:
    """Return the position of the last event whose member has a value; that before for none.

    One whose body is gone may have it, and counts.
    """
    positions = [
        event.position
        for event in found
        if (data := known_data(event)) is None or not member or data[member] == value
    ]
    return max(positions, default=before)
