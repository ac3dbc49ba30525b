"""Policies in shadow: what each gives for a model that is scored, recorded right behind it.

A shadow is assessed as of the position and time of the policy in force, by its own last decision
and score, without overrides. The evaluator keeps its state warm; replay reads the ledger alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ledger.application.appender import Addition, MakeData, Proposal
from ledger.application.commands import none_after, shadow_stream
from ledger.application.evaluation.assessments import Assessment, AssessmentInputs, assess
from ledger.application.evaluation.warm_shadows import WarmShadows
from ledger.application.fleet.history import History, HistoryReader, window_bounds
from ledger.application.fleet.shadows import ShadowReader
from ledger.application.policies.compiled import CompiledPolicy
from ledger.errors import LedgerError, Reason
from ledger.events.shadows import (
    SHADOW_DECIDED,
    SHADOW_DECISION_TYPES,
    SHADOW_TYPES,
    ShadowDecided,
    ShadowScored,
)
from ledger.governance.shadows import Shadows
from ledger.kernel.buckets import ModelState
from ledger.storage.events import Events
from ledger.storage.records import Guard

_UNUSABLE: Final = (
    Reason.BODY_ERASED,
    Reason.EVENT_UNREADABLE,
    Reason.POLICY_INVALID,
    Reason.POLICY_UNKNOWN,
)


@dataclass(frozen=True, slots=True)
class ShadowAssessment:
    """The score of a shadow and the outcome that it draws from it, and what they rest on."""

    shadow: int
    assessment: Assessment
    state: ModelState
    last_priority: int | None
    evidence: list[int]

    @property
    def score(self) -> ShadowScored:
        """The score, as it is recorded."""
        return ShadowScored.from_data(self.assessment.score.to_data() | {"shadow": self.shadow})

    def decision(self, score_position: int) -> ShadowDecided:
        """Return the decision, as it is recorded, citing the score at its position."""
        made = self.assessment.decision(score_position)
        return SHADOW_DECIDED[made.procedure].from_data(made.to_data() | {"shadow": self.shadow})


class ShadowAssessor:
    """Assesses the shadows of one ledger."""

    def __init__(self, events: Events, ledger: str, histories: HistoryReader) -> None:
        self.reader = ShadowReader(events, ledger, histories)
        self._histories = histories
        self._running: Shadows | None = None

    def forget(self) -> None:
        """Read again which shadows run: one began or ended, or a body was erased."""
        self._running = None

    def beside(
        self, made: Proposal, real: AssessmentInputs, warm: WarmShadows, earliest: int
    ) -> Proposal:
        """Return the proposal of a score with what each shadow of its model gives beside it.

        `earliest`: no evaluation of the model at an earlier time is to follow.
        """
        if self._running is None:
            self._running = self.reader.running(real.as_of)
        warm.keep(self._running.running)
        model = real.history.model
        found = list(self._assessed(real, self._running, warm, earliest))
        guards = _guards(model, real.as_of, is_shadowed=bool(found))
        additions = _additions(model, found, len(made.additions))
        return replace(
            made, additions=[*made.additions, *additions], guards=[*made.guards, *guards]
        )

    def _assessed(
        self, real: AssessmentInputs, shadows: Shadows, warm: WarmShadows, earliest: int
    ) -> Iterator[ShadowAssessment]:
        """Yield what each shadow of a model gives.

        One whose policy was erased gives nothing any more, nor does one that cannot be read: that
        holds up no score of the policy in force.
        """
        described = real.history.described
        for one in shadows.for_model(real.history.model, described.labels):
            try:
                policy = self._histories.compiled(*one.reference)
            except LedgerError as error:
                if error.reason not in _UNUSABLE:
                    raise
                continue
            try:
                assessed = self._warm(real, one.position, policy, warm, earliest)
            except LedgerError as error:
                if error.reason is not Reason.EVENT_UNREADABLE:
                    raise  # what was erased a moment ago is about to be folded
                continue
            yield assessed

    def _warm(
        self,
        real: AssessmentInputs,
        shadow: int,
        policy: CompiledPolicy,
        warm: WarmShadows,
        earliest: int,
    ) -> ShadowAssessment:
        """Return the same as `assess`, from what is warm."""
        inputs = _inputs(real, warm.history(self.reader, real.history, shadow), policy)
        state = warm.state(self._histories, inputs, shadow, earliest)
        score = None
        if policy.rules.max_priority_step is not None:
            score = warm.score(self.reader, inputs, shadow)
        last_priority = score[0].priority if score else None
        return ShadowAssessment(shadow, assess(inputs, state, score), state, last_priority, [])

    def assess(
        self, real: AssessmentInputs, shadow: int, policy: CompiledPolicy
    ) -> ShadowAssessment:
        """Return what a shadow gives at the horizon of an evaluation, from the ledger alone."""
        history = self.reader.history(real.history, shadow)
        inputs = _inputs(real, history, policy)
        first, last = window_bounds(policy.scoring, real.evaluated_at)
        service = inputs.service
        state, evidence = self._histories.fill(history, service, policy.scoring, first, last)
        score = None
        if policy.rules.max_priority_step is not None:
            score = self.reader.last_score(history, shadow, inputs.model_version)
        last_priority = score[0].priority if score else None
        return ShadowAssessment(
            shadow, assess(inputs, state, score), state, last_priority, evidence
        )


def _inputs(real: AssessmentInputs, history: History, policy: CompiledPolicy) -> AssessmentInputs:
    """Return what a shadow is assessed by, where and when the policy in force was."""
    return AssessmentInputs(history, policy, real.evaluated_at, real.trigger, is_historical=False)


def _guards(model: str, as_of: int, *, is_shadowed: bool) -> list[Guard]:
    """Return the guards that a score has all its shadows behind it, and no other."""
    guards = [none_after(as_of, None, *SHADOW_TYPES)]
    if is_shadowed:
        types = (ShadowScored.TYPE, *SHADOW_DECISION_TYPES)
        guards.append(none_after(as_of, shadow_stream(model), *types))
    return guards


def _additions(model: str, found: Sequence[ShadowAssessment], at: int) -> list[Addition]:
    """Return the events of the shadows of a request's first score; `at`: where they begin in it."""
    additions: list[Addition] = []
    for one in found:
        place = at + len(additions)
        additions.append(Addition.of(one.score, follows=0))
        if one.assessment.is_change:
            type_ = SHADOW_DECIDED[one.assessment.horizon.policy.rules.procedure].TYPE
            decided = _decision(one, place)
            additions.append(Addition(shadow_stream(model), type_, decided, follows=place))
    return additions


def _decision(one: ShadowAssessment, score_at: int) -> MakeData:
    """Return what makes the decision once the position of its score is known."""
    return lambda place: one.decision(place.first_position + score_at)
