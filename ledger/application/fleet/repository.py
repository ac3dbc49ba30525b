"""The bridge to the `eventsourcing` library: aggregates are read by it, and saved by the appender.

The library reads an aggregate's events through the ledger's own recorder, and a mapper with a
closed registry decodes them. It refuses every topic that it does not know, so nothing that is in a
row can make this process import a module. An aggregate's next event is guarded by the version that
was read: the loser of a race gets VERSION_CONFLICT and must decide again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

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
from ledger.application.commands import (
    Caller,
    fields_named,
    model_stream,
    policy_stream,
    signal_stream,
)
from ledger.application.fleet.aggregates import (
    ModelAggregate,
    PolicyAggregate,
    SignalAggregate,
    evolve_model,
    evolve_policy,
    evolve_signal,
    unreadable,
)
from ledger.errors import LedgerError, Reason
from ledger.events.base import EventData
from ledger.events.canonical import CanonicalError, decode
from ledger.events.registry import BY_TYPE, ErasedData
from ledger.storage.records import AppendResult, Guard
from ledger.storage.stored_events import family_of

_TRIES: Final = 5

A = TypeVar("A", SignalAggregate, ModelAggregate, PolicyAggregate)


@dataclass(frozen=True)
class PastEvent:
    """One event of an aggregate, as the library reads it."""

    originator_id: str
    originator_version: int
    data: EventData | ErasedData
    stored: StoredEvent


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

    def signal(self, name: str) -> SignalAggregate | None:
        """Return a signal, or None if it was never defined."""
        return self._get(signal_stream(name), evolve_signal)

    def model(self, name: str) -> ModelAggregate | None:
        """Return a model, or None if it was never registered."""
        return self._get(model_stream(name), evolve_model)

    def policy(self, name: str) -> PolicyAggregate | None:
        """Return a policy, or None if it was never drafted."""
        return self._get(policy_stream(name), evolve_policy)

    def save(self, caller: Caller, method: str, decide: Callable[[], Proposal]) -> AppendResult:
        """Append the `next_event` that is decided; VERSION_CONFLICT if its aggregate has changed.

        Where something else that it rests on has changed, it is decided again, a few times.
        FIELD_INVALID names the fields that the event's data refuse.
        """
        read: list[Guard] = []

        def propose() -> Proposal:
            with fields_named():
                proposal = decide()
            read.append(proposal.guards[-1])
            if read[-1] != read[0]:
                raise _changed(read[0], read[-1])
            return proposal

        return self.appender.append(caller, method, propose, tries=_TRIES)

    def _get(
        self, stream: str, evolve: Callable[[A | None, EventData | ErasedData, str], A]
    ) -> A | None:
        state: A | None = None
        try:
            for event in self._events.get(stream):
                assert isinstance(event, PastEvent), "the mapper makes no other"
                state = evolve(state, event.data, stream)
        except MapperDeserialisationError as error:
            raise unreadable(stream, str(error)) from error
        return state


def next_event(
    version: int,
    data: EventData,
    *,
    run_id: str | None = None,
    cause: int | None = None,
    guards: Sequence[Guard] = (),
    stated_time: int | None = None,
) -> Proposal:
    """Propose an aggregate's next event, made of it as it was at `version`."""
    addition = Addition.of(data, run_id=run_id, cause=cause)
    return Proposal([addition], [*guards, unchanged(addition.stream, version)], stated_time)


def unchanged(stream: str, version: int) -> Guard:
    """Return the guard that an aggregate still has the version that was read."""
    return Guard(stream, family_of(stream), expected_count=version)


def _changed(read: Guard, found: Guard) -> LedgerError:
    """Return the refusal of a next event where its aggregate has another version than was read."""
    assert read.stream is not None, "it is that of the aggregate"
    assert read.expected_count is not None, "so is it"
    return stale(read.stream, read.expected_count, found.expected_count or 0)


def stale(stream: str, expected: int, found: int) -> LedgerError:
    """Return the refusal of what was decided of an earlier version of an aggregate."""
    return LedgerError(
        Reason.VERSION_CONFLICT,
        f"{stream} has changed: version {expected} was expected, {found} or later was found.",
        remedy="Read it again, then decide again.",
        metadata={"stream": stream, "expected": str(expected), "found": str(found)},
    )
