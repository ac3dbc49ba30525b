"""The grounds of a decision: how each number came about, what was reported, and by whose policy.

Everything is read from the ledger as it was at the decision's horizon, and computed again from
observations; so it costs what a replay costs, and cannot be had once an observation is erased.
"""

from dataclasses import dataclass, replace

from ledger.application.commands import signal_stream
from ledger.application.decisions.replay import ColdAssessment, Replayer
from ledger.application.fleet.history import HistoryReader, window_bounds
from ledger.application.policies.governance import PolicyGovernance
from ledger.errors import LedgerError, Reason
from ledger.events.cases import CASE_TYPES
from ledger.events.decisions import HorizonData, ScoreComputed
from ledger.events.envelope import RecordedEvent
from ledger.events.fast import Observed
from ledger.events.policies import PolicyActivated, PolicyDrafted
from ledger.events.policy_document import PolicyDocument
from ledger.events.registry import typed
from ledger.events.signals import DEFINED_TYPES, SignalDefined, SignalObservedV2
from ledger.events.values import SECOND
from ledger.governance.answers import ActivationAnswer, answer_for
from ledger.governance.case_words import told_case
from ledger.kernel.intermediates import ScoreTrace, SignalTrace, trace_score
from ledger.rules.counterfactuals import Situation, SmallestChange, counterfactuals
from ledger.storage.events import Events

_REPORTS_MAX = 5  # of each signal


@dataclass(frozen=True, slots=True)
class SelectedReport:
    """One observation that counted, as it was recorded: its value is nano."""

    position: int
    observed_at: int
    value: int
    sample_size: int
    source: str
    details: SignalObservedV2 | None = None
    """Where the observation says more than its value: raw value, indicators, report, correction."""


@dataclass(frozen=True, slots=True)
class DecisionGrounds:
    """How a decision's score came about; `reports` are the newest of each signal, newest first."""

    reading: ScoreTrace
    reports: dict[str, tuple[SelectedReport, ...]]
    reports_counted: dict[str, int]
    units: dict[str, str]
    counterfactuals: tuple[SmallestChange, ...]


@dataclass(frozen=True, slots=True)
class StandingPolicy:
    """By whose act a policy version was in force: its draft and its activation."""

    document: PolicyDocument
    draft: RecordedEvent
    activation: RecordedEvent
    drafted: PolicyDrafted
    activated: PolicyActivated
    answer: ActivationAnswer | None
    """The persons who answer for it by now; None where it was erased a moment ago."""


class GroundsReader:
    """Reads the grounds of decisions of one ledger."""

    def __init__(
        self,
        events: Events,
        ledger: str,
        histories: HistoryReader,
        replayer: Replayer,
        governance: PolicyGovernance,
    ) -> None:
        self._governance = governance
        self._events = events
        self._ledger = ledger
        self._histories = histories
        self._replayer = replayer

    def grounds(self, scored: ScoreComputed) -> DecisionGrounds:
        """Return how a score came about, and what would have changed what follows from it.

        EVENT_UNREADABLE where it cannot be derived again, or not as it is recorded; BODY_ERASED
        where it rests on a body that was erased.
        """
        cold = self._replayer.assess_again(scored)
        if cold.assessment.score != scored:
            raise LedgerError(
                Reason.EVENT_UNREADABLE,
                f"The score of {scored.model} as of position {scored.as_of} comes out otherwise.",
                remedy="Replay the decision to see where the two differ.",
                metadata={"model": scored.model, "as_of": str(scored.as_of)},
            )
        inputs = cold.assessment.horizon
        described, scoring = inputs.history.described, inputs.policy.scoring
        reading = trace_score(
            scoring,
            described.impact_ppm,
            described.risk_ppm,
            cold.state,
            inputs.evaluated_at,
        )
        units = self._units([rule.signal for rule in scoring.signals], scored.as_of)
        windows = {rule.signal: rule.window_seconds for rule in scoring.signals}
        slo = described.slo_signal
        found = counterfactuals(
            Situation(
                scoring=scoring,
                rules=inputs.policy.rules,
                environment=cold.assessment.environment,
                reading=reading,
                state=cold.state,
                evaluated_at=inputs.evaluated_at,
                last_priority=cold.last_priority,
                slo_signal=slo,
                slo_window_seconds=windows.get(slo or "", 0),
                units=units,
            )
        )
        reports, counted = self._reports(cold, reading)
        return DecisionGrounds(reading, reports, counted, units, found)

    def standing(self, data: HorizonData) -> StandingPolicy | None:
        """Return by whose act the policy of a decision was in force; None where that is erased."""
        try:
            history = self._histories.history(data.model, data.as_of)
            found = history and self._histories.activation_for(history.described, data.as_of)
            at, document = self._histories.draft(
                data.policy, data.policy_version, data.policy_digest
            )
        except LedgerError as error:
            if error.reason is not Reason.BODY_ERASED:
                raise
            return None
        draft = self._events.event(self._ledger, at)
        if not found or draft is None:
            return None
        event, activated = found
        state = self._governance.judged().state
        known = state.activations.get(event.position)
        answer = None if known is None else answer_for(state, known)
        return StandingPolicy(
            document, draft, event, typed(draft, PolicyDrafted), activated, answer
        )

    def asked(self, model: str, decision: int) -> list[str]:
        """Return what a decision asked of people and what they answered, a sentence each.

        Events whose bodies were erased are left out.
        """
        found = [
            event
            for noun in ("escalations", "tasks")
            for event in self._events.of_types(
                self._ledger, CASE_TYPES, stream=f"{noun}/{model}", after=decision
            )
            if event.body_bytes is not None
            and decision in (event.data.get("escalation"), event.data.get("task"))
        ]
        return [told_case(event) for event in sorted(found, key=lambda event: event.position)]

    def _units(self, signals: list[str], as_of: int) -> dict[str, str]:
        """Return the unit of each signal as it was defined at a position; none where it is not."""
        found: dict[str, str] = {}
        for signal in signals:
            event = self._events.latest(
                self._ledger, signal_stream(signal), DEFINED_TYPES, at_or_before=as_of
            )
            if event is not None and event.body_bytes is not None:
                found[signal] = typed(event, SignalDefined).unit
        return found

    def _reports(
        self, cold: ColdAssessment, reading: ScoreTrace
    ) -> tuple[dict[str, tuple[SelectedReport, ...]], dict[str, int]]:
        """Return the newest observations that counted of each signal, and how many counted."""
        inputs = cold.assessment.horizon
        scoring = inputs.policy.scoring
        of_signal = {one.output.signal: one for one in reading.signals}
        first, last = window_bounds(scoring, inputs.evaluated_at)
        by_signal: dict[str, list[SelectedReport]] = {}
        for position, seen in self._histories.selected(
            inputs.history, inputs.service, scoring, first, last
        ):
            if not _counts(of_signal[seen.signal], seen):
                continue
            by_signal.setdefault(seen.signal, []).append(
                SelectedReport(
                    position, seen.observed_at, seen.value, seen.sample_size, seen.source
                )
            )
        newest = {
            signal: tuple(
                self._with_details(one)
                for one in sorted(reports, key=lambda one: (-one.observed_at, -one.position))[
                    :_REPORTS_MAX
                ]
            )
            for signal, reports in by_signal.items()
        }
        return newest, {signal: len(reports) for signal, reports in by_signal.items()}

    def _with_details(self, report: SelectedReport) -> SelectedReport:
        """Return a report with what its observation says beyond its value."""
        event = self._events.event(self._ledger, report.position)
        if event is None or event.type != SignalObservedV2.TYPE:
            return report
        return replace(report, details=typed(event, SignalObservedV2))


def _counts(reading: SignalTrace, seen: Observed) -> bool:
    """Whether an observation lies in a bucket that was read, of a source that spoke."""
    rule, micros = reading.rule, reading.rule.bucket_seconds * SECOND
    begins_at = seen.observed_at // micros * micros
    is_of_one = rule.source_cap is None and rule.sources_needed > 0
    return any(one.begins_at == begins_at for one in reading.buckets) and (
        not is_of_one or seen.source == reading.output.source
    )
