"""The fleet's plan: everything that its planner reads, gathered from the ledger as of a position.

The same function makes a plan and replays it. The inputs are pinned by a digest over its canonical
JSON, so a replay that disagrees shows whether it read something else or computed something else.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.application.fleet.history import History
from ledger.application.fleet.service_period import DeployedVersion
from ledger.application.planning.fleet_reading import (
    ActionInForce,
    FleetReading,
    LossReading,
    PlanMoment,
    PlanSources,
)
from ledger.application.planning.progress import PlanProgress
from ledger.application.planning.rankings import InForce, ranked_by
from ledger.application.planning.reasons import reason_of, step_reason_of, worth_of
from ledger.application.planning.reuse import FleetReuse, Return
from ledger.application.planning.steps import PlanBefore, Steps, steps_of
from ledger.application.policies.compiled import CompiledPolicy, planner_of
from ledger.errors import LedgerError, Reason
from ledger.events.canonical import encode
from ledger.events.envelope import RecordedEvent
from ledger.events.plans import (
    MADE_PLANS,
    PLAN_TYPES,
    PlanMade,
    PlanMadeV2,
    PlanModePart,
    PlanRowPart,
    SteppedRowPart,
)
from ledger.events.policy_document import Action, PlanningPart, ReusingPlanningPart
from ledger.events.values import SECOND, format_time
from ledger.kernel.excess import (
    BacklogRow,
    Gate,
    PlanInputs,
    PlanModel,
    PlanResult,
    plan,
)
from ledger.kernel.plan_steps import STEP_OUTCOMES
from ledger.rules.vocabulary import RULES_1
from ledger.storage.events import Events


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model in scope with what the plan shows beside the planner's own numbers."""

    history: History
    serving: DeployedVersion
    in_force: ActionInForce
    counted: DeployedVersion
    """The version that serves once what is decided is put back: benefit is by its baseline."""

    @property
    def action(self) -> Action:
        """The action that counts for it."""
        return self.in_force.action


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """The inputs of a plan: a horizon, a time, a policy version and a budget."""

    plan: str
    as_of: int
    made_at: int
    policy: CompiledPolicy
    budget_micros: int
    budget_cap_micros: int
    second_to: int | None = None
    """The first plan of the period, where the money is what its tests left."""

    @property
    def planning(self) -> PlanningPart:
        """The part of the policy to plan by; POLICY_INVALID where it has none."""
        planning = self.policy.document.planning
        if planning is None:
            raise LedgerError(
                Reason.POLICY_INVALID,
                f"Policy {self.policy.policy} version {self.policy.version} has no planning part.",
                remedy="Draft and activate a version with a `planning` section.",
                metadata={"policy": self.policy.policy},
            )
        return planning

    @property
    def now_period(self) -> int:
        """The period that it is made in."""
        return self.made_at // (self.planning.period_seconds * SECOND)


class Planning:
    """Makes plans of one ledger from recorded observations and deployments."""

    def __init__(self, sources: PlanSources) -> None:
        self._sources = sources
        self.plans = sources.plans
        self._events = sources.events
        self._ledger = sources.ledger
        self._histories = sources.histories

    def reading(
        self,
        policy: CompiledPolicy,
        as_of: int,
        made_at: int,
        progress: PlanProgress | None = None,
    ) -> FleetReading:
        """Return what reads the fleet of a policy version, for one or more plans of it."""
        return FleetReading(self._sources, policy, PlanMoment(as_of, made_at), progress)

    def compute(self, request: PlanRequest, reuse: FleetReuse | None = None) -> PlanMade:
        """Return the plan; equal requests over equal ledgers give equal plans, byte for byte.

        `reuse`: what its reading of the fleet decides to put back, where that was read before.
        """
        if reuse is None:
            reuse = FleetReuse(self.reading(request.policy, request.as_of, request.made_at))
        fleet = reuse.fleet
        before = self.plan_before(request.policy.policy, request.now_period, request.as_of)
        is_stepped, progress = isinstance(request.planning, ReusingPlanningPart), fleet.progress

        in_force = InForce(
            lambda history: fleet.in_force(history.model),
            lambda history: fleet.priority(history.model),
        )
        members = ranked(request, reuse, in_force, before, is_stepped=is_stepped, progress=progress)
        if is_stepped:
            members["second_to"] = request.second_to
        return MADE_PLANS[request.planning.planner](**members)

    def plan_before(self, policy: str, now_period: int, as_of: int) -> PlanBefore | None:
        """Return this policy's last plan of an earlier period that is known.

        It is none that was made again in its period: from those nothing is carried on.
        """
        for event in plans_newest_first(self._events, self._ledger, PLAN_TYPES, as_of):
            if self._histories.erasures.passes_over(event, as_of):
                continue
            made = self.plans.of(event)
            if made.policy == policy and made.now_period < now_period and not is_second(made):
                return PlanBefore(event.position, made)
        return None


def is_second(made: PlanMade) -> bool:
    """Whether a plan was made again in its period."""
    return isinstance(made, PlanMadeV2) and made.second_to is not None


def plans_newest_first(
    events: Events, ledger: str, types: Sequence[str], as_of: int
) -> Iterator[RecordedEvent]:
    """Yield plans of some types up to a position, newest first."""
    while True:
        page = events.of_types(ledger, types, at_or_before=as_of, limit=4, descending=True)
        yield from page
        if len(page) < 4:
            return
        as_of = page[-1].position - 1


def ranked(
    request: PlanRequest,
    reuse: FleetReuse,
    in_force: InForce,
    before: PlanBefore | None,
    *,
    is_stepped: bool = True,
    progress: PlanProgress | None = None,
) -> dict[str, Any]:
    """Return the members of a plan: the fleet ranked by the request's policy.

    It goes on from the plan before. The steps follow, unless the event has no place for them.
    `reuse` is that of the policy in force, also where a policy in shadow plans.
    """
    fleet = reuse.fleet
    returns = reuse.returns if isinstance(request.planning, ReusingPlanningPart) else {}
    candidates = [
        Candidate(
            one.history,
            one.serving,
            in_force.action(one.history),
            _counted(one.serving, returns.get(one.history.model)),
        )
        for one in fleet.members(request.policy.rules.procedure)
    ]
    inputs = PlanInputs(
        policy=planner_of(request.planning),
        now_period=request.now_period,
        purse_micros=request.budget_micros,
        purse_cap_micros=request.budget_cap_micros,
        price=None if before is None else int(before.made.next_price),
        models=_plan_models(candidates, request, fleet),
        periods=fleet.periods(LossReading.of(request.policy, request.planning)),
    )
    planned, told = plan(inputs), progress or PlanProgress()
    if not is_stepped:
        return _members(request, inputs, planned, candidates, None, told)
    described = {one.history.model: (one.history, one.in_force) for one in candidates}
    priorities = ((one.history.model, in_force.priority(one.history)) for one in candidates)
    ranking = ranked_by(request.policy.document, request.planning, fleet, priorities, planned)
    by, made = (request.policy.policy, request.planning), (planned, before)
    steps = steps_of(*by, fleet, described, inputs, ranking, made)
    members = _members(request, inputs, steps.result(planned), candidates, steps, told)
    return members | steps.members()


def _counted(serving: DeployedVersion, returning: Return | None) -> DeployedVersion:
    """Return the version in service once what is decided is put back."""
    if returning is None or returning.in_service != serving.version:
        return serving
    return returning.version


def _trained_through(candidate: Candidate, procedure: str, made_at: int) -> int:
    """Return until when the newest trained version was trained, of those that had served by then.

    Under `rules/1` of all that were recorded. Where no such one is known, it is the present one's.
    """
    trained = [
        one.trained_through
        for one in candidate.history.deployments
        if one.is_trained and (procedure == RULES_1 or one.in_service_at <= made_at)
    ]
    return max(trained) if trained else candidate.serving.trained_through


def _plan_models(
    candidates: Sequence[Candidate], request: PlanRequest, fleet: FleetReading
) -> tuple[PlanModel, ...]:
    """Return the models; a planner with candidate tests knows which have a job, and which rest."""
    part = request.planning
    if not isinstance(part, ReusingPlanningPart):
        return tuple(_plan_model(one, request) for one in candidates)
    working = fleet.tests.in_progress()
    rests = fleet.tests.rests(part.period_seconds, part.rest_periods)
    return tuple(
        _plan_model(
            one,
            request,
            is_working=one.history.model in working,
            rest_until=rests.get(one.history.model, -1),
        )
        for one in candidates
    )


def _plan_model(
    candidate: Candidate, request: PlanRequest, *, is_working: bool = False, rest_until: int = -1
) -> PlanModel:
    history, planning = candidate.history, request.planning
    gate: Gate | None = None
    if is_working:
        gate = "in_progress"
    elif planning.candidates == "decided" and candidate.action != "SCHEDULE_RETRAINING":
        gate = "not_decided"
    trained = _trained_through(candidate, request.policy.rules.procedure, request.made_at)
    return PlanModel(
        id=history.model,
        trained_period=trained // (planning.period_seconds * SECOND),
        baseline_nano=candidate.counted.baseline_nano,
        unit_value_micros=int(history.described.unit_value_micros),
        cost_micros=int(history.described.cost_micros),
        rest_until=rest_until,
        gate=gate,
    )


def inputs_digest(inputs: PlanInputs) -> str:
    """Return SHA-256 over the canonical JSON of every input, in hex.

    Money, value, losses and prices are decimal strings; models are in order of id, periods and
    the cells within them ascending.
    """
    policy = inputs.policy
    document = {
        "models": [
            {
                "baseline_nano": str(model.baseline_nano),
                "cost_micros": str(model.cost_micros),
                "gate": model.gate,
                "model": model.id,
                "rest_until": model.rest_until,
                "trained_period": model.trained_period,
                "unit_value_micros": str(model.unit_value_micros),
            }
            for model in sorted(inputs.models, key=lambda one: one.id)
        ],
        "now_period": inputs.now_period,
        "periods": [
            {
                "cells": [
                    {
                        "baseline_nano": str(cell.baseline_nano),
                        "mean_nano": str(cell.mean_nano),
                        "model": name,
                        "rows": str(cell.rows),
                    }
                    for name, cell in sorted(cells.items())
                ],
                "period": period,
            }
            for period, cells in sorted(inputs.periods.items())
        ],
        "policy": {name: getattr(policy, name) for name in policy.__slots__},
        "price": None if inputs.price is None else str(inputs.price),
        "purse_cap_micros": str(inputs.purse_cap_micros),
        "purse_micros": str(inputs.purse_micros),
    }
    return hashlib.sha256(encode(document)).hexdigest()


def _members(
    request: PlanRequest,
    inputs: PlanInputs,
    result: PlanResult,
    candidates: Sequence[Candidate],
    steps: Steps | None,
    progress: PlanProgress,
) -> dict[str, Any]:
    by_name = {candidate.history.model: candidate for candidate in candidates}
    models = {model.id: model for model in inputs.models}

    def reason(row: BacklogRow) -> str:
        procedure = request.policy.rules.procedure
        worth = worth_of(row, result, procedure, None if steps is None else steps.inputs.ranked)
        if row.outcome in STEP_OUTCOMES:
            assert steps is not None, "a step changed it"
            said = step_reason_of(row, inputs, worth, steps.inputs)
        else:
            said = reason_of(row, inputs, worth, by_name[row.id].action, procedure)
        return said if steps is None else said + steps.turn(row.id)

    row_of = PlanRowPart if steps is None else SteppedRowPart
    rows = [
        row_of.model_validate(
            {
                "model": row.id,
                "rank": str(row.rank),
                "gain": str(row.gain),
                "benefit_micros": str(row.benefit_micros),
                "cost_micros": str(row.cost_micros),
                "unit_value_micros": str(models[row.id].unit_value_micros),
                "baseline_nano": str(models[row.id].baseline_nano),
                "trained_period": models[row.id].trained_period,
                "rest_until": models[row.id].rest_until,
                "model_version": by_name[row.id].counted.version,
                "action_in_force": by_name[row.id].action,
                "seen": row.seen,
                "resting": row.resting,
                "outcome": row.outcome,
                "reason": reason(row),
            }
            | ({} if steps is None else steps.row(row.id))
        )
        for row in progress.each_ranked(result.backlog)
    ]
    return {
        "plan": request.plan,
        "as_of": request.as_of,
        "made_at": format_time(request.made_at),
        "policy": request.policy.policy,
        "policy_version": request.policy.version,
        "policy_digest": request.policy.digest,
        "planner": request.planning.planner,
        "inputs_digest": inputs_digest(inputs),
        "now_period": inputs.now_period,
        "purse_micros": str(inputs.purse_micros),
        "purse_cap_micros": str(inputs.purse_cap_micros),
        "price_before": None if inputs.price is None else str(inputs.price),
        "price": str(result.price),
        "next_price": str(result.next_price),
        "demand_micros": str(result.demand_micros),
        "purse_left_micros": str(result.purse_left_micros),
        "modes": [
            PlanModePart(period=period, mode=str(mode))
            for period, mode in sorted(result.modes.items())
        ],
        "backlog": rows,
    }
