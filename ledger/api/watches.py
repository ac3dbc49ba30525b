"""Watches: what changed since a position, at the watcher's own speed, with a sign of life.

A watch reads for itself, a page at a time, so a slow one waits in gRPC's flow control and holds
no other client up. It is a generator that says when it has nothing to send; a watcher that is gone
closes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from ledger.api.convert import priorities as convert_priorities
from ledger.api.convert.basics import timestamp
from ledger.api.convert.ledgers import event as event_message
from ledger.api.server_context import ServerContext, beyond_head
from ledger.api.steps import Pause
from ledger.application.ledger import LedgerApplication
from ledger.events.envelope import RecordedEvent
from ledger.limits import MESSAGE_BYTES_MAX, STREAM_HEARTBEAT_SECONDS
from ledger.v1 import ledger_service_pb2, priority_pb2, priority_service_pb2
from projections.host import ProjectionHost
from projections.priorities import visible
from projections.projection import Row
from projections.ranking import RankedModel, ranked

PRIORITIES: Final = "priorities"
PAGE_BYTES_MAX: Final = MESSAGE_BYTES_MAX * 3 // 4  # leaves room for what surrounds the bodies
EVENT_BYTES: Final = 400  # an event without its body, generously

_EVENTS_PER_READ: Final = 500
_ROWS_PER_MESSAGE: Final = 500


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are asked for; None for all."""

    types: frozenset[str] | None
    streams: frozenset[str] | None


def fitting(events: list[RecordedEvent]) -> int:
    """Return how many of these events fit one message; at least one."""
    size = 0
    for index, event in enumerate(events):
        size += len(event.body_bytes or b"") + EVENT_BYTES
        if size > PAGE_BYTES_MAX:
            return max(index, 1)
    return len(events)


class EventWatch:
    """Serves one call of WatchEvents."""

    def __init__(
        self,
        server: ServerContext,
        ledger: LedgerApplication,
        wanted: EventFilter,
        after: int,
    ) -> None:
        self._server = server
        self._ledger = ledger
        self._wanted = wanted
        self._position = after

    def messages(self) -> Iterator[ledger_service_pb2.WatchEventsResponse | Pause]:
        """Yield events as they are recorded, until the server drains."""
        head = self._ledger.log.head().position
        if self._position > head:
            raise beyond_head("after_position", self._position, head)
        beat = Heartbeat(self._server)
        has_caught_up = False
        while True:
            head = self._ledger.log.head().position
            is_due = beat.is_due() or not has_caught_up
            for events, position in self._pages(head):
                self._position = position
                if events:
                    yield self._message(events, head)
                    is_due = False
                    beat.reset()
            if is_due:
                yield self._message([], head)
                beat.reset()
            has_caught_up = True
            self._server.check_draining()
            yield Pause(partial(self._has_grown, head), beat.seconds_left())

    def _has_grown(self, head: int) -> bool:
        return self._ledger.log.heard > head

    def _pages(self, head: int) -> Iterator[tuple[list[RecordedEvent], int]]:
        """Yield what was recorded up to a head, with the position that each page completes."""
        while self._position < head:
            self._server.check_draining()
            events = self._ledger.log.events(
                after=self._position,
                until=head,
                limit=_EVENTS_PER_READ,
                types=self._wanted.types,
                streams=self._wanted.streams,
            )
            is_last = len(events) < _EVENTS_PER_READ
            while (count := fitting(events)) < len(events):
                yield events[:count], events[count - 1].position
                events = events[count:]
            yield events, head if is_last else events[-1].position

    def _message(
        self, events: list[RecordedEvent], head: int
    ) -> ledger_service_pb2.WatchEventsResponse:
        message = ledger_service_pb2.WatchEventsResponse(
            events=[event_message(event) for event in events],
            position=self._position,
            head_position=head,
            caught_up=self._position >= head,
        )
        if events:
            message.recorded_at.CopyFrom(timestamp(events[-1].recorded_at))
        return message


class PriorityWatch:
    """Serves one call of WatchPriorities."""

    def __init__(self, server: ServerContext, host: ProjectionHost) -> None:
        self._server = server
        self._host = host
        self._rows: dict[str, Row] = {}
        self._sent: dict[str, RankedModel] = {}
        self._position = 0

    def messages(self) -> Iterator[priority_service_pb2.WatchPrioritiesResponse | Pause]:
        """Yield rows as they change, until the server drains."""
        with self._host.watch(PRIORITIES) as watch:
            beat = Heartbeat(self._server)
            while True:
                self._server.check_draining()
                reached = self._host.position
                changed = watch.next()
                if changed is not None:
                    for key, row in changed.rows.items():
                        if row is None:
                            self._rows.pop(key, None)
                        else:
                            self._rows[key] = row
                    yield from self._difference(changed.position)
                    beat.reset()
                elif beat.is_due():
                    self._position = max(self._position, reached)
                    yield priority_service_pb2.WatchPrioritiesResponse(
                        position=self._position, caught_up=True
                    )
                    beat.reset()
                if watch.is_closed:
                    return
                yield Pause(lambda: watch.has_news, beat.seconds_left())

    def _difference(self, position: int) -> Iterator[priority_service_pb2.WatchPrioritiesResponse]:
        """Yield what differs from what was sent, the position only with the last of it."""
        places = {place.row["model"]: place for place in ranked(visible(self._rows))}
        changed: list[priority_pb2.Priority] = [
            convert_priorities.priority(place)
            for model, place in places.items()
            if self._sent.get(model) != place
        ]
        removed = sorted(self._sent.keys() - places.keys())
        self._sent = places
        while len(changed) > _ROWS_PER_MESSAGE:
            yield priority_service_pb2.WatchPrioritiesResponse(
                changed=changed[:_ROWS_PER_MESSAGE], position=self._position
            )
            changed = changed[_ROWS_PER_MESSAGE:]
        self._position = max(self._position, position)
        yield priority_service_pb2.WatchPrioritiesResponse(
            changed=changed, removed=removed, position=self._position, caught_up=True
        )


class Heartbeat:
    """When the next sign of life is due."""

    def __init__(self, server: ServerContext) -> None:
        self._clock = server.clock
        self._next = self._clock.monotonic_seconds() + STREAM_HEARTBEAT_SECONDS

    def reset(self) -> None:
        """Note that something was sent."""
        self._next = self._clock.monotonic_seconds() + STREAM_HEARTBEAT_SECONDS

    def seconds_left(self) -> float:
        """Return how long silence may still last."""
        return max(self._next - self._clock.monotonic_seconds(), 0.0)

    def is_due(self) -> bool:
        """Return whether silence has lasted long enough."""
        return self.seconds_left() == 0.0
