"""A score and a decision derived again: `rules/1` and `rules/2` over the audit's own fold.

Written from `docs/spec/decision_v1.md` and `decision_v2.md` beside the service's own code, so that
a mistake in one of the two shows as a difference. The arithmetic is the released kernels'.
"""

from collections import deque
from dataclasses import dataclass, field, fields
from typing import Any, Final

from ledger.audit.audited_model import AuditedDecision, AuditedModel, versions_of
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.observations import IndexedObservation, uncorrected
from ledger.audit.outcome import DerivedOutcome
from ledger.audit.parameters import Parameters
from ledger.audit.service_period import AuditedService, serving_of
from ledger.events.decisions import ModelFactsPart, RecordedEnvironment
from ledger.events.values import SECOND, TIME_LIMIT, parse_decimal, parse_time
from ledger.kernel.bucketed import KernelScore, SignalOutput, score
from ledger.kernel.buckets import ModelState
from ledger.rules.procedure import (
    bounded_priority,
    decide,
    environment_of,
    hours_in_force,
    override_in_effect,
    slo_hours_left,
    whole_hours,
)

SPECIFICITY: Final = {"ledger": 0, "labels": 1, "model": 2}
_RETRAININGS_HOURS: Final = 720
_NEWS_MAX: Final = 20_000
_OUTPUTS: Final = tuple(item.name for item in fields(SignalOutput))
_HORIZON: Final = (
    "model", "as_of", "evaluated_at", "model_version", "policy", "policy_version",
    "policy_digest", "kernel", "trigger", "historical",
)  # fmt: skip


class NotReplayableError(Exception):
    """Why something cannot be derived again: not that it is wrong, but that it cannot be told."""


@dataclass(slots=True)
class CachedBuckets:
    """The buckets of one model as a horizon left them, and what came in since."""

    key: tuple[object, ...]
    state: ModelState
    through: int
    floor: int
    """The earliest time of evaluation that the buckets still serve."""
    news: deque[IndexedObservation] = field(default_factory=deque)

    def serves(self, key: tuple[object, ...], as_of: int, at: int) -> bool:
        """Whether the buckets lead to a horizon: a correction takes back what they hold."""
        if self.key != key or as_of < self.through or at < self.floor:
            return False
        return not any(one.first and one.position <= as_of for one in self.news)


class Assessor:
    """Derives scores and decisions in the order in which they were recorded."""

    def __init__(self, fold: LedgerState) -> None:
        self._fold = fold
        self._warm: dict[str, CachedBuckets] = {}
        self._last: tuple[tuple[object, ...], tuple[KernelScore, int]] | None = None
        """The newest horizon and what the kernel gave there: its decision asks for the same."""

    def observe(self, event: AuditedEvent) -> None:
        """Note an observation that was just folded, for models whose buckets are warm."""
        warm = self._warm.get(event.stream)
        seen = event.observation
        if warm is None or seen is None:
            return
        if len(warm.news) >= _NEWS_MAX:
            del self._warm[event.stream]
            return
        warm.news.append(
            IndexedObservation(
                event.position,
                seen.observed_at,
                seen.model_version,
                seen.signal,
                event.actor,
                seen.sample_size,
                seen.value,
                seen.first,
            )
        )

    def score(self, event: AuditedEvent, data: dict[str, Any]) -> dict[str, Any]:
        """Return the data that a recorded score should have; NotReplayableError if unknown."""
        facts, parameters = self._horizon(event, data)
        result, priority = self._priority(facts, parameters, data)
        return {
            **_horizon_of(facts, parameters, data),
            "degradation": result.degradation,
            "coverage": result.coverage,
            "raw_priority": result.priority,
            "priority": priority,
            "signals": [_output(output) for output in result.signals],
        }

    def decision(self, event: AuditedEvent, data: dict[str, Any]) -> dict[str, Any]:
        """Return the data that a recorded decision should have; NotReplayableError if unknown."""
        derived = self.outcome(event, data)
        at, prior, action = data["evaluated_at"], derived.prior, derived.outcome.action
        is_kept = prior is not None and prior.data["action"] == action
        return {
            **_horizon_of(derived.facts, derived.parameters, data),
            "procedure": derived.parameters.rules.procedure,
            "score_position": data["score_position"],
            "environment": derived.environment.model_dump(),
            **derived.members,
            "since": prior.data["since"] if prior is not None and is_kept else at,
        }

    def outcome(self, event: AuditedEvent, data: dict[str, Any]) -> DerivedOutcome:
        """Return what the rules give at the horizon of a score or decision (steps 5 to 7)."""
        facts, parameters = self._horizon(event, data)
        result, priority = self._priority(facts, parameters, data)
        environment, prior = self._environment(facts, parameters, data, result, priority)
        at, as_of = parse_time(data["evaluated_at"]), data["as_of"]
        override = override_in_effect([one for one in facts.overrides if one.position <= as_of], at)
        outcome = decide(parameters.rules, environment, override)
        return DerivedOutcome(facts, parameters, environment, outcome, prior)

    def _horizon(
        self, event: AuditedEvent, data: dict[str, Any]
    ) -> tuple[AuditedModel, Parameters]:
        """Return the model and the policy version that a score or decision names."""
        facts = self._fold.models.get(event.stream)
        if facts is None or facts.description(data["as_of"]) is None:
            raise NotReplayableError("the model is not described at its horizon")
        if 0 < facts.unknown_at <= data["as_of"]:
            raise NotReplayableError("its stream holds an event of an unknown type")
        parameters = self._fold.parameters(
            data["policy"], data["policy_version"], data["policy_digest"]
        )
        if parameters is None:
            raise NotReplayableError("the policy version that it names was never drafted")
        return facts, parameters

    def _priority(
        self, facts: AuditedModel, parameters: Parameters, data: dict[str, Any]
    ) -> tuple[KernelScore, int]:
        """Return the kernel's score and the bounded priority (steps 2 to 4)."""
        key = (facts.name, *parameters.reference, data["as_of"], data["evaluated_at"])
        if self._last is None or self._last[0] != key:
            self._last = key, self._scored(facts, parameters, data)
        return self._last[1]

    def _scored(
        self, facts: AuditedModel, parameters: Parameters, data: dict[str, Any]
    ) -> tuple[KernelScore, int]:
        description = facts.description(data["as_of"])
        assert description is not None
        state = self._state(facts, parameters, data)
        at = parse_time(data["evaluated_at"])
        result = score(
            parameters.scoring, description["impact_ppm"], description["risk_ppm"], state, at
        )
        step = parameters.rules.max_priority_step
        if step is None:
            return result, result.priority
        as_of, version = data["as_of"], _version(facts, parameters, data)
        versions = versions_of({**data, "model_version": version})
        try:
            last = facts.last_priority(
                versions, self._begun(facts, parameters, version, as_of), as_of
            )
        except LookupError as error:
            raise NotReplayableError(str(error)) from error
        return result, bounded_priority(result.priority, last, step)

    def _begun(
        self, facts: AuditedModel, parameters: Parameters, version: str | None, as_of: int
    ) -> int:
        """Return since when there can be scores of a version under a policy version.

        Both are known to have begun by the events whose bodies are there.
        """
        deployed = [one.position for one in facts.deployed(as_of) if one.version == version]
        activated = [
            position
            for position, one in self._fold.activations
            if position <= as_of
            and (one["policy"], one["version"], one["digest"]) == parameters.reference
        ]
        return max(min(deployed, default=0), min(activated, default=0))

    def _state(
        self, facts: AuditedModel, parameters: Parameters, data: dict[str, Any]
    ) -> ModelState:
        """Return the buckets of the selected observations (step 2)."""
        as_of, at = data["as_of"], parse_time(data["evaluated_at"])
        serving = serving_of(facts, parameters, as_of, at)
        if serving is None:
            return ModelState(parameters.scoring)
        stream = f"models/{facts.name}"
        key = (*parameters.reference, serving.version, serving.since, serving.until)
        warm = self._warm.get(stream)
        is_warm = warm is not None and warm.serves(key, as_of, at)
        if warm is None or not is_warm:
            if data["historical"]:
                widest = max(rule.bucket_seconds for rule in parameters.scoring.signals)
                span = bounds(parameters, at), at + widest * SECOND
                return self._filled(stream, parameters, serving, span, as_of)[0]
            floor = max(at - parameters.window_micros, 0)
            span = (bounds(parameters, floor), TIME_LIMIT)
            state, news = self._filled(stream, parameters, serving, span, as_of)
            warm = self._warm[stream] = CachedBuckets(key, state, as_of, floor, news)
            return state
        while warm.news and warm.news[0].position <= as_of:
            _feed(warm.state, warm.news.popleft(), serving)
        warm.through = as_of
        if at - 2 * parameters.window_micros > warm.floor:
            warm.floor = at - parameters.window_micros
            warm.state.prune(warm.floor)
        return warm.state

    def _filled(
        self,
        stream: str,
        parameters: Parameters,
        serving: AuditedService,
        span: tuple[int, int],
        as_of: int,
    ) -> tuple[ModelState, deque[IndexedObservation]]:
        """Return the buckets filled up to a position from the index, and what came after it."""
        state = ModelState(parameters.scoring)
        first, last = max(span[0], serving.since), span[1]
        kept = self._fold.observations.between(
            stream, first, last, self._fold.position, serving.version
        )
        for one in uncorrected([one for one in kept if one.position <= as_of]):
            _feed(state, one, serving)
        news = [one for one in kept if one.position > as_of]
        return state, deque(sorted(news))

    def _environment(
        self,
        facts: AuditedModel,
        parameters: Parameters,
        data: dict[str, Any],
        result: KernelScore,
        priority: int,
    ) -> tuple[RecordedEnvironment, AuditedDecision | None]:
        """Return every value that rules can see, and the decision that is in force (step 5)."""
        as_of, at = data["as_of"], parse_time(data["evaluated_at"])
        description = facts.description(as_of)
        assert description is not None
        serving = serving_of(facts, parameters, as_of, at)
        try:
            prior = facts.in_force(as_of)
        except LookupError as error:
            raise NotReplayableError(str(error)) from error
        outputs = {output.signal: output for output in result.signals}
        windows = {rule.signal: rule.window_seconds for rule in parameters.scoring.signals}
        slo = description["slo_signal"]
        ages = [
            whole_hours(one.in_service_at, at) for one in facts.deployed(as_of) if one.is_trained
        ]
        held = prior.data if prior is not None else {}
        environment = environment_of(
            result.signals,
            parameters.intervals,
            priority=priority,
            raw_priority=result.priority,
            degradation=result.degradation,
            coverage=result.coverage,
            impact=description["impact_ppm"],
            risk=description["risk_ppm"],
            model=ModelFactsPart(
                owner=description["owner"],
                tier=description["tier"],
                labels=description["labels"],
            ),
            hours_since_deployed=-1 if serving is None else whole_hours(serving.since, at),
            retrainings_30d=sum(0 <= age < _RETRAININGS_HOURS for age in ages),
            in_force=held.get("action", "NO_ACTION"),
            in_force_rule=held["rule"] if held.get("reason") == "RULE" else "",
            hours_in_force=hours_in_force(parse_time(held["since"]), at, parameters.rules.procedure)
            if held
            else 0,
            slo_hours_left=slo_hours_left(outputs.get(slo), windows.get(slo, 0)) if slo else -1,
        )
        return environment, prior


def bounds(parameters: Parameters, at: int) -> int:
    """Return the first microsecond that any window of an evaluation can hold."""
    first = at
    for rule in parameters.scoring.signals:
        bucket = rule.bucket_seconds * SECOND
        first = min(first, (at // bucket - rule.window_seconds // rule.bucket_seconds + 1) * bucket)
    return max(first, 0)


def policy_in_force(
    fold: LedgerState, facts: AuditedModel, as_of: int
) -> tuple[str, int, str] | None:
    """Return the policy version for a model at a position (step 1)."""
    description = facts.description(as_of)
    return None if description is None else policy_for(fold, description, as_of)


def policy_for(
    fold: LedgerState, description: dict[str, Any], as_of: int
) -> tuple[str, int, str] | None:
    """Return the policy version for a description at a position."""
    best: tuple[int, int] | None = None
    chosen: dict[str, Any] | None = None
    for position, activated in fold.activations:
        if position > as_of or not is_for(activated["scope"], description):
            continue
        rank = SPECIFICITY[activated["scope"]["kind"]], position
        if best is None or rank > best:
            best, chosen = rank, activated
    if chosen is None:
        return None
    return chosen["policy"], chosen["version"], chosen["digest"]


def parameters_in_force(
    fold: LedgerState, facts: AuditedModel | None, as_of: int
) -> Parameters | None:
    """Return those of the policy version for a model at a position; None for none that is known."""
    named = None if facts is None else policy_in_force(fold, facts, as_of)
    return None if named is None else fold.parameters(*named)


def is_for(scope: dict[str, Any], description: dict[str, Any]) -> bool:
    """Whether a scope takes in a model with this description."""
    if scope["kind"] == "model":
        return bool(scope["model"] == description["model"])
    labels = description["labels"]
    return scope["kind"] == "ledger" or all(
        labels.get(key) == value for key, value in scope["labels"].items()
    )


def _feed(state: ModelState, one: IndexedObservation, serving: AuditedService) -> None:
    is_before = serving.until is None or one.observed_at < serving.until
    if one.model_version == serving.version and one.observed_at >= serving.since and is_before:
        state.observe(
            one.signal, parse_decimal(one.value), one.observed_at, one.sample_size, one.source
        )


def _version(facts: AuditedModel, parameters: Parameters, data: dict[str, Any]) -> str | None:
    serving = serving_of(facts, parameters, data["as_of"], parse_time(data["evaluated_at"]))
    return None if serving is None else serving.version


def _horizon_of(
    facts: AuditedModel, parameters: Parameters, data: dict[str, Any]
) -> dict[str, Any]:
    """Return the members that name the horizon: stated, but for model and version in service."""
    return {
        **{name: data[name] for name in _HORIZON},
        "model": facts.name,
        "model_version": _version(facts, parameters, data),
        "kernel": parameters.scoring.kernel,
    }


def _output(output: SignalOutput) -> dict[str, Any]:
    return {name: getattr(output, name) for name in _OUTPUTS}
