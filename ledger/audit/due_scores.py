"""Which models are owed a score by the record alone, and since which position.

A model is due once it was never scored, has news and has rested, or was silent for too long. The
service may know of more that makes it due: an override that began or ended between two events,
seconds that passed, a body that is gone by now. So what is due here was due there. That an override
is over is followed in `owed_overrides`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from ledger.audit.assessor import parameters_in_force
from ledger.audit.audited_model import AuditedModel
from ledger.audit.event import OBSERVED, AuditedEvent
from ledger.audit.gaps import Unscored
from ledger.audit.late_scores import LATE, LateScore
from ledger.audit.ledger_state import LedgerState
from ledger.audit.ledger_time import EvaluatorTime
from ledger.audit.parameters import Parameters
from ledger.audit.rounds import Rounds
from ledger.audit.service_accounts import EVALUATOR, UNLANDED
from ledger.audit.service_period import AuditedService, serving_of
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.models import ModelDeployed, ModelRegistered, ModelUpdated
from ledger.events.policies import ACTIVATED_TYPES
from ledger.events.proving import BodyErased
from ledger.events.system import CONFIGURED, ClockStepped
from ledger.events.values import SECOND, parse_time

_CHANGING = (ModelRegistered.TYPE, ModelUpdated.TYPE, ModelDeployed.TYPE)
_OF_SCORES = (ScoreComputed.TYPE, *DECISION_TYPES)
_CANNOT = "whether a score was due there cannot be judged, since"
_UNKNOWN = f"{_CANNOT} an event of its stream has a type that is not known here"
_BLIND = f"{_CANNOT} the body of a policy's event is not there"
_GONE = f"{_CANNOT} the body of an event of its stream is not there"
_UNSCORED = "there is no score between; the evaluator may have had no turn, or it was taken out"
_LAPSED = f"a score was due from the first on and no longer at the last, and {_UNSCORED}"
_LOST = f"a score was due from the first on, from the last on that is unknown, and {_UNSCORED}"
_RETIRED = f"a score was due from the first on until it was retired at the last, and {_UNSCORED}"
_PUT_OFF = f"a score was due from the first on and due once more from the last on, and {_UNSCORED}"


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
    unpaid_since: int = 0
    """The position since which it had a debt at times, and no score."""
    unpaid_at: int = 0
    """When that debt fell due."""
    falls_due_at: int = 0
    """When it is due if nothing else happens; 0 if that is not known."""
    unjudged_since: int = 0
    unjudged_why: str = ""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A debt past which others were scored, by a service of which is not known when it landed."""

    position: int
    bears: int
    what: str


class DueScores:
    """Follows every model; told of each event after the fold."""

    def __init__(self, fold: LedgerState, rounds: Rounds) -> None:
        self._fold = fold
        self._rounds = rounds
        self.time = EvaluatorTime()
        self._models: dict[str, DueModel] = {}
        self._owed: set[str] = set()
        self._missing: list[tuple[int, str]] = []
        """(since, what) of each score that is not there."""
        self._passed: dict[tuple[str, int], PassedOver] = {}
        """By stream and since: where others were scored."""
        self._alarms: list[tuple[int, str]] = []
        self._gaps: list[Unscored] = []
        self._late: list[LateScore] = []
        self._position = 0
        self._is_blind = False
        """Whether the body of a policy or of its activation is gone: any model may be under it."""
        self._is_behind = False
        """Whether a score shows that the evaluator's clock is behind the record, and may leap."""

    def apply(self, event: AuditedEvent) -> None:
        """Take in an event that the fold has taken in."""
        self.time.apply(event)
        self._position = event.position
        if self._is_behind and self.time.is_sure:
            self._is_behind = False
            self._rest_from(event)
        if event.raw is None and event.stream.startswith("policies/") and not self._is_blind:
            self._is_blind = True
            for model in self._models.values():
                self._note(model, event.position)
        if event.type in CONFIGURED and event.data is not None:
            data = event.data
            self.time.configure(data["clock"], data["skew_seconds"], data.get("leap_seconds", 0))
        elif event.type in (*ACTIVATED_TYPES, BodyErased.TYPE, ClockStepped.TYPE):
            self._begin_again(event)
        elif event.observation is not None:
            self._observed(event)
        elif event.stream in self._fold.models and event.type not in OBSERVED:
            self._changed(event)
        while self._alarms and self._alarms[0][0] <= self.time.now:
            model = self._models[heappop(self._alarms)[1]]
            model.wakes_at = 0
            self._look(model, event.position)

    def pass_over(
        self, through: int, event: AuditedEvent, said: str, landed_at: int | None = None
    ) -> None:
        """Note what was due by a position and still is at an event, but for what that scores.

        `said` tells how the event shows that each model had its turn, `landed_at` when the service
        landed that evaluated; None where that is not known yet.
        """
        for stream in sorted(self._owed - {event.stream}):
            model = self._models[stream]
            since = model.due_since
            if model.is_told or since > through or not self._is_due(model):
                continue
            what = (
                f"model {model.facts.name} was due for a score there, and has none by position "
                f"{event.position}, while {said}"
            )
            bears = self._bears(model)
            if landed_at is None and not self.time.is_data:
                self._passed.setdefault((stream, since), PassedOver(event.position, bears, what))
            elif (landed_at or 0) <= bears:
                model.is_told = True
                self._passed.pop((stream, since), None)
                self._missing.append((since, what))

    def missed(self, landed_at: Callable[[int], int]) -> Iterator[tuple[int, str]]:
        """Yield (since, what) of each score that is not there; the events are at their end.

        `landed_at` tells when the last service landed that evaluates and had begun by a position.
        """
        yield from self._missing
        for (_, since), passed in self._passed.items():
            if landed_at(passed.position) <= passed.bears:
                yield since, passed.what

    def late(self, landed_at: Callable[[int], int]) -> Iterator[LateScore]:
        """Yield the debts that were paid late or are open, but for those that are missed."""
        for late in self._late:
            passed = self._passed.get((f"models/{late.model}", late.first))
            if passed is None or landed_at(passed.position) > passed.bears:
                yield late
        for model in self._models.values():
            since, at = model.unpaid_since, self.time.now
            is_open = since and model.due_since == since and self._is_due(model)
            if is_open and not (model.is_told or self.time.is_data):
                name = model.facts.name
                yield LateScore(name, since, model.unpaid_at, self._position, at, is_paid=False)

    def gaps(self) -> list[Unscored]:
        """Return where a debt ended without a score or could not be judged, at the end."""
        found = list(self._gaps)
        for model in self._models.values():
            name, since = model.facts.name, model.unpaid_since
            if since and model.due_since > since and not model.is_told:
                found.append(Unscored(name, since, model.due_since, _PUT_OFF))
            if model.unjudged_since:
                since, why = model.unjudged_since, model.unjudged_why
                found.append(Unscored(name, since, self._position, why, is_judged=False))
        return found

    def can_be_scored(self, stream: str) -> bool:
        """Whether a model's score is possible, and all that it depends on is known."""
        model = self._models.get(stream)
        return model is not None and self._can_be_scored(model)

    # ---- following -------------------------------------------------------------------------------

    def _begin_again(self, event: AuditedEvent) -> None:
        """Have what is due be due from here on: by a new policy, an erasure or a set clock."""
        if event.type == ClockStepped.TYPE:
            self._rest_from(event)
        for model in self._models.values():
            if event.type in ACTIVATED_TYPES:
                model.changed_at = event.position
            self._settle(model, event.position)

    def _rest_from(self, event: AuditedEvent) -> None:
        """Have every model rest from here on: before this, less time may have passed."""
        for model in self._models.values():
            model.rests_from = max(model.rests_from, event.recorded_at)
            model.unpaid_at = max(model.unpaid_at, event.recorded_at)

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
        elif event.raw is None:
            model.unpaid_since = 0  # it may have been the score that was due
        self._set(model, 0)
        self._look(model, event.position)

    def _scored(self, model: DueModel, event: AuditedEvent, data: dict[str, Any]) -> None:
        if not data["historical"]:
            self._paid(model, event, data["as_of"])
            model.is_scored, model.as_of = True, data["as_of"]
            model.is_told, model.unpaid_since = False, 0
            model.rests_from, at = event.recorded_at, parse_time(data["evaluated_at"])
            model.own_from = max(model.newest, at)
            if event.actor == EVALUATOR and data["trigger"] == "schedule":
                self._is_behind = not self.time.is_data and at < self.time.unbelieved_before

    def _paid(self, model: DueModel, event: AuditedEvent, as_of: int) -> None:
        """Note a debt that is paid late."""
        since = model.unpaid_since
        if not since or model.is_told:
            return
        is_data, at = self.time.is_data, event.recorded_at
        passed = self._rounds.before(as_of) if is_data else 0
        if passed >= since if is_data else at - model.unpaid_at > LATE:
            late = LateScore(
                model.facts.name, since, model.unpaid_at, event.position, at, passed=passed
            )
            self._late.append(late)

    def _observed(self, event: AuditedEvent) -> None:
        model, seen = self._models.get(event.stream), event.observation
        if model is None or model.serving is None or seen is None:
            return
        is_selected = seen.model_version == model.serving.version
        if is_selected and seen.observed_at >= model.serving.since:
            if not model.newest:  # without any before, it counts from the ledger's time
                model.own_from = max(model.own_from, self.time.now)
            model.newest = max(model.newest, seen.observed_at)
            model.news_at = event.position
            self._look(model, event.position)

    def _settle(self, model: DueModel, position: int) -> None:
        """Look up again which policy is in force and which version serves."""
        fold, facts = self._fold, model.facts
        model.parameters = parameters_in_force(fold, facts, position)
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
        self._note(model, position)
        if self._is_due(model):
            self._set(model, model.due_since or position)
            return
        if model.due_since and not self.time.is_sure:
            return  # what was due may be so still: it is looked at again before it is missed
        self._set(model, 0)
        self._lapse(model, position)
        at = self._due_at(model)
        model.falls_due_at = 0 if model.unjudged_why else at
        if at > self.time.now and not 0 < model.wakes_at <= at:
            model.wakes_at = at
            heappush(self._alarms, (at, f"models/{model.facts.name}"))

    def _lapse(self, model: DueModel, position: int) -> None:
        """Note that a debt ends without a score."""
        if model.unpaid_since and not model.is_told:
            why = _LOST if model.unjudged_why else _LAPSED
            why = _RETIRED if model.facts.retired_at else why
            self._gaps.append(Unscored(model.facts.name, model.unpaid_since, position, why))
        model.unpaid_since = 0

    def _note(self, model: DueModel, position: int) -> None:
        """Follow where it cannot be judged whether a model is due."""
        why = "" if model.facts.retired_at else self._unknown(model)
        if why == model.unjudged_why:
            return
        if model.unjudged_why:
            name, since, was = model.facts.name, model.unjudged_since, model.unjudged_why
            self._gaps.append(Unscored(name, since, position - 1, was, is_judged=False))
        model.unjudged_why, model.unjudged_since = why, position if why else 0

    def _set(self, model: DueModel, since: int) -> None:
        model.due_since = since
        if since and not model.unpaid_since:
            model.unpaid_since, now = since, self.time.now
            model.unpaid_at = min(model.falls_due_at or now, now)
        stream = f"models/{model.facts.name}"
        if since:
            self._owed.add(stream)
        else:
            self._owed.discard(stream)

    def _can_be_scored(self, model: DueModel) -> bool:
        """Whether a score is possible, and all that it depends on is known."""
        if model.facts.retired_at or model.unjudged_why:
            return False
        is_served = model.serving is not None and model.serves_from <= self.time.now
        return is_served and self.time.now > 0

    def _unknown(self, model: DueModel) -> str:
        """Return why it cannot be judged whether a model is due; empty where it can be."""
        facts = model.facts
        if facts.unknown_at:
            return _UNKNOWN
        if self._is_blind:
            return _BLIND
        # A body that was erased before its last score did not keep it from being scored.
        is_whole = all(
            position < model.as_of and not self._fold.absences.needed(position, model.as_of)
            for type_, gone in facts.gone_by_type.items()
            if type_ not in OBSERVED
            for position in gone
        )
        return "" if is_whole else _GONE

    def _is_due(self, model: DueModel) -> bool:
        if not self._can_be_scored(model):
            return False
        if not model.is_scored:
            return True
        rest = self._rest(model)
        own = model.newest - model.own_from
        is_moved = self.time.is_data and self._is_news(model) and own >= rest
        return is_moved or self._due_at(model) <= self.time.now

    def _bears(self, model: DueModel) -> int:
        """Return the latest time at which a service may have landed to which the model is due now.

        The time before that may not have passed for it.
        """
        if self.time.is_data or not (model.is_scored or model.serves_from):
            return UNLANDED
        waited = self._due_at(model) - model.rests_from if model.is_scored else 0
        return self.time.now - waited

    def _is_news(self, model: DueModel) -> bool:
        return max(model.news_at, model.changed_at) > model.as_of

    def _rest(self, model: DueModel) -> int:
        assert model.parameters is not None
        return model.parameters.interval_seconds * SECOND

    def _due_at(self, model: DueModel) -> int:
        """Return when the model has rested or was silent for too long; 0 if it cannot be due."""
        if model.parameters is None or model.serving is None:
            return 0
        if not model.is_scored or model.serves_from > self.time.now:
            return model.serves_from
        rest, silence = self._rest(model), model.parameters.silence_seconds * SECOND
        pause = rest if self._is_news(model) else max(rest, silence)
        return model.rests_from + pause + self.time.allowance
