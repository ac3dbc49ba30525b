"""Which models are owed a score by the record alone, and since which position.

A model is due once it was never scored, has news and has rested, or was silent for too long. The
service may know of more that makes it due: an override that began or ended between two events,
seconds that passed, a body that is gone by now. So what is due here was due there.
"""

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from ledger.audit.assessor import policy_in_force
from ledger.audit.event import OBSERVED, AuditedEvent
from ledger.audit.ledger_state import AuditedModel, LedgerState
from ledger.audit.ledger_time import EvaluatorTime
from ledger.audit.parameters import Parameters
from ledger.audit.service_period import AuditedService, serving_of
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.models import ModelDeployed, ModelRegistered, ModelUpdated
from ledger.events.policies import PolicyActivated
from ledger.events.proving import BodyErased
from ledger.events.system import CONFIGURED, ClockStepped
from ledger.events.values import SECOND, parse_time

_CHANGING = (ModelRegistered.TYPE, ModelUpdated.TYPE, ModelDeployed.TYPE)
_OF_SCORES = (ScoreComputed.TYPE, *DECISION_TYPES)


@dataclass(slots=True)
class DueModel:
    """One model, what selects its observations, and when it was scored last."""

    facts: AuditedModel
    parameters: Parameters | None = None
    serving: AuditedService | None = None
    serves_from: int = 0
    """The latest time that any of its deployments states."""
    newest: int = 0
    """The newest time of what was selected since its service was looked at."""
    news_at: int = 0
    changed_at: int = 0
    is_scored: bool = False
    as_of: int = 0
    """The horizon of its last score, and from when on its rest and its own news count."""
    rests_from: int = 0
    own_from: int = 0
    due_since: int = 0
    """The position since which it is owed a score; 0 if it is not."""
    is_told: bool = False
    """Whether it was said that this score is missing."""
    wakes_at: int = 0


class DueScores:
    """Follows every model; told of each event after the fold."""

    def __init__(self, fold: LedgerState) -> None:
        self._fold = fold
        self._time = EvaluatorTime()
        self._models: dict[str, DueModel] = {}
        self._owed: set[str] = set()
        self.missing: list[tuple[int, str]] = []
        """(since, what) of each score that is not there."""
        self._alarms: list[tuple[int, str]] = []
        self._is_blind = False
        """Whether the body of a policy or of its activation is gone: any model may be under it."""

    def apply(self, event: AuditedEvent) -> None:
        """Take in an event that the fold has taken in."""
        self._time.apply(event)
        self._is_blind |= event.raw is None and event.stream.startswith("policies/")
        if event.type in CONFIGURED and event.data is not None:
            data = event.data
            self._time.configure(data["clock"], data["skew_seconds"], data.get("leap_seconds", 0))
        elif event.type in (PolicyActivated.TYPE, BodyErased.TYPE, ClockStepped.TYPE):
            self._begin_again(event)
        elif event.observation is not None:
            self._observed(event)
        elif event.stream in self._fold.models and event.type != OBSERVED:
            self._changed(event)
        while self._alarms and self._alarms[0][0] <= self._time.now:
            model = self._models[heappop(self._alarms)[1]]
            model.wakes_at = 0
            self._look(model, event.position)

    def pass_over(self, through: int, event: AuditedEvent) -> None:
        """Note what was due by a position and still is at an event, but for what that scores."""
        for stream in sorted(self._owed - {event.stream}):
            model = self._models[stream]
            since = model.due_since
            if not model.is_told and since <= through and self._is_due(model):
                model.is_told = True
                what = (
                    f"model {model.facts.name} was due for a score there, and has none by position "
                    f"{event.position}, while others were scored again and again"
                )
                self.missing.append((since, what))

    # ---- following -------------------------------------------------------------------------------

    def _begin_again(self, event: AuditedEvent) -> None:
        """Have what is due be due from here on: by a new policy, an erasure or a set clock."""
        for model in self._models.values():
            if event.type == PolicyActivated.TYPE:
                model.changed_at = event.position
            elif event.type == ClockStepped.TYPE:
                model.rests_from = max(model.rests_from, event.recorded_at)
            self._settle(model, event.position)

    def _changed(self, event: AuditedEvent) -> None:
        model = self._models.get(event.stream)
        if model is None:
            model = self._models[event.stream] = DueModel(self._fold.models[event.stream])
        if event.type in _CHANGING:
            model.changed_at = event.position
        if event.type not in _OF_SCORES:
            self._settle(model, event.position)
            return
        if event.type == ScoreComputed.TYPE and event.data is not None:
            self._scored(model, event, event.data)
        self._set(model, 0)
        self._look(model, event.position)

    def _scored(self, model: DueModel, event: AuditedEvent, data: dict[str, Any]) -> None:
        if not data["historical"]:
            model.is_scored, model.as_of = True, data["as_of"]
            model.is_told = False
            model.rests_from = event.recorded_at
            model.own_from = max(model.newest, parse_time(data["evaluated_at"]))

    def _observed(self, event: AuditedEvent) -> None:
        model, seen = self._models.get(event.stream), event.observation
        if model is None or model.serving is None or seen is None:
            return
        is_selected = seen.model_version == model.serving.version
        if is_selected and seen.observed_at >= model.serving.since:
            if not model.newest:  # without any before, it counts from the ledger's time
                model.own_from = max(model.own_from, self._time.now)
            model.newest = max(model.newest, seen.observed_at)
            model.news_at = event.position
            self._look(model, event.position)

    def _settle(self, model: DueModel, position: int) -> None:
        """Look up again which policy is in force and which version serves."""
        fold, facts = self._fold, model.facts
        named = policy_in_force(fold, facts, position)
        model.parameters = None if named is None else fold.parameters(*named)
        model.serving, model.newest, model.news_at = None, 0, 0
        if model.parameters is not None:
            model.serving = serving_of(facts, model.parameters, position, None)
            is_stated = not model.parameters.is_by_record
            stated = [one.in_service_at for one in facts.deployments if is_stated]
            model.serves_from = max(stated, default=0)
        self._set(model, 0)
        self._look(model, position)

    # ---- what is due -----------------------------------------------------------------------------

    def _look(self, model: DueModel, position: int) -> None:
        """Note whether a model is due now, or when it is to be looked at again."""
        if self._is_due(model):
            self._set(model, model.due_since or position)
            return
        if model.due_since and not self._time.is_sure:
            return  # what was due may be so still: it is looked at again before it is missed
        self._set(model, 0)
        at = self._due_at(model)
        if at > self._time.now and not 0 < model.wakes_at <= at:
            model.wakes_at = at
            heappush(self._alarms, (at, f"models/{model.facts.name}"))

    def _set(self, model: DueModel, since: int) -> None:
        model.due_since = since
        stream = f"models/{model.facts.name}"
        if since:
            self._owed.add(stream)
        else:
            self._owed.discard(stream)

    def _can_be_scored(self, model: DueModel) -> bool:
        """Whether a score is possible, and all that it depends on is known."""
        facts = model.facts
        is_known = not (facts.unknown_at or self._is_blind or facts.retired_at)
        # A body that was erased before its last score did not keep it from being scored.
        is_whole = all(
            position < model.as_of and not self._fold.absences.needed(position, model.as_of)
            for type_, gone in facts.gone_by_type.items()
            if type_ != OBSERVED
            for position in gone
        )
        is_served = model.serving is not None and model.serves_from <= self._time.now
        return is_known and is_whole and is_served and self._time.now > 0

    def _is_due(self, model: DueModel) -> bool:
        if not self._can_be_scored(model):
            return False
        if not model.is_scored:
            return True
        rest = self._rest(model)
        own = model.newest - model.own_from
        is_moved = self._time.is_data and self._is_news(model) and own >= rest
        return is_moved or self._due_at(model) <= self._time.now

    def _is_news(self, model: DueModel) -> bool:
        return max(model.news_at, model.changed_at) > model.as_of

    def _rest(self, model: DueModel) -> int:
        assert model.parameters is not None
        return model.parameters.interval_seconds * SECOND

    def _due_at(self, model: DueModel) -> int:
        """Return when the model has rested or was silent for too long; 0 if it cannot be due."""
        if model.parameters is None or model.serving is None:
            return 0
        if not model.is_scored or model.serves_from > self._time.now:
            return model.serves_from
        rest, silence = self._rest(model), model.parameters.silence_seconds * SECOND
        pause = rest if self._is_news(model) else max(rest, silence)
        return model.rests_from + pause + self._time.allowance
