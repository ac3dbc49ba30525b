"""Scores and decisions, field by field as their events hold them."""

from typing import Final

from ledger.api.convert.basics import timestamp, timestamp_of
from ledger.application.decisions.decisions import RecordedDecision
from ledger.events import decisions as events
from ledger.events.envelope import RecordedEvent
from ledger.kernel.bucketed import SignalOutput
from ledger.v1 import decision_pb2

ACTIONS: Final = {
    "NO_ACTION": decision_pb2.ACTION_NO_ACTION,
    "INVESTIGATE": decision_pb2.ACTION_INVESTIGATE,
    "ADJUST_DATA_COLLECTION": decision_pb2.ACTION_ADJUST_DATA_COLLECTION,
    "SCHEDULE_RETRAINING": decision_pb2.ACTION_SCHEDULE_RETRAINING,
}
_TRIGGERS: Final = {
    "ingest": decision_pb2.EVALUATION_TRIGGER_INGEST,
    "schedule": decision_pb2.EVALUATION_TRIGGER_SCHEDULE,
    "request": decision_pb2.EVALUATION_TRIGGER_REQUEST,
}
_REASONS: Final = {
    "RULE": decision_pb2.DECISION_REASON_RULE,
    "OTHERWISE": decision_pb2.DECISION_REASON_OTHERWISE,
    "RULE_ERROR": decision_pb2.DECISION_REASON_RULE_ERROR,
}


def held_back(value: str | None) -> decision_pb2.HeldBack.ValueType:
    """Return what held an action back."""
    if value is None:
        return decision_pb2.HELD_BACK_UNSPECIFIED
    assert value == "COOL_DOWN"
    return decision_pb2.HELD_BACK_COOL_DOWN


def evaluated(decided: RecordedDecision) -> decision_pb2.Decision:
    """Return the decision of an evaluation."""
    return decision(decided.decision, decided.decision_event)


def score_of(decided: RecordedDecision) -> decision_pb2.Score:
    """Return the score of an evaluation."""
    return score(decided.score, decided.score_event.position)


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
        held_back=held_back(data.held_back),
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
        message.overridden.held_back = held_back(data.overridden.held_back)
    return message


def score(data: events.ScoreComputed, position: int) -> decision_pb2.Score:
    """Return a recorded score."""
    return decision_pb2.Score(
        model=data.model,
        horizon=_horizon(data),
        priority_ppm=data.priority,
        raw_priority_ppm=data.raw_priority,
        degradation_ppm=data.degradation,
        coverage_ppm=data.coverage,
        signals=[signal_score(part) for part in data.signals],
        position=position,
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
