"""Policies in shadow of one model, warm: their buckets, and what each scored and decided last.

It is folded from the events that the evaluator folds, beside the state of the policy in force, and
read from the ledger where it is missing. It gives the same as the ledger alone.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from ledger.application.evaluation.assessments import AssessmentInputs
from ledger.application.fleet.history import (
    History,
    HistoryReader,
    PriorDecision,
    window_bounds,
)
from ledger.application.fleet.service_period import ServicePeriod
from ledger.application.fleet.shadows import ShadowReader, of_shadow
from ledger.events.envelope import RecordedEvent
from ledger.events.fast import Observed
from ledger.events.registry import decode_data
from ledger.events.shadows import ShadowDecided, ShadowScored
from ledger.events.values import TIME_LIMIT
from ledger.kernel.buckets import ModelState

LastScore = tuple[ShadowScored, int] | None


@dataclass(slots=True)
class ShadowBuckets:
    """The buckets of one shadow, and of which version they are."""

    state: ModelState
    service: ServicePeriod | None
    floor: int
    """The earliest time of evaluation that they still serve."""

    def observe(self, seen: Observed) -> None:
        """Add an observation, if it is selected."""
        if self.service is not None and self.service.selects(seen.model_version, seen.observed_at):
            self.state.observe(
                seen.signal, seen.value, seen.observed_at, seen.sample_size, seen.source
            )

    def prune(self, earliest: int) -> None:
        """Drop what no evaluation from a time on can see."""
        if earliest > self.floor:
            self.state.prune(earliest)
            self.floor = earliest


@dataclass(slots=True)
class WarmShadows:
    """The shadows of one model as they are known, by the position that names each."""

    _buckets: dict[int, ShadowBuckets] = field(default_factory=dict)
    _decisions: dict[int, PriorDecision | None] = field(default_factory=dict)
    _scores: dict[tuple[int, str | None], LastScore] = field(default_factory=dict)

    def observe(self, seen: Observed) -> None:
        """Add an observation of the model."""
        for buckets in self._buckets.values():
            buckets.observe(seen)

    def take(self, event: RecordedEvent) -> None:
        """Take in what a shadow recorded of the model; EVENT_UNREADABLE, BODY_ERASED."""
        data = decode_data(event)
        if isinstance(data, ShadowDecided):
            self._decisions[data.shadow] = PriorDecision(data, event.position, None)
        elif isinstance(data, ShadowScored):
            self._scores[data.shadow, data.model_version] = data, event.position

    def keep(self, running: Collection[int]) -> None:
        """Forget the shadows that do not run any more."""
        self._buckets = {at: one for at, one in self._buckets.items() if at in running}
        self._decisions = {at: one for at, one in self._decisions.items() if at in running}
        self._scores = {key: one for key, one in self._scores.items() if key[0] in running}

    def history(self, reader: ShadowReader, real: History, shadow: int) -> History:
        """Return the model's history as a shadow takes it."""
        if shadow not in self._decisions:
            self._decisions[shadow] = reader.last_decision(real, shadow)
        return of_shadow(real, self._decisions[shadow])

    def score(self, reader: ShadowReader, inputs: AssessmentInputs, shadow: int) -> LastScore:
        """Return the last score of a shadow of the model version in service."""
        key = shadow, inputs.model_version
        if key not in self._scores:
            self._scores[key] = reader.last_score(inputs.history, shadow, inputs.model_version)
        return self._scores[key]

    def state(
        self, histories: HistoryReader, inputs: AssessmentInputs, shadow: int, earliest: int
    ) -> ModelState:
        """Return the buckets of a shadow; no evaluation before the earliest time is to follow."""
        found, service = self._buckets.get(shadow), inputs.service
        if found is None or found.service != service or earliest < found.floor:
            scoring = inputs.policy.scoring
            first, _ = window_bounds(scoring, earliest)
            state, _ = histories.fill(inputs.history, service, scoring, first, TIME_LIMIT - 1)
            found = self._buckets[shadow] = ShadowBuckets(state, service, earliest)
        found.prune(earliest)
        return found.state
