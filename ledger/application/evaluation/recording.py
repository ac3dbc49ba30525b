"""Assessments as events: a score, and a decision that cites it, appended together or not at all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger.application.commands import Caller, model_stream, no_erasure_after
from ledger.application.evaluation.assess import Assessment
from ledger.application.fleet.aggregates import MODEL_TYPES
from ledger.clock import Clock, uuid7
from ledger.events.decisions import DECISION_TYPES, MADE, DecisionOverridden, ScoreComputed
from ledger.events.envelope import encode_body
from ledger.storage.store import AppendRequest, Guard, NewEvent

GUARDED_TYPES = MODEL_TYPES | {ScoreComputed.TYPE, *DECISION_TYPES, DecisionOverridden.TYPE}
"""What must not have happened to a model between an assessment's horizon and its record."""


@dataclass(frozen=True, slots=True)
class Recordable:
    """An assessment to record, what caused it, and whether its decision is written too."""

    assessment: Assessment
    cause: int | None
    is_decided: bool


def append_request(
    ledger: str, caller: Caller, method: str, recordables: Sequence[Recordable], clock: Clock
) -> AppendRequest:
    """Return the request that records assessments in order, each score before its decision.

    Guarded per model: VERSION_CONFLICT if something relevant was recorded after the horizon; and
    by the erasures, so that nothing is recorded that was made of a body erased since.
    """
    events: list[NewEvent] = []
    guards: list[Guard] = []
    if recordables:
        guards.append(no_erasure_after(min(one.assessment.horizon.as_of for one in recordables)))
    for recordable in recordables:
        horizon = recordable.assessment.horizon
        stream = model_stream(horizon.history.model)
        guards.append(Guard(stream, GUARDED_TYPES, after_position=horizon.as_of))
        run_id = _run_id(recordable, clock)
        score_body = encode_body(
            actor=caller.actor,
            data=recordable.assessment.score.to_data(),
            causation_position=recordable.cause,
            request_id=caller.request_id,
            run_id=run_id,
        )
        score_offset = len(events)
        events.append(NewEvent(stream, ScoreComputed.TYPE, score_body))
        if recordable.is_decided:
            body = _decision_body(recordable.assessment, caller, run_id, score_offset)
            procedure = horizon.policy.rules.procedure
            events.append(NewEvent(stream, MADE[procedure].TYPE, body))
    return AppendRequest(
        ledger=ledger,
        actor=caller.actor,
        method=method,
        events=events,
        request_id=caller.request_id,
        digest=caller.digest,
        guards=guards,
        deadline_monotonic=caller.deadline_monotonic,
    )


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


def _decision_body(
    assessment: Assessment, caller: Caller, run_id: str | None, score_offset: int
) -> Callable[[int], bytes]:
    """Return what makes the decision's body once the request's first position is known."""

    def body(first_position: int) -> bytes:
        score_position = first_position + score_offset
        return encode_body(
            actor=caller.actor,
            data=assessment.decision(score_position).to_data(),
            causation_position=score_position,
            request_id=caller.request_id,
            run_id=run_id,
        )

    return body
