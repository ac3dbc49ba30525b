"""A policy tried on a ledger's own history: what it would have decided, written nowhere.

Each model is walked once along its own stream, in order of position, so a trial sees at each score
what that score saw. It is assessed again where it was scored, at the same position and time; where
a model was never scored, when the tried policy would have been due: its interval after the score
before, by the times of what was observed. The tried policy's own last decision and score are what
its hysteresis and its bound of priority go by. Overrides count as they were set.

A body that was erased since is not there. Costs one read of the streams, and one
of the buckets in which something was corrected at the next score; nothing is kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ledger.application.commands import model_stream
from ledger.application.decisions.trial_places import TrialPlaces
from ledger.application.decisions.trial_result import Trial, TrialReport, TrialStep, report_of
from ledger.application.evaluation.assessments import Assessment, AssessmentInputs, assess
from ledger.application.fleet.fleet import Fleet
from ledger.application.fleet.history import History, HistoryReader, PriorDecision, window_bounds
from ledger.application.fleet.service_period import ServicePeriod
from ledger.application.policies.compiled import CompiledPolicy, is_same_versions
from ledger.errors import invalid_field
from ledger.events.corrections import correction_of
from ledger.events.decisions import DECISION_TYPES, DecisionMade, ScoreComputed
from ledger.events.envelope import RecordedEvent
from ledger.events.fast import parse_observed
from ledger.events.models import DESCRIBING, ModelDescribed
from ledger.events.policy_document import Action
from ledger.events.registry import decode_data, typed
from ledger.events.values import SECOND, TIME_LIMIT, parse_time
from ledger.kernel.buckets import ModelState
from ledger.storage.events import Events
from ledger.storage.records import LedgerInfo

EVENTS_MAX: Final = 500_000  # a minute or two
_PAGE: Final = 2_000


@dataclass(frozen=True, slots=True)
class TrialSpan:
    """The scores to report: at what times, of microseconds; all before them count as history."""

    since: int = 0
    until: int = TIME_LIMIT - 1

    def holds(self, at: int) -> bool:
        """Whether a time is within the span."""
        return self.since <= at <= self.until


class _Reads:
    """How many events one trial has read, those that it read again too."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, count: int) -> None:
        """Count events; FIELD_INVALID once they are more than one trial reads."""
        self._count += count
        if self._count > EVENTS_MAX:
            raise invalid_field(
                "models",
                f"have more than {EVENTS_MAX} events, which is what one trial reads; what it reads "
                "again, after a correction or another version, counts again",
                remedy="Name the models to try it on, fewer at a time, or an earlier end.",
            )


class Trials:
    """Tries policies on one ledger."""

    def __init__(
        self,
        events: Events,
        info: LedgerInfo,
        histories: HistoryReader,
        fleet: Fleet,
        places: TrialPlaces,
    ) -> None:
        self._events = events
        self._info = info
        self._histories = histories
        self._fleet = fleet
        self._places = places

    def report(
        self,
        policy: CompiledPolicy,
        against: CompiledPolicy | None,
        models: Sequence[str],
        span: TrialSpan,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> TrialReport:
        """Return where a policy would have decided otherwise than another, or than is on record.

        Without `models` it is tried on all that are not retired. MODEL_UNKNOWN for one that is not
        there, LIMIT_REACHED while as many policies as may be are being tried; see `run`.
        """
        self._fleet.refresh()
        for model in models:
            if self._fleet.model(model) is None:
                raise self._fleet.model_unknown(model)
        chosen = sorted(set(models)) or [
            view.name for view in self._fleet.models() if not view.model.retired
        ]
        with self._places.one():
            return report_of(*self.run((against, policy), chosen, span, is_wanted))

    def run(
        self,
        policies: tuple[CompiledPolicy | None, CompiledPolicy],
        models: list[str],
        span: TrialSpan,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> tuple[Trial, Trial]:
        """Return what each of two policies would have led to at the same scores.

        None takes the recorded decisions. The second policy's interval says when a model is scored
        that never was. Ends early, with what there is, once it is not wanted any more.
        FIELD_INVALID where the models have more events than a trial reads.
        """
        head = self._events.head(self._info.origin).position
        before, after = Trial(), Trial()
        reads = _Reads()
        for model in models:
            events: list[RecordedEvent] = []
            for event in self._stream(model, head):
                events.append(event)
                reads.add(1)
            if not is_wanted():
                break
            horizons = self._horizons(events, policies[1])
            for trial, policy in zip((before, after), policies, strict=True):
                walk = _Walk(self._histories, policy, span, trial, reads)
                for event in events:
                    at = horizons.get(event.position)
                    if at is not None and not is_wanted():
                        return before, after
                    walk.fold(event, at)
                walk.end()
        return before, after

    def _stream(self, model: str, head: int) -> Iterator[RecordedEvent]:
        after = 0
        while True:
            page = self._events.read(
                self._info.origin,
                after=after,
                until=head,
                limit=_PAGE,
                streams=(model_stream(model),),
            )
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].position

    def _horizons(self, events: list[RecordedEvent], policy: CompiledPolicy) -> dict[int, int]:
        """Return the times of the scores, by the position after which the model is scored."""
        recorded = {
            event.position: parse_time(data.evaluated_at)
            for event in events
            if event.type == ScoreComputed.TYPE and event.body_bytes is not None
            if not (data := typed(event, ScoreComputed)).historical
        }
        return recorded or self._due(events, policy)

    def _due(self, events: list[RecordedEvent], policy: CompiledPolicy) -> dict[int, int]:
        """Return when a model that was never scored would have been: at times of observation."""
        found: dict[int, int] = {}
        rest = policy.document.evaluation.interval_seconds * SECOND
        is_data = self._info.clock == "data"
        newest = last_at = None
        for event in events:
            if event.observed_at is None or event.body_bytes is None:
                continue
            now = event.observed_at if is_data else event.recorded_at
            is_next = newest is not None and now > newest[0]
            if newest is not None and is_next and (not last_at or newest[0] - last_at >= rest):
                found[newest[2]], last_at = newest[1], newest[0]
            if newest is None or now >= newest[0]:
                newest = now, max(event.observed_at, newest[1] if newest else 0), event.position
        if newest is not None:
            found[newest[2]] = newest[1]  # the last one shows how things are at the end
        return found


@dataclass(slots=True)
class _Walk:
    """One model along its stream, under a policy or as it was recorded."""

    histories: HistoryReader
    policy: CompiledPolicy | None
    span: TrialSpan
    trial: Trial
    reads: _Reads
    history: History | None = None
    state: ModelState | None = None
    service: ServicePeriod | None = None
    corrected: set[tuple[str, int]] = field(default_factory=set)
    """Signals and times of the corrections since the last score."""
    pending: TrialStep | None = field(default=None)
    """A recorded score whose decision may follow."""

    def fold(self, event: RecordedEvent, at: int | None) -> None:
        """Take in one event; `at`: the time of the score that is due after it."""
        if event.body_bytes is None:
            self._pass_over(event)
        elif event.type in DESCRIBING and self.history is None:
            data = decode_data(event)
            assert isinstance(data, ModelDescribed)
            self.history = History(data.model, event.position, data)
        elif event.observed_at is not None:
            if correction_of(event) is None:
                self._observe(event)
            elif self.state is not None:  # its bucket still holds what is corrected
                seen = parse_observed(event)
                self.corrected.add((seen.signal, seen.observed_at))
        elif event.type in DECISION_TYPES:
            self._decided(typed(event, DecisionMade), event)
        elif event.type != ScoreComputed.TYPE and self.history is not None:
            self.history.apply(event)
        if at is not None and self.history is not None and not self.history.is_retired:
            self._score(self.history, event, at)

    def end(self) -> None:
        """Report what is still open."""
        if self.pending is not None:
            self.trial.add(self.pending)
            self.pending = None

    def _pass_over(self, event: RecordedEvent) -> None:
        self.trial.erased += 1
        if self.history is not None:
            self.history.pass_over(event)

    def _observe(self, event: RecordedEvent) -> None:
        if self.state is None or self.service is None:
            return
        seen = parse_observed(event)
        if not self.service.selects(seen.model_version, seen.observed_at):
            return
        self.state.observe(seen.signal, seen.value, seen.observed_at, seen.sample_size, seen.source)

    def _decided(self, data: DecisionMade, event: RecordedEvent) -> None:
        """Take a recorded decision, where it is the recorded ones that are reported."""
        if self.policy is not None or self.history is None or data.historical:
            return
        before = self.history.decision
        self.history.apply(event)
        if self.pending is not None and data.score_position == self.pending.position:
            self.pending = replace(
                self.pending,
                action=data.action,
                tier=data.tier,
                rule=data.rule,
                is_begun=_is_other(before, data.action, data.tier, data.rule),
            )

    def _score(self, history: History, event: RecordedEvent, at: int) -> None:
        history.as_of = event.position
        if self.policy is None:
            self.end()
            if event.type == ScoreComputed.TYPE and self.span.holds(at):
                self.pending = _recorded(history, event, at)
            return
        if at > self.span.until:
            return
        assessment, before = self._assessed(history, self.policy, at), history.decision
        if assessment.is_change:
            made = assessment.decision(event.position)
            history.decision = PriorDecision(made, event.position, None)
        history.score = (assessment.score, event.position)
        if self.span.holds(at):
            outcome = assessment.outcome
            self.trial.add(
                TrialStep(
                    history.model,
                    event.position,
                    at,
                    assessment.score.priority,
                    outcome.action,
                    outcome.tier,
                    outcome.rule,
                    _is_other(before, outcome.action, outcome.tier, outcome.rule),
                    before.data.action if before else "NO_ACTION",
                    int(history.described.cost_micros),
                )
            )

    def _assessed(self, history: History, policy: CompiledPolicy, at: int) -> Assessment:
        horizon = AssessmentInputs(history, policy, at, "ingest", is_historical=False)
        service = horizon.service
        if self.state is None or service != self.service:
            is_again, self.service = self.service is not None, service
            first, _ = window_bounds(policy.scoring, at)
            self.state, positions = self.histories.fill(
                history, service, policy.scoring, first, TIME_LIMIT - 1
            )
            if is_again:
                self.reads.add(len(positions))
        else:
            self._correct(history, self.state)
        self.corrected.clear()
        last = history.score
        if last and not is_same_versions(last[0], horizon.model_version, policy):
            last = None
        return assess(horizon, self.state, last)

    def _correct(self, history: History, state: ModelState) -> None:
        """Fill the buckets again in which something was corrected, each once."""
        emptied = {
            (signal, *bounds)
            for signal, at in self.corrected
            if (bounds := state.empty(signal, at)) is not None
        }
        for signal, first, last in sorted(emptied):
            found = self.histories.selected(history, self.service, state.scoring, first, last)
            for _, seen in found:
                self.reads.add(1)
                if seen.signal == signal:
                    state.observe(
                        seen.signal, seen.value, seen.observed_at, seen.sample_size, seen.source
                    )


def _is_other(before: PriorDecision | None, action: Action, tier: str, rule: str) -> bool:
    """Return whether a decision is another one than the one before, or than none."""
    if before is None:
        return action != "NO_ACTION" or rule != ""
    return (before.data.action, before.data.tier, before.data.rule) != (action, tier, rule)


def _recorded(history: History, event: RecordedEvent, at: int) -> TrialStep:
    """Return a recorded score with the decision in force before it."""
    data, prior = typed(event, ScoreComputed), history.decision
    return TrialStep(
        history.model,
        event.position,
        at,
        data.priority,
        prior.data.action if prior else "NO_ACTION",
        prior.data.tier if prior else "",
        prior.data.rule if prior else "",
        is_begun=False,
        last_action=prior.data.action if prior else "NO_ACTION",
        cost_micros=int(history.described.cost_micros),
    )
