"""Replay: read what a recorded score, decision or plan names, compute it again, compare the bytes.

Reads the ledger only, no projection and no warm state. The answer is a result, never an exception:
identical, divergent (each field with both values) or not replayable (why).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from ledger.application.commands import model_stream, shadow_stream
from ledger.application.evaluation.assessments import Assessment, AssessmentInputs, assess
from ledger.application.evaluation.shadows import ShadowAssessor
from ledger.application.fleet.history import HistoryReader, window_bounds
from ledger.application.planning.plans import PlanRequest
from ledger.application.planning.reuse import FleetReuse
from ledger.application.planning.shadow_plans import ShadowPlanning
from ledger.application.policies.compiled import CompiledPolicy
from ledger.errors import LedgerError, Reason
from ledger.events.canonical import encode
from ledger.events.decisions import (
    DECISION_TYPES,
    DecisionMade,
    DecisionResult,
    ScoreComputed,
)
from ledger.events.decisions import HorizonData as RecordedHorizon
from ledger.events.envelope import RecordedEvent
from ledger.events.plans import PLAN_TYPES, PlanMade, PlanMadeV2, PlannedFleet
from ledger.events.registry import decode_data
from ledger.events.reuse import ReuseProposed
from ledger.events.shadows import SHADOW_DECISION_TYPES, ShadowDecided, ShadowPlanned, ShadowScored
from ledger.events.values import parse_time
from ledger.kernel.buckets import ModelState
from ledger.kernel.scoring import KERNELS
from ledger.storage.events import Events

ReplayKind: TypeAlias = Literal["score", "decision", "plan"]
ReplayOutcome: TypeAlias = Literal["IDENTICAL", "DIVERGENT", "NOT_REPLAYABLE"]
REPLAYED_TYPES: Final[dict[str, ReplayKind]] = {
    ScoreComputed.TYPE: "score",
    **dict.fromkeys(DECISION_TYPES, "decision"),
    ShadowScored.TYPE: "score",
    **dict.fromkeys(SHADOW_DECISION_TYPES, "decision"),
    **dict.fromkeys(PLAN_TYPES, "plan"),
    ShadowPlanned.TYPE: "plan",
    ReuseProposed.TYPE: "plan",
}
Assessed: TypeAlias = ScoreComputed | DecisionMade | ShadowScored | ShadowDecided
_PLANNED: Final = (PlannedFleet, ReuseProposed)
_PAGE: Final = 500
_DIFFERENCES_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class ReplayDifference:
    """One field that came out otherwise, both values as canonical JSON, "" where absent."""

    path: str
    recorded: str
    recomputed: str


@dataclass(frozen=True, slots=True)
class EventReplay:
    """The result of replaying one event. `evidence` holds the positions of observations used."""

    position: int
    kind: ReplayKind
    name: str
    outcome: ReplayOutcome
    as_of: int
    evaluated_at: int
    differences: tuple[ReplayDifference, ...] = ()
    why: str = ""
    evidence: tuple[int, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ColdAssessment:
    """An assessment from the ledger alone, and what it was made from."""

    assessment: Assessment
    state: ModelState
    last_priority: int | None
    """The priority that the policy bounds the change from; None where it bounds none."""
    evidence: list[int]
    """The positions of the observations that counted."""


class Replayer:
    """Replays events of one ledger."""

    def __init__(
        self, events: Events, ledger: str, histories: HistoryReader, plans: ShadowPlanning
    ) -> None:
        self._events = events
        self._ledger = ledger
        self._histories = histories
        self._shadows = ShadowAssessor(events, ledger, histories)
        self._plans = plans

    def replay(self, position: int) -> EventReplay:
        """Return the result for the event at a position; DECISION_UNKNOWN for other types."""
        event = self._events.event(self._ledger, position)
        if event is None or event.type not in REPLAYED_TYPES:
            found = "nothing" if event is None else f"an event of type {event.type}"
            raise LedgerError(
                Reason.DECISION_UNKNOWN,
                f"At position {position} there is {found}, which is not a score, decision or plan.",
                remedy="List the decisions to find the position you mean.",
                metadata={"position": str(position)},
            )
        return self.replay_event(event)

    def replay_range(
        self, first: int, last: int, kinds: frozenset[ReplayKind]
    ) -> Iterator[EventReplay]:
        """Yield a result for each event of these kinds between two positions, both included."""
        types = [type_ for type_, kind in REPLAYED_TYPES.items() if kind in kinds]
        after = first - 1
        while True:
            events = self._events.of_types(
                self._ledger, types, after=after, at_or_before=last, limit=_PAGE
            )
            for event in events:
                yield self.replay_event(event)
            if len(events) < _PAGE:
                return
            after = events[-1].position

    def replay_event(self, event: RecordedEvent) -> EventReplay:
        """Return the result for one event that was read from this ledger."""
        kind = REPLAYED_TYPES[event.type]
        try:
            if event.body_bytes is None:
                raise self._histories.erasures.refusal(event.position)
            data = decode_data(event)
        except LedgerError as error:
            why = _why(error)
            return EventReplay(event.position, kind, "", "NOT_REPLAYABLE", 0, 0, why=why)
        if isinstance(data, PlanMade):
            return self._checked(event, kind, f"plans/{data.plan}", data, self._plan)
        if isinstance(data, ShadowPlanned):
            name = f"{data.stream_name}/plans/{event.position}"
            return self._checked(event, kind, name, data, self._shadow_plan)
        if isinstance(data, ReuseProposed):
            return self._checked(
                event, kind, f"{data.stream_name}/{event.position}", data, self._reuse
            )
        assert isinstance(data, RecordedHorizon)
        name = f"{_stream(data)}/{kind}s/{event.position}"
        return self._checked(event, kind, name, data, self._assessed)

    def _checked(
        self,
        event: RecordedEvent,
        kind: ReplayKind,
        name: str,
        data: Any,  # noqa: ANN401 - a horizon's or a plan's data; `compute` knows which
        compute: Callable[[Any], tuple[dict[str, Any], list[int]]],
    ) -> EventReplay:
        at = parse_time(data.made_at if isinstance(data, _PLANNED) else data.evaluated_at)
        try:
            _check_place(event, data)
            recomputed, evidence = compute(data)
            recorded = event.data
            if isinstance(data, DecisionResult):  # what it rests on is compared along with it
                recorded = recorded | {"score": self._cited(data)}
        except (_NotReplayableError, LedgerError) as error:
            why = _why(error) if isinstance(error, LedgerError) else str(error)
            return EventReplay(
                event.position, kind, name, "NOT_REPLAYABLE", data.as_of, at, why=why
            )
        is_equal = encode(recorded) == encode(recomputed)
        found = () if is_equal else tuple(differences(recorded, recomputed))
        return EventReplay(
            event.position,
            kind,
            name,
            "IDENTICAL" if is_equal else "DIVERGENT",
            data.as_of,
            at,
            differences=found[:_DIFFERENCES_MAX],
            evidence=tuple(evidence),
        )

    def _assessed(self, data: Assessed) -> tuple[dict[str, Any], list[int]]:
        """Return the score or decision as computed today, and the observations it rests on."""
        if isinstance(data, ShadowScored | ShadowDecided):
            return self._shadowed(data)
        cold = self.assess_cold(self._horizon(data))
        scored = cold.assessment.score.to_data()
        if isinstance(data, ScoreComputed):
            return scored, cold.evidence
        decision = cold.assessment.decision(data.score_position).to_data()
        return decision | {"score": scored}, cold.evidence

    def _shadowed(self, data: ShadowScored | ShadowDecided) -> tuple[dict[str, Any], list[int]]:
        """Return the same of a policy in shadow."""
        running = self._shadows.reader.running(data.as_of).running.get(data.shadow)
        if running is None:
            raise _NotReplayableError(f"no shadow of position {data.shadow} ran at its horizon")
        policy = self._histories.compiled(*running.reference)
        cold = self._shadows.assess(self._inputs(data, policy), data.shadow, policy)
        scored = cold.score.to_data()
        if isinstance(data, ShadowScored):
            return scored, cold.evidence
        return cold.decision(data.score_position).to_data() | {"score": scored}, cold.evidence

    def assess_again(self, data: ScoreComputed) -> ColdAssessment:
        """Return the assessment behind a recorded score; EVENT_UNREADABLE if that cannot be had.

        BODY_ERASED where it rests on a body that was erased.
        """
        try:
            return self.assess_cold(self._horizon(data))
        except _NotReplayableError as error:
            raise LedgerError(
                Reason.EVENT_UNREADABLE,
                f"The score of {data.model} as of position {data.as_of} cannot be derived again: "
                f"{error}.",
                remedy="Replay it to see what is known about it.",
                metadata={"model": data.model, "as_of": str(data.as_of)},
            ) from error

    def _horizon(self, data: ScoreComputed | DecisionMade) -> AssessmentInputs:
        """Return what a recorded score or decision names as its horizon, read from the ledger."""
        return self._inputs(data, None)

    def _inputs(self, data: RecordedHorizon, policy: CompiledPolicy | None) -> AssessmentInputs:
        """Return a horizon under a policy; None: under the one that was in force."""
        if data.kernel not in KERNELS:
            raise _NotReplayableError(f"this release has no kernel {data.kernel}")
        history = self._histories.history(data.model, data.as_of)
        if history is None:
            raise _NotReplayableError(f"model {data.model} was not registered at its horizon")
        policy = policy or self._histories.policy_in_force(history.described, data.as_of)
        if policy is None:
            raise _NotReplayableError("no policy was in force for the model at its horizon")
        return AssessmentInputs(
            history, policy, parse_time(data.evaluated_at), data.trigger, data.historical
        )

    def assess_cold(self, horizon: AssessmentInputs) -> ColdAssessment:
        """Return an assessment from the ledger alone."""
        scoring = horizon.policy.scoring
        first, last = window_bounds(scoring, horizon.evaluated_at)
        state, evidence = self._histories.fill(
            horizon.history, horizon.service, scoring, first, last
        )
        bounded = horizon.policy.rules.max_priority_step is not None
        last_score = (
            self._histories.last_score(horizon.history, horizon.policy, horizon.model_version)
            if bounded
            else None
        )
        last_priority = last_score[0].priority if last_score else None
        return ColdAssessment(assess(horizon, state, last_score), state, last_priority, evidence)

    def _cited(self, data: DecisionResult) -> dict[str, Any]:
        """Return what the score recorded that a decision cites."""
        cited = self._events.event(self._ledger, data.score_position)
        type_ = ShadowScored.TYPE if isinstance(data, ShadowDecided) else ScoreComputed.TYPE
        if cited is None or cited.type != type_:
            raise _NotReplayableError(f"there is no score at position {data.score_position}")
        if cited.body_bytes is None:
            raise self._histories.erasures.refusal(cited.position)
        return cited.data

    def _plan(self, data: PlanMade) -> tuple[dict[str, Any], list[int]]:
        policy: CompiledPolicy = self._histories.compiled(
            data.policy, data.policy_version, data.policy_digest
        )
        made = self._plans.planning.compute(
            PlanRequest(
                data.plan,
                data.as_of,
                parse_time(data.made_at),
                policy,
                int(data.purse_micros),
                int(data.purse_cap_micros),
                data.second_to if isinstance(data, PlanMadeV2) else None,
            )
        )
        return made.to_data(), []

    def _reuse(self, data: ReuseProposed) -> tuple[dict[str, Any], list[int]]:
        policy = self._histories.compiled(data.policy, data.policy_version, data.policy_digest)
        fleet = self._plans.planning.reading(policy, data.as_of, parse_time(data.made_at))
        for one in FleetReuse(fleet).decided:
            if one.model == data.model:
                return one.to_data(), []
        return {}, []  # nothing of the model is put back by that policy

    def _shadow_plan(self, data: ShadowPlanned) -> tuple[dict[str, Any], list[int]]:
        made = self._plans.again(data)
        if made is None:
            raise _NotReplayableError(f"no shadow of position {data.shadow} ran at its horizon")
        return made.to_data(), []


class _NotReplayableError(Exception):
    """Why an event cannot be computed again."""


def _why(error: LedgerError) -> str:
    """Return why an event cannot be computed again, of a refusal to read what it rests on."""
    if error.reason is not Reason.BODY_ERASED:
        return error.message
    return f"erased: t{error.message[1:].rstrip('.')}"


def _check_place(
    event: RecordedEvent, data: RecordedHorizon | PlannedFleet | ReuseProposed
) -> None:
    """Refuse an event that names a horizon it cannot have had, or is in another's stream."""
    if data.as_of >= event.position:
        raise _NotReplayableError("its horizon does not lie before it")
    stream = data.stream_name if isinstance(data, _PLANNED) else _stream(data)
    if event.stream != stream:
        raise _NotReplayableError(f"it is in the stream {event.stream}, but is of {stream}")


def _stream(data: RecordedHorizon) -> str:
    """Return the stream in which a score or decision belongs."""
    is_shadow = isinstance(data, ShadowScored | ShadowDecided)
    return shadow_stream(data.model) if is_shadow else model_stream(data.model)


def differences(recorded: object, recomputed: object, path: str = "") -> Iterator[ReplayDifference]:
    """Yield every leaf in which two canonical values differ, in order of path."""
    if isinstance(recorded, dict) and isinstance(recomputed, dict):
        for key in sorted({*recorded, *recomputed}):
            where = f"{path}.{key}" if path else key
            yield from differences(recorded.get(key, _ABSENT), recomputed.get(key, _ABSENT), where)
    elif isinstance(recorded, list) and isinstance(recomputed, list):
        for index in range(max(len(recorded), len(recomputed))):
            one = recorded[index] if index < len(recorded) else _ABSENT
            other = recomputed[index] if index < len(recomputed) else _ABSENT
            yield from differences(one, other, f"{path}[{index}]")
    elif _shown(recorded) != _shown(recomputed):
        yield ReplayDifference(path, _shown(recorded), _shown(recomputed))


_ABSENT: Final = object()


def _shown(value: object) -> str:
    return "" if value is _ABSENT else encode(value).decode()
