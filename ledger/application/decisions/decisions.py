"""Evaluation on request, and reading, explaining and listing what was decided."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from typing import Final

from ledger.application.appender import Appender, Proposal
from ledger.application.commands import Caller, ledger_time, model_stream
from ledger.application.decisions.overrulings import Overrulings
from ledger.application.decisions.replay import Replayer
from ledger.application.erasure import at_newest_head, with_bodies
from ledger.application.evaluation.assessments import AssessmentInputs, Recordable, proposal
from ledger.application.fleet.fleet import Fleet, model_retired
from ledger.application.fleet.history import History, HistoryReader
from ledger.application.policies.compiled import CompiledPolicy
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events import notation
from ledger.events.decisions import (
    DECISION_TYPES,
    DecisionMade,
    DecisionOverridden,
    DecisionOverriddenV2,
    ScoreComputed,
)
from ledger.events.envelope import RecordedEvent
from ledger.events.policy_document import DecisionPart
from ledger.events.registry import typed
from ledger.events.values import TIME_LIMIT
from ledger.kernel.bucketed import KernelScore, SignalOutput
from ledger.rules.explanation import DecisionExplanation, explain
from ledger.rules.procedure import Outcome
from ledger.storage.records import AppendResult, Head, LedgerInfo
from ledger.storage.store import Store

_TRIES = 5
MODELS_MAX = 1_000  # one request's evaluations are one append
_KINDS: Final = dict.fromkeys(DECISION_TYPES, "decisions") | {ScoreComputed.TYPE: "scores"}
"""The events that are explained, by type, as resource names have them."""


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """A decision, the score that it rests on, and where both stand."""

    decision: DecisionMade
    decision_event: RecordedEvent
    score: ScoreComputed
    score_event: RecordedEvent

    @property
    def run_id(self) -> str | None:
        """The run that the decision belongs to."""
        return self.decision_event.body.run_id


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """The decisions of an evaluation on request, in the order in which models were named."""

    written: AppendResult
    decided: tuple[RecordedDecision, ...]


class Decisions:
    """Decisions of one ledger."""

    def __init__(
        self,
        store: Store,
        info: LedgerInfo,
        fleet: Fleet,
        histories: HistoryReader,
        replayer: Replayer,
        clock: Clock,
    ) -> None:
        self._store = store
        self._info = info
        self._appender = Appender(store, info.origin)
        self._fleet = fleet
        self._histories = histories
        self._replayer = replayer
        self._clock = clock
        self.overrulings = Overrulings(store, info)

    def evaluate(self, caller: Caller, models: Sequence[str], at: int | None) -> EvaluationResult:
        """Score models and decide about them as of the head, all in one append.

        `at` makes the evaluations historical: at that time, before the newest observation that
        counts, changing nothing in force. FIELD_INVALID where a model has none after it.
        Costs by the windows' observations, since it reads the ledger and no warm state.
        """

        def decide() -> Proposal:
            _check_asked(models, at)
            recordables = at_newest_head(
                self._store.events,
                self._info.origin,
                lambda head: [self._recordable(model, head, at) for model in models],
            )
            return proposal(recordables, self._clock)

        return self._evaluated(
            self._appender.append(caller, ScoreComputed.METHOD, decide, tries=_TRIES)
        )

    def get(self, model: str, position: int) -> RecordedDecision:
        """Return a model's decision; DECISION_UNKNOWN if there is none at that position."""
        remedy = "List the model's decisions."
        return self._decided(self._of(model, position, "decision", DECISION_TYPES, remedy))

    def events(
        self, model: str | None, *, after: int, until: int, limit: int, descending: bool = False
    ) -> list[RecordedEvent]:
        """Return decision events of one model, or of all, with after < position <= until.

        Erased ones are left out.
        """
        return with_bodies(
            self._store.events,
            self._info.origin,
            DECISION_TYPES,
            stream=None if model is None else model_stream(model),
            after=after,
            until=until,
            limit=limit,
            descending=descending,
        )

    def explain(self, model: str, position: int) -> tuple[RecordedDecision, DecisionExplanation]:
        """Return a decision with its explanation, derived from what its events record."""
        decided = self.get(model, position)
        data = decided.decision
        policy = self._histories.compiled(data.policy, data.policy_version, data.policy_digest)
        return decided, explained(data, decided.score, policy.rules)

    def told_override(self, made: DecisionMade) -> str:
        """Return who set the override that a decision is under, until when and why; "" if none."""
        if made.overridden is None:
            return ""
        event = self._store.events.event(self._info.origin, made.overridden.position)
        if event is None or event.body_bytes is None:
            return "The override's author and reason were erased."
        data = typed(event, DecisionOverridden)
        until = notation.shown_time(data.effective_until)
        role = f" as {data.role}" if isinstance(data, DecisionOverriddenV2) and data.role else ""
        return f"{event.body.actor}{role} overrode it until {until}: {data.rationale}"

    def explain_score(
        self, model: str, position: int
    ) -> tuple[RecordedDecision, DecisionExplanation]:
        """Return what the rules make of a recorded score, whether or not it was recorded as well.

        The decision is where the score is. Costs what replaying the score costs.
        """
        remedy = "List the priorities to find the model's last score."
        event = self._of(model, position, "score", {ScoreComputed.TYPE}, remedy)
        data = typed(event, ScoreComputed)
        assessment = self._replayer.assess_again(data).assessment
        policy = assessment.horizon.policy
        explanation = explain(
            score_of(data), policy.rules, assessment.environment, assessment.outcome
        )
        return RecordedDecision(assessment.decision(position), event, data, event), explanation

    def at(self, position: int) -> tuple[str, str]:
        """Return whose decision or score is at a position, and of which kind, as names have it.

        DECISION_UNKNOWN where it holds another event.
        """
        event = self._store.events.event(self._info.origin, position)
        kind = "" if event is None else _KINDS.get(event.type, "")
        if event is None or not kind:
            raise LedgerError(
                Reason.DECISION_UNKNOWN,
                f"Position {position} holds no decision and no score.",
                remedy="List decisions with `decision-ledger decision list`.",
                metadata={"model": "", "position": str(position)},
            )
        return event.stream.partition("/")[2], kind

    def _of(
        self, model: str, position: int, what: str, types: Collection[str], remedy: str
    ) -> RecordedEvent:
        """Return a model's event at a position; DECISION_UNKNOWN, or BODY_ERASED."""
        event = self._store.events.event(self._info.origin, position)
        if event is None or event.type not in types or event.stream != model_stream(model):
            raise LedgerError(
                Reason.DECISION_UNKNOWN,
                f"Model {model} has no {what} at position {position}.",
                remedy=remedy,
                metadata={"model": model, "position": str(position)},
            )
        self._check_known(event)
        return event

    def _check_known(self, event: RecordedEvent) -> None:
        """Raise BODY_ERASED, with where the erasure is, unless the event's body is there."""
        if event.body_bytes is None:
            raise self._histories.erasures.refusal(event.position)

    def decidable(self, model: str, head: Head) -> tuple[History, CompiledPolicy]:
        """Return a model that is decided about at a head, and by which policy.

        MODEL_UNKNOWN, MODEL_RETIRED or POLICY_NOT_IN_FORCE where it is not.
        """
        history = self._histories.history(model, head.position)
        if history is None:
            raise self._fleet.model_unknown(model)
        if history.is_retired:
            raise model_retired(model)
        policy = self._histories.policy_in_force(history.described, head.position)
        if policy is None:
            raise LedgerError(
                Reason.POLICY_NOT_IN_FORCE,
                f"No policy is in force for model {model}.",
                remedy="Activate a policy for the model, its labels or the whole ledger.",
                metadata={"model": model},
            )
        return history, policy

    def _recordable(self, model: str, head: Head, at: int | None) -> Recordable:
        history, policy = self.decidable(model, head)
        history.cases = self._histories.cases(model, head.position)
        horizon = self._horizon(history, policy, head, at)
        assessment = self._replayer.assess_cold(horizon).assessment
        return Recordable(assessment, None, is_decided=True)

    def _horizon(
        self, history: History, policy: CompiledPolicy, head: Head, at: int | None
    ) -> AssessmentInputs:
        latest = ledger_time(self._info, self._store, head)
        newest = self.newest_observed(history, policy)
        present = latest if newest is None else newest
        if at is None or at == present:
            return AssessmentInputs(history, policy, present, "request", is_historical=False)
        # An evaluation that sees every observation is about the present, and counts.
        observed = head.newest_observed_at if newest is None else newest
        if observed is None:
            raise _not_earlier("no data was recorded yet, so no earlier time is known")
        if at > latest:
            raise _not_earlier(f"lies after the ledger's time, {notation.time(latest)}")
        if at >= observed:
            of = "of this ledger" if newest is None else f"that counts for model {history.model}"
            said = f"the newest observation {of}, {notation.time(observed)}"
            raise _not_earlier(f"does not lie before {said}: that is the present")
        return AssessmentInputs(history, policy, at, "request", is_historical=True)

    def newest_observed(self, history: History, policy: CompiledPolicy) -> int | None:
        """Return the time of the newest observation that counts; None without any."""
        newest = self._histories.newest_selected(history, history.service(policy.rules.procedure))
        return None if newest is None else newest[0]

    def _evaluated(self, written: AppendResult) -> EvaluationResult:
        events = self._store.events.read(
            self._info.origin,
            after=written.first_position - 1,
            until=written.last_position,
            limit=written.last_position - written.first_position + 1,
        )
        scored = [event for event in events if event.type == ScoreComputed.TYPE]
        decided = [event for event in events if event.type in DECISION_TYPES]
        pairs = zip(scored, decided, strict=True)
        return EvaluationResult(
            written,
            tuple(
                RecordedDecision(
                    typed(decision, DecisionMade), decision, typed(scored, ScoreComputed), scored
                )
                for scored, decision in pairs
            ),
        )

    def _decided(self, event: RecordedEvent) -> RecordedDecision:
        data = typed(event, DecisionMade)
        scored = self._store.events.event(self._info.origin, data.score_position)
        if scored is None:
            raise LedgerError(
                Reason.EVENT_UNREADABLE,
                f"The decision at position {event.position} cites a score at position "
                f"{data.score_position}, where there is nothing.",
                remedy="Verify the ledger with `decision-ledger verify`.",
                metadata={"position": str(event.position)},
            )
        self._check_known(scored)
        return RecordedDecision(data, event, typed(scored, ScoreComputed), scored)


def _check_asked(models: Sequence[str], at: int | None) -> None:
    if not 1 <= len(models) <= MODELS_MAX:
        raise invalid_field(
            "models", f"names {len(models)} models; 1 to {MODELS_MAX} are evaluated at once"
        )
    if len(set(models)) != len(models):
        raise invalid_field("models", "names a model twice")
    if at is not None and not 0 <= at < TIME_LIMIT:
        raise invalid_field("at", "lies before 1970 or after the year 9999")


def _not_earlier(fault: str) -> LedgerError:
    """Return the refusal of a stated time at which no historical evaluation can be."""
    remedy = "Leave it empty to evaluate now, or state an earlier time."
    return invalid_field("at", fault, remedy=remedy)


def explained(
    made: DecisionMade, scored: ScoreComputed, rules: DecisionPart
) -> DecisionExplanation:
    """Return the explanation of a recorded decision, from its score and its policy's rules."""
    outcome = Outcome(
        action=made.action,
        tier=made.tier,
        rule=made.rule,
        reason=made.reason,
        held_back=made.held_back,
        overridden=made.overridden,
    )
    return explain(score_of(scored), rules, made.environment, outcome)


def score_of(data: ScoreComputed) -> KernelScore:
    """Return a recorded score as the kernel gave it."""
    return KernelScore(
        degradation=data.degradation,
        coverage=data.coverage,
        priority=data.raw_priority,
        signals=tuple(
            SignalOutput(**{item.name: getattr(signal, item.name) for item in fields(SignalOutput)})
            for signal in data.signals
        ),
    )
