"""Scores and decisions as their events hold them, their explanations, and results of replay."""

import json
from typing import Final

from ledger.api.convert.basics import message_of, numbers, timestamp
from ledger.application.decisions.decisions import RecordedDecision
from ledger.application.decisions.overrulings import NOT_OVERRULED, Overruling
from ledger.application.decisions.replay import EventReplay, ReplayKind
from ledger.events import decisions as events
from ledger.events.envelope import RecordedEvent
from ledger.events.policy_document import Action, PolicyDocument, RulePart
from ledger.kernel.bucketed import SignalOutput
from ledger.rules.explanation import DecisionExplanation, RuleReading
from ledger.v1 import decision_pb2, explanation_pb2, replay_pb2

ACTIONS: Final = numbers(decision_pb2.Action, Action)
KINDS: Final = numbers(replay_pb2.ReplayKind, ReplayKind)
_OUTCOMES: Final = {
    "matched": explanation_pb2.RULE_OUTCOME_MATCHED,
    "false": explanation_pb2.RULE_OUTCOME_NOT_MATCHED,
    "failed": explanation_pb2.RULE_OUTCOME_ERROR,
    "not_reached": explanation_pb2.RULE_OUTCOME_NOT_REACHED,
}


def evaluated(
    decided: RecordedDecision, around: Overruling = NOT_OVERRULED
) -> decision_pb2.Decision:
    """Return the decision of an evaluation, with the overrides around it."""
    return decision(decided.decision, decided.decision_event, around)


def decision(
    data: events.DecisionMade, event: RecordedEvent, around: Overruling
) -> decision_pb2.Decision:
    """Return a decision; one that follows from a score and was not recorded has no position."""
    is_recorded = event.type in events.DECISION_TYPES
    return message_of(
        decision_pb2.Decision,
        data,
        name=f"models/{data.model}/decisions/{event.position}" if is_recorded else "",
        horizon=_horizon(data),
        environment=_environment(data.environment),
        position=event.position if is_recorded else 0,
        run_id=event.body.run_id,
        recorded_at=timestamp(event.recorded_at),
        overruled_by=[message_of(decision_pb2.OverrideRecord, one) for one in around.overruled_by],
        set_by=around.set_by and message_of(decision_pb2.OverrideRecord, around.set_by),
    )


def score_of(decided: RecordedDecision) -> decision_pb2.Score:
    """Return the score of an evaluation."""
    horizon, position = _horizon(decided.score), decided.score_event.position
    return message_of(decision_pb2.Score, decided.score, horizon=horizon, position=position)


def signal_score(part: events.SignalOutputPart | SignalOutput) -> decision_pb2.SignalScore:
    """Return the kernel's result for one signal."""
    return message_of(decision_pb2.SignalScore, part)


def _horizon(data: events.HorizonData) -> decision_pb2.Horizon:
    return message_of(decision_pb2.Horizon, data, as_of_position=data.as_of)


def _environment(data: events.RecordedEnvironment) -> decision_pb2.Environment:
    signals = {
        name: message_of(
            decision_pb2.EnvironmentSignal,
            part,
            score=signal_score(part),
            interval_hours=getattr(part, "interval_hours", 0),  # not under procedure `rules/1`
        )
        for name, part in data.signals.items()
    }
    shortest = getattr(data, "report_interval_hours", 0)
    return message_of(
        decision_pb2.Environment, data, signals=signals, report_interval_hours=shortest
    )


def explanation(
    decided: RecordedDecision, explained: DecisionExplanation, policy: PolicyDocument
) -> explanation_pb2.Explanation:
    """Return an explanation; rules come with the action and rationale the policy gives them."""
    parts = {rule.id: rule for rule in policy.decision.rules}
    return explanation_pb2.Explanation(
        headline=headline(decided),
        paragraph=explained.paragraph,
        contributions=[
            message_of(explanation_pb2.Contribution, part, score=signal_score(part.output))
            for part in explained.contributions
        ],
        rules=[_reading(reading, parts[reading.rule]) for reading in explained.readings],
        boundaries=[
            message_of(explanation_pb2.Boundary, found, name=found.variable)
            for found in explained.boundaries
        ],
    )


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


def _reading(reading: RuleReading, rule: RulePart) -> explanation_pb2.RuleExplanation:
    return message_of(
        explanation_pb2.RuleExplanation,
        reading,
        outcome=_OUTCOMES[reading.status],
        expression=reading.text,
        by_hold=reading.matched_by == "hold",
        saw=[
            explanation_pb2.SeenValue(name=name, value=json.dumps(value))
            for name, value in reading.values
        ],
        action=ACTIONS[rule.action],
        rationale=rule.rationale,
    )


def replayed(result: EventReplay) -> replay_pb2.ReplayResult:
    """Return what came of replaying one event."""
    return message_of(
        replay_pb2.ReplayResult,
        result,
        evidence_positions=result.evidence,
        as_of_position=result.as_of,
        evaluated_at=timestamp(result.evaluated_at) if result.as_of else None,
    )
