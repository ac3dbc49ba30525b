"""The one way to append: a use case proposes events, and the appender records them.

1. A repeated request gets its first answer, and nothing is decided.
2. The use case decides: it reads, and proposes events with guards of what it read.
3. The events' bodies are encoded and appended together, in one transaction.
4. Where a guard was broken, the use case decides again, as often as it allows.
5. Where a request is refused, its repeat may have overtaken it: that one's answer counts then.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from ledger.application.commands import Caller, none_after
from ledger.chain.keys import SecretKey
from ledger.errors import LedgerError, Reason, request_id_reused
from ledger.events.base import EventData
from ledger.events.envelope import RecordedEvent, encode_body
from ledger.storage.records import AppendRequest, AppendResult, Guard, NewEvent, Place
from ledger.storage.store import Store

MakeData = Callable[[Place], EventData]
"""Makes the data of an event that names positions of its own request, or when it is recorded."""


@dataclass(frozen=True, slots=True)
class Addition:
    """One event to append.

    `cause` is a position; `follows` instead counts from the request's first event, as 0.
    """

    stream: str
    type: str
    data: EventData | MakeData
    run_id: str | None = None
    cause: int | None = None
    follows: int | None = None

    @classmethod
    def of(
        cls,
        data: EventData,
        *,
        run_id: str | None = None,
        cause: int | None = None,
        follows: int | None = None,
    ) -> "Addition":
        """Return the addition of an event in the stream that its data name."""
        return cls(data.stream_name, data.TYPE, data, run_id, cause, follows)


@dataclass(frozen=True, slots=True)
class Proposal:
    """The decision of a use case: events, and the guards that must hold when they are appended.

    Without events the request is answered, and remembered, all the same. `stated_time` moves the
    clock of a `data` ledger. `keys` are kept in the same transaction.
    """

    additions: Sequence[Addition]
    guards: Sequence[Guard] = ()
    stated_time: int | None = None
    keys: Sequence[SecretKey] = ()


class Appender:
    """Appends to one ledger. Safe between threads."""

    def __init__(self, store: Store, origin: str) -> None:
        self._store = store
        self._origin = origin

    def append(
        self,
        caller: Caller,
        method: str,
        decide: Callable[[], Proposal],
        *,
        tries: int = 1,
        refusal: Callable[[LedgerError], LedgerError] | None = None,
    ) -> AppendResult:
        """Append what `decide` proposes; REQUEST_ID_REUSED if the repeat has other content.

        After the last of `tries` conflicts it decides once more, since a request that is impossible
        by now is the better answer; else `refusal` words the conflict. Raises what `decide` raises.
        """
        answered = self.answered(caller, method)
        if answered is not None:
            return answered
        try:
            return self._tried(caller, method, decide, tries, refusal)
        except LedgerError:
            answered = self.answered(caller, method)
            if answered is not None:
                return answered
            raise

    def _tried(
        self,
        caller: Caller,
        method: str,
        decide: Callable[[], Proposal],
        tries: int,
        refusal: Callable[[LedgerError], LedgerError] | None,
    ) -> AppendResult:
        for left in reversed(range(tries)):
            request = self.request(caller, method, decide())
            try:
                return self._store.requests.append(request)
            except LedgerError as error:
                if error.reason is not Reason.VERSION_CONFLICT:
                    raise
                if left:
                    continue
                decide()
                if refusal is None:
                    raise
                raise refusal(error) from error
        raise AssertionError("the last try returns or raises")

    def submit(self, caller: Caller, method: str, proposal: Proposal) -> Future[AppendResult]:
        """Hand a proposal to the writer, without a look at earlier answers or a second try."""
        return self._store.requests.submit(self.request(caller, method, proposal))

    def append_once(
        self, caller: Caller, method: str, data: Sequence[EventData], after: int, *, tries: int
    ) -> None:
        """Append events of one stream but for those that are on record behind a position already.

        It repeats an append whose answer was lost: no event comes twice, also of several servers.
        """
        events, stream = self._store.events, data[0].STREAM
        types = tuple(sorted({one.TYPE for one in data}))
        additions = [Addition.of(one) for one in data]
        bodies = [encoded(caller, one).body for one in additions]

        def decide() -> Proposal:
            head = events.head(self._origin).position
            found = events.of_types(self._origin, types, stream=stream, after=after)
            there = {event.body_bytes for event in found}
            left = [one for one, body in zip(additions, bodies, strict=True) if body not in there]
            return Proposal(left, [none_after(head, stream, type_) for type_ in types])

        self.append(caller, method, decide, tries=tries)

    def answered(self, caller: Caller, method: str) -> AppendResult | None:
        """Return the first answer to a repeated request; None if there was none.

        REQUEST_ID_REUSED if the first request had other content.
        """
        if caller.request_id is None:
            return None
        found = self._store.requests.answered(self._origin, caller.actor, method, caller.request_id)
        if found is None:
            return None
        digest, first, last = found
        if digest != caller.digest:
            places = {"first_position": str(first), "last_position": str(last)}
            raise request_id_reused(caller.request_id, caller.actor, method, **places)
        event = self.event(last)
        return AppendResult(first, last, event.recorded_at, event.event_hash, repeated=True)

    def event(self, position: int) -> RecordedEvent:
        """Return an event that was appended."""
        event = self._store.events.event(self._origin, position)
        assert event is not None, "what was appended can be read"
        return event

    def request(self, caller: Caller, method: str, proposal: Proposal) -> AppendRequest:
        """Return the request to storage, for a use case that storage completes on its own."""
        return AppendRequest(
            ledger=self._origin,
            actor=caller.actor,
            method=method,
            events=[encoded(caller, one) for one in proposal.additions],
            request_id=caller.request_id,
            digest=caller.digest,
            guards=(*proposal.guards, *caller.guards),
            stated_time=proposal.stated_time,
            deadline_monotonic=caller.deadline_monotonic,
            keys=proposal.keys,
            may_leap=caller.may_leap,
        )


def encoded(caller: Caller, addition: Addition) -> NewEvent:
    """Return an event with its body, or with what makes that once its place is known."""

    def body(place: Place) -> bytes:
        data = addition.data if isinstance(addition.data, EventData) else addition.data(place)
        return encode_body(
            actor=caller.actor,
            data=data.to_data(),
            causation_position=(
                addition.cause
                if addition.follows is None
                else place.first_position + addition.follows
            ),
            request_id=caller.request_id,
            run_id=addition.run_id,
        )

    is_placed = addition.follows is not None or not isinstance(addition.data, EventData)
    return NewEvent(addition.stream, addition.type, body if is_placed else body(Place(0, 0)))
