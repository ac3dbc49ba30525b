"""Explanations and results of replay."""

import json
from typing import Final

from ledger.api.convert.basics import timestamp
from ledger.api.convert.decisions import ACTIONS, held_back, signal_score
from ledger.application.decisions.decisions import RecordedDecision
from ledger.application.decisions.replay import EventReplay
from ledger.events.policy_document import PolicyDocument
from ledger.rules.boundary import DecisionBoundary
from ledger.rules.explanation import DecisionExplanation, RuleReading, SignalContribution
from ledger.v1 import explanation_pb2, replay_pb2

_OUTCOMES: Final = {
    "matched": explanation_pb2.RULE_OUTCOME_MATCHED,
    "false": explanation_pb2.RULE_OUTCOME_NOT_MATCHED,
    "failed": explanation_pb2.RULE_OUTCOME_ERROR,
    "not_reached": explanation_pb2.RULE_OUTCOME_NOT_REACHED,
}
KINDS: Final = {
    "decision": replay_pb2.REPLAY_KIND_DECISION,
    "score": replay_pb2.REPLAY_KIND_SCORE,
    "plan": replay_pb2.REPLAY_KIND_PLAN,
}
_RESULTS: Final = {
    "IDENTICAL": replay_pb2.REPLAY_OUTCOME_IDENTICAL,
    "DIVERGENT": replay_pb2.REPLAY_OUTCOME_DIVERGENT,
    "NOT_REPLAYABLE": replay_pb2.REPLAY_OUTCOME_NOT_REPLAYABLE,
}


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
        held_back=held_back(found.held_back),
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
