"""The message to a subscriber: an event of the ledger as a CloudEvent 1.0, in structured JSON.

Its `id` is the event's place, so it is the same in every attempt and from every server: a receiver
that has seen it has seen the event.
"""

from dataclasses import dataclass
from typing import Any, Final

from ledger.events import canonical
from ledger.events.envelope import RecordedEvent
from ledger.events.values import format_time

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
TEST_TYPE: Final = "notification.test"


@dataclass(frozen=True, slots=True)
class Notification:
    """One CloudEvent, with the members that a sender names it by."""

    id: str
    origin: str
    position: int
    """0 for a test, which is no event of the ledger."""
    type: str
    subject: str
    body: bytes
    """The same bytes in every attempt."""


def of_event(origin: str, event: RecordedEvent) -> Notification:
    """Return what is sent of an event; of an erased one all but its body and salt.

    Its data are the event's members as the API shows them, with the body as JSON.
    """
    body = None if event.body_bytes is None else event.body._asdict()
    data = {
        "position": event.position,
        "stream": event.stream,
        "stream_version": event.stream_version,
        "type": event.type,
        "recorded_at": format_time(event.recorded_at),
        "body": body,
        "salt": None if event.salt is None else event.salt.hex(),
        "body_hash": event.body_hash.hex(),
        "prev_hash": event.prev_hash.hex(),
        "event_hash": event.event_hash.hex(),
    }
    id_ = f"{_name(origin)}/{event.position}"
    when = format_time(event.recorded_at)
    return _made(id_, origin, event.position, event.type, event.stream, when, data)


def of_test(origin: str, subscriber: str, unique: str, micros: int) -> Notification:
    """Return what a subscriber is sent to try it out."""
    data = {"subscriber": subscriber}
    id_ = f"{_name(origin)}/test/{unique}"
    subject = f"subscribers/{subscriber}"
    return _made(id_, origin, 0, TEST_TYPE, subject, format_time(micros), data)


def _name(origin: str) -> str:
    """Return an origin without full stops: a signature joins the id to what follows with one."""
    return origin.replace(".", "%2E")


def _made(
    id_: str,
    origin: str,
    position: int,
    type_: str,
    subject: str,
    time: str,
    data: dict[str, Any],
) -> Notification:
    cloud_event = {
        "specversion": "1.0",
        "id": id_,
        "source": origin,
        "type": type_,
        "subject": subject,
        "time": time,
        "datacontenttype": "application/json",
        "data": data,
    }
    return Notification(id_, origin, position, type_, subject, canonical.encode(cloud_event))
