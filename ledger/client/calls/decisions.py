"""Calls of DecisionService."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from ledger.client.call import Call, CallScope, Paged, Stream
from ledger.client.calls.pages import one, overridden, page, whole
from ledger.client.enums import Action, ReplayKind
from ledger.client.inputs import Time, id_of, in_collection, number_of, seconds_of, timestamp_of
from ledger.client.outcomes import (
    Decision,
    EvaluatedDecision,
    Evaluation,
    ExplainedDecision,
    ReplayReport,
    ReplayResult,
)
from ledger.client.records import RecordedOverride
from ledger.v1 import decision_pb2, decision_service_pb2, replay_pb2

_SERVICE: Final = "/ledger.v1.DecisionService/"
_RANGE_SECONDS: Final = 3_600.0  # a million positions take their time


def evaluate(scope: CallScope, models: Sequence[str], at: Time | None) -> Call[Evaluation]:
    """Return the call that scores models and decides."""
    return Call(
        _SERVICE + "Evaluate",
        decision_service_pb2.EvaluateRequest(
            ledger=scope.ledger,
            request_id=scope.request_id,
            models=[id_of("models", model) for model in models],
            at=None if at is None else timestamp_of(at, "at"),
        ),
        decision_service_pb2.EvaluateResponse,
        whole(Evaluation),
        scope.request_id,
    )


def override_decision(
    scope: CallScope,
    model: str,
    action: Action | str,
    *,
    reason: str,
    expires_after: timedelta | int,
    tier: str,
    decision_position: int,
) -> Call[RecordedOverride]:
    """Return the call that sets a model's action for a time."""
    wire = decision_pb2.Action
    return Call(
        _SERVICE + "OverrideDecision",
        decision_service_pb2.OverrideDecisionRequest(
            ledger=scope.ledger,
            request_id=scope.request_id,
            name=in_collection("models", model),
            action=wire.ValueType(number_of(action, Action, wire, "action")),
            tier=tier,
            reason=reason,
            expires_after_seconds=seconds_of(expires_after, "expires_after"),
            decision_position=decision_position,
        ),
        decision_service_pb2.OverrideDecisionResponse,
        overridden,
        scope.request_id,
    )


def get_decision(scope: CallScope, name: str, min_position: int) -> Call[EvaluatedDecision]:
    """Return the call that reads one decision with its score."""
    return Call(
        _SERVICE + "GetDecision",
        decision_service_pb2.GetDecisionRequest(
            ledger=scope.ledger, name=name, min_position=min_position
        ),
        decision_service_pb2.GetDecisionResponse,
        whole(EvaluatedDecision),
    )


def list_decisions(
    scope: CallScope, model: str, *, after_position: int, until_position: int, min_position: int
) -> Paged[Decision]:
    """Return the call that lists decisions, newest first."""
    return Paged(
        Call(
            _SERVICE + "ListDecisions",
            decision_service_pb2.ListDecisionsRequest(
                ledger=scope.ledger,
                parent=in_collection("models", model) if model else "",
                after_position=after_position,
                until_position=until_position,
                min_position=min_position,
            ),
            decision_service_pb2.ListDecisionsResponse,
            page(Decision, "decisions"),
        )
    )


def explain_decision(scope: CallScope, name: str, min_position: int) -> Call[ExplainedDecision]:
    """Return the call that says why a decision came out as it did."""
    return Call(
        _SERVICE + "ExplainDecision",
        decision_service_pb2.ExplainDecisionRequest(
            ledger=scope.ledger, name=name, min_position=min_position
        ),
        decision_service_pb2.ExplainDecisionResponse,
        whole(ExplainedDecision),
    )


def replay(scope: CallScope, target: str | int, min_position: int) -> Call[ReplayResult]:
    """Return the call that recomputes what has a name, or is at a position."""
    request = decision_service_pb2.ReplayDecisionRequest(
        ledger=scope.ledger, min_position=min_position
    )
    if isinstance(target, str):
        request.name = target
    else:
        request.position = target
    return Call(
        _SERVICE + "ReplayDecision",
        request,
        decision_service_pb2.ReplayDecisionResponse,
        one(ReplayResult, "result"),
    )


def replay_range(
    scope: CallScope,
    *,
    first_position: int,
    last_position: int,
    kinds: Sequence[ReplayKind | str],
    verbose: bool,
    min_position: int,
) -> Stream[ReplayReport]:
    """Return the call that recomputes everything in a range of positions."""
    wire = replay_pb2.ReplayKind
    return Stream(
        _SERVICE + "ReplayRange",
        decision_service_pb2.ReplayRangeRequest(
            ledger=scope.ledger,
            first_position=first_position,
            last_position=last_position,
            kinds=[wire.ValueType(number_of(k, ReplayKind, wire, "kinds")) for k in kinds],
            verbose=verbose,
            min_position=min_position,
        ),
        decision_service_pb2.ReplayRangeResponse,
        whole(ReplayReport),
        _RANGE_SECONDS,
    )
