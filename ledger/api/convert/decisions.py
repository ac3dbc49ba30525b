"""Scores and decisions as their events hold them, their explanations, and results of replay."""

import json
from typing import Final

from ledger.api.convert.basics import numbers, timestamp, timestamp_of
from ledger.application.decisions.decisions import RecordedDecision
from ledger.application.decisions.replay import EventReplay, ReplayKind, ReplayOutcome
from ledger.events import decisions as events
from ledger.events.envelope import RecordedEvent
from ledger.events.policy_document import Action, PolicyDocument
from ledger.kernel.bucketed import SignalOutput
from ledger.rules.boundary import DecisionBoundary
from ledger.rules.explanation import DecisionExplanation, RuleReading, SignalContribution
from ledger.rules.procedure import Why
from ledger.v1 import decision_pb2, explanation_pb2, replay_pb2

ACTIONS: Final = numbers(decision_pb2.Action, Action)
KINDS: Final = numbers(replay_pb2.ReplayKind, ReplayKind)
_HELD_BACK: Final = {
    None: decision_pb2.HELD_BACK_UNSPECIFIED,
    "COOL_DOWN": decision_pb2.HELD_BACK_COOL_DOWN,
}
_TRIGGERS: Final = numbers(decision_pb2.EvaluationTrigger, events.Trigger)
_REASONS: Final = numbers(decision_pb2.DecisionReason, Why)
_RESULTS: Final = numbers(replay_pb2.ReplayOutcome, ReplayOutcome)
_OUTCOMES: Final = {
    "matched": explanation_pb2.RULE_OUTCOME_MATCHED,
    "false": explanation_pb2.RULE_OUTCOME_NOT_MATCHED,
    "failed": explanation_pb2.RULE_OUTCOME_ERROR,
    "not_reached": explanation_pb2.RULE_OUTCOME_NOT_REACHED,
}


def evaluated(decided: RecordedDecision) -> decision_pb2.Decision:
    """Return the decision of an evaluation."""
    return decision(decided.decision, decided.decision_event)


def decision(data: events.DecisionMade, event: RecordedEvent) -> decision_pb2.Decision:
    """Return a decision; one that follows from a score and was not recorded has no position."""
    is_recorded = event.type in events.DECISION_TYPES
    message = decision_pb2.Decision(
        name=f"models/{data.model}/decisions/{event.position}" if is_recorded else "",
        model=data.model,
        action=ACTIONS[data.action],
        tier=data.tier,
        rule=data.rule,
        reason=_REASONS[data.reason],
        held_back=_HELD_BACK[data.held_back],
        since=timestamp_of(data.since),
        horizon=_horizon(data),
        environment=_environment(data.environment),
        procedure=data.procedure,
        score_position=data.score_position,
        position=event.position if is_recorded else 0,
        run_id=event.body.run_id or "",
        recorded_at=timestamp(event.recorded_at),
    )
    if data.overridden is not None:
        message.overridden.position = data.overridden.position
        message.overridden.action = ACTIONS[data.overridden.action]
        message.overridden.tier = data.overridden.tier
        message.overridden.held_back = _HELD_BACK[data.overridden.held_back]
    return message


def score_of(decided: RecordedDecision) -> decision_pb2.Score:
    """Return the score of an evaluation."""
    data = decided.score
    return decision_pb2.Score(
        model=data.model,
        horizon=_horizon(data),
        priority_ppm=data.priority,
        raw_priority_ppm=data.raw_priority,
        degradation_ppm=data.degradation,
        coverage_ppm=data.coverage,
        signals=[signal_score(part) for part in data.signals],
        position=decided.score_event.position,
    )


def signal_score(part: events.SignalOutputPart | SignalOutput) -> decision_pb2.SignalScore:
    """Return the kernel's result for one signal."""
    return decision_pb2.SignalScore(
        signal=part.signal,
        weight_ppm=part.weight,
        source=part.source,
        observations=part.observations,
        buckets=part.buckets,
        peak_ppm=part.peak,
        magnitude_ppm=part.magnitude,
        breaches=part.breaches,
        streak=part.streak,
        persistence_ppm=part.persistence,
        freshness_ppm=part.freshness,
        trend_ppm=part.trend,
        sustained=part.sustained,
        effective_ppm=part.effective,
        share_ppm=part.share,
    )


def _horizon(data: events.HorizonData) -> decision_pb2.Horizon:
    return decision_pb2.Horizon(
        as_of_position=data.as_of,
        evaluated_at=timestamp_of(data.evaluated_at),
        model_version=data.model_version or "",
        policy=data.policy,
        policy_version=data.policy_version,
        policy_digest=data.policy_digest,
        kernel=data.kernel,
        trigger=_TRIGGERS[data.trigger],
        historical=data.historical,
    )


def _environment(data: events.RecordedEnvironment) -> decision_pb2.Environment:
    return decision_pb2.Environment(
        priority_ppm=data.priority,
        raw_priority_ppm=data.raw_priority,
        degradation_ppm=data.degradation,
        coverage_ppm=data.coverage,
        impact_ppm=data.impact,
        risk_ppm=data.risk,
        signals={
            name: decision_pb2.EnvironmentSignal(
                score=signal_score(part),
                present=part.present,
                interval_hours=getattr(part, "interval_hours", 0),
            )
            for name, part in data.signals.items()
        },
        model=decision_pb2.ModelFacts(
            owner=data.model.owner, tier=data.model.tier, labels=data.model.labels
        ),
        hours_since_deployed=data.hours_since_deployed,
        retrainings_30d=data.retrainings_30d,
        in_force=ACTIONS[data.in_force],
        in_force_rule=data.in_force_rule,
        hours_in_force=data.hours_in_force,
        slo_hours_left=data.slo_hours_left,
        report_interval_hours=getattr(data, "report_interval_hours", 0),
    )


def explanation(
    decided: RecordedDecision, explained: DecisionExplanation, policy: PolicyDocument
) -> explanation_pb2.Explanation:
    """Return an explanation; rules come with the action and rationale the policy gives them."""
    parts = {rule.id: rule for rule in policy.decision.rules}
    message = explanation_pb2.Explanation(
        headline=headline(decided),
        paragraph=explained.paragraph,
        contributions=[_contribution(part) for part in explained.contributions],
        boundaries=[_boundary(found) for found in explained.boundaries],
    )
    for reading in explained.readings:
        rule = _reading(reading)
        rule.action = ACTIONS[parts[reading.rule].action]
        rule.rationale = parts[reading.rule].rationale
        message.rules.append(rule)
    return message


def headline(decided: RecordedDecision) -> str:
    """Return a decision in one line."""
    data = decided.decision
    by = {
        "RULE": f"by rule {data.rule}",
        "OTHERWISE": "since no rule matched",
        "RULE_ERROR": f"since rule {data.rule} had no value",
    }[data.reason]
    if data.overridden is not None:
        by = f"by the override at position {data.overridden.position}"
    elif data.held_back is not None:
        by += ", held back by the cool-down"
    return f"{data.action} for {data.model}, {by}"


def _contribution(part: SignalContribution) -> explanation_pb2.Contribution:
    return explanation_pb2.Contribution(score=signal_score(part.output), sentence=part.sentence)


def _reading(reading: RuleReading) -> explanation_pb2.RuleExplanation:
    return explanation_pb2.RuleExplanation(
        rule=reading.rule,
        outcome=_OUTCOMES[reading.status],
        expression=reading.text,
        by_hold=reading.matched_by == "hold",
        saw=[
            explanation_pb2.SeenValue(name=name, value=json.dumps(value))
            for name, value in reading.values
        ],
        sentence=reading.sentence,
    )


def _boundary(found: DecisionBoundary) -> explanation_pb2.Boundary:
    return explanation_pb2.Boundary(
        name=found.variable,
        value=found.value,
        needed=found.needed,
        action=ACTIONS[found.action],
        rule=found.rule,
        sentence=found.sentence,
        tier=found.tier,
        held_back=_HELD_BACK[found.held_back],
    )


def replayed(result: EventReplay) -> replay_pb2.ReplayResult:
    """Return what came of replaying one event."""
    message = replay_pb2.ReplayResult(
        position=result.position,
        kind=KINDS[result.kind],
        name=result.name,
        outcome=_RESULTS[result.outcome],
        differences=[
            replay_pb2.Difference(path=one.path, recorded=one.recorded, recomputed=one.recomputed)
            for one in result.differences
        ],
        why=result.why,
        evidence_positions=result.evidence,
        as_of_position=result.as_of,
    )
    if result.as_of:
        message.evaluated_at.CopyFrom(timestamp(result.evaluated_at))
    return message
