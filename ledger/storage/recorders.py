"""Recorders of the `eventsourcing` library over the ledger's own table of events.

Each works on one ledger of a store. An application's events then are events of that ledger:
numbered without gaps, hash-chained, durable before the call returns. Versions ascend within an
originator. Keyword arguments of `insert_events` reach the append: request_id, method, digest,
guards, actor, stated_time, may_leap, deadline_monotonic.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    ListenNotifySubscription,
    Notification,
    OperationalError,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    Tracking,
    TrackingRecorder,
)
from sqlalchemy import Connection

from ledger.errors import LedgerError, Reason
from ledger.events.canonical import decode
from ledger.events.envelope import RecordedEvent
from ledger.storage.records import AppendRequest, AppendResult, Guard
from ledger.storage.store import Store
from ledger.storage.stored_events import (
    RECORDER,
    OriginatorId,
    family_of,
    foreign_stream,
    is_native,
    to_new_event,
    to_notification,
    to_stored_event,
)

METHOD: Final = "Recorder"
PAGE: Final = 500
NEVER: Final = -1  # a count that no stream has: only a repeated request gets past such a guard


class LedgerAggregateRecorder(AggregateRecorder):
    """Records the events of aggregates; `insert_events` returns None."""

    def __init__(self, store: Store, origin: str, to_id: OriginatorId = UUID) -> None:
        self.store = store
        self.origin = origin
        self._to_id = to_id

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        **kwargs: Any,  # noqa: ANN401 - the library's signature
    ) -> Sequence[int] | None:
        """Append all events or none; IntegrityError where a version is not the next."""
        if stored_events:
            self._append(stored_events, **kwargs)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return the events of one aggregate, by version."""
        found = [
            event
            for event in self._select_native(str(originator_id)) or self._foreign(originator_id)
            if (gt is None or event.originator_version > gt)
            and (lte is None or event.originator_version <= lte)
        ]
        if desc:
            found.reverse()
        return found[:limit]

    def _append(
        self,
        stored: Sequence[StoredEvent],
        *,
        actor: str | None = None,
        method: str = METHOD,
        request_id: str | None = None,
        guards: Sequence[Guard] = (),
        **kwargs: Any,  # noqa: ANN401 - members of AppendRequest
    ) -> AppendResult:
        """Append through the store's writer, in the library's own errors."""
        actor = actor or _actor_of(stored)
        new = [to_new_event(event, actor=actor, request_id=request_id) for event in stored]
        while True:
            own = [*_native_guards(stored), *self._foreign_guards(stored, request_id)]
            request = AppendRequest(
                self.origin,
                actor,
                method,
                new,
                request_id=request_id,
                guards=(*guards, *own),
                **kwargs,
            )
            try:
                return self.store.requests.append(request)
            except LedgerError as error:
                # Another writer was faster with one of these originators: whether the versions
                # still fit, a second look tells. A conflict that stays the same is one.
                again = [*_native_guards(stored), *self._foreign_guards(stored, request_id)]
                if error.reason is Reason.VERSION_CONFLICT and again != own:
                    continue
                raise _in_their_words(error) from error

    def _foreign_guards(self, stored: Sequence[StoredEvent], request_id: str | None) -> list[Guard]:
        """Return guards that hold while the streams of foreign events are as they are now."""
        last: dict[str, int] = {}
        guards = []
        for event in stored:
            if is_native(event.topic):
                continue
            stream = foreign_stream(event.originator_id)
            if stream not in last:
                count, version = self._newest(stream)
                last[stream] = version
                guards.append(Guard(stream, None, expected_count=count))
            if event.originator_version <= last[stream]:
                if request_id is None:
                    raise IntegrityError(
                        f"version {event.originator_version} of {event.originator_id} is not "
                        f"beyond {last[stream]}"
                    )
                guards.append(Guard(stream, None, expected_count=NEVER))
            last[stream] = event.originator_version
        return guards

    def _newest(self, stream: str) -> tuple[int, int]:
        """Return how many events a foreign stream has, and the version of its last."""
        count = self.store.events.stream_version(self.origin, stream)
        if count == 0:
            return 0, NEVER
        event = self.store.events.stream_event(self.origin, stream, count)
        return count, to_stored_event(event, count, self._to_id).originator_version

    def _select_native(self, stream: str) -> list[StoredEvent]:
        """Return the events of a native aggregate, numbered within their family."""
        family = family_of(stream)
        if not family:
            return []
        found = self.store.events.of_types(self.origin, family, stream=stream)
        return [to_stored_event(event, n, self._to_id) for n, event in enumerate(found, 1)]

    def _foreign(self, originator_id: UUID | str) -> list[StoredEvent]:
        """Return the events of a foreign originator."""
        stream = foreign_stream(originator_id)
        found: list[RecordedEvent] = []
        while page := self.store.events.read(
            self.origin, after=found[-1].position if found else 0, limit=PAGE, streams=(stream,)
        ):
            found += page
        return [to_stored_event(event, 0, self._to_id) for event in found]


class LedgerApplicationRecorder(LedgerAggregateRecorder, ApplicationRecorder):
    """Records an application's sequence of events: notification ids are the ledger's positions."""

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        **kwargs: Any,  # noqa: ANN401 - the library's signature
    ) -> Sequence[int] | None:
        """Append all events or none, and return their positions."""
        if not stored_events and "tracking" not in kwargs:
            return []
        result = self._append(stored_events, **kwargs)
        return list(range(result.first_position, result.last_position + 1))

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return notifications of these topics, by position, up to and with `stop`."""
        after = 0 if start is None else start - inclusive_of_start
        found: list[Notification] = []
        while len(found) < limit:
            page = self.store.events.read(
                self.origin, after=after, until=stop, limit=max(limit, PAGE)
            )
            if not page:
                break
            after = page[-1].position
            converted = (to_notification(event, topics, self._to_id) for event in page)
            found += [notification for notification in converted if notification is not None]
        return found[:limit]

    def max_notification_id(self) -> int | None:
        """Return the ledger's head position, None while it is empty."""
        return self.store.events.head(self.origin).position or None

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        """Return an iterator over notifications, the recorded ones and those to come."""
        return LedgerSubscription(self, gt, topics)


class LedgerSubscription(ListenNotifySubscription[ApplicationRecorder]):
    """Follows a ledger: woken by the store's hints, on SQLite as well as on PostgreSQL."""

    def __init__(
        self, recorder: LedgerApplicationRecorder, gt: int | None, topics: Sequence[str]
    ) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._unsubscribe = recorder.store.commits.subscribe(self._wake)
        self._has_been_notified.set()  # for what was committed before we listened

    def _wake(self, _origin: str, _position: int) -> None:
        self._has_been_notified.set()

    def stop(self) -> None:
        """Stop the iteration and the listening."""
        super().stop()
        unsubscribe: Callable[[], None] | None = getattr(self, "_unsubscribe", None)
        if unsubscribe is not None:  # the pulling thread may fail before we have begun to listen
            unsubscribe()


class LedgerTrackingRecorder(TrackingRecorder):
    """Records how far a consumer has come. Base of views that live in the same database."""

    def __init__(self, store: Store, origin: str) -> None:
        self.store = store
        self.origin = origin

    def insert_tracking(self, tracking: Tracking) -> None:
        """Move forward; IntegrityError where the position is not beyond the recorded one."""
        self.record(tracking, None)

    def record(self, tracking: Tracking, update: Callable[[Connection], object] | None) -> None:
        """Move forward, and update a view's own tables in the same transaction."""
        _track(self.store, self.origin, tracking, update)

    def max_tracking_id(self, application_name: str) -> int | None:
        """Return the position recorded for an application, None before the first."""
        return self.store.consumers.position(self.origin, application_name)


class LedgerProcessRecorder(LedgerApplicationRecorder, LedgerTrackingRecorder, ProcessRecorder):
    """Records new events and the position they answer to in one transaction."""

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        **kwargs: Any,  # noqa: ANN401 - the library's signature
    ) -> Sequence[int] | None:
        """Append events and move the keyword `tracking` forward, both or neither."""
        tracking: Tracking | None = kwargs.pop("tracking", None)
        if tracking is not None:
            kwargs["tracking"] = (tracking.application_name, tracking.notification_id)
        return super().insert_events(stored_events, **kwargs)


def _actor_of(stored: Sequence[StoredEvent]) -> str:
    """Return who caused the events: their bodies say it where they are native."""
    for event in stored:
        if is_native(event.topic):
            return str(decode(event.state)["actor"])
    return RECORDER


def _native_guards(stored: Sequence[StoredEvent]) -> list[Guard]:
    """Return guards that hold while each native event is the next of its aggregate."""
    last: dict[str, int] = {}
    guards = []
    for event in stored:
        if not is_native(event.topic):
            continue
        stream, version = str(event.originator_id), event.originator_version
        if event.topic not in (family := family_of(stream)):
            raise IntegrityError(f"{event.topic} is not an event of the aggregate {stream}")
        if stream not in last:
            guards.append(Guard(stream, family, expected_count=version - 1))
        elif version != last[stream] + 1:
            raise IntegrityError(f"version {version} of {stream} does not follow {last[stream]}")
        last[stream] = version
    return guards


def _track(
    store: Store,
    origin: str,
    tracking: Tracking,
    update: Callable[[Connection], object] | None,
) -> None:
    try:
        store.consumers.move(origin, tracking.application_name, tracking.notification_id, update)
    except LedgerError as error:
        raise _in_their_words(error) from error


def _in_their_words(error: LedgerError) -> Exception:
    """Return the library's error for a refusal it knows; any other stays what it is."""
    if error.reason is Reason.VERSION_CONFLICT:
        return IntegrityError(str(error))
    if error.reason is Reason.STORE_UNAVAILABLE:
        return OperationalError(str(error))
    return error
