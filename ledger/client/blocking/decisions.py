# Generated from ledger/client/aio/decisions.py by `tools/dev.py proto`; do not edit.
"""Decisions made, explained and replayed, for threads."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from ledger.client.blocking.service import ServiceCalls
from ledger.client.calls import decisions as calls
from ledger.client.enums import Action, ReplayKind
from ledger.client.inputs import Time
from ledger.client.outcomes import (
    Decision,
    EvaluatedDecision,
    Evaluation,
    ExplainedDecision,
    ReplayReport,
    ReplayResult,
)
from ledger.client.records import RecordedOverride


class DecisionCalls(ServiceCalls):
    """Decisions about models: made, explained, and proved by replay."""

    def evaluate(
        self, models: Sequence[str], *, at: Time | None = None, request_id: str | None = None
    ) -> Evaluation:
        """Score 1 to 1000 models now, or at an earlier time, and record a decision for each."""
        scope = self._append_scope(request_id)
        return self._connection.run(calls.evaluate(scope, models, at))

    def override_decision(
        self,
        model: str,
        action: Action | str,
        *,
        reason: str,
        expires_after: timedelta | int,
        tier: str = "",
        decision_position: int = 0,
        request_id: str | None = None,
    ) -> RecordedOverride:
        """Set a model's action for a time (seconds, if an integer), whatever the rules say.

        With `decision_position`, only if that decision is still in force: ConflictError if not.
        """
        scope = self._append_scope(request_id)
        call = calls.override_decision(
            scope,
            model,
            action,
            reason=reason,
            expires_after=expires_after,
            tier=tier,
            decision_position=decision_position,
        )
        return self._connection.run(call)

    def get_decision(self, name: str, *, min_position: int = 0) -> EvaluatedDecision:
        """Return `models/{model}/decisions/{position}` with its score."""
        return self._connection.run(calls.get_decision(self._scope, name, min_position))

    def list_decisions(
        self,
        model: str = "",
        *,
        after_position: int = 0,
        until_position: int = 0,
        min_position: int = 0,
    ) -> Iterator[Decision]:
        """Iterate over decisions, newest first: of one model, or of all."""
        paged = calls.list_decisions(
            self._scope,
            model,
            after_position=after_position,
            until_position=until_position,
            min_position=min_position,
        )
        return self._connection.items(paged)

    def explain_decision(self, name: str, *, min_position: int = 0) -> ExplainedDecision:
        """Return why a decision came out as it did, and what would have changed it."""
        return self._connection.run(calls.explain_decision(self._scope, name, min_position))

    def replay(self, target: str | int, *, min_position: int = 0) -> ReplayResult:
        """Recompute a decision or plan by name, or what is at a position.

        A difference is a result, not an error.
        """
        return self._connection.run(calls.replay(self._scope, target, min_position))

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
        stream = calls.replay_range(
            self._scope,
            first_position=first_position,
            last_position=last_position,
            kinds=kinds,
            verbose=verbose,
            min_position=min_position,
        )
        return self._connection.stream(stream)
