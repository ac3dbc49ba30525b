"""A shadow beside the decisions on record: where both differ, how often and for how long.

Both are compared at each score that the shadow was recorded with. The record is read once, in order
of position; nothing is computed again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from ledger.application.commands import model_stream
from ledger.application.decisions.compared_plans import PlanPairs, compared_plans
from ledger.application.decisions.trial_places import TrialPlaces
from ledger.application.decisions.trial_result import (
    Trial,
    TrialReport,
    TrialStep,
    decided,
    report_of,
)
from ledger.application.fleet.history import HistoryReader, PriorDecision
from ledger.errors import LedgerError, Reason
from ledger.events.decisions import DECISION_TYPES, DecisionMade, DecisionResult
from ledger.events.envelope import RecordedEvent
from ledger.events.models import DESCRIBING, ModelDescribed
from ledger.events.policy_document import Action
from ledger.events.registry import decode_data, typed
from ledger.events.shadows import SHADOW_DECISION_TYPES, ShadowDecided, ShadowScored
from ledger.events.values import SECOND, parse_time
from ledger.storage.events import Events

_PAGE: Final = 1_000
_READ: Final = (ShadowScored.TYPE, *SHADOW_DECISION_TYPES, *DECISION_TYPES, *DESCRIBING)


class ActionSpan(NamedTuple):
    """An action on record and that of the shadow, and how long both were so."""

    before: str
    after: str
    scores: int
    seconds: int


class ComparedShadow(NamedTuple):
    """A shadow beside the decisions on record."""

    report: TrialReport
    pairs: tuple[ActionSpan, ...]
    plans: PlanPairs


@dataclass(slots=True)
class _Side:
    """One side of a model on the way: its decision, and the action before the score to come."""

    made: DecisionResult | None
    last_action: Action
    is_begun: bool = False

    def decide(self, made: DecisionResult) -> None:
        """Take a decision that came into force on this side."""
        self.made, self.is_begun = made, True

    @property
    def decided(self) -> tuple[str, str, str]:
        """Its decision as one compares it."""
        return _decided(self.made)


@dataclass(slots=True)
class _Model:
    """One model on the way: its cost, both sides, and the score that is not a step yet."""

    cost_micros: int
    real: _Side
    shadowed: _Side
    replaced: tuple[str, str, str] | None
    """The decision on record before the first score of the shadow, which its first outcome would
    have replaced; None from then on, and where it is not known."""
    lost: int = 0
    """Events for the score to come whose bodies are gone; a cost that is not known is 0."""
    scored: ShadowScored | None = None


class ShadowComparisons:
    """Compares the shadows of one ledger with what was decided."""

    def __init__(
        self, events: Events, ledger: str, histories: HistoryReader, places: TrialPlaces
    ) -> None:
        self._events = events
        self._ledger = ledger
        self._histories = histories
        self._places = places

    def compare(self, shadow: int, as_of: int | None = None) -> ComparedShadow:
        """Return what came of the shadow that began at a position, by now or up to another one.

        LIMIT_REACHED while as many policies as may be are being tried or compared.
        """
        with self._places.one():
            walk = _Walk(shadow, self._cost, self._decision)
            for event in self._events_after(shadow, as_of):
                walk.take(event)
            plans = compared_plans(self._events, self._ledger, shadow, as_of)
            return ComparedShadow(*walk.result(), plans)

    def _cost(self, model: str, as_of: int) -> int | None:
        """Return the cost of one retraining of a model at a position; None where it is erased."""
        stream = model_stream(model)
        described = self._events.latest(self._ledger, stream, DESCRIBING, at_or_before=as_of)
        assert described is not None, "a model that was scored is registered"
        is_gone = described.body_bytes is None
        return None if is_gone else int(typed(described, ModelDescribed).cost_micros)

    def _decision(self, model: str, as_of: int) -> tuple[PriorDecision | None, bool]:
        """Return the decision in force at a position, and whether it was erased since."""
        try:
            return self._histories.decision_in_force(model, as_of), False
        except LedgerError as error:
            if error.reason is not Reason.BODY_ERASED:
                raise
            return None, True

    def _events_after(self, shadow: int, as_of: int | None) -> Iterator[RecordedEvent]:
        after = shadow
        while True:
            page = self._events.of_types(
                self._ledger, _READ, after=after, at_or_before=as_of, limit=_PAGE
            )
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].position


class _Walk:
    """Takes events in order of position, and keeps a step of both sides for each score."""

    def __init__(
        self,
        shadow: int,
        cost: Callable[[str, int], int | None],
        decision: Callable[[str, int], tuple[PriorDecision | None, bool]],
    ) -> None:
        self._shadow = shadow
        self._cost = cost
        self._decision = decision
        self._models: dict[str, _Model] = {}
        self._before, self._after = Trial(), Trial()

    def take(self, event: RecordedEvent) -> None:
        """Take one more event."""
        known = self._models.get(event.stream.partition("/")[2])
        if event.body_bytes is None:
            self._pass_over(event, known)
            return
        data = decode_data(event)
        if isinstance(data, ShadowScored):
            if data.shadow == self._shadow:
                self._score(known or self._begin(data, event.position), data)
        elif known is None:
            return
        elif isinstance(data, ShadowDecided):
            if data.shadow == self._shadow:
                known.shadowed.decide(data)
        elif isinstance(data, DecisionMade):
            if not data.historical:
                self._step(known)  # what comes now belongs to the next score
                known.real.decide(data)
        elif isinstance(data, ModelDescribed):
            self._step(known)
            known.cost_micros = int(data.cost_micros)

    def _pass_over(self, event: RecordedEvent, known: _Model | None) -> None:
        """Take an event of which only the header is left."""
        if event.type == ShadowScored.TYPE:
            self._after.erased += 1
        elif known is not None:
            if event.type not in SHADOW_DECISION_TYPES:
                self._step(known)
            else:
                known.replaced = None  # its first outcome may be among those that are gone
            known.lost += 1
            if event.type in DESCRIBING:
                known.cost_micros = 0

    def _begin(self, data: ShadowScored, position: int) -> _Model:
        cost = self._cost(data.model, data.as_of)
        in_force, is_gone = self._decision(data.model, position)
        before, is_before_gone = self._decision(data.model, data.as_of)
        last: Action = "NO_ACTION" if before is None else before.data.action
        is_begun = in_force is not None and in_force.position > data.as_of
        begun = _Model(
            cost or 0,
            _Side(None if in_force is None else in_force.data, last, is_begun),
            _Side(None, last),
            None if is_before_gone else _decided(None if before is None else before.data),
            lost=(cost is None) + is_gone,
        )
        self._models[data.model] = begun
        return begun

    def _score(self, model: _Model, data: ShadowScored) -> None:
        self._step(model)
        model.scored = data

    def _step(self, model: _Model) -> None:
        """Keep both decisions after the newest score of a model, whose own are known by now."""
        scored = model.scored
        if scored is None:
            return
        model.scored = None
        self._after.erased += model.lost
        model.lost = 0
        if model.replaced is not None:
            # It runs beside a decision in force: that is what its first outcome is compared with.
            model.shadowed.is_begun = model.shadowed.decided != model.replaced
            model.replaced = None
        for trial, side in ((self._before, model.real), (self._after, model.shadowed)):
            made = side.made
            trial.add(
                TrialStep(
                    model=scored.model,
                    position=scored.as_of,
                    evaluated_at=parse_time(scored.evaluated_at),
                    priority=scored.priority,
                    action=made.action if made else "NO_ACTION",
                    tier=made.tier if made else "",
                    rule=made.rule if made else "",
                    is_begun=side.is_begun,
                    last_action=side.last_action,
                    cost_micros=model.cost_micros,
                )
            )
            side.is_begun, side.last_action = False, made.action if made else "NO_ACTION"

    def result(self) -> tuple[TrialReport, tuple[ActionSpan, ...]]:
        """Return what came of it, once all events were taken."""
        for model in self._models.values():
            self._step(model)
        for trial in (self._before, self._after):
            trial.steps.sort(key=lambda step: (step.model, step.position))
        return report_of(self._before, self._after), self._pairs()

    def _pairs(self) -> tuple[ActionSpan, ...]:
        scores: dict[tuple[str, str], int] = defaultdict(int)
        spans: dict[tuple[str, str], int] = defaultdict(int)
        before, after = self._before.steps, self._after.steps
        for at, (real, shadowed) in enumerate(zip(before, after, strict=True)):
            pair = real.action, shadowed.action
            scores[pair] += 1
            following = after[at + 1] if at + 1 < len(after) else None
            if following is not None and following.model == shadowed.model:
                spans[pair] += max(following.evaluated_at - shadowed.evaluated_at, 0)
        pairs = [ActionSpan(*pair, count, spans[pair] // SECOND) for pair, count in scores.items()]
        return tuple(sorted(pairs, key=lambda one: (-one.seconds, -one.scores, one)))


def _decided(made: DecisionResult | None) -> tuple[str, str, str]:
    """Return a decision as one compares it; that of a model without any is no action."""
    return ("NO_ACTION", "", "") if made is None else decided(made.action, made.tier, made.rule)
