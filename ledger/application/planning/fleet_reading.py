"""The ledger as plans of one fleet read it at a position: each thing once, for all of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from ledger.application.commands import model_stream
from ledger.application.fleet.history import History, HistoryReader
from ledger.application.fleet.service_period import DeployedVersion, service_at
from ledger.application.policies.compiled import CompiledPolicy
from ledger.application.policies.history import is_in_scope, may_be_in_scope
from ledger.events.corrections import uncorrected
from ledger.events.decisions import DECISION_TYPES, DecisionMade
from ledger.events.envelope import RecordedEvent
from ledger.events.fast import parse_observed
from ledger.events.models import DESCRIBING, ModelDeployed, ModelDescribed, ModelRetired
from ledger.events.policy_document import Action, PlanningPart
from ledger.events.registry import decode_data, typed
from ledger.events.values import SECOND
from ledger.kernel.excess import PeriodCell
from ledger.rules.vocabulary import RULES_1
from ledger.storage.events import Events

_MODEL_FACTS = (*DESCRIBING, ModelDeployed.TYPE, ModelRetired.TYPE)

Periods: TypeAlias = dict[int, dict[str, PeriodCell]]


@dataclass(frozen=True, slots=True)
class FleetMember:
    """A model of the fleet with the version that is in service."""

    history: History
    serving: DeployedVersion


@dataclass(frozen=True, slots=True)
class LossReading:
    """By what the losses of a fleet are read: plans that agree in it read the same."""

    procedure: str
    loss_signal: str
    period_seconds: int
    max_periods: int

    @classmethod
    def of(cls, policy: CompiledPolicy, planning: PlanningPart) -> "LossReading":
        """Return that of a policy version that plans."""
        return cls(
            policy.rules.procedure,
            planning.loss_signal,
            planning.period_seconds,
            planning.max_periods,
        )


class FleetReading:
    """Reads the models in scope of one policy version, as of a position and a time."""

    def __init__(
        self,
        events: Events,
        ledger: str,
        histories: HistoryReader,
        policy: CompiledPolicy,
        as_of: int,
        made_at: int,
    ) -> None:
        self._events = events
        self._ledger = ledger
        self._histories = histories
        self._policy = policy
        self._made_at = made_at
        self.as_of = as_of
        self._periods: dict[LossReading, Periods] = {}

    def members(self, procedure: str) -> list[FleetMember]:
        """Return the models in scope that have a version in service, in order of name.

        A model whose description or newest deployment was erased by then is none of them.
        """
        found = []
        for history in self._fleet:
            service = history.service(procedure, self._made_at)
            if service is not None:
                found.append(FleetMember(history, service.deployment))
        return found

    def action(self, model: str) -> Action:
        """Return the action in force for a model of the fleet."""
        return self._actions.get(model, "NO_ACTION")

    def periods(self, by: LossReading) -> Periods:
        """Return each period's rows, mean and baseline of each model in service."""
        found = self._periods.get(by)
        if found is None:
            found = self._periods[by] = self._read_periods(by)
        return found

    @cached_property
    def _actions(self) -> dict[str, Action]:
        """Where a model's newest decision was historical, an earlier one of it is looked for."""
        models = {model_stream(history.model): history.model for history in self._fleet}
        newest = self._events.newest_of_each(
            self._ledger, list(models), DECISION_TYPES, at_or_before=self.as_of
        )
        found: dict[str, Action] = {}
        for stream, event in newest.items():
            if self._histories.erasures.passes_over(event, self.as_of):
                continue
            made = typed(event, DecisionMade)
            if not made.historical:
                found[models[stream]] = made.action
            elif prior := self._histories.decision_in_force(models[stream], self.as_of):
                found[models[stream]] = prior.data.action
        return found

    @cached_property
    def _fleet(self) -> list[History]:
        return list(self._read_fleet())

    def _read_fleet(self) -> Iterator[History]:
        """Yield the models in scope that are not retired, by name, without scores and decisions."""
        as_of = self.as_of
        scopes = self._histories.scopes(self._policy, as_of)
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

    def _read_periods(self, by: LossReading) -> Periods:
        micros = by.period_seconds * SECOND
        now_period = self._made_at // micros
        first = max(now_period - by.max_periods + 1, 0)
        members = {model_stream(one.history.model): one for one in self.members(by.procedure)}
        periods: Periods = {}
        for events in self._events.observations_of(
            self._ledger,
            list(members),
            observed_from=first * micros,
            observed_until=(now_period + 1) * micros - 1,
            at_or_before=self.as_of,
        ):
            member = members[events[0].stream]
            known = uncorrected(self._histories.erasures.known(events, self.as_of))
            for period, cell in _cells(member, known, by, now_period).items():
                periods.setdefault(period, {})[member.history.model] = cell
        return dict(sorted(periods.items()))


def _cells(
    member: FleetMember, events: Iterable[RecordedEvent], by: LossReading, now_period: int
) -> dict[int, PeriodCell]:
    """Return rows, mean and baseline per period, of the version in service at the period's end.

    For the present period that is the version in service at the time of the plan.
    """
    period_micros = by.period_seconds * SECOND
    serving: dict[int, DeployedVersion | None] = {now_period: member.serving}
    totals: dict[int, list[int]] = {}
    for event in events:
        seen = parse_observed(event)
        if seen.signal != by.loss_signal:
            continue
        period = seen.observed_at // period_micros
        if period not in serving:
            end = (period + 1) * period_micros
            serving[period] = _in_service(member.history, by.procedure, end)
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
