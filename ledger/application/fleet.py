"""What the fleet looks like at the head: models, signals and policies, folded from their events.

Low-rate events only, so the fold fits memory and is brought up to date by one indexed read. It
answers questions about *now*; whatever is replayed reads the ledger as of its own horizon instead.
"""

import threading
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from ledger.application.aggregates import (
    MODEL_TYPES,
    POLICY_TYPES,
    Model,
    Policy,
    evolve_model,
    evolve_policy,
)
from ledger.application.commands import model_stream, policy_stream
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent
from ledger.events.policies import PolicyActivated, PolicyDrafted
from ledger.events.registry import decode_data, typed
from ledger.events.signals import SignalDefined
from ledger.storage.store import Reader

_log: Final = structlog.get_logger("ledger.fleet")

FLEET_TYPES: Final = MODEL_TYPES | POLICY_TYPES | {SignalDefined.TYPE}


@dataclass(frozen=True, slots=True)
class Placed:
    """An event's position, time and author, beside whatever it is about."""

    position: int
    recorded_at: int
    actor: str


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model at the head; `deployed` stands in step with `model.deployments`."""

    name: str
    model: Model
    registered: Placed
    updated: Placed
    deployed: tuple[Placed, ...] = ()


@dataclass(frozen=True, slots=True)
class SignalView:
    """A signal's newest definition."""

    defined: SignalDefined
    placed: Placed


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy's versions and activations, each with its place."""

    name: str
    policy: Policy
    drafted: tuple[Placed, ...] = ()
    activated: tuple[Placed, ...] = ()


@dataclass
class _State:
    models: dict[str, ModelView] = field(default_factory=dict)
    signals: dict[str, SignalView] = field(default_factory=dict)
    policies: dict[str, PolicyView] = field(default_factory=dict)


class Fleet:
    """The fold and its position. Safe between threads; reads are lock-free snapshots of values."""

    def __init__(self, reader: Reader, ledger: str) -> None:
        self._reader = reader
        self._ledger = ledger
        self._lock = threading.Lock()
        self._state = _State()
        self._unreadable: set[str] = set()
        self._position = 0
        self.refresh()

    def refresh(self, until: int | None = None) -> None:
        """Fold every event of the fleet's types up to `until`, or to the head."""
        with self._lock:
            if until is not None and until <= self._position:
                return
            head = self._reader.head(self._ledger).position if until is None else until
            events = self._reader.of_types(
                self._ledger, FLEET_TYPES, after=self._position, at_or_before=head
            )
            for event in events:
                if event.stream in self._unreadable:
                    continue
                try:
                    self._apply(event)
                except LedgerError as error:  # it stays as it last could be read; all others go on
                    self._unreadable.add(event.stream)
                    _log.error("fleet.stream_unreadable", stream=event.stream, why=error.message)
            self._position = max(self._position, head)

    def signal(self, name: str) -> SignalView | None:
        """Return a signal's newest definition."""
        return self._state.signals.get(name)

    def signals(self) -> list[SignalView]:
        """Return all signals in order of name."""
        return [view for _, view in sorted(self._state.signals.items())]

    def model(self, name: str) -> ModelView | None:
        """Return a model, retired or not."""
        return self._state.models.get(name)

    def models(self) -> list[ModelView]:
        """Return all models in order of name, retired ones included."""
        return [view for _, view in sorted(self._state.models.items())]

    def policy(self, name: str) -> PolicyView | None:
        """Return a policy with all its versions."""
        return self._state.policies.get(name)

    def policies(self) -> list[PolicyView]:
        """Return all policies in order of name."""
        return [view for _, view in sorted(self._state.policies.items())]

    def require_model(self, name: str) -> ModelView:
        """Return a model at the head; MODEL_UNKNOWN or MODEL_RETIRED where it cannot be used."""
        view = self.model(name)
        if view is None:
            self.refresh()  # another server may have registered it a moment ago
            view = self.model(name)
        if view is None:
            raise model_unknown(name)
        if view.model.retired:
            raise model_retired(name)
        return view

    def _apply(self, event: RecordedEvent) -> None:
        placed = Placed(event.position, event.recorded_at, event.body.actor)
        name = event.stream.partition("/")[2]
        if event.type in MODEL_TYPES:
            self._apply_model(name, event, placed)
        elif event.type in POLICY_TYPES:
            self._apply_policy(name, event, placed)
        else:
            self._state.signals[name] = SignalView(typed(event, SignalDefined), placed)

    def _apply_model(self, name: str, event: RecordedEvent, placed: Placed) -> None:
        before = self._state.models.get(name)
        data = decode_data(event)
        model = evolve_model(before.model if before else None, data, model_stream(name))
        if before is None:
            self._state.models[name] = ModelView(name, model, placed, placed)
            return
        is_deployment = len(model.deployments) > len(before.model.deployments)
        deployed = (*before.deployed, placed) if is_deployment else before.deployed
        self._state.models[name] = replace(before, model=model, updated=placed, deployed=deployed)

    def _apply_policy(self, name: str, event: RecordedEvent, placed: Placed) -> None:
        before = self._state.policies.get(name)
        data = decode_data(event)
        policy = evolve_policy(before.policy if before else None, data, policy_stream(name))
        view = replace(before, policy=policy) if before else PolicyView(name, policy)
        if isinstance(data, PolicyDrafted):
            view = replace(view, drafted=(*view.drafted, placed))
        elif isinstance(data, PolicyActivated):
            view = replace(view, activated=(*view.activated, placed))
        self._state.policies[name] = view


def model_retired(name: str) -> LedgerError:
    """Return the refusal of a model that has left the fleet."""
    return LedgerError(
        Reason.MODEL_RETIRED,
        f"Model {name} was retired, so it takes no further events.",
        remedy="Register the successor under a name of its own.",
        metadata={"model": name},
    )


def model_unknown(name: str) -> LedgerError:
    """Return the refusal of a model that was never registered."""
    return LedgerError(
        Reason.MODEL_UNKNOWN,
        f"No model is registered under {name!r}.",
        remedy="Check the name, or register the model first.",
        metadata={"model": name},
    )
