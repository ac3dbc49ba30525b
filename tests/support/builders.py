"""A chained ledger told in events of the registry, and read as storage would read it.

`Story` writes one event by one call; `StoryReader` reads without a database.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ledger.events.base import EventData
from ledger.events.decisions import (
    DecisionMadeV1,
    EnvironmentSignalPart,
    ModelFactsPart,
    RecordedEnvironment,
    ScoreComputed,
    SignalOutputPart,
)
from ledger.events.envelope import RecordedEvent, encode_body
from ledger.events.models import ModelDeployed, ModelRegistered, ModelRetired, ModelUpdated
from ledger.events.plans import PlanMadeV1, PlanRowPart
from ledger.events.policy_document import Action
from ledger.events.signals import SignalObserved
from ledger.events.system import LedgerConfiguredV3, LedgerCreated
from ledger.events.values import format_decimal, format_time
from tests.support.chained import Chained, hashes_of

ORIGIN: Final = "example.org/fleet"
START: Final = 1_772_323_200_000_000  # 2026-03-01T00:00:00Z
HOUR: Final = 3_600_000_000
DIGEST: Final = "ab" * 32


def signal_score(signal: str, **changes: object) -> SignalOutputPart:
    """Return a healthy signal's outputs, with changes."""
    outputs: dict[str, Any] = {
        "signal": signal,
        "weight": 500_000,
        "source": "",
        "observations": 3,
        "buckets": 3,
        "peak": 0,
        "magnitude": 0,
        "breaches": 0,
        "streak": 0,
        "persistence": 0,
        "freshness": 1_000_000,
        "trend": 0,
        "sustained": False,
        "effective": 0,
        "share": 0,
    }
    return SignalOutputPart(**(outputs | changes))


@dataclass
class Story:
    """A ledger in memory. Every method appends one event and returns it."""

    origin: str = ORIGIN
    events: list[RecordedEvent] = field(default_factory=list)
    _scores: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._chained = Chained(self.origin)

    def begin(self, clock: str = "data") -> "Story":
        """Write positions 1 and 2 as a created ledger has them."""
        created = LedgerCreated(
            created_at=format_time(START),
            format="decision-ledger/1",
            origin=self.origin,
            vkey="example.org/fleet+00000000+key",
        )
        self.write("ledger", created)
        stated = {"clock": clock, "leap_seconds": 0, "skew_seconds": 300, "unit_of_cost": None}
        configured = LedgerConfiguredV3.from_data({**stated, "next_key_digest": "00" * 32})
        self.write("ledger", configured)
        return self

    @property
    def head(self) -> int:
        """The last position."""
        return len(self.events)

    def write(
        self,
        stream: str,
        data: EventData,
        *,
        actor: str = "users/tester",
        run_id: str | None = None,
        observed_at: int | None = None,
    ) -> RecordedEvent:
        """Append any event of the registry."""
        body = encode_body(actor=actor, data=data.to_data(), run_id=run_id)
        return self.raw(stream, data.TYPE, body, observed_at=observed_at)

    def raw(
        self, stream: str, type_: str, body: bytes | None, *, observed_at: int | None = None
    ) -> RecordedEvent:
        """Append an event with any type and any body bytes, whatever they hold; None for erased."""
        recorded_at = START + (self.head + 1) * 1_000
        made = self._chained.raw(type_, body or b"{}", stream, format_time(recorded_at))
        event = RecordedEvent(
            self._chained.size,
            stream,
            made["header"]["stream_version"],
            type_,
            recorded_at,
            observed_at,
            body,
            None if body is None else bytes.fromhex(made["salt"]),
            *hashes_of(made),
        )
        self.events.append(event)
        return event

    def registered(self, model: str, **changes: object) -> RecordedEvent:
        """A model joined the fleet."""
        return self.write(
            f"models/{model}", ModelRegistered.from_data(description(model) | changes)
        )

    def updated(self, model: str, **changes: object) -> RecordedEvent:
        """A model was described again."""
        return self.write(f"models/{model}", ModelUpdated.from_data(description(model) | changes))

    def retired(self, model: str) -> RecordedEvent:
        """A model left the fleet."""
        return self.write(
            f"models/{model}", ModelRetired(model=model, reason="replaced by another model")
        )

    def deployed(self, model: str, version: str, **changes: object) -> RecordedEvent:
        """A version went into service."""
        data = {
            "model": model,
            "model_version": version,
            "kind": "trained",
            "in_service_at": format_time(START),
            "trained_through": format_time(START - HOUR),
            "baseline_loss": "0.3",
            "replaces": None,
        }
        return self.write(f"models/{model}", ModelDeployed.from_data(data | changes))

    def observed(
        self,
        model: str,
        signal: str,
        nano: int,
        *,
        at: int = START,
        version: str = "v1",
        sample_size: int = 1,
        source: str = "services/monitor",
    ) -> RecordedEvent:
        """A monitor reported a value, in billionths."""
        data = SignalObserved(
            model_version=version,
            observed_at=format_time(at),
            sample_size=sample_size,
            signal=signal,
            value=format_decimal(nano),
        )
        return self.write(f"models/{model}", data, actor=source, observed_at=at)

    def scored(
        self,
        model: str,
        priority: int,
        signals: Sequence[SignalOutputPart] = (),
        **changes: object,
    ) -> RecordedEvent:
        """A model was scored."""
        data = self._horizon(model) | {
            "degradation": priority,
            "coverage": 1_000_000,
            "raw_priority": priority,
            "priority": priority,
            "signals": [part.model_dump() for part in signals],
        }
        event = self.write(f"models/{model}", ScoreComputed.from_data(data | changes))
        self._scores[model] = event.position
        return event

    def decided(
        self,
        model: str,
        action: Action,
        *,
        rule: str = "",
        run_id: str | None = None,
        **changes: object,
    ) -> RecordedEvent:
        """The evaluator decided about a model."""
        signals = {
            "log_loss": EnvironmentSignalPart(**signal_score("log_loss").model_dump(), present=True)
        }
        environment = RecordedEnvironment(
            priority=0,
            raw_priority=0,
            degradation=0,
            coverage=0,
            impact=0,
            risk=0,
            signals=signals,
            model=ModelFactsPart(owner="team", tier="high", labels={}),
            hours_since_deployed=-1,
            retrainings_30d=0,
            in_force="NO_ACTION",
            in_force_rule="",
            hours_in_force=0,
            slo_hours_left=-1,
        )
        data = self._horizon(model) | {
            "procedure": "rules/1",
            "score_position": self._scores.get(model, 1),
            "environment": environment.model_dump(mode="json"),
            "action": action,
            "tier": "page",
            "rule": rule,
            "reason": "RULE" if rule else "OTHERWISE",
            "held_back": None,
            "overridden": None,
            "since": format_time(START + self.head),
        }
        made = DecisionMadeV1.from_data(data | changes)
        return self.write(f"models/{model}", made, actor="system/evaluator", run_id=run_id)

    def planned(self, plan: str, models: Sequence[str]) -> RecordedEvent:
        """A plan was made, whose backlog has these models in this order."""
        backlog = [_plan_row(model, rank) for rank, model in enumerate(models)]
        data = {
            "plan": plan,
            "as_of": max(1, self.head),
            "made_at": format_time(START + self.head),
            "policy": "delay",
            "policy_version": 1,
            "policy_digest": DIGEST,
            "planner": "excess/1",
            "inputs_digest": DIGEST,
            "now_period": 10,
            "purse_micros": "2000000",
            "purse_cap_micros": "4000000",
            "price_before": None,
            "price": "0",
            "next_price": "0",
            "demand_micros": "0",
            "purse_left_micros": "2000000",
            "modes": [],
            "backlog": [row.model_dump() for row in backlog],
        }
        return self.write(f"plans/{plan}", PlanMadeV1.from_data(data))

    def _horizon(self, model: str) -> dict[str, Any]:
        return {
            "model": model,
            "as_of": max(1, self.head),
            "evaluated_at": format_time(START + self.head),
            "model_version": None,
            "policy": "delay",
            "policy_version": 1,
            "policy_digest": DIGEST,
            "kernel": "bucketed/1",
            "trigger": "ingest",
            "historical": False,
        }


def description(model: str) -> dict[str, Any]:
    """Return what events say of a model."""
    return {
        "model": model,
        "owner": "team-delay",
        "tier": "high",
        "labels": {"region": "east"},
        "impact_ppm": 500_000,
        "risk_ppm": 250_000,
        "slo_signal": None,
        "unit_value_micros": "1000",
        "cost_micros": "1000000",
        "recipe": "delay/1",
        "schema_version": "1",
        "features_version": "1",
        "architecture": "logistic",
        "meaning": "Is this flight late?",
    }


def _plan_row(model: str, rank: int) -> PlanRowPart:
    return PlanRowPart(
        model=model,
        rank=str(1_000 - rank),
        gain="1",
        benefit_micros="1",
        cost_micros="1000000",
        unit_value_micros="1000",
        baseline_nano="300000000",
        trained_period=1,
        rest_until=2,
        model_version="v1",
        action_in_force="SCHEDULE_RETRAINING",
        seen=True,
        resting=False,
        outcome="admitted" if rank < 2 else "over_purse",
        reason="It is worth its cost.",
    )


class HeadPosition(NamedTuple):
    """The part of a head that projections look at."""

    position: int


class StoryReader:
    """Reads a story's events as storage would: a stored ledger's reader without a database."""

    def __init__(self, events: Sequence[RecordedEvent]) -> None:
        self.events = events
        self.reads = 0
        """Events handed out, to see what a question costs."""

    def head(self, ledger: str) -> HeadPosition:
        """Return the head."""
        return HeadPosition(len(self.events))

    def read(
        self, ledger: str, *, after: int = 0, until: int | None = None, limit: int = 1000
    ) -> list[RecordedEvent]:
        """Return events after a position."""
        last = len(self.events) if until is None else min(until, len(self.events))
        return self._counted(list(self.events[after : min(after + limit, last)]))

    def event(self, ledger: str, position: int) -> RecordedEvent | None:
        """Return one event."""
        return self.events[position - 1] if 1 <= position <= len(self.events) else None

    def latest(
        self,
        ledger: str,
        stream: str,
        types: Collection[str],
        *,
        at_or_before: int,
        skip: int = 0,
    ) -> RecordedEvent | None:
        """Return a stream's newest event of these types."""
        found = self._chosen(
            lambda event: event.stream == stream and event.type in types, at_or_before
        )
        newest = self._counted(found[::-1][skip : skip + 1])
        return newest[0] if newest else None

    def of_types(
        self,
        ledger: str,
        types: Collection[str],
        *,
        stream: str | None = None,
        after: int = 0,
        at_or_before: int | None = None,
        limit: int | None = None,
        descending: bool = False,
    ) -> list[RecordedEvent]:
        """Return events of these types."""
        found = self._chosen(
            lambda event: (
                event.position > after
                and event.type in types
                and (stream is None or event.stream == stream)
            ),
            at_or_before,
        )
        return self._counted((found[::-1] if descending else found)[:limit])

    def _chosen(
        self, wanted: Callable[[RecordedEvent], bool], at_or_before: int | None
    ) -> list[RecordedEvent]:
        return [event for event in self.events[:at_or_before] if wanted(event)]

    def _counted(self, found: list[RecordedEvent]) -> list[RecordedEvent]:
        self.reads += len(found)
        return found
