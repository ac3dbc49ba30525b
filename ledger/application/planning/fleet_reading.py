"""The ledger as plans of one fleet read it at a position: each thing once, for all of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple, TypeAlias

from ledger.application.commands import model_stream
from ledger.application.fleet.history import History, HistoryReader
from ledger.application.fleet.service_period import DeployedVersion
from ledger.application.planning.candidate_tests import TEST_TYPES, CandidateTests
from ledger.application.planning.kept_plans import KeptPlans
from ledger.application.planning.progress import PlanProgress
from ledger.application.policies.compiled import CompiledPolicy, reuse_of
from ledger.application.policies.history import is_in_scope, may_be_in_scope
from ledger.errors import LedgerError, Reason
from ledger.events.corrections import uncorrected
from ledger.events.decisions import (
    DECISION_TYPES,
    DecisionMade,
    DecisionResult,
    ScoreComputed,
)
from ledger.events.envelope import RecordedEvent
from ledger.events.fast import parse_observed
from ledger.events.jobs import JOB_TYPES
from ledger.events.models import DESCRIBING, ModelDeployed, ModelDescribed, ModelRetired
from ledger.events.policy_document import Action, PlanningPart, ReusingPlanningPart
from ledger.events.registry import decode_data, typed
from ledger.events.reuse import ReuseProposed
from ledger.events.values import SECOND, parse_time
from ledger.jobs.budget_scopes import counted_on
from ledger.jobs.budgets import Budget
from ledger.jobs.machine import Jobs
from ledger.jobs.money import is_top_tier
from ledger.kernel.excess import PeriodCell
from ledger.rules.vocabulary import RULES_1
from ledger.storage.events import Events

_MODEL_FACTS = (*DESCRIBING, ModelDeployed.TYPE, ModelRetired.TYPE)

Periods: TypeAlias = dict[int, dict[str, PeriodCell]]
VersionLosses: TypeAlias = dict[str, dict[int, tuple[int, int]]]
"""Rows, and the sum of value × rows in nano, by version and period."""
Losses: TypeAlias = dict[str, VersionLosses]


@dataclass(frozen=True, slots=True)
class FleetMember:
    """A model of the fleet with the version that is in service."""

    history: History
    serving: DeployedVersion


@dataclass(frozen=True, slots=True)
class PlanSources:
    """From where the fleets of one ledger are read."""

    events: Events
    ledger: str
    histories: HistoryReader
    budgets: Callable[[int], Mapping[str, Budget]]
    """Returns every budget as of a position."""
    unit_of_cost: str
    plans: KeptPlans


class PlanMoment(NamedTuple):
    """As of where a fleet is read, and for which time."""

    as_of: int
    made_at: int


class ActionInForce(NamedTuple):
    """The action for a model, and whether it was decided at the top tier of its policy."""

    action: Action
    is_top_tier: bool


UNDECIDED: Final = ActionInForce("NO_ACTION", is_top_tier=False)


@dataclass(frozen=True, slots=True)
class LossReading:
    """By what the losses of a fleet are read: plans that agree in it read the same."""

    procedure: str
    loss_signal: str
    period_seconds: int
    max_periods: int
    reuse_window: int = 0
    """The periods in which versions are compared; 0 where the planner puts none back."""

    @property
    def periods_read(self) -> int:
        """How many periods back anything is read."""
        return max(self.max_periods, self.reuse_window)

    @property
    def is_reused(self) -> bool:
        """Whether the planner puts versions back."""
        return self.reuse_window > 0

    @classmethod
    def of(cls, policy: CompiledPolicy, planning: PlanningPart) -> "LossReading":
        """Return that of a policy version that plans."""
        return cls(
            policy.rules.procedure,
            planning.loss_signal,
            planning.period_seconds,
            planning.max_periods,
            reuse_of(planning).window if isinstance(planning, ReusingPlanningPart) else 0,
        )


class FleetReading:
    """Reads the models in scope of one policy version, as of a position and a time."""

    def __init__(
        self,
        sources: PlanSources,
        policy: CompiledPolicy,
        moment: PlanMoment,
        progress: PlanProgress | None = None,
    ) -> None:
        self._events = sources.events
        self._ledger = sources.ledger
        self._histories = sources.histories
        self.policy = policy
        self._sources = sources
        self.as_of, self.made_at = moment
        self.progress = progress or PlanProgress()
        self._periods: dict[LossReading, Periods] = {}
        self._losses: dict[LossReading, Losses] = {}
        self._members: dict[str, list[FleetMember]] = {}

    def members(self, procedure: str) -> list[FleetMember]:
        """Return the models in scope that have a version in service, in order of name.

        A model whose description or newest deployment was erased by then is none of them.
        """
        found = self._members.get(procedure)
        if found is None:
            services = ((one, one.service(procedure, self.made_at)) for one in self._fleet)
            found = self._members[procedure] = [
                FleetMember(history, service.deployment)
                for history, service in services
                if service is not None
            ]
        self.progress.models = len(found)
        return found

    def in_force(self, model: str) -> ActionInForce:
        """Return the action in force for a model of the fleet, and whether at the top tier."""
        return self._in_force.get(model, UNDECIDED)

    def periods(self, by: LossReading) -> Periods:
        """Return each period's rows, mean and baseline of each model in service."""
        found = self._periods.get(by)
        if found is None:
            found = self._periods[by] = self._read_periods(by)
        return found

    @cached_property
    def _in_force(self) -> dict[str, ActionInForce]:
        """Where a model's newest decision was historical, an earlier one of it is looked for."""
        models = {model_stream(history.model): history.model for history in self._fleet}
        newest = self._events.newest_of_each(
            self._ledger, list(models), DECISION_TYPES, at_or_before=self.as_of
        )
        found: dict[str, ActionInForce] = {}
        for stream, event in newest.items():
            if self._histories.erasures.passes_over(event, self.as_of):
                continue
            made = typed(event, DecisionMade)
            if not made.historical:
                found[models[stream]] = self.of_decision(made)
            elif prior := self._histories.decision_in_force(models[stream], self.as_of):
                found[models[stream]] = self.of_decision(prior.data)
        return found

    def priority(self, model: str) -> int | None:
        """Return the newest score of a model that was not historical."""
        return self._priorities.get(model)

    @cached_property
    def _priorities(self) -> dict[str, int]:
        """Where a model's newest score was historical, an earlier one of it is looked for."""
        models = {model_stream(history.model): history.model for history in self._fleet}
        newest = self._events.newest_of_each(
            self._ledger, list(models), (ScoreComputed.TYPE,), at_or_before=self.as_of
        )
        found: dict[str, int] = {}
        for stream, event in newest.items():
            if self._histories.erasures.passes_over(event, self.as_of):
                continue
            score = typed(event, ScoreComputed)
            if not score.historical:
                found[models[stream]] = score.priority
            elif prior := self._histories.last_scored(models[stream], self.as_of):
                found[models[stream]] = prior.priority
        return found

    def of_decision(self, made: DecisionResult) -> ActionInForce:
        """Return what a decision says: one whose policy was erased is at no top tier."""
        if made.action == "NO_ACTION":
            return UNDECIDED
        try:
            policy = self._histories.compiled(made.policy, made.policy_version, made.policy_digest)
        except LedgerError as error:
            if error.reason is not Reason.BODY_ERASED or not self._was_erased(error):
                raise
            return ActionInForce(made.action, is_top_tier=False)
        is_top = is_top_tier(policy.document.model_dump(include={"tiers"}), made.tier)
        return ActionInForce(made.action, is_top_tier=is_top)

    def _was_erased(self, error: LedgerError) -> bool:
        """Whether a body was erased by the position as of which the fleet is read."""
        by = self._histories.erasures.erased_by(int(error.metadata["position"]))
        return by is not None and by <= self.as_of

    @cached_property
    def _fleet(self) -> list[History]:
        return list(self._read_fleet())

    def _read_fleet(self) -> Iterator[History]:
        """Yield the models in scope that are not retired, by name, without scores and decisions."""
        as_of = self.as_of
        scopes = self._histories.scopes(self.policy, as_of)
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

    def losses(self, by: LossReading) -> Losses:
        """Return the rows and the weighted loss of each version of each member, by period."""
        found = self._losses.get(by)
        if found is None:
            found = self._losses[by] = dict(self._read_losses(by))
        return found

    def _read_losses(self, by: LossReading) -> Iterator[tuple[str, VersionLosses]]:
        micros = by.period_seconds * SECOND
        now_period = self.made_at // micros
        first = max(now_period - by.periods_read + 1, 0)
        members = {model_stream(one.history.model) for one in self.members(by.procedure)}
        read = self._events.observations_of(
            self._ledger,
            sorted(members),
            observed_from=first * micros,
            observed_until=(now_period + 1) * micros - 1,
            at_or_before=self.as_of,
        )
        for events in self.progress.each_read(read):
            known = uncorrected(self._histories.erasures.known(events, self.as_of))
            losses: VersionLosses = {}
            for event in known:
                seen = parse_observed(event)
                if seen.signal != by.loss_signal:
                    continue
                periods = losses.setdefault(seen.model_version, {})
                rows, weighted = periods.get(period := seen.observed_at // micros, (0, 0))
                periods[period] = rows + seen.sample_size, weighted + seen.value * seen.sample_size
            yield events[0].stream.partition("/")[2], losses

    def _read_periods(self, by: LossReading) -> Periods:
        now_period = self.made_at // (by.period_seconds * SECOND)
        periods: Periods = {}
        for member in self.members(by.procedure):
            model = member.history.model
            for period, cell in self._cells(member, by, now_period).items():
                periods.setdefault(period, {})[model] = cell
        return dict(sorted(periods.items()))

    def _cells(
        self, member: FleetMember, by: LossReading, now_period: int
    ) -> dict[int, PeriodCell]:
        """Return rows, mean and baseline per period, of the version in service at its end.

        For the present period that is the version in service at the time of the plan. Where reuse
        put a version back, the period is that of the version that it replaced.
        """
        serving: dict[int, DeployedVersion | None] = {now_period: member.serving}
        if by.is_reused:
            serving |= self.replaced(member.history, by.period_seconds * SECOND)
        cells, in_service = dict[int, PeriodCell](), _in_service(member.history, by.procedure)
        for version, periods in self.losses(by).get(member.history.model, {}).items():
            for period, (rows, weighted) in periods.items():
                if period <= now_period - by.max_periods:
                    continue
                if period not in serving:
                    end = (period + 1) * by.period_seconds * SECOND
                    serving[period] = in_service(end)
                deployment = serving[period]
                if deployment is not None and deployment.version == version:
                    cells[period] = PeriodCell(rows, weighted // rows, deployment.baseline_nano)
        return cells

    def replaced(self, history: History, period_micros: int) -> dict[int, DeployedVersion]:
        """Return by period the version that reuse replaced in it."""
        found: dict[int, DeployedVersion] = {}
        for position, proposed in self._proposals.get(history.model, ()):
            period = parse_time(proposed.made_at) // period_micros
            done = [
                one
                for one in history.deployments
                if one.position > position
                and not one.is_trained
                and one.version == proposed.put_back
                and one.in_service_at // period_micros == period
            ]
            before = [
                one
                for one in history.deployments
                if done and one.position < done[0].position and one.version == proposed.in_service
            ]
            if before:
                latest = max(before, key=lambda one: (one.in_service_at, one.position))
                found.setdefault(period, latest)
        return found

    @cached_property
    def _proposals(self) -> dict[str, list[tuple[int, ReuseProposed]]]:
        """Every known proposal to put a version back, by model, in order."""
        found: dict[str, list[tuple[int, ReuseProposed]]] = {}
        for event in self._events.of_types(
            self._ledger, (ReuseProposed.TYPE,), at_or_before=self.as_of
        ):
            if not self._histories.erasures.passes_over(event, self.as_of):
                data = typed(event, ReuseProposed)
                found.setdefault(data.model, []).append((event.position, data))
        return found

    @cached_property
    def tests(self) -> CandidateTests:
        """The jobs, as far as their candidate tests go."""
        events = self._events.of_types(self._ledger, TEST_TYPES, at_or_before=self.as_of)
        return CandidateTests().apply(events)

    @cached_property
    def jobs(self) -> Jobs:
        """Every job of the ledger."""
        jobs = Jobs()
        for event in self._events.of_types(self._ledger, JOB_TYPES, at_or_before=self.as_of):
            data = decode_data(event).to_data()
            told = event.position, event.stream, event.type, event.body.actor, data
            jobs.apply(*told, recorded_at=event.recorded_at)
        return jobs

    @cached_property
    def budgets(self) -> Mapping[str, Budget]:
        """Every budget of the ledger, by name."""
        return self._sources.budgets(self.as_of)

    def budget_of(self, described: ModelDescribed) -> Budget | None:
        """Return the budget that pays for a model's jobs; None for none in the unit of plans."""
        unit, budgets = self._sources.unit_of_cost, self.budgets.values()
        return counted_on(budgets, described.owner, described.labels, unit)

    def proposals_of(self, model: str) -> list[ReuseProposed]:
        """Return the known proposals to put a version of a model back, in order."""
        return [data for _, data in self._proposals.get(model, ())]


def _in_service(history: History, procedure: str) -> Callable[[int], DeployedVersion | None]:
    """Return what finds the deployment in service just before a time, by stated times.

    Under `rules/1` the one recorded last among those stated before it.
    """
    deployments = history.deployments
    if procedure != RULES_1:
        deployments = sorted(deployments, key=lambda one: (one.in_service_at, one.position))

    def found(before: int) -> DeployedVersion | None:
        return next((one for one in reversed(deployments) if one.in_service_at < before), None)

    return found
