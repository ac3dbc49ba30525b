"""A plan derived again: everything that its planner reads, from the audit's own fold.

The pinned inputs of a plan (`inputs_digest`) and the reasons of its rows are part of the planner's
released name; this is a second writing of both, from `docs/spec/planner_v1.md` and `planner_v2.md`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ledger.audit.assessor import NotReplayableError
from ledger.audit.audited_model import AuditedDeployment, AuditedModel
from ledger.audit.ledger_state import LedgerState
from ledger.audit.parameters import Parameters, digest_of
from ledger.audit.plan_fleet import (
    candidates_of,
    counted_versions,
    losses_of,
    replaced_in,
    serving_in,
)
from ledger.audit.plan_inputs import pinned
from ledger.audit.plan_ranking import ranking
from ledger.audit.plan_reasons import reason_of
from ledger.audit.plan_state import AuditedPlan
from ledger.audit.plan_steps import after_steps, step_facts, step_inputs, step_members
from ledger.audit.reuse import is_reusing
from ledger.audit.service_period import serving_of
from ledger.events.values import PPM, SECOND, parse_time
from ledger.kernel.excess import (
    BacklogRow,
    PeriodCell,
    PlanInputs,
    PlanModel,
    PlanResult,
    input_problems,
    newest_errors,
    plan,
)
from ledger.kernel.plan_steps import StepInputs, SteppedPlan, stepped

Decided = Mapping[str, Any] | None
"""The data of the decision that counts for a model; None where there is none."""


class SecondInForce(NamedTuple):
    """Readers of the decision that counts for a model of a plan, and of its newest score."""

    decided: Callable[[AuditedModel], Decided]
    priority: Callable[[AuditedModel], int | None]


def planned(fold: LedgerState, position: int, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data that a recorded plan should have; NotReplayableError if unknown.

    It is derived once for all rules that ask for it.
    """
    if fold.planning.derived is None or fold.planning.derived[0] != position:
        fold.planning.derived = position, _derived(fold, data)
    return fold.planning.derived[1]


def _derived(fold: LedgerState, data: Mapping[str, Any]) -> dict[str, Any]:
    second = {"second_to": data["second_to"]} if "second_to" in data else {}
    parameters, as_of = planning_of(fold, data), data["as_of"]
    before = fold.planning.before(data["policy"], now_period_of(parameters, data), as_of)

    def decided(facts: AuditedModel) -> Decided:
        return decided_of(facts, as_of)

    def priority(facts: AuditedModel) -> int | None:
        return priority_of(facts, as_of)

    in_force = SecondInForce(decided, priority)
    return ranked(fold, data, parameters, parameters, in_force, before) | second


def planning_of(fold: LedgerState, data: Mapping[str, Any]) -> Parameters:
    """Return those of the version that a plan names; NotReplayableError where it cannot plan."""
    parameters = fold.parameters(data["policy"], data["policy_version"], data["policy_digest"])
    if parameters is None:
        raise NotReplayableError("the policy version that it names was never drafted")
    if parameters.planner is None:
        raise NotReplayableError("the policy version that it names does not plan")
    return parameters


def now_period_of(parameters: Parameters, data: Mapping[str, Any]) -> int:
    """Return the period in which a plan is made."""
    assert parameters.planner is not None
    return parse_time(data["made_at"]) // (parameters.planner.period_seconds * SECOND)


def ranked(
    fold: LedgerState,
    data: Mapping[str, Any],
    parameters: Parameters,
    planned_for: Parameters,
    in_force: SecondInForce,
    before: AuditedPlan | None,
) -> dict[str, Any]:
    """Return the members of a plan of the models of a policy version; NotReplayableError.

    `planned_for`: the version whose models they are, and which puts versions back.
    """
    planner, as_of, at = parameters.planner, data["as_of"], parse_time(data["made_at"])
    assert planner is not None
    now_period = now_period_of(parameters, data)
    candidates = candidates_of(fold, parameters, planned_for.reference, as_of, at)
    counted = counted_versions(fold, data, parameters, planned_for, candidates)
    decisions = {facts.name: in_force.decided(facts) for facts in candidates}
    actions = {name: _action(decided) for name, decided in decisions.items()}
    inputs = PlanInputs(
        policy=planner,
        now_period=now_period,
        purse_micros=int(data["purse_micros"]),
        purse_cap_micros=int(data["purse_cap_micros"]),
        price=None if before is None else before.next_price,
        models=_models(fold, candidates, parameters, actions, counted, (as_of, at)),
        periods=_periods(fold, candidates, parameters, as_of, at),
    )
    if problems := input_problems(inputs):
        raise NotReplayableError(f"the planner refuses its inputs: {' '.join(problems[0])}")
    result = plan(inputs)
    steps: dict[str, Any] = {}
    walked: tuple[StepInputs, SteppedPlan] | None = None
    if "steps" in data:
        priorities = ((facts.name, in_force.priority(facts)) for facts in candidates)
        jobs = fold.planning.tests.worked(as_of)
        order = ranking(parameters.document, priorities, jobs, result)
        by = step_inputs(fold, parameters, decisions, before, (as_of, at), order)
        made = stepped(inputs, result, by)
        walked = by, made
        steps, result = step_members(by, made, fold.budgets.as_of(as_of)), after_steps(result, made)
    models, errors = {model.id: model for model in inputs.models}, newest_errors(inputs)
    probe = inputs.policy.probe_ppm
    tests = {name: model.cost_micros * probe // PPM for name, model in models.items()}
    backlog = [
        _row(row, models[row.id], (counted[row.id].version, actions[row.id]))
        | {"reason": reason_of(row, result, inputs, parameters, actions[row.id], walked)}
        | ({} if walked is None else step_facts(row.id, *walked, errors, tests[row.id]))
        for row in result.backlog
    ]
    return _heading(data, parameters, inputs, result) | {"backlog": backlog} | steps


def _heading(
    data: Mapping[str, Any], parameters: Parameters, inputs: PlanInputs, result: PlanResult
) -> dict[str, Any]:
    """Return the members of a plan beside its backlog."""
    return {
        "plan": data["plan"],
        "as_of": data["as_of"],
        "made_at": data["made_at"],
        "policy": parameters.policy,
        "policy_version": parameters.version,
        "policy_digest": parameters.digest,
        "planner": parameters.document["planning"]["planner"],
        "inputs_digest": digest_of(pinned(inputs)),
        "now_period": inputs.now_period,
        "purse_micros": str(inputs.purse_micros),
        "purse_cap_micros": str(inputs.purse_cap_micros),
        "price_before": None if inputs.price is None else str(inputs.price),
        "price": str(result.price),
        "next_price": str(result.next_price),
        "demand_micros": str(result.demand_micros),
        "purse_left_micros": str(result.purse_left_micros),
        "modes": [
            {"period": period, "mode": str(mode)} for period, mode in sorted(result.modes.items())
        ],
    }


def _row(row: BacklogRow, model: PlanModel, serving_and_action: tuple[str, str]) -> dict[str, Any]:
    """Return the row of a model in the backlog, without its sentence."""
    version, action = serving_and_action
    return {
        "model": row.id,
        "rank": str(row.rank),
        "gain": str(row.gain),
        "benefit_micros": str(row.benefit_micros),
        "cost_micros": str(row.cost_micros),
        "unit_value_micros": str(model.unit_value_micros),
        "baseline_nano": str(model.baseline_nano),
        "trained_period": model.trained_period,
        "rest_until": model.rest_until,
        "model_version": version,
        "action_in_force": action,
        "seen": row.seen,
        "resting": row.resting,
        "outcome": row.outcome,
    }


def decided_of(facts: AuditedModel, as_of: int) -> Decided:
    """Return the decision in force for a model; NotReplayableError where it is not known."""
    try:
        decided = facts.in_force(as_of)
    except LookupError as error:
        raise NotReplayableError(str(error)) from error
    return None if decided is None else decided.data


def priority_of(facts: AuditedModel, as_of: int) -> int | None:
    """Return the newest score of a model; NotReplayableError where it is not known."""
    try:
        return facts.newest_priority(as_of)
    except LookupError as error:
        raise NotReplayableError(str(error)) from error


def _action(decided: Decided) -> str:
    return "NO_ACTION" if decided is None else str(decided["action"])


def _models(
    fold: LedgerState,
    candidates: list[AuditedModel],
    parameters: Parameters,
    actions: Mapping[str, str],
    counted: Mapping[str, AuditedDeployment],
    moment: tuple[int, int],
) -> tuple[PlanModel, ...]:
    """Return the models; by `excess/2` one with a job is no candidate, and a refused one rests."""
    found = [
        replace(
            _model(facts, parameters, actions, *moment),
            baseline_nano=counted[facts.name].baseline_nano,
        )
        for facts in candidates
    ]
    part, as_of = parameters.document["planning"], moment[0]
    if is_reusing(parameters):
        working = fold.planning.tests.in_progress(as_of)
        rests = fold.planning.tests.rests(part["period_seconds"], part["rest_periods"], as_of)
        found = [
            replace(
                one,
                gate="in_progress" if one.id in working else one.gate,
                rest_until=rests.get(one.id, -1),
            )
            for one in found
        ]
    return tuple(found)


def _model(
    facts: AuditedModel, parameters: Parameters, actions: Mapping[str, str], as_of: int, at: int
) -> PlanModel:
    assert parameters.planner is not None
    description, serving = facts.description(as_of), serving_in(facts, parameters, as_of, at)
    assert description is not None
    trained = [
        one.trained_through
        for one in facts.deployed(as_of)
        if one.is_trained and (parameters.is_by_record or one.in_service_at <= at)
    ]
    newest = max(trained, default=serving.trained_through)
    is_gated = parameters.candidates == "decided" and actions[facts.name] != "SCHEDULE_RETRAINING"
    return PlanModel(
        id=facts.name,
        trained_period=newest // (parameters.planner.period_seconds * SECOND),
        baseline_nano=serving.baseline_nano,
        unit_value_micros=int(description["unit_value_micros"]),
        cost_micros=int(description["cost_micros"]),
        gate="not_decided" if is_gated else None,
    )


def _periods(
    fold: LedgerState, candidates: list[AuditedModel], parameters: Parameters, as_of: int, at: int
) -> dict[int, dict[str, PeriodCell]]:
    """Return each period's rows, mean and baseline of each model."""
    assert parameters.planner is not None
    micros = parameters.planner.period_seconds * SECOND
    now_period = at // micros
    oldest = now_period - parameters.planner.max_periods
    found: dict[int, dict[str, PeriodCell]] = {}
    for facts in candidates:
        serving: dict[int, AuditedDeployment | None] = {
            now_period: serving_in(facts, parameters, as_of, at)
        }
        if is_reusing(parameters):
            serving |= replaced_in(fold, facts, parameters, as_of)
        losses = losses_of(fold, facts, parameters, as_of, at)
        for (version, period), (rows, weighted) in losses.items():
            if period <= oldest:
                continue
            if period not in serving:
                serving[period] = _at_end_of(facts, parameters, (period + 1) * micros, as_of)
            then = serving[period]
            if then is not None and then.version == version:
                cell = PeriodCell(rows, weighted // rows, then.baseline_nano)
                found.setdefault(period, {})[facts.name] = cell
    return dict(sorted(found.items()))


def _at_end_of(
    facts: AuditedModel, parameters: Parameters, end: int, as_of: int
) -> AuditedDeployment | None:
    """Return the deployment in service at the end of a past period."""
    if not parameters.is_by_record:
        serving = serving_of(facts, parameters, as_of, end - 1)
        return None if serving is None else serving.deployment
    for one in reversed(facts.deployed(as_of)):
        if one.in_service_at < end:
            return one
    return None
