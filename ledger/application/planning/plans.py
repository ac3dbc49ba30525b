"""The fleet's plan: everything planner `excess/1` reads, gathered from the ledger as of a position.

The same function makes a plan and replays it. The inputs are pinned by a digest over its canonical
JSON, so a replay that disagrees shows whether it read something else or computed something else.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ledger.application.commands import model_stream
from ledger.application.fleet.history import History, HistoryReader
from ledger.application.fleet.service_period import DeployedVersion, service_at
from ledger.application.planning.reasons import reason_of
from ledger.application.policies.compiled import CompiledPolicy, planner_of
from ledger.application.policies.history import is_in_scope, may_be_in_scope
from ledger.errors import LedgerError, Reason
from ledger.events.canonical import encode
from ledger.events.corrections import uncorrected
from ledger.events.envelope import RecordedEvent
from ledger.events.fast import parse_observed
from ledger.events.models import DESCRIBING, ModelDeployed, ModelDescribed, ModelRetired
from ledger.events.plans import PlanMade, PlanModePart, PlanRowPart
from ledger.events.policy_document import Action, PlanningPart
from ledger.events.registry import decode_data, typed
from ledger.events.values import SECOND, format_time
from ledger.kernel.excess import (
    Gate,
    PeriodCell,
    PlanInputs,
    PlanModel,
    PlanResult,
    plan,
)
from ledger.rules.vocabulary import RULES_1
from ledger.storage.events import Events

_MODEL_FACTS = (*DESCRIBING, ModelDeployed.TYPE, ModelRetired.TYPE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model in scope with what the plan shows beside the planner's own numbers."""

    history: History
    serving: DeployedVersion
    action: Action


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """The inputs of a plan: a horizon, a time, a policy version and a budget."""

    plan: str
    as_of: int
    made_at: int
    policy: CompiledPolicy
    budget_micros: int
    budget_cap_micros: int

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


class Planning:
    """Makes plans of one ledger from recorded observations and deployments."""

    def __init__(self, events: Events, ledger: str, histories: HistoryReader) -> None:
        self._events = events
        self._ledger = ledger
        self._histories = histories

    def compute(self, request: PlanRequest) -> PlanMade:
        """Return the plan; equal requests over equal ledgers give equal plans, byte for byte."""
        now_period = request.made_at // (request.planning.period_seconds * SECOND)
        candidates = self._candidates(request)
        price = self._price_before(request.policy.policy, now_period, request.as_of)
        inputs = PlanInputs(
            policy=planner_of(request.planning),
            now_period=now_period,
            purse_micros=request.budget_micros,
            purse_cap_micros=request.budget_cap_micros,
            price=price,
            models=tuple(_plan_model(one, request) for one in candidates),
            periods=self._periods(candidates, request, now_period),
        )
        return _plan_made(request, inputs, plan(inputs), candidates)

    def _candidates(self, request: PlanRequest) -> list[Candidate]:
        """Return the models in scope that have a version in service, in order of name.

        A model whose description or newest deployment was erased by then is none of them.
        """
        found: list[Candidate] = []
        for history in self._fleet(request):
            service = history.service(request.policy.rules.procedure, request.made_at)
            if service is None:
                continue
            decision = self._histories.decision_in_force(history.model, request.as_of)
            action: Action = decision.data.action if decision else "NO_ACTION"
            found.append(Candidate(history, service.deployment, action))
        return found

    def _fleet(self, request: PlanRequest) -> Iterator[History]:
        """Yield the models in scope that are not retired, by name, without scores and decisions."""
        as_of = request.as_of
        scopes = self._histories.scopes(request.policy, as_of)
        facts: dict[str, list[RecordedEvent]] = {}
        for event in self._events.of_types(self._ledger, _MODEL_FACTS, at_or_before=as_of):
            facts.setdefault(event.stream.partition("/")[2], []).append(event)
        for name, events in sorted(facts.items()):
            if not any(may_be_in_scope(activated, name) for activated in scopes):
                continue  # nothing of it is looked at, so nothing of it can stand in the way
            if any(event.type == ModelRetired.TYPE for event in events):
                continue
            described = [event for event in events if event.type in DESCRIBING]
            assert described, "a model begins by being registered"
            if self._histories.erasures.passes_over(described[-1], as_of):
                continue
            data = decode_data(described[-1])
            assert isinstance(data, ModelDescribed)
            if not any(is_in_scope(activated, data) for activated in scopes):
                continue
            history = History(name, as_of, data)
            others = [event for event in events if event.type not in DESCRIBING]
            self._histories.apply_known(history, others, as_of)
            history.as_of = as_of  # folding moved it to the last fact; observations follow that
            yield history

    def _price_before(self, policy: str, now_period: int, as_of: int) -> int | None:
        """Return `next_price` of this policy's last plan of an earlier period that is known."""
        for event in self._plans_newest_first(as_of):
            if self._histories.erasures.passes_over(event, as_of):
                continue
            made = typed(event, PlanMade)
            if made.policy == policy and made.now_period < now_period:
                return int(made.next_price)
        return None

    def _plans_newest_first(self, as_of: int) -> Iterable[RecordedEvent]:
        while True:
            events = self._events.of_types(
                self._ledger, (PlanMade.TYPE,), at_or_before=as_of, limit=4, descending=True
            )
            yield from events
            if len(events) < 4:
                return
            as_of = events[-1].position - 1

    def _periods(
        self, candidates: Sequence[Candidate], request: PlanRequest, now_period: int
    ) -> dict[int, dict[str, PeriodCell]]:
        planning = request.planning
        periods: dict[int, dict[str, PeriodCell]] = {}
        first = max(now_period - planning.max_periods + 1, 0)
        micros = planning.period_seconds * SECOND
        for candidate in candidates:
            history = candidate.history
            events = self._events.observations(
                self._ledger,
                model_stream(history.model),
                observed_from=first * micros,
                observed_until=(now_period + 1) * micros - 1,
                at_or_before=history.as_of,
            )
            known = uncorrected(self._histories.erasures.known(events, history.as_of))
            cells = _cells(candidate, known, request, now_period, micros)
            for period, cell in cells.items():
                periods.setdefault(period, {})[history.model] = cell
        return dict(sorted(periods.items()))


def _cells(
    candidate: Candidate,
    events: Iterable[RecordedEvent],
    request: PlanRequest,
    now_period: int,
    period_micros: int,
) -> dict[int, PeriodCell]:
    """Return rows, mean and baseline per period, of the version in service at the period's end.

    For the present period that is the version in service at the time of the plan.
    """
    procedure, loss_signal = request.policy.rules.procedure, request.planning.loss_signal
    serving: dict[int, DeployedVersion | None] = {now_period: candidate.serving}
    totals: dict[int, list[int]] = {}
    for event in events:
        seen = parse_observed(event)
        if seen.signal != loss_signal:
            continue
        period = seen.observed_at // period_micros
        if period not in serving:
            end = (period + 1) * period_micros
            serving[period] = _in_service(candidate.history, procedure, end)
        deployment = serving[period]
        if deployment is None or deployment.version != seen.model_version:
            continue
        total = totals.setdefault(period, [0, 0])
        total[0] += seen.sample_size
        total[1] += seen.value * seen.sample_size
    cells: dict[int, PeriodCell] = {}
    for period, (rows, weighted) in totals.items():
        deployment = serving[period]
        assert deployment is not None
        cells[period] = PeriodCell(rows, weighted // rows, deployment.baseline_nano)
    return cells


def _in_service(history: History, procedure: str, before: int) -> DeployedVersion | None:
    """Return the deployment in service just before a time, by stated times.

    Under `rules/1` the one recorded last among those stated before it.
    """
    if procedure != RULES_1:
        service = service_at(history.deployments, before - 1)
        return None if service is None else service.deployment
    for deployment in reversed(history.deployments):
        if deployment.in_service_at < before:
            return deployment
    return None


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


def _plan_model(candidate: Candidate, request: PlanRequest) -> PlanModel:
    history, planning = candidate.history, request.planning
    gate: Gate | None = None
    if planning.candidates == "decided" and candidate.action != "SCHEDULE_RETRAINING":
        gate = "not_decided"
    trained = _trained_through(candidate, request.policy.rules.procedure, request.made_at)
    return PlanModel(
        id=history.model,
        trained_period=trained // (planning.period_seconds * SECOND),
        baseline_nano=candidate.serving.baseline_nano,
        unit_value_micros=int(history.described.unit_value_micros),
        cost_micros=int(history.described.cost_micros),
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


def _plan_made(
    request: PlanRequest, inputs: PlanInputs, result: PlanResult, candidates: Sequence[Candidate]
) -> PlanMade:
    by_name = {candidate.history.model: candidate for candidate in candidates}
    models = {model.id: model for model in inputs.models}
    rows = [
        PlanRowPart(
            model=row.id,
            rank=str(row.rank),
            gain=str(row.gain),
            benefit_micros=str(row.benefit_micros),
            cost_micros=str(row.cost_micros),
            unit_value_micros=str(models[row.id].unit_value_micros),
            baseline_nano=str(models[row.id].baseline_nano),
            trained_period=models[row.id].trained_period,
            rest_until=models[row.id].rest_until,
            model_version=by_name[row.id].serving.version,
            action_in_force=by_name[row.id].action,
            seen=row.seen,
            resting=row.resting,
            outcome=row.outcome,
            reason=reason_of(
                row, result, inputs, by_name[row.id].action, request.policy.rules.procedure
            ),
        )
        for row in result.backlog
    ]
    return PlanMade(
        plan=request.plan,
        as_of=request.as_of,
        made_at=format_time(request.made_at),
        policy=request.policy.policy,
        policy_version=request.policy.version,
        policy_digest=request.policy.digest,
        planner="excess/1",
        inputs_digest=inputs_digest(inputs),
        now_period=inputs.now_period,
        purse_micros=str(inputs.purse_micros),
        purse_cap_micros=str(inputs.purse_cap_micros),
        price_before=None if inputs.price is None else str(inputs.price),
        price=str(result.price),
        next_price=str(result.next_price),
        demand_micros=str(result.demand_micros),
        purse_left_micros=str(result.purse_left_micros),
        modes=[
            PlanModePart(period=period, mode=str(mode))
            for period, mode in sorted(result.modes.items())
        ],
        backlog=rows,
    )
