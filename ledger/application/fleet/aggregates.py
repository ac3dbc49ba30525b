"""Models and policies as event-sourced aggregates of the `eventsourcing` library.

Both are immutable values evolved by pure functions. Their events are the catalogue's own: a mapper
with a closed registry writes canonical bodies and refuses every topic that it does not know, so
nothing that is in a row can make this process import a module. Versions count the aggregate's
own events; observations, scores and decisions share a model's stream without disturbing them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from eventsourcing.application import AggregateNotFoundError, Repository
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    AggregateRecorder,
    EventStore,
    JSONTranscoder,
    Mapper,
    MapperDeserialisationError,
    OperationalError,
    StoredEvent,
)
from pydantic import ValidationError

from ledger.errors import LedgerError, Reason
from ledger.events.base import EventData
from ledger.events.canonical import CanonicalError, decode
from ledger.events.envelope import encode_body
from ledger.events.erased import Erased
from ledger.events.models import (
    ModelDeployed,
    ModelDescribed,
    ModelRegistered,
    ModelRetired,
    ModelUpdated,
)
from ledger.events.policies import DRAFTED_TYPES, PolicyActivated, PolicyDrafted
from ledger.events.registry import BY_TYPE

DESCRIBING_TYPES: Final = frozenset({ModelRegistered.TYPE, ModelUpdated.TYPE})
MODEL_TYPES: Final = frozenset(
    cls.TYPE for cls in (ModelRegistered, ModelUpdated, ModelDeployed, ModelRetired)
)
POLICY_TYPES: Final = frozenset({*DRAFTED_TYPES, PolicyActivated.TYPE})


@dataclass(frozen=True, slots=True)
class Fact:
    """One event of an aggregate: the library's stream and version, the body's cause, the data."""

    originator_id: str
    originator_version: int
    data: EventData | Erased
    actor: str
    request_id: str | None = None
    run_id: str | None = None
    causation_position: int | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A model as its events left it. `version` counts them and serves as the etag.

    `described` is None where the newest description was erased, until it is described again;
    `deployments` are those that are still known.
    """

    id: str
    version: int
    described: ModelDescribed | None
    deployments: tuple[ModelDeployed, ...] = ()
    retired: bool = False
    is_version_erased: bool = False
    """Whether the newest deployment was erased: which version serves is not known then."""

    @property
    def in_service(self) -> ModelDeployed | None:
        """The deployment that is stated to be the latest; None where none is known to be."""
        return self.in_service_at(None)

    def in_service_at(self, at: str | None) -> ModelDeployed | None:
        """Return the deployment in service at a time: the latest stated one not after it.

        Of two stated for the same time the later recorded one. Times have one form, so that their
        texts are in their order.
        """
        if self.is_version_erased:
            return None
        known = [one for one in self.deployments if at is None or one.in_service_at <= at]
        # The last of the greatest: `max` gives the first.
        return max(reversed(known), key=lambda one: one.in_service_at, default=None)

    def deployed_after(self, at: str) -> ModelDeployed | None:
        """Return the deployment that is stated next after a time; None where there is none."""
        later = [one for one in self.deployments if one.in_service_at > at]
        return min(later, key=lambda one: one.in_service_at, default=None)


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy's versions and when which of them came into force.

    `drafts` has None where a version was erased: versions keep their numbers. An erased activation
    is no longer there: it names no version and no scope any more, so nothing is in force by it.
    """

    id: str
    version: int
    drafts: tuple[PolicyDrafted | None, ...] = ()
    activations: tuple[PolicyActivated, ...] = ()


def evolve_model(model: Model | None, data: EventData | Erased, stream: str) -> Model:
    """Return the model after one more event of its own."""
    if model is None:
        if isinstance(data, Erased):
            if data.type != ModelRegistered.TYPE:
                raise _out_of_place(stream, data.type)
            return Model(stream, 1, None)
        if not isinstance(data, ModelRegistered):
            raise _out_of_place(stream, data.TYPE)
        return Model(stream, 1, data)
    model = replace(model, version=model.version + 1)
    if isinstance(data, Erased):
        return _evolve_erased(model, data.type)
    if isinstance(data, ModelDescribed):
        return replace(model, described=data)
    if isinstance(data, ModelDeployed):
        deployments = (*model.deployments, data)
        return replace(model, deployments=deployments, is_version_erased=False)
    if not isinstance(data, ModelRetired):
        raise _out_of_place(stream, data.TYPE)
    return replace(model, retired=True)


def _evolve_erased(model: Model, type_: str) -> Model:
    """Return the model after an event of which only the type is known."""
    if type_ in DESCRIBING_TYPES:
        return replace(model, described=None)
    if type_ == ModelDeployed.TYPE:
        return replace(model, is_version_erased=True)
    if type_ != ModelRetired.TYPE:
        raise _out_of_place(model.id, type_)
    return replace(model, retired=True)


def evolve_policy(policy: Policy | None, data: EventData | Erased, stream: str) -> Policy:
    """Return the policy after one more event of its own."""
    policy = Policy(stream, 1) if policy is None else replace(policy, version=policy.version + 1)
    if isinstance(data, Erased):
        is_draft = data.type in DRAFTED_TYPES
        return replace(policy, drafts=(*policy.drafts, None)) if is_draft else policy
    if isinstance(data, PolicyDrafted):
        return replace(policy, drafts=(*policy.drafts, data))
    if not isinstance(data, PolicyActivated):
        raise _out_of_place(stream, data.TYPE)
    return replace(policy, activations=(*policy.activations, data))


def _out_of_place(stream: str, type_: str) -> LedgerError:
    """Return the refusal of a history that this product does not write: rows were changed."""
    return LedgerError(
        Reason.EVENT_UNREADABLE,
        f"The history of {stream} cannot be read: {type_} does not belong where it is.",
        remedy="Verify the ledger with `decision-ledger log verify`.",
        metadata={"stream": stream},
    )


class ClosedMapper(Mapper[str]):
    """Facts to stored events and back, by the catalogue's type names and canonical bytes only."""

    def __init__(self) -> None:
        super().__init__(JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """Return the canonical body under the event's type name."""
        assert isinstance(domain_event, Fact)
        assert not isinstance(domain_event.data, Erased), "what is erased is never written"
        body = encode_body(
            actor=domain_event.actor,
            data=domain_event.data.to_data(),
            request_id=domain_event.request_id,
            run_id=domain_event.run_id,
            causation_position=domain_event.causation_position,
        )
        return StoredEvent(
            domain_event.originator_id,
            domain_event.originator_version,
            domain_event.data.TYPE,
            body,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        """Return the fact; MapperDeserialisationError unless type and bytes are the catalogue's.

        The recorder gives an erased body as no bytes at all.
        """
        cls = BY_TYPE.get(stored_event.topic)
        if cls is None:
            raise MapperDeserialisationError(f"no event type is named {stored_event.topic!r}")
        if not stored_event.state:
            erased: Any = Fact(
                str(stored_event.originator_id),
                stored_event.originator_version,
                Erased(stored_event.topic),
                "",
            )
            return erased  # type: ignore[no-any-return]
        try:
            body: Any = decode(stored_event.state)
            data = cls.from_data(body["data"])
        except (CanonicalError, KeyError, TypeError, ValidationError) as error:
            raise MapperDeserialisationError(
                f"{stored_event.originator_id} version {stored_event.originator_version}: {error}"
            ) from error
        fact: Any = Fact(
            str(stored_event.originator_id),
            stored_event.originator_version,
            data,
            body["actor"],
            body["request_id"],
            body["run_id"],
            body["causation_position"],
        )
        return fact  # type: ignore[no-any-return]


A = TypeVar("A", Model, Policy)


class Aggregates:
    """The library's repository and event store over one ledger's recorder."""

    def __init__(self, recorder: AggregateRecorder) -> None:
        self._events: EventStore[str] = EventStore(ClosedMapper(), recorder)
        self._repository: Repository[str] = Repository(self._events)

    def model(self, stream: str) -> Model | None:
        """Return the model whose stream this is, or None if it was never registered."""
        return self._get(stream, evolve_model)

    def policy(self, stream: str) -> Policy | None:
        """Return the policy whose stream this is, or None if it was never drafted."""
        return self._get(stream, evolve_policy)

    def save(self, fact: Fact, **options: object) -> int:
        """Append one fact and return its position; the library's IntegrityError if it is stale."""
        event: Any = fact
        try:
            return self._events.put([event], **options)[0].notification.id
        except OperationalError as error:
            # The library's word for a store that is unavailable; ours says what to do about it.
            raise error.__cause__ or error from error

    def _get(
        self, stream: str, evolve: Callable[[A | None, EventData | Erased, str], A]
    ) -> A | None:
        def project(initial: A | None, facts: Iterable[Any]) -> A | None:
            state = initial
            for fact in facts:
                state = evolve(state, fact.data, stream)
            return state

        projector: Any = project
        try:
            found: Any = self._repository.get(stream, projector_func=projector)
        except AggregateNotFoundError:
            return None
        except MapperDeserialisationError as error:
            raise LedgerError(
                Reason.EVENT_UNREADABLE,
                f"The history of {stream} cannot be read: {error}.",
                remedy="Verify the ledger with `decision-ledger log verify`.",
                metadata={"stream": stream},
            ) from error
        return found  # type: ignore[no-any-return]
