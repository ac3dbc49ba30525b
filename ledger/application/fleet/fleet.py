"""The fleet at the head: models, signals and policies, folded from their events.

Low-rate events only, so the fold fits memory and is brought up to date by one indexed read. It
answers questions about *now*; a replay reads the ledger as of its own horizon instead.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from ledger.application.commands import model_stream, policy_stream
from ledger.application.fleet.aggregates import (
    MODEL_TYPES,
    POLICY_TYPES,
    ModelAggregate,
    PolicyAggregate,
    evolve_model,
    evolve_policy,
)
from ledger.application.names import did_you_mean, nearest
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent
from ledger.events.models import DESCRIBING, ModelDeployed
from ledger.events.policies import PolicyActivated
from ledger.events.proving import BodyErased
from ledger.events.registry import data_or_erased
from ledger.events.signals import DEFINED_TYPES, SignalDefined
from ledger.events.values import parse_time
from ledger.storage.events import Events

_log: Final = structlog.get_logger("ledger.fleet")

FLEET_TYPES: Final = MODEL_TYPES | POLICY_TYPES | {*DEFINED_TYPES, BodyErased.TYPE}


@dataclass(frozen=True, slots=True)
class PlacedEvent:
    """An event's position, time, author and cause, beside the thing it is about.

    Author and cause are "" and None where its body was erased.
    """

    position: int
    recorded_at: int
    actor: str
    cause: int | None = None


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model at the head; `deployed` is in step with `model.deployments`.

    `described` is the place of its newest description, `served` when each version went into
    service, latest first; empty where that is not known.
    """

    name: str
    model: ModelAggregate
    registered: PlacedEvent
    described: PlacedEvent
    updated: PlacedEvent
    deployed: tuple[PlacedEvent, ...] = ()
    served: tuple[tuple[int, str], ...] = ()
    gone: tuple[int, ...] = ()
    """The positions of deployments whose bodies were erased."""


@dataclass(frozen=True, slots=True)
class SignalRecord:
    """A signal's newest definition; None where that was erased, until it is defined again."""

    name: str
    defined: SignalDefined | None
    placed: PlacedEvent
    version: int
    """How many definitions there were with it, erased ones included."""


@dataclass(frozen=True, slots=True)
class PolicyRecord:
    """A policy's versions and activations that are known, each with its place."""

    name: str
    policy: PolicyAggregate
    drafted: tuple[PlacedEvent, ...] = ()
    activated: tuple[PlacedEvent, ...] = ()


@dataclass
class _State:
    models: dict[str, ModelRecord] = field(default_factory=dict)
    signals: dict[str, SignalRecord] = field(default_factory=dict)
    policies: dict[str, PolicyRecord] = field(default_factory=dict)


class Fleet:
    """The fold and its position. Safe between threads; reads are lock-free snapshots of values.

    An erasure lets it begin again, so that nothing stays of what was erased. `on_erasure` is called
    then, before the position moves, for other copies of bodies.
    """

    def __init__(
        self, events: Events, ledger: str, on_erasure: Callable[[], None] = lambda: None
    ) -> None:
        self._events = events
        self._ledger = ledger
        self._on_erasure = on_erasure
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
            head = self._events.head(self._ledger).position if until is None else until
            events = self._of_fleet(self._position, head)
            if self._position and any(event.type == BodyErased.TYPE for event in events):
                self._begin_again(head)
                return
            self._fold(self._state, events)
            self._position = max(self._position, head)

    def _of_fleet(self, after: int, until: int) -> list[RecordedEvent]:
        return self._events.of_types(self._ledger, FLEET_TYPES, after=after, at_or_before=until)

    def _begin_again(self, until: int) -> None:
        """Fold everything again, from bodies as they are now, and show it all at once."""
        self._on_erasure()
        self._unreadable.clear()
        state = _State()
        self._fold(state, self._of_fleet(0, until))
        self._state, self._position = state, until

    def _fold(self, state: _State, events: Iterable[RecordedEvent]) -> None:
        for event in events:
            if event.stream in self._unreadable or event.type == BodyErased.TYPE:
                continue
            try:
                _apply(state, event)
            except LedgerError as error:  # it stays as it last could be read; all others go on
                self._unreadable.add(event.stream)
                _log.error("fleet.stream_unreadable", stream=event.stream, why=error.message)

    @property
    def position(self) -> int:
        """The last position that was folded."""
        return self._position

    def signal(self, name: str) -> SignalRecord | None:
        """Return a signal's newest definition."""
        return self._state.signals.get(name)

    def signals(self) -> list[SignalRecord]:
        """Return all signals in order of name, but those whose definition was erased."""
        return [view for _, view in sorted(self._state.signals.items()) if view.defined]

    def model(self, name: str) -> ModelRecord | None:
        """Return a model, retired or not."""
        return self._state.models.get(name)

    def models(self) -> list[ModelRecord]:
        """Return all models in order of name, retired ones included."""
        return [view for _, view in sorted(self._state.models.items())]

    def policy(self, name: str) -> PolicyRecord | None:
        """Return a policy with all its versions."""
        return self._state.policies.get(name)

    def policies(self) -> list[PolicyRecord]:
        """Return all policies in order of name."""
        return [view for _, view in sorted(self._state.policies.items())]

    def model_unknown(self, name: str) -> LedgerError:
        """Return the refusal of a model that is not here, with the nearest one that is."""
        self.refresh()  # another server may have registered one a moment ago
        known = [view.name for view in self.models()]
        return LedgerError(
            Reason.MODEL_UNKNOWN,
            f"No model is registered under {name!r}.",
            remedy=f"{did_you_mean(name, known)}Check the name, or register the model first.",
            metadata={"model": name, "nearest": nearest(name, known)},
        )

    def policy_unknown(self, policy: str, version: int | None = None) -> LedgerError:
        """Return the refusal of a policy, or a version of it, that was never drafted."""
        which = policy if version is None else f"{policy} version {version}"
        known = [view.name for view in self.policies() if view.name != policy]
        return LedgerError(
            Reason.POLICY_UNKNOWN,
            f"No policy {which} was drafted.",
            remedy=(
                ("" if policy in self._state.policies else did_you_mean(policy, known))
                + "List the policies and their versions: `decision-ledger policy list`."
            ),
            metadata={
                "policy": policy,
                "version": "" if version is None else str(version),
                "nearest": nearest(policy, known),
            },
        )


def _apply(state: _State, event: RecordedEvent) -> None:
    """Fold one event; one whose body was erased counts with its header."""
    placed = PlacedEvent(event.position, event.recorded_at, "")
    if event.body_bytes is not None:
        body = event.body
        placed = replace(placed, actor=body.actor, cause=body.causation_position)
    if event.type in MODEL_TYPES:
        _apply_model(state, event, placed)
    elif event.type in POLICY_TYPES:
        _apply_policy(state, event, placed)
    else:
        data = data_or_erased(event)
        name = event.stream.partition("/")[2]
        defined = data if isinstance(data, SignalDefined) else None
        state.signals[name] = SignalRecord(name, defined, placed, event.stream_version)


def _apply_model(state: _State, event: RecordedEvent, placed: PlacedEvent) -> None:
    data = data_or_erased(event)
    name = event.stream.partition("/")[2]
    before = state.models.get(name)
    model = evolve_model(before.model if before else None, data, model_stream(name))
    if before is None:
        state.models[name] = ModelRecord(name, model, placed, placed, placed)
        return
    is_deployment = len(model.deployments) > len(before.model.deployments)
    deployed = (*before.deployed, placed) if is_deployment else before.deployed
    is_gone = event.type == ModelDeployed.TYPE and not is_deployment
    described = placed if event.type in DESCRIBING else before.described
    state.models[name] = replace(
        before,
        model=model,
        described=described,
        updated=placed,
        deployed=deployed,
        served=_served(model) if event.type == ModelDeployed.TYPE else before.served,
        gone=(*before.gone, placed.position) if is_gone else before.gone,
    )


def _served(model: ModelAggregate) -> tuple[tuple[int, str], ...]:
    """Return when each version went into service, latest first; of equal times the later record."""
    if model.is_version_erased:
        return ()
    latest_first = reversed(model.in_order)
    return tuple((parse_time(one.in_service_at), one.model_version) for one in latest_first)


def _apply_policy(state: _State, event: RecordedEvent, placed: PlacedEvent) -> None:
    data = data_or_erased(event)
    name = event.stream.partition("/")[2]
    before = state.policies.get(name)
    policy = evolve_policy(before.policy if before else None, data, policy_stream(name))
    view = replace(before, policy=policy) if before else PolicyRecord(name, policy)
    if len(policy.drafts) > len(view.drafted):
        view = replace(view, drafted=(*view.drafted, placed))
    elif isinstance(data, PolicyActivated):
        view = replace(view, activated=(*view.activated, placed))
    state.policies[name] = view


def model_retired(name: str) -> LedgerError:
    """Return the refusal of a model that has left the fleet."""
    return LedgerError(
        Reason.MODEL_RETIRED,
        f"Model {name} was retired, so it takes no further events.",
        remedy="Register the successor under a name of its own.",
        metadata={"model": name},
    )
