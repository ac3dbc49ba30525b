"""The bridge to the `eventsourcing` library: aggregates are read by it, and saved by the appender.

The library reads an aggregate's events through the ledger's own recorder, and a mapper with a
closed registry decodes them. It refuses every topic that it does not know, so nothing that is in a
row can make this process import a module. An aggregate's next event is guarded by the version that
was read: the loser of a race gets VERSION_CONFLICT and must decide again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    AggregateRecorder,
    EventStore,
    JSONTranscoder,
    Mapper,
    MapperDeserialisationError,
    StoredEvent,
)
from pydantic import ValidationError

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller, fields_named
from ledger.application.fleet.aggregates import (
    ModelAggregate,
    PolicyAggregate,
    SignalAggregate,
    evolve_model,
    evolve_policy,
    evolve_signal,
)
from ledger.errors import LedgerError, Reason
from ledger.events.base import EventData
from ledger.events.canonical import CanonicalError, decode
from ledger.events.registry import BY_TYPE, ErasedData
from ledger.storage.native import family_of
from ledger.storage.records import AppendResult, Guard

A = TypeVar("A", SignalAggregate, ModelAggregate, PolicyAggregate)


@dataclass(frozen=True)
class PastEvent:
    """One event of an aggregate, as the library reads it."""

    originator_id: str
    originator_version: int
    data: EventData | ErasedData
    stored: StoredEvent


@dataclass(frozen=True, slots=True)
class NextEvent:
    """What an aggregate decided: its next event, made of it as it was at `version`."""

    version: int
    data: EventData
    run_id: str | None = None
    cause: int | None = None
    guards: Sequence[Guard] = ()
    """What else must hold when it is appended."""
    stated_time: int | None = None


class ClosedMapper(Mapper[str]):
    """Stored events to past ones, by the catalogue's type names and canonical bytes only."""

    def __init__(self) -> None:
        super().__init__(JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """Return an event as it was read; a new one is encoded by the appender alone."""
        assert isinstance(domain_event, PastEvent), "what is new goes to the appender"
        return domain_event.stored

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[str]:
        """Return the event; MapperDeserialisationError unless type and bytes are the catalogue's.

        The recorder gives an erased body as no bytes at all.
        """
        stream, version = str(stored_event.originator_id), stored_event.originator_version
        cls = BY_TYPE.get(stored_event.topic)
        if cls is None:
            raise MapperDeserialisationError(f"no event type is named {stored_event.topic!r}")
        if not stored_event.state:
            return PastEvent(stream, version, ErasedData(stored_event.topic), stored_event)
        try:
            data = cls.from_data(decode(stored_event.state)["data"])
        except (CanonicalError, KeyError, TypeError, ValidationError) as error:
            raise MapperDeserialisationError(f"{stream} version {version}: {error}") from error
        return PastEvent(stream, version, data, stored_event)


class Aggregates:
    """The aggregates of one ledger."""

    def __init__(self, recorder: AggregateRecorder, appender: Appender) -> None:
        self._events: EventStore[str] = EventStore(ClosedMapper(), recorder)
        self.appender = appender

    def signal(self, stream: str) -> SignalAggregate | None:
        """Return the signal whose stream this is, or None if it was never defined."""
        return self._get(stream, evolve_signal)

    def model(self, stream: str) -> ModelAggregate | None:
        """Return the model whose stream this is, or None if it was never registered."""
        return self._get(stream, evolve_model)

    def policy(self, stream: str) -> PolicyAggregate | None:
        """Return the policy whose stream this is, or None if it was never drafted."""
        return self._get(stream, evolve_policy)

    def save(self, caller: Caller, method: str, decide: Callable[[], NextEvent]) -> AppendResult:
        """Append the event that is decided; VERSION_CONFLICT if its aggregate changed meanwhile.

        FIELD_INVALID names the fields that the event's data refuse.
        """
        decided: list[NextEvent] = []

        def propose() -> Proposal:
            with fields_named():
                event = decide()
            decided.append(event)
            addition = Addition.of(event.data, run_id=event.run_id, cause=event.cause)
            guards = [*event.guards, unchanged(addition.stream, event.version)]
            return Proposal([addition], guards, event.stated_time)

        def refusal(_: LedgerError) -> LedgerError:
            return stale(decided[0].data.stream_name, decided[0].version, decided[0].version + 1)

        return self.appender.append(caller, method, propose, refusal=refusal)

    def _get(
        self, stream: str, evolve: Callable[[A | None, EventData | ErasedData, str], A]
    ) -> A | None:
        state: A | None = None
        try:
            for event in self._events.get(stream):
                assert isinstance(event, PastEvent), "the mapper makes no other"
                state = evolve(state, event.data, stream)
        except MapperDeserialisationError as error:
            raise LedgerError(
                Reason.EVENT_UNREADABLE,
                f"The history of {stream} cannot be read: {error}.",
                remedy="Verify the ledger with `decision-ledger verify`.",
                metadata={"stream": stream},
            ) from error
        return state


def unchanged(stream: str, version: int) -> Guard:
    """Return the guard that an aggregate still has the version that was read."""
    return Guard(stream, family_of(stream), expected_count=version)


def stale(stream: str, expected: int, found: int) -> LedgerError:
    """Return the refusal of what was decided of an earlier version of an aggregate."""
    return LedgerError(
        Reason.VERSION_CONFLICT,
        f"{stream} has changed: version {expected} was expected, {found} or later was found.",
        remedy="Read it again, then decide again.",
        metadata={"stream": stream, "expected": str(expected), "found": str(found)},
    )
