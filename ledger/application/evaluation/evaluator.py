"""The evaluator: follows the log with warm bucket state and scores what is due.

Ingest marks models: what counts for a score marks, what other versions report does not. A marked
model is scored once its policy's interval has passed since its last score, a silent one once its
policy's silence has, so that silence shows; one whose override began or ended, at once. State is
folded from events alone and built cold from the ledger when it is missing, so a restart, a
deployment or a new policy changes nothing about the scores; replay, which is always cold, is the
proof.

One evaluator per ledger is active: a lease decides which server's. A model whose events cannot be
read is set aside and reported; it does not hold up the others. Owned by the follower's thread.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Final

import structlog

from ledger.application.appender import Appender, Proposal
from ledger.application.commands import Caller
from ledger.application.evaluation.assessments import AssessmentInputs, Recordable, assess, proposal
from ledger.application.evaluation.due import UNKNOWN, DataTime, Moment, is_due
from ledger.application.evaluation.shadows import ShadowAssessor
from ledger.application.evaluation.tracked_model import TrackedModel
from ledger.application.fleet.cases import with_case
from ledger.application.fleet.history import (
    HistoryReader,
    LastScored,
    window_bounds,
)
from ledger.application.policies.compiled import is_same_versions
from ledger.clock import Clock, uuid7
from ledger.errors import LedgerError, Reason
from ledger.events.cases import CASE_TYPES
from ledger.events.corrections import correction_of
from ledger.events.decisions import DECISION_TYPES
from ledger.events.envelope import RecordedEvent
from ledger.events.models import ModelDeployed, ModelRegistered, ModelUpdated
from ledger.events.policies import ACTIVATED_TYPES
from ledger.events.proving import BodyErased
from ledger.events.shadows import SHADOW_TYPES
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import SECOND, TIME_LIMIT, parse_time
from ledger.kernel.buckets import ModelState
from ledger.limits import LEAP_SECONDS_DEFAULT
from ledger.rules.procedure import override_in_effect
from ledger.rules.vocabulary import RULES_1
from ledger.storage.records import AppendResult, LedgerInfo
from ledger.storage.store import Store

LEASE: Final = "evaluator"
LEASE_SECONDS: Final = 10.0
REFUSED_SECONDS: Final = 1.0  # how soon a server without the lease asks again
CALLER: Final = Caller("system/evaluator")
_METHOD: Final = "Evaluator"
_RESELECTING: Final = (ModelDeployed.TYPE, ModelUpdated.TYPE)
# Reasons that are about one model's own events or policy, not about the store.
_OF_ONE_MODEL: Final = (
    Reason.BODY_ERASED,
    Reason.EVENT_UNREADABLE,
    Reason.POLICY_INVALID,
    Reason.POLICY_UNKNOWN,
)
_log: Final = structlog.get_logger("ledger.evaluator")


class Evaluator:
    """Folds events, and writes scores and decisions for the models that are due."""

    def __init__(
        self, store: Store, info: LedgerInfo, histories: HistoryReader, clock: Clock, position: int
    ) -> None:
        self._store = store
        self._info = info
        self._appender = Appender(store, info.origin)
        self._histories = histories
        self._shadows = ShadowAssessor(store.events, info.origin, histories)
        self._clock = clock
        self._holder = uuid7(clock)
        self._position = position
        self._data_time = DataTime(info.leap_seconds or LEAP_SECONDS_DEFAULT)
        self._tracked: dict[str, TrackedModel | None] = {}
        self.unreadable: dict[str, str] = {}
        """The models that are set aside, each with why; until an event of theirs or a restart."""
        self._scored: dict[str, float] = {}  # when we did, for models that are built again
        self.is_active = False
        """Whether this server's evaluator holds the ledger's lease."""
        self.scores = self.decisions = 0
        """How many it has recorded."""
        self.settled = 0
        """The position as of which no model was left that was due; 0 as long as there is none."""
        self._ask_at = 0.0

    @property
    def position(self) -> int:
        """The last position that was folded."""
        return self._position

    def consume(self, events: Sequence[RecordedEvent]) -> None:
        """Fold events in order of position; those already folded are passed over."""
        for event in events:
            if event.position <= self._position:
                continue
            self._position = event.position
            if event.stream.startswith(("models/", "shadows/")) or event.type in CASE_TYPES:
                self._fold(event)
            elif event.type in SHADOW_TYPES:
                self._shadows.forget()
            elif event.type in (*ACTIVATED_TYPES, BodyErased.TYPE):
                self._forget()  # scopes may have moved; nothing stays of what was erased

    def run_due(self) -> int:
        """Score every model that is due and return how many were. Waits for the writes."""
        if not self._hold_lease():
            return 0
        moment = self._now()
        if moment is None:
            return 0  # nothing was observed yet, so a `data` ledger has no time to evaluate at
        now = moment.ledger
        waiting: list[tuple[TrackedModel, bool, Future[AppendResult]]] = []
        is_whole = True
        for model in list(self._tracked):
            try:
                tracked = self._ready(model, now)
                if tracked is None or not self._is_due(tracked, moment):
                    continue
                proposed = self._proposal(tracked, now)
                is_decided = any(one.type in DECISION_TYPES for one in proposed.additions)
                future = self._appender.submit(CALLER, _METHOD, proposed)
                waiting.append((tracked, is_decided, future))
            except LedgerError as error:
                if error.reason is Reason.LIMIT_REACHED:
                    self._put_first(model)
                    is_whole = False
                    break  # the writer is busy with what callers wait for; the rest stays due
                if error.reason not in _OF_ONE_MODEL:
                    raise
                self._set_aside(model, error)
        written = 0
        for tracked, is_decided, future in waiting:
            try:
                appended = future.result()
            except LedgerError as error:
                if error.reason is not Reason.VERSION_CONFLICT:
                    raise
                is_whole = False
                continue  # something newer is on its way to us: fold it, then look again
            written += 1
            tracked.pending = appended.last_position
            self.decisions += is_decided
            tracked.is_marked = tracked.is_changed = False
            tracked.marked_by = None
            tracked.scored = replace(moment, own=tracked.newest)
            self._scored[tracked.history.model] = moment.elapsed
        self.scores += written
        if is_whole and not self.unreadable:
            self.settled = self._position
        return written

    def _put_first(self, model: str) -> None:
        """Have the next round begin where this one was cut short, so that none is passed over."""
        models = list(self._tracked)
        at = models.index(model)
        self._tracked = {name: self._tracked[name] for name in models[at:] + models[:at]}

    def release(self) -> None:
        """Give the lease back, so that another server need not wait for it to run out."""
        if self.is_active:
            self.is_active = False
            self._ask_at = 0.0
            self._forget()
            self._store.leases.take(self._info.origin, LEASE, self._holder, 0)

    def _hold_lease(self) -> bool:
        moment = self._clock.monotonic_seconds()
        if moment < self._ask_at:
            return self.is_active
        held = self._store.leases.take(self._info.origin, LEASE, self._holder, LEASE_SECONDS)
        # Renewed at half its time; after a refusal, too, the server waits before it asks again.
        self._ask_at = moment + (LEASE_SECONDS / 2 if held else REFUSED_SECONDS)
        if held and not self.is_active:
            self._adopt_fleet()
        elif self.is_active and not held:
            self._forget()  # it would never be pruned
        self.is_active = held
        return held

    def _adopt_fleet(self) -> None:
        """Look at every model once: those marked while no evaluator ran are due now."""
        registered = self._store.events.of_types(
            self._info.origin, (ModelRegistered.TYPE,), at_or_before=self._position
        )
        self._tracked = {event.stream.partition("/")[2]: None for event in registered}
        if self._info.clock == "data":
            self._data_time.observe(
                self._histories.newest_times(list(self._tracked), at_or_before=self._position)
            )

    def _forget(self) -> None:
        """Drop all warm state; the models themselves stay known."""
        self._tracked = dict.fromkeys(self._tracked)
        self._shadows.forget()
        self.unreadable.clear()

    def _set_aside(self, model: str, error: LedgerError) -> None:
        """Leave a model out until something of it is folded again, and say so once."""
        self._tracked[model] = None
        self.unreadable[model] = error.message
        tell = _log.warning if error.reason is Reason.BODY_ERASED else _log.error
        tell(
            "evaluator.model_set_aside",
            ledger=self._info.origin,
            model=model,
            reason=error.reason.value,
            message=error.message,
        )

    def _now(self) -> Moment | None:
        """Return what time it is; None before a `data` ledger's begins."""
        is_data = self._info.clock == "data"
        now = self._data_time.now if is_data else self._store.clocks.now_micros(self._info.origin)
        return None if now is None else Moment(self._clock.elapsed_seconds(), now)

    def _is_due(self, tracked: TrackedModel, now: Moment) -> bool:
        """Whether a model is to be scored: never scored, news and rested, or silent too long.

        Also where the decision in force rests on another override than the one in effect.
        """
        assert tracked.policy is not None
        prior = tracked.history.decision
        replaced = prior.data.overridden if prior else None
        override = override_in_effect(tracked.history.overrides, now.ledger)
        is_turned = (override and override.position) != (replaced and replaced.position)
        if tracked.scored is None or is_turned:
            return True
        return is_due(
            tracked.policy.document.evaluation,
            self._info.clock,
            tracked.scored,
            replace(now, own=tracked.newest),
            is_news=tracked.is_marked or tracked.is_changed,
        )

    def _fold(self, event: RecordedEvent) -> None:
        model = event.stream.partition("/")[2]
        if event.observed_at is not None:
            self._data_time.observe([event.observed_at])
        else:
            self.unreadable.pop(model, None)
        tracked = self._tracked.setdefault(model, None)
        if tracked is None:
            return
        try:
            if event.type in CASE_TYPES:
                cases, is_gone = tracked.history.cases, event.body_bytes is None
                tracked.history.cases = with_case(cases, event, is_gone=is_gone)
            elif event.stream.startswith("shadows/"):
                tracked.shadows.take(event)
            elif event.type not in OBSERVED_TYPES:
                self._apply(tracked, event)
            elif correction_of(event) is None:
                tracked.observe(event)
            else:
                self._tracked[model] = None  # the buckets still hold what it corrects
        except LedgerError as error:  # what the cold read makes of it decides
            _log.warning("evaluator.event_unreadable", model=model, message=error.message)
            self._tracked[model] = None
        if event.type in _RESELECTING:
            self._tracked[model] = None  # other observations are selected, or another policy fits

    def _apply(self, tracked: TrackedModel, event: RecordedEvent) -> None:
        tracked.history.apply(event)
        score = tracked.history.score
        if score is not None and score[1] == event.position:
            now = self._now()
            if now is not None and event.position > tracked.pending:  # not of our own
                at = parse_time(score[0].evaluated_at)
                last = LastScored(event.recorded_at, score[0].as_of, at, score[0].priority)
                tracked.scored = self._scored_before(last, now, tracked.newest, now.elapsed)
            tracked.is_changed = False
            if tracked.marked_by is None or tracked.marked_by <= score[0].as_of:
                tracked.is_marked, tracked.marked_by = False, None

    def _ready(self, model: str, now: int) -> TrackedModel | None:
        """Return a model's warm state as of our position, built cold where it is missing."""
        if model in self.unreadable:
            return None
        tracked = self._tracked[model]
        if tracked is None or tracked.is_over(now):
            tracked = self._build(model, now)
            self._tracked[model] = tracked
        if tracked is None or tracked.policy is None or tracked.history.is_retired:
            return None
        if tracked.service is None or tracked.pending > self._position:
            return None
        # By stated times it does not serve yet, even if it was observed a moment ahead.
        is_ahead = tracked.policy.rules.procedure != RULES_1 and tracked.service.since > now
        return None if is_ahead and not tracked.is_marked else tracked

    def _build(self, model: str, now: int) -> TrackedModel | None:
        histories = self._histories
        history = histories.history(model, self._position)
        if history is None:
            return None
        history.cases = histories.cases(model, self._position)
        policy = histories.policy_in_force(history.described, self._position)
        tracked = TrackedModel(history, policy, None, None, None, is_marked=False, is_changed=True)
        if policy is None or history.is_retired:
            return tracked
        procedure = policy.rules.procedure
        service = history.service(procedure)
        newest = histories.newest_selected(history, service)
        if newest is None and service is not None and service.since > now:
            service = history.service(procedure, now)  # the latest is stated ahead of its time
            newest = histories.newest_selected(history, service)
        tracked.service = service
        if newest is not None:
            tracked.is_marked = True
            tracked.newest, tracked.marked_by = newest
        history.score = histories.last_score(
            history, policy, None if service is None else service.version
        )
        last = histories.last_scored(model, self._position)
        if last is not None:
            moment = Moment(self._clock.elapsed_seconds(), now)
            # Dated by a clock that was ahead, it is long past for all that is known.
            unknown = UNKNOWN if self._info.clock == "wall" else moment.elapsed
            elapsed = self._scored.get(model, unknown)
            tracked.scored = self._scored_before(last, moment, tracked.newest, elapsed)
            tracked.is_marked = histories.is_observed_after(history, service, last.as_of)
            tracked.marked_by = tracked.marked_by if tracked.is_marked else None
            tracked.is_changed = histories.is_changed_after(history, last.as_of)
        tracked.state = ModelState(policy.scoring)
        if tracked.newest is not None:
            first, _ = window_bounds(policy.scoring, min(tracked.newest, now))
            tracked.state, _ = histories.fill(
                history, service, policy.scoring, first, TIME_LIMIT - 1
            )
        return tracked

    def _scored_before(
        self, last: LastScored, now: Moment, newest: int | None, otherwise: float
    ) -> Moment:
        """Return when a model was scored that this evaluator did not score just now.

        `otherwise`: the elapsed seconds then, for what the times on record do not tell.
        """
        elapsed = otherwise
        if self._info.clock == "wall" and last.recorded_at <= now.ledger:
            elapsed = now.elapsed - (now.ledger - last.recorded_at) / SECOND
        own = None if newest is None else min(newest, last.evaluated_at)
        # In a `data` ledger a stated deployment may be recorded ahead of what was observed.
        return Moment(elapsed, min(last.recorded_at, now.ledger), own)

    def _state_for(self, horizon: AssessmentInputs, tracked: TrackedModel) -> ModelState:
        """Return the buckets of the version in service then, which may not be the one followed."""
        assert tracked.state is not None
        if horizon.service == tracked.service:
            return tracked.state
        scoring = horizon.policy.scoring
        bounds = window_bounds(scoring, horizon.evaluated_at)
        return self._histories.fill(tracked.history, horizon.service, scoring, *bounds)[0]

    def _proposal(self, tracked: TrackedModel, now: int) -> Proposal:
        assert tracked.policy is not None
        assert tracked.state is not None
        # Of a version that another one is stated to follow, what is asked is how it is now.
        is_latest = tracked.service is not None and tracked.service.until is None
        newest = tracked.newest if tracked.is_marked and is_latest else None
        overrides = tracked.history.overrides
        if newest is not None and (
            override_in_effect(overrides, newest) is not override_in_effect(overrides, now)
        ):
            newest = None  # what ended since must not decide once more
        tracked.history.as_of = self._position
        horizon = AssessmentInputs(
            tracked.history,
            tracked.policy,
            now if newest is None else newest,
            trigger="schedule" if newest is None else "ingest",
            is_historical=False,
        )
        last = tracked.history.score
        if last and not is_same_versions(last[0], horizon.model_version, tracked.policy):
            # A client's evaluation under a policy that was just replaced came in after all.
            last = self._histories.last_score(
                tracked.history, tracked.policy, horizon.model_version
            )
        assessment = assess(horizon, self._state_for(horizon, tracked), last)
        earliest = now if tracked.newest is None else min(tracked.newest, now)
        if tracked.newest is not None:
            tracked.state.prune(earliest)
        cause = None if newest is None else tracked.marked_by
        prior = tracked.history.decision
        asks_first = prior is not None and self._histories.asks_first(tracked.policy, prior.data)
        recordable = Recordable(assessment, cause, assessment.is_change or asks_first)
        made = proposal([recordable], self._clock)
        return self._shadows.beside(made, horizon, tracked.shadows, earliest)
