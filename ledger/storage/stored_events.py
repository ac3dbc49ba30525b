"""How events of the `eventsourcing` library become events of the ledger, and back.

A *native* event has the name of a registered type as its topic, a stream as its originator_id and
the canonical bytes of a body as its state: it is recorded as that event. Its originator_version
counts only the events of its aggregate's family, because a model's stream holds observations,
scores and decisions too. Everything else is *foreign*: opaque bytes in an envelope.
"""

import base64
import hashlib
from collections.abc import Callable, Collection
from typing import Final
from uuid import UUID

from eventsourcing.persistence import DataError, Notification, StoredEvent

from ledger.events.canonical import CanonicalError, decode
from ledger.events.envelope import RecordedEvent, encode_body
from ledger.events.recorder import RecorderEvent
from ledger.events.registry import BY_TYPE, EVENT_CLASSES, aggregate_types, typed
from ledger.storage.records import NewEvent

OriginatorId = Callable[[str], UUID | str]
"""Turns the text that was recorded into the identifier that the application uses."""

TEXT_MAX: Final = 1_000  # of an originator_id or a topic, as the event type has it
RECORDER: Final = "services/recorder"
_KINDS: Final = {cls.STREAM.partition("/")[0] for cls in EVENT_CLASSES if cls.IS_OF_AGGREGATE}
_FAMILIES: Final = {f"{kind}/": aggregate_types(kind) for kind in _KINDS}


def is_native(topic: str) -> bool:
    """Return whether a topic is a type of the ledger's own."""
    return topic in BY_TYPE and topic != RecorderEvent.TYPE


def family_of(stream: str) -> frozenset[str]:
    """Return the event types that make up the aggregate of a stream; empty if it has none."""
    prefix = stream[: stream.find("/") + 1]
    return _FAMILIES.get(prefix, frozenset())


def foreign_stream(originator_id: UUID | str) -> str:
    """Return the stream that holds a foreign originator's events."""
    return f"recorder/{hashlib.sha256(str(originator_id).encode()).hexdigest()}"


def to_new_event(stored: StoredEvent, *, actor: str, request_id: str | None) -> NewEvent:
    """Return what to append for an event of the library; DataError where it does not fit."""
    if is_native(stored.topic):
        try:
            decode(stored.state)
        except CanonicalError as error:
            raise DataError(f"the state of a {stored.topic} is not a body: {error}") from error
        return NewEvent(str(stored.originator_id), stored.topic, stored.state)
    originator_id = str(stored.originator_id)
    if len(originator_id) > TEXT_MAX or len(stored.topic) > TEXT_MAX:
        raise DataError(f"an originator_id or topic is longer than {TEXT_MAX} characters")
    body = encode_body(
        actor=actor,
        data={
            "originator_id": originator_id,
            "originator_version": stored.originator_version,
            "state_base64": base64.b64encode(stored.state).decode("ascii"),
            "topic": stored.topic,
        },
        request_id=request_id,
    )
    return NewEvent(foreign_stream(originator_id), RecorderEvent.TYPE, body)


def to_stored_event(event: RecordedEvent, version: int, to_id: OriginatorId) -> StoredEvent:
    """Return the library's view of an event; `version` is that of a native one.

    A native event whose body was erased has no state. BODY_ERASED for a foreign one: an aggregate
    with an event left out would be another one.
    """
    if event.type == RecorderEvent.TYPE:
        data = typed(event, RecorderEvent)
        return StoredEvent(
            originator_id=to_id(data.originator_id),
            originator_version=data.originator_version,
            topic=data.topic,
            state=base64.b64decode(data.state_base64, validate=True),
        )
    return StoredEvent(
        originator_id=event.stream,
        originator_version=version,
        topic=event.type,
        state=event.body_bytes or b"",
    )


def to_notification(
    event: RecordedEvent, topics: Collection[str], to_id: OriginatorId
) -> Notification | None:
    """Return the notification of an event, None where its topic is not asked for.

    None also for a foreign event whose body was erased: its aggregate is not known any more.
    A native event carries its stream_version: in the order of all events that is its place.
    """
    if topics and event.type != RecorderEvent.TYPE and event.type not in topics:
        return None
    if event.type == RecorderEvent.TYPE and event.body_bytes is None:
        return None
    stored = to_stored_event(event, event.stream_version, to_id)
    if topics and stored.topic not in topics:
        return None
    return Notification(
        id=event.position,
        originator_id=stored.originator_id,
        originator_version=stored.originator_version,
        topic=stored.topic,
        state=stored.state,
    )
