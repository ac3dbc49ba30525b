"""From a model's history and bucket state to its score and decision, and to their events.

One function, `assess`, serves the evaluator, evaluation on request and replay, so that what is
recorded and what is recomputed cannot come from different code. It reads nothing: all it knows is
handed in. `proposal` makes events of assessments: a score, and a decision that cites it, appended
together or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from ledger.application.appender import Addition, MakeData, Proposal
from ledger.application.commands import case_streams, model_stream, unbroken
from ledger.application.fleet.cases import same_cases
from ledger.application.fleet.history import History
from ledger.application.fleet.service_period import ServicePeriod
from ledger.application.policies.compiled import CompiledPolicy
from ledger.clock import Clock, uuid7
from ledger.events.cases import EscalationData, TaskData
from ledger.events.decisions import (
    MADE,
    DecisionMade,
    ModelFactsPart,
    RecordedEnvironment,
    ScoreComputed,
    ScoreResult,
    SignalOutputPart,
    Trigger,
)
from ledger.events.policy_document import Action, PolicyDocumentV3
from ledger.events.values import format_time, parse_time
from ledger.governance.cases import Decided, consequences
from ledger.kernel.bucketed import KernelScore, SignalOutput, score
from ledger.kernel.buckets import ModelState
from ledger.rules.procedure import (
    Outcome,
    bounded_priority,
    decide,
    environment_of,
    hours_in_force,
    override_in_effect,
    slo_hours_left,
    whole_hours,
)
from ledger.storage.records import Guard, Place

_RETRAININGS_HOURS = 720


@dataclass(frozen=True, slots=True)
class AssessmentInputs:
    """The subject of an assessment: a model, a position and a time, under a policy, and why now."""

    history: History
    policy: CompiledPolicy
    evaluated_at: int
    trigger: Trigger
    is_historical: bool

    @property
    def as_of(self) -> int:
        """The last position that was read."""
        return self.history.as_of

    @property
    def service(self) -> ServicePeriod | None:
        """The version in service at the time that this is about, by the policy's procedure."""
        return self.history.service(self.policy.rules.procedure, self.evaluated_at)

    @property
    def model_version(self) -> str | None:
        """The name of that version."""
        service = self.service
        return service.version if service else None


@dataclass(frozen=True, slots=True)
class Assessment:
    """A score and the outcome that the rules draw from it, ready to be recorded."""

    horizon: AssessmentInputs
    score: ScoreComputed
    environment: RecordedEnvironment
    outcome: Outcome

    @property
    def is_change(self) -> bool:
        """Whether the outcome differs from the decision in force."""
        prior = self.horizon.history.decision
        outcome = self.outcome
        if prior is None:
            is_overridden = outcome.overridden is not None
            return outcome.action != "NO_ACTION" or outcome.rule != "" or is_overridden
        recorded = prior.data
        overridden = recorded.overridden.position if recorded.overridden else None
        return (
            recorded.action,
            recorded.tier,
            recorded.rule,
            recorded.reason,
            recorded.held_back,
            overridden,
        ) != (
            outcome.action,
            outcome.tier,
            outcome.rule,
            outcome.reason,
            outcome.held_back,
            outcome.overridden.position if outcome.overridden else None,
        )

    @property
    def open_run(self) -> str | None:
        """The run that was open at the horizon: that of an action in force."""
        prior = self.horizon.history.decision
        return prior.run_id if prior and prior.data.action != "NO_ACTION" else None

    def decision(self, score_position: int) -> DecisionMade:
        """Return the decision's data, citing the score at its position."""
        horizon, outcome = self.horizon, self.outcome
        procedure = horizon.policy.rules.procedure
        return MADE[procedure].from_data(
            {
                **_horizon_fields(horizon),
                "procedure": procedure,
                "score_position": score_position,
                "environment": self.environment,
                "action": outcome.action,
                "tier": outcome.tier,
                "rule": outcome.rule,
                "reason": outcome.reason,
                "held_back": outcome.held_back,
                "overridden": outcome.overridden,
                "since": _since(horizon, outcome.action),
            }
        )


def assess(
    horizon: AssessmentInputs, state: ModelState, last_score: tuple[ScoreResult, int] | None
) -> Assessment:
    """Return the assessment of a model whose selected observations have filled `state`.

    `last_score` is the last recorded, non-historical score of the same model version and policy
    version; it is looked at only where the policy bounds the change of priority.
    """
    described = horizon.history.described
    policy = horizon.policy
    result = score(
        policy.scoring, described.impact_ppm, described.risk_ppm, state, horizon.evaluated_at
    )
    priority = bounded_priority(
        result.priority,
        last_score[0].priority if last_score else None,
        policy.rules.max_priority_step,
    )
    environment = _environment(horizon, result, priority)
    override = override_in_effect(horizon.history.overrides, horizon.evaluated_at)
    return Assessment(
        horizon=horizon,
        score=ScoreComputed(
            **_horizon_fields(horizon),
            degradation=result.degradation,
            coverage=result.coverage,
            raw_priority=result.priority,
            priority=priority,
            signals=[_signal_score(output) for output in result.signals],
        ),
        environment=environment,
        outcome=decide(policy.rules, environment, override),
    )


def _horizon_fields(horizon: AssessmentInputs) -> dict[str, Any]:
    policy = horizon.policy
    return {
        "model": horizon.history.model,
        "as_of": horizon.as_of,
        "evaluated_at": format_time(horizon.evaluated_at),
        "model_version": horizon.model_version,
        "policy": policy.policy,
        "policy_version": policy.version,
        "policy_digest": policy.digest,
        "kernel": policy.scoring.kernel,
        "trigger": horizon.trigger,
        "historical": horizon.is_historical,
    }


def _signal_score(output: SignalOutput) -> SignalOutputPart:
    return SignalOutputPart(**{item.name: getattr(output, item.name) for item in fields(output)})


def _since(horizon: AssessmentInputs, action: Action) -> str:
    """Return when the action came into force: it stays while decisions repeat it."""
    prior = horizon.history.decision
    if prior is not None and prior.data.action == action:
        return prior.data.since
    return format_time(horizon.evaluated_at)


def _environment(
    horizon: AssessmentInputs, result: KernelScore, priority: int
) -> RecordedEnvironment:
    """Return every value that the rules can see (step 5 of the procedure)."""
    history, now = horizon.history, horizon.evaluated_at
    described, service, prior = history.described, horizon.service, history.decision
    outputs = {output.signal: output for output in result.signals}
    windows = {rule.signal: rule.window_seconds for rule in horizon.policy.scoring.signals}
    slo = described.slo_signal
    ages = [whole_hours(one.in_service_at, now) for one in history.deployments if one.is_trained]
    # A rule that failed is no rule in force: it never matched, so its `hold` has nothing to hold.
    is_rule = prior is not None and prior.data.reason == "RULE"
    return environment_of(
        result.signals,
        horizon.policy.intervals,
        priority=priority,
        raw_priority=result.priority,
        degradation=result.degradation,
        coverage=result.coverage,
        impact=described.impact_ppm,
        risk=described.risk_ppm,
        model=ModelFactsPart(owner=described.owner, tier=described.tier, labels=described.labels),
        hours_since_deployed=whole_hours(service.since, now) if service else -1,
        retrainings_30d=len([age for age in ages if 0 <= age < _RETRAININGS_HOURS]),
        in_force=prior.data.action if prior else "NO_ACTION",
        in_force_rule=prior.data.rule if prior and is_rule else "",
        hours_in_force=hours_in_force(
            parse_time(prior.data.since), now, horizon.policy.rules.procedure
        )
        if prior
        else 0,
        slo_hours_left=slo_hours_left(outputs.get(slo), windows.get(slo, 0)) if slo else -1,
    )


# ---- events --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recordable:
    """An assessment to record, what caused it, and whether its decision is written too."""

    assessment: Assessment
    cause: int | None
    is_decided: bool


def proposal(recordables: Sequence[Recordable], clock: Clock) -> Proposal:
    """Return what records assessments in order, each score before its decision.

    Guarded per model: VERSION_CONFLICT if something relevant was recorded after the horizon; by
    activations, so that none is under a policy that was replaced since; and by the erasures, so
    that nothing is recorded that was made of a body erased since.
    """
    additions: list[Addition] = []
    guards: dict[Guard, None] = {}
    for recordable in recordables:
        assessment, run_id = recordable.assessment, _run_id(recordable, clock)
        horizon = assessment.horizon
        stream = model_stream(horizon.history.model)
        guards |= dict.fromkeys(unbroken(ScoreComputed.TYPE, stream, horizon.as_of))
        at = len(additions)
        additions.append(Addition.of(assessment.score, run_id=run_id, cause=recordable.cause))
        if recordable.is_decided:
            type_ = MADE[horizon.policy.rules.procedure].TYPE
            additions.append(
                Addition(stream, type_, _decision(assessment, at), run_id=run_id, follows=at)
            )
            following = _consequences(assessment, at + 1, run_id)
            additions += following
            guards |= dict.fromkeys(_unchanged_cases(horizon))
    return Proposal(additions, tuple(guards))


def _run_id(recordable: Recordable, clock: Clock) -> str | None:
    """Return the open run, a fresh one where an action begins, or None where there is none.

    A historical evaluation belongs to no run: it changes nothing that is in force.
    """
    assessment = recordable.assessment
    if assessment.horizon.is_historical:
        return None
    if assessment.open_run is not None:
        return assessment.open_run
    is_action = assessment.outcome.action != "NO_ACTION"
    return f"runs/{uuid7(clock)}" if is_action and recordable.is_decided else None


def _consequences(assessment: Assessment, at: int, run_id: str | None) -> list[Addition]:
    """Return what a decision asks of people; `at`: its place in the request."""
    horizon, outcome = assessment.horizon, assessment.outcome
    if horizon.is_historical:
        return []
    history = horizon.history
    document = horizon.policy.document.model_dump(mode="json")

    def made(place: Place) -> list[EscalationData | TaskData]:
        decided = Decided(
            history.model,
            place.first_position + at,
            outcome.action,
            outcome.tier,
            place.recorded_at,
        )
        return consequences(history.cases, decided, document, history.described.owner)

    def nth(index: int) -> MakeData:
        return lambda place: made(place)[index]

    return [
        Addition(one.stream_name, one.TYPE, nth(index), run_id=run_id, follows=at)
        for index, one in enumerate(made(Place(1, 0)))
    ]


def _unchanged_cases(horizon: AssessmentInputs) -> list[Guard]:
    """Return the guards of what a decision's consequences were made of, if it may have any."""
    cases = horizon.history.cases
    is_governed = isinstance(horizon.policy.document, PolicyDocumentV3)
    if horizon.is_historical or not (is_governed or cases.versions):
        return []
    return same_cases(cases, case_streams(horizon.history.model))


def _decision(assessment: Assessment, score_at: int) -> MakeData:
    """Return what makes the decision once the position of its score is known."""
    return lambda place: assessment.decision(place.first_position + score_at)
