"""The evaluator: follows the log with warm bucket state and scores what is due.

Ingest marks models. A marked model is scored once its policy's interval has passed since its last
score, a silent one once its policy's silence has, so that silence shows. State is folded from
events alone and built cold from the ledger when it is missing, so a restart, a deployment or a new
policy changes nothing about the scores; replay, which is always cold, is the proof.

One evaluator per ledger is active: a lease decides which server's. Owned by the follower's thread.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from ledger.application.assess import Horizon, assess
from ledger.application.commands import Caller
from ledger.application.compiled import CompiledPolicy
from ledger.application.history import Historian, History, is_same_versions, window_bounds
from ledger.application.recording import Recordable, append_request
from ledger.clock import Clock, uuid7
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent
from ledger.events.fast import parse_observed
from ledger.events.models import ModelDeployed, ModelRegistered
from ledger.events.policies import PolicyActivated
from ledger.events.signals import SignalObserved
from ledger.events.values import TIME_LIMIT
from ledger.kernel.bucketed import ModelState
from ledger.storage.store import AppendRequest, AppendResult, LedgerInfo, Store

LEASE: Final = "evaluator"
LEASE_SECONDS: Final = 10.0
CALLER: Final = Caller("system/evaluator")
_SECOND: Final = 1_000_000


@dataclass(slots=True)
class Warm:
    """One model as the evaluator knows it at its position."""

    history: History
    policy: CompiledPolicy | None
    state: ModelState | None
    newest: int | None
    """Newest observed_at among the selected observations."""
    is_marked: bool
    """Whether something was observed since the last score."""
    marked_by: int | None
    """Position of the newest such observation, as far as it is known."""
    scored_at: int | None
    """The ledger's clock at the last score."""
    pending: int = 0
    """Where the last score of our own stands; until it is folded, nothing is due."""


class Evaluator:
    """Folds events, and writes scores and decisions for the models that are due."""

    def __init__(
        self, store: Store, info: LedgerInfo, historian: Historian, clock: Clock, position: int
    ) -> None:
        self._store = store
        self._info = info
        self._historian = historian
        self._clock = clock
        self._holder = uuid7(clock)
        self._position = position
        self._newest_observed = store.head(info.origin).newest_observed_at
        self._warm: dict[str, Warm | None] = {}
        self._is_active = False
        self._lease_until = 0.0

    @property
    def position(self) -> int:
        """The last position that was folded."""
        return self._position

    @property
    def is_active(self) -> bool:
        """Whether this server's evaluator holds the ledger's lease."""
        return self._is_active

    def consume(self, events: Sequence[RecordedEvent]) -> None:
        """Fold events in order of position; those already folded are passed over."""
        for event in events:
            if event.position <= self._position:
                continue
            self._position = event.position
            if event.type == SignalObserved.TYPE:
                self._observe(event)
            elif event.stream.startswith("models/"):
                self._fold(event)
            elif event.type == PolicyActivated.TYPE:
                self._warm.clear()  # scopes may have moved; state is rebuilt when it is needed

    def run_due(self) -> int:
        """Score every model that is due and return how many were. Waits for the writes."""
        if not self._hold_lease():
            return 0
        now = self._now()
        waiting: list[tuple[Warm, Future[AppendResult]]] = []
        for model in list(self._warm):
            warm = self._ready(model)
            if warm is None or not _is_due(warm, now):
                continue
            try:
                waiting.append((warm, self._store.submit(self._request(warm, now))))
            except LedgerError as error:
                if error.reason is not Reason.LIMIT_REACHED:
                    raise
                break  # the writer is busy with what callers wait for; the rest stays due
        written = 0
        for warm, future in waiting:
            try:
                warm.pending = future.result().last_position
            except LedgerError as error:
                if error.reason is not Reason.VERSION_CONFLICT:
                    raise
                continue  # something newer is on its way to us: fold it, then look again
            written += 1
            warm.is_marked = False
            warm.marked_by = None
            warm.scored_at = now
        return written

    def release(self) -> None:
        """Give the lease back, so that another server need not wait for it to run out."""
        if self._is_active:
            self._store.lease(self._info.origin, LEASE, self._holder, 0)
            self._is_active = False

    def _hold_lease(self) -> bool:
        moment = self._clock.monotonic_seconds()
        if moment < self._lease_until - LEASE_SECONDS / 2:
            return self._is_active
        held = self._store.lease(self._info.origin, LEASE, self._holder, LEASE_SECONDS)
        self._lease_until = moment + LEASE_SECONDS if held else 0.0
        if held and not self._is_active:
            self._adopt_fleet()
        self._is_active = held
        return held

    def _adopt_fleet(self) -> None:
        """Look at every model once: whatever was marked while nobody evaluated is due now."""
        registered = self._store.of_types(
            self._info.origin, (ModelRegistered.TYPE,), at_or_before=self._position
        )
        self._warm = {event.stream.partition("/")[2]: None for event in registered}

    def _now(self) -> int:
        if self._info.clock == "data":
            return self._newest_observed or 0
        return self._clock.now_micros()

    def _observe(self, event: RecordedEvent) -> None:
        observed_at = event.observed_at or 0
        if self._newest_observed is None or observed_at > self._newest_observed:
            self._newest_observed = observed_at
        warm = self._warm.setdefault(event.stream[7:], None)
        if warm is None:
            return
        warm.is_marked = True
        warm.marked_by = event.position
        if warm.state is None:
            return
        seen = parse_observed(event)
        if warm.history.is_selected(seen.model_version, observed_at):
            warm.state.observe(seen.signal, seen.value, observed_at, seen.sample_size, seen.source)
            if warm.newest is None or observed_at > warm.newest:
                warm.newest = observed_at

    def _fold(self, event: RecordedEvent) -> None:
        model = event.stream[7:]
        warm = self._warm.setdefault(model, None)
        if warm is None:
            return
        warm.history.apply(event)
        score = warm.history.score
        if score is not None and score[1] == event.position:
            warm.scored_at = event.recorded_at if self._info.clock == "wall" else self._now()
            if warm.marked_by is None or warm.marked_by <= score[0].as_of:
                warm.is_marked, warm.marked_by = False, None
        if event.type in (ModelDeployed.TYPE, "model.updated.v1"):
            self._warm[model] = None  # other observations are selected, or another policy fits

    def _ready(self, model: str) -> Warm | None:
        """Return a model's warm state as of our position, built cold where it is missing."""
        warm = self._warm[model]
        if warm is None:
            warm = self._build(model)
            self._warm[model] = warm
        if warm is None or warm.policy is None or warm.history.is_retired:
            return None
        is_served = warm.history.serving is not None
        return warm if is_served and warm.pending <= self._position else None

    def _build(self, model: str) -> Warm | None:
        history = self._historian.history(model, self._position)
        if history is None:
            return None
        policy = self._historian.policy_in_force(history.described, self._position)
        warm = Warm(history, policy, None, None, is_marked=True, marked_by=None, scored_at=None)
        if policy is None:
            return warm
        warm.newest = self._historian.newest_selected(history)
        history.score = self._historian.last_score(history, policy)
        warm.scored_at = self._historian.scored_at(model, self._position)
        if warm.newest is not None:
            first, _ = window_bounds(policy.scoring, min(warm.newest, self._now()))
            warm.state, _ = self._historian.fill(history, policy.scoring, first, TIME_LIMIT - 1)
        else:
            warm.state = ModelState(policy.scoring)
        return warm

    def _request(self, warm: Warm, now: int) -> AppendRequest:
        assert warm.policy is not None
        assert warm.state is not None
        is_ingest = warm.is_marked
        evaluated_at = warm.newest if is_ingest and warm.newest is not None else now
        warm.history.as_of = self._position
        horizon = Horizon(
            warm.history,
            warm.policy,
            evaluated_at,
            trigger="ingest" if is_ingest else "schedule",
            is_historical=False,
        )
        last = warm.history.score
        if last and not is_same_versions(last[0], horizon.model_version, warm.policy):
            last = None
        assessment = assess(horizon, warm.state, last)
        if warm.newest is not None:
            warm.state.prune(min(warm.newest, now))
        recordable = Recordable(assessment, warm.marked_by, assessment.is_change)
        return append_request(self._info.origin, CALLER, "Evaluator", [recordable], self._clock)


def _is_due(warm: Warm, now: int) -> bool:
    """Whether a model is to be scored: never scored, marked and rested, or silent for too long."""
    assert warm.policy is not None
    if warm.scored_at is None:
        return True
    timing = warm.policy.document.evaluation
    wait = timing.interval_seconds if warm.is_marked else timing.silence_seconds
    return now - warm.scored_at >= wait * _SECOND
