# Generated from ledger/client/aio/decisions.py by `tools/dev.py proto`; do not edit.
"""Decisions made, explained and replayed, for threads."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from ledger.client.blocking.connection import ServiceCalls
from ledger.client.call import Call
from ledger.client.decode import one, paged, whole
from ledger.client.enums import Action, ReplayKind
from ledger.client.inputs import (
    Time,
    id_of,
    in_collection,
    number_of,
    seconds_of,
    timestamp_of,
)
from ledger.client.outcomes import (
    Decision,
    EvaluatedDecision,
    Evaluation,
    ExplainedDecision,
    ReplayReport,
    ReplayResult,
)
from ledger.client.records import RecordedOverride
from ledger.v1 import decision_pb2, replay_pb2
from ledger.v1 import decision_service_pb2 as pb

_RANGE_SECONDS: Final = 3_600.0  # a million positions take their time


class DecisionCalls(ServiceCalls):
    """Decisions about models: made, explained, and proved by replay."""

    def evaluate(
        self, models: Sequence[str], *, at: Time | None = None, request_id: str | None = None
    ) -> Evaluation:
        """Score 1 to 1000 models now, or at an earlier time, and record a decision for each."""
        request = pb.EvaluateRequest(
            models=[id_of("models", model) for model in models],
            at=None if at is None else timestamp_of(at, "at"),
        )
        return self._connection.run(Call(request, whole(Evaluation), request_id))

    def override_decision(
        self,
        model: str,
        action: Action | str,
        *,
        reason: str,
        expires_after: timedelta | int,
        tier: str = "",
        role: str = "",
        decision_position: int = 0,
        request_id: str | None = None,
    ) -> RecordedOverride:
        """Set a model's action for a time (seconds, if an integer); it overrides the rules.

        With `decision_position`, only if that decision is still in force: ConflictError if not.
        Without `role`, in the first by name of those in which the caller may.
        """
        request = pb.OverrideDecisionRequest(
            name=in_collection("models", model),
            action=number_of(action, Action, decision_pb2.Action, "action"),
            tier=tier,
            role=role,
            reason=reason,
            expires_after_seconds=seconds_of(expires_after, "expires_after"),
            decision_position=decision_position,
        )
        return self._connection.run(Call(request, whole(RecordedOverride), request_id))

    def get_decision(self, name: str, *, min_position: int = 0) -> EvaluatedDecision:
        """Return `models/{model}/decisions/{position}` with its score."""
        request = pb.GetDecisionRequest(name=name, min_position=min_position)
        return self._connection.run(Call(request, whole(EvaluatedDecision)))

    def list_decisions(
        self,
        model: str = "",
        *,
        after_position: int = 0,
        until_position: int = 0,
        min_position: int = 0,
    ) -> Iterator[Decision]:
        """Iterate over decisions, newest first: of one model, or of all."""
        request = pb.ListDecisionsRequest(
            parent=in_collection("models", model) if model else "",
            after_position=after_position,
            until_position=until_position,
            min_position=min_position,
        )
        return self._connection.items(paged(request, Decision, "decisions"))

    def explain_decision(
        self, name: str, *, with_grounds: bool = False, min_position: int = 0
    ) -> ExplainedDecision:
        """Return why a decision came out as it did, and what would have changed it.

        With grounds, also how each of its numbers came about: that costs what a replay costs.
        """
        request = pb.ExplainDecisionRequest(
            name=name, with_grounds=with_grounds, min_position=min_position
        )
        return self._connection.run(Call(request, whole(ExplainedDecision)))

    def replay(self, target: str | int, *, min_position: int = 0) -> ReplayResult:
        """Recompute a decision or plan by name, or what is at a position.

        A difference is a result, not an error.
        """
        request = pb.ReplayDecisionRequest(min_position=min_position)
        if isinstance(target, str):
            request.name = target
        else:
            request.position = target
        return self._connection.run(Call(request, one(ReplayResult, "result")))

    def replay_range(
        self,
        *,
        first_position: int = 0,
        last_position: int = 0,
        kinds: Sequence[ReplayKind | str] = (),
        verbose: bool = False,
        min_position: int = 0,
    ) -> Iterator[ReplayReport]:
        """Recompute everything from one position to another (0: to the head), with progress.

        Yields what is not identical (everything if `verbose`) and running counts; the last report
        has `progress.done`.
        """
        request = pb.ReplayRangeRequest(
            first_position=first_position,
            last_position=last_position,
            kinds=[number_of(kind, ReplayKind, replay_pb2.ReplayKind, "kinds") for kind in kinds],
            verbose=verbose,
            min_position=min_position,
        )
        call = Call(request, whole(ReplayReport), deadline_seconds_min=_RANGE_SECONDS)
        return self._connection.stream(call)
