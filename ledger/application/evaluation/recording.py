"""Assessments as events: a score, and a decision that cites it, appended together or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.application.appender import Addition, MakeData, Proposal
from ledger.application.commands import model_stream, no_erasure_after
from ledger.application.evaluation.assess import Assessment
from ledger.application.fleet.aggregates import MODEL_TYPES
from ledger.clock import Clock, uuid7
from ledger.events.decisions import DECISION_TYPES, MADE, DecisionOverridden, ScoreComputed
from ledger.storage.records import Guard

GUARDED_TYPES = MODEL_TYPES | {ScoreComputed.TYPE, *DECISION_TYPES, DecisionOverridden.TYPE}
"""What must not have happened to a model between an assessment's horizon and its record."""


@dataclass(frozen=True, slots=True)
class Recordable:
    """An assessment to record, what caused it, and whether its decision is written too."""

    assessment: Assessment
    cause: int | None
    is_decided: bool


def proposal(recordables: Sequence[Recordable], clock: Clock) -> Proposal:
    """Return what records assessments in order, each score before its decision.

    Guarded per model: VERSION_CONFLICT if something relevant was recorded after the horizon; and
    by the erasures, so that nothing is recorded that was made of a body erased since.
    """
    additions: list[Addition] = []
    guards: list[Guard] = []
    if recordables:
        guards.append(no_erasure_after(min(one.assessment.horizon.as_of for one in recordables)))
    for recordable in recordables:
        assessment, run_id = recordable.assessment, _run_id(recordable, clock)
        horizon = assessment.horizon
        stream = model_stream(horizon.history.model)
        guards.append(Guard(stream, GUARDED_TYPES, after_position=horizon.as_of))
        at = len(additions)
        additions.append(Addition.of(assessment.score, run_id=run_id, cause=recordable.cause))
        if recordable.is_decided:
            type_ = MADE[horizon.policy.rules.procedure].TYPE
            additions.append(
                Addition(stream, type_, _decision(assessment, at), run_id=run_id, follows=at)
            )
    return Proposal(additions, guards)


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


def _decision(assessment: Assessment, score_at: int) -> MakeData:
    """Return what makes the decision once the position of its score is known."""
    return lambda first_position: assessment.decision(first_position + score_at)
