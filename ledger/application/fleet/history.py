"""The history of a model up to a position: the cold read behind evaluation, plans and replay.

Everything here is found by index in the ledger itself, never in a projection, and costs by what is
looked at (deployments, overrides, the observations of one window), not by the ledger's length.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from ledger.application.commands import model_stream
from ledger.application.fleet.cases import CaseReader
from ledger.application.fleet.service_period import (
    DeployedVersion,
    ServicePeriod,
    deployment_of,
    service_at,
)
from ledger.application.policies.compiled import CompiledPolicy, is_same_versions, is_version_of
from ledger.errors import event_unreadable
from ledger.events.corrections import uncorrected
from ledger.events.decisions import (
    DECISION_TYPES,
    OVERRIDDEN_TYPES,
    DecisionMade,
    DecisionOverridden,
    DecisionResult,
    HorizonData,
    ScoreComputed,
)
from ledger.events.envelope import RecordedEvent
from ledger.events.fast import Observed, parse_observed
from ledger.events.horizons import Bearing
from ledger.events.models import (
    DESCRIBING,
    ModelDeployed,
    ModelDescribed,
    ModelRetired,
)
from ledger.events.policies import ACTIVATED_TYPES
from ledger.events.registry import BY_TYPE, decode_data, typed
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import SECOND, parse_time
from ledger.governance.cases import ModelCases
from ledger.kernel.buckets import ModelState
from ledger.kernel.scoring import Scoring
from ledger.rules.procedure import Override
from ledger.rules.vocabulary import RULES_1

H = TypeVar("H", bound=HorizonData)

_LOOK_MAX: Final = 500  # observations looked at to learn whether one of them counts


@dataclass(frozen=True, slots=True)
class PriorDecision:
    """The decision in force, as its event recorded it; of a shadow, the last that it made."""

    data: DecisionResult
    position: int
    run_id: str | None


@dataclass(frozen=True, slots=True)
class LastScored:
    """When a model was last scored: on record, by position, the time that it was about; and how."""

    recorded_at: int
    as_of: int
    evaluated_at: int
    priority: int


@dataclass(slots=True)
class History:
    """A model as its stream left it at `as_of`."""

    model: str
    as_of: int
    described: ModelDescribed
    deployments: list[DeployedVersion] = field(default_factory=list)
    overrides: list[Override] = field(default_factory=list)
    decision: PriorDecision | None = None
    score: tuple[ScoreComputed, int] | None = None
    is_retired: bool = False
    cases: ModelCases = field(default_factory=ModelCases)
    """The escalation and tasks that are open; empty unless they were read with `cases`."""
    is_version_erased: bool = False
    """Whether the newest deployment was erased; `deployments` are those that are known."""

    def service(self, procedure: str, at: int | None = None) -> ServicePeriod | None:
        """Return the version in service at a time, by a procedure; None where none is known to be.

        Under `rules/1` it is the one recorded last, at any time. Without a time the latest stated.
        """
        if not self.deployments or self.is_version_erased:
            return None
        if procedure == RULES_1:
            return ServicePeriod(self.deployments[-1])
        return service_at(self.deployments, at)

    def apply(self, event: RecordedEvent) -> None:
        """Fold one more event of the model's stream; observations are kept elsewhere."""
        self.as_of = event.position
        data = decode_data(event)
        if isinstance(data, DecisionMade):
            if not data.historical:
                self.decision = PriorDecision(data, event.position, event.body.run_id)
        elif isinstance(data, ScoreComputed):
            if not data.historical:
                self.score = (data, event.position)
        elif isinstance(data, ModelDescribed):
            self.described = data
        elif isinstance(data, ModelDeployed):
            self.deployments.append(deployment_of(data, event.position))
            self.is_version_erased = False
        elif isinstance(data, DecisionOverridden):
            self.overrides.append(override_of(data, event.position))
        elif isinstance(data, ModelRetired):
            self.is_retired = True

    def pass_over(self, event: RecordedEvent) -> None:
        """Fold a deployment, override or retirement of which only the header is left."""
        if event.type == ModelDeployed.TYPE:
            self.is_version_erased = True
        elif event.type == ModelRetired.TYPE:
            self.is_retired = True


def override_of(data: DecisionOverridden, position: int) -> Override:
    """Return an override with its interval as integers."""
    return Override(
        position,
        data.action,
        data.tier,
        parse_time(data.effective_from),
        parse_time(data.effective_until),
    )


class HistoryReader(CaseReader):
    """Reads histories and policies in force as of any position of one ledger.

    An event whose body was erased by that position counts with its header only: an erased
    observation, score or override is not there; a description, deployment or decision that was the
    newest leaves nothing in its place, rather than the one before it. BODY_ERASED where the
    erasure came later, or where nothing goes on without the body.
    """

    def history(self, model: str, as_of: int) -> History | None:
        """Return the model's history up to a position; None and BODY_ERASED as `described`."""
        data = self.described(model, as_of)
        if data is None:
            return None
        history, stream = History(model, as_of, data), model_stream(model)
        facts = (ModelDeployed.TYPE, *OVERRIDDEN_TYPES, ModelRetired.TYPE)
        found = self._events.of_types(self._ledger, facts, stream=stream, at_or_before=as_of)
        self.apply_known(history, found, as_of)
        history.decision = self.decision_in_force(model, as_of)
        history.as_of = as_of
        return history

    def described(self, model: str, as_of: int) -> ModelDescribed | None:
        """Return a model's description up to a position, or None if it was not registered by then.

        BODY_ERASED where the newest is gone: only describing the model again helps.
        """
        stream = model_stream(model)
        event = self._events.latest(self._ledger, stream, DESCRIBING, at_or_before=as_of)
        if event is None:
            return None
        self.refuse_unknown(stream, as_of)
        if event.body_bytes is None:
            raise self.erasures.refusal(event.position)
        data = decode_data(event)
        assert isinstance(data, ModelDescribed)
        return data

    def policy_for(self, model: str, as_of: int) -> CompiledPolicy | None:
        """Return the policy in force for a model at a position, if any; as `described` refuses."""
        described = self.described(model, as_of)
        return None if described is None else self.policy_in_force(described, as_of)

    def apply_known(self, history: History, events: Iterable[RecordedEvent], as_of: int) -> None:
        """Fold events of a model's stream as they are known at a position."""
        for event in events:
            is_retirement = event.type == ModelRetired.TYPE and event.body_bytes is None
            if is_retirement or self.erasures.passes_over(event, as_of):
                history.pass_over(event)  # of a retirement the header says it all
            else:
                history.apply(event)

    def refuse_unknown(self, stream: str, as_of: int) -> None:
        """Refuse a stream that holds what this release does not know: it may change the meaning.

        Also one with an observation among what is found by type: its row has lost its time.
        """
        for type_ in self._events.types_of(self._ledger, stream):
            is_observation = type_ in OBSERVED_TYPES
            if type_ in BY_TYPE and not is_observation:
                continue
            found = Bearing(stream, frozenset({type_}))
            for position, _ in self._events.bearing(self._ledger, found, 0, as_of, 1):
                unknown = f"this release knows no type {type_}"
                why = "its row has no time of observation" if is_observation else unknown
                raise event_unreadable(position, why)

    def last_score(
        self, history: History, policy: CompiledPolicy, version: str | None
    ) -> tuple[ScoreComputed, int] | None:
        """Return the last score of this model version and policy version that was not historical.

        There is none before the version's first deployment and the policy version's first
        activation. None also where a score in between was erased: it may have been the one.
        """
        deployed = [d.position for d in history.deployments if d.version == version]
        activated = [
            event.position
            for event, data in self._activations(history.as_of)
            if is_version_of(data, policy)
        ]
        after = max(min(deployed, default=0), min(activated, default=0))
        model, types = history.model, (ScoreComputed.TYPE,)
        for event, data in self._newest(model, ScoreComputed, types, after, history.as_of):
            if is_same_versions(data, version, policy):
                return data, event.position
        return None

    def last_scored(self, model: str, as_of: int) -> LastScored | None:
        """Return the times and the priority of the model's last score that was not historical.

        Of any model version, under any policy; None where an erased score is newer.
        """
        for event, data in self._newest(model, ScoreComputed, (ScoreComputed.TYPE,), 0, as_of):
            at = parse_time(data.evaluated_at)
            return LastScored(event.recorded_at, data.as_of, at, data.priority)
        return None

    def newest_times(self, models: Sequence[str], *, at_or_before: int) -> list[int]:
        """Return each model's newest `observed_at`; of those that lead also the next earlier one.

        So the two newest times of all are among them, however many observations share the newest.
        """
        found: dict[str, int] = {}
        for model in models:
            if (newest := self._newest_time(model, at_or_before)) is not None:
                found[model] = newest
        lead = max(found.values(), default=0)
        leaders = [model for model, newest in found.items() if newest == lead]
        following = (self._newest_time(model, at_or_before, before=lead) for model in leaders)
        return [*found.values(), *(time for time in following if time is not None)]

    def _newest_time(self, model: str, at_or_before: int, before: int | None = None) -> int | None:
        events = self._events.newest_observed(
            self._ledger, model_stream(model), at_or_before=at_or_before, limit=1, before=before
        )
        return events[0].observed_at if events else None

    def is_observed_after(
        self, history: History, service: ServicePeriod | None, position: int
    ) -> bool:
        """Whether there is a selected observation after a position, up to the history's."""
        if service is None:
            return False
        events = self._events.read(
            self._ledger,
            after=position,
            until=history.as_of,
            limit=_LOOK_MAX,
            types=OBSERVED_TYPES,
            streams=(model_stream(history.model),),
        )
        for event in events:
            if self.erasures.passes_over(event, history.as_of):
                continue
            seen = parse_observed(event)
            if service.selects(seen.model_version, seen.observed_at):
                return True
        return len(events) == _LOOK_MAX  # more than we care to look at: once too often is no harm

    def is_changed_after(self, history: History, position: int) -> bool:
        """Whether the model, its versions or any policy in force changed after a position."""
        read, ledger, as_of = self._events.of_types, self._ledger, history.as_of
        of_model = (*DESCRIBING, ModelDeployed.TYPE), model_stream(history.model)
        return any(
            read(ledger, types, stream=stream, after=position, at_or_before=as_of, limit=1)
            for types, stream in (of_model, (ACTIVATED_TYPES, None))
        )

    def newest_selected(
        self, history: History, service: ServicePeriod | None
    ) -> tuple[int, int] | None:
        """Return observed_at and position of the newest selected observation, None without any."""
        if service is None:
            return None
        limit = 16
        while True:
            events = self._events.newest_observed(
                self._ledger, model_stream(history.model), at_or_before=history.as_of, limit=limit
            )
            for event in events:
                if self.erasures.passes_over(event, history.as_of):
                    continue
                seen = parse_observed(event)
                if service.selects(seen.model_version, seen.observed_at):
                    return seen.observed_at, event.position
                if seen.observed_at < service.since:
                    return None
            if len(events) < limit:
                return None
            limit *= 8

    def fill(
        self,
        history: History,
        service: ServicePeriod | None,
        scoring: Scoring,
        first: int,
        last: int,
    ) -> tuple[ModelState, list[int]]:
        """Return the buckets of the selected observations between two times, and what fed them."""
        state = ModelState(scoring)
        positions: list[int] = []
        for position, seen in self.selected(history, service, scoring, first, last):
            state.observe(seen.signal, seen.value, seen.observed_at, seen.sample_size, seen.source)
            positions.append(position)
        return state, positions

    def selected(
        self,
        history: History,
        service: ServicePeriod | None,
        scoring: Scoring,
        first: int,
        last: int,
    ) -> Iterator[tuple[int, Observed]]:
        """Yield the selected observations between two times, each with its position."""
        if service is None:
            return
        events = self._events.observations(
            self._ledger,
            model_stream(history.model),
            observed_from=max(first, service.since),
            observed_until=last,
            at_or_before=history.as_of,
        )
        names = {rule.signal for rule in scoring.signals}
        for event in uncorrected(self.erasures.known(events, history.as_of)):
            seen = parse_observed(event)
            if service.selects(seen.model_version, seen.observed_at) and seen.signal in names:
                yield event.position, seen

    def decision_in_force(self, model: str, as_of: int) -> PriorDecision | None:
        """Return the model's newest decision up to a position that was not historical.

        None where an erased decision is newer: what is in force is not known then.
        """
        for event, data in self._newest(model, DecisionMade, DECISION_TYPES, 0, as_of):
            return PriorDecision(data, event.position, event.body.run_id)
        return None

    def _newest(
        self, model: str, kind: type[H], types: tuple[str, ...], after: int, as_of: int
    ) -> Iterator[tuple[RecordedEvent, H]]:
        """Yield a model's events of some types that were not historical, newest first.

        Ends at an erased one: whether it was the one that is looked for is not known any more.
        """
        page, until = 1, as_of
        while True:
            events = self._events.of_types(
                self._ledger,
                types,
                stream=model_stream(model),
                after=after,
                at_or_before=until,
                limit=page,
                descending=True,
            )
            for event in events:
                if self.erasures.passes_over(event, as_of):
                    return
                data = typed(event, kind)
                if not data.historical:
                    yield event, data
            if len(events) < page:
                return
            until = events[-1].position - 1
            page = min(page * 8, 512)


def window_bounds(scoring: Scoring, evaluated_at: int) -> tuple[int, int]:
    """Return the first and last microsecond that any rule's window can hold."""
    first, last = evaluated_at, evaluated_at
    for rule in scoring.signals:
        bucket = rule.bucket_seconds * SECOND
        now = evaluated_at // bucket
        first = min(first, (now - rule.window_seconds // rule.bucket_seconds + 1) * bucket)
        last = max(last, (now + 1) * bucket - 1)
    return max(first, 0), last
