"""One subscriber of one ledger: what it was told, what comes next, and what could not be delivered.

Events go out one after the other by position. The cursor moves once an event was taken: a server
that dies in between sends that event again, under the same id, and skips none.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from ledger.application.workers import Task, TaskInterval, Workers
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason, is_outage
from ledger.events.envelope import RecordedEvent
from ledger.events.values import SECOND
from ledger.limits import NOTIFICATION_PAGE_EVENTS
from ledger.notification_settings import SubscriberSettings
from ledger.notifications.allow_list import DeliveryError
from ledger.notifications.attempt import Attempt, Sender
from ledger.notifications.lease import DeliveryLease
from ledger.notifications.notification import of_event
from ledger.notifications.selection import Selection
from ledger.notifications.store import NotificationStore
from ledger.notifications.tables import Cursor, Key, Mark, UndeliveredEvent
from ledger.notifications.trouble import DeliveryTrouble
from ledger.storage.records import Head
from ledger.storage.store import Store

_PACE_SECONDS: Final = 0.2  # events that come together are looked for once
_IDLE_SECONDS: Final = 5.0  # how late an event is noticed of which no news came
_REFUSED_SECONDS: Final = 1.0
_REPLAYS_PER_TURN: Final = 10  # so that events of today do not wait for all of those
_DOUBLINGS_MAX: Final = 40
_log: Final = structlog.get_logger("ledger.notifications")


@dataclass(frozen=True, slots=True)
class SubscriptionParts:
    """The parts that the subscriptions of one ledger share."""

    origin: str
    ledgers: Store
    store: NotificationStore
    lease: DeliveryLease
    clock: Clock
    trouble: DeliveryTrouble


class Subscription:
    """Tells one subscriber of the events of one ledger, in turns on a thread of its own."""

    def __init__(
        self,
        subscriber: SubscriberSettings,
        selection: Selection,
        sender: Sender,
        parts: SubscriptionParts,
    ) -> None:
        self.settings = subscriber
        self.key = Key(parts.origin, subscriber.name)
        self._selection = selection
        self.sender = sender
        """Safe between threads."""
        self._parts = parts
        self._store = parts.store
        self._clock = parts.clock
        self._retry_at = 0.0
        self._problem = ""
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._attempt: Attempt | None = None
        self._task: Task | None = None

    # ---- its life --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Put a new subscriber where it begins; one that is known goes on where it was."""
        head = self._parts.ledgers.events.head(self._parts.origin)
        stated = self.settings.after_position
        position = head.position if stated is None else min(stated, head.position)
        self._store.begin(self.key, position, _mark(head))

    def start(self, workers: Workers) -> None:
        """Begin to deliver, on the one thread that a subscriber has for all ledgers."""
        name = f"subscriber {self.settings.name}"
        self._task = workers.of(name).recur(f"{name} {self._parts.origin}", self.turn)

    def wake(self) -> None:
        """Look for events; what failed is tried again when it is due, and not before."""
        if self._task is not None:
            self._task.wake()

    def hurry(self) -> None:
        """Look for what an operator asked to be sent again."""
        if self._task is not None:
            self._task.hurry()

    def tell_to_stop(self) -> None:
        """Break off what is under way."""
        self._stopping.set()
        with self._lock:
            if self._attempt is not None:
                self._attempt.abort()

    def join(self) -> None:
        """Wait until nothing of it is under way."""
        if self._task is not None:
            self._task.stop()

    # ---- its turns -------------------------------------------------------------------------------

    def turn(self) -> TaskInterval:
        """Deliver what is due, as far as it goes; return when there is something to do again."""
        try:
            return self._turn()
        except LedgerError as error:
            if not is_outage(error) and error.reason is not Reason.DRAINING:
                self._hold(str(error))
            return TaskInterval(_REFUSED_SECONDS, _IDLE_SECONDS)

    def _turn(self) -> TaskInterval:
        if not self._may_go_on():
            return TaskInterval(_REFUSED_SECONDS, _IDLE_SECONDS)
        head = self._parts.ledgers.events.head(self._parts.origin)
        cursor = self._store.cursor(self.key)
        if cursor is None or cursor.position > head.position or self._is_other_ledger():
            self._hold(_lost(cursor))
            return TaskInterval(_IDLE_SECONDS, _IDLE_SECONDS)
        self._replay(self._store.to_replay(self.key, limit=_REPLAYS_PER_TURN))
        waited = self._retry_at - self._clock.elapsed_seconds()
        if waited > 0:
            return TaskInterval(waited, waited)
        found = self._parts.ledgers.events.read(
            self._parts.origin,
            after=cursor.position,
            until=head.position,
            limit=NOTIFICATION_PAGE_EVENTS,
            types=self._selection.types,
        )
        return self._deliver(cursor, found, head)

    def _is_other_ledger(self) -> bool:
        """Return whether the ledger has not the event that it had as the cursor moved."""
        mark = self._store.mark(self.key)
        if mark is None:
            return False
        event = self._parts.ledgers.events.event(self._parts.origin, mark.position)
        return event is None or event.event_hash != mark.event_hash

    def _deliver(self, cursor: Cursor, found: Sequence[RecordedEvent], head: Head) -> TaskInterval:
        """Send a page of events, each as it is by then, and move the cursor past it."""
        for listed in filter(self._selection.has, found):
            # Its body may have been erased since the page was read.
            event = self._parts.ledgers.events.event(self._parts.origin, listed.position)
            if event is None or not self._may_go_on():
                return TaskInterval(_REFUSED_SECONDS, _IDLE_SECONDS)
            why = self._send(event)
            if self._stopping.is_set() and why:
                return TaskInterval(_IDLE_SECONDS, _IDLE_SECONDS)
            after = self._delivered(cursor, event) if not why else self._failed(cursor, event, why)
            if after is None or after.attempts:
                pause = 0.0 if after is None else self._pause(after)
                return TaskInterval(pause, pause)
            cursor = after
        is_whole = len(found) < NOTIFICATION_PAGE_EVENTS
        end = head if is_whole else found[-1]
        if end.position > cursor.position:
            self._store.move(self.key, cursor, Cursor(end.position), _mark(end))
        return TaskInterval(_PACE_SECONDS, _IDLE_SECONDS) if is_whole else TaskInterval(0, 0)

    def _may_go_on(self) -> bool:
        return not self._stopping.is_set() and self._parts.lease.is_held()

    def _send(self, event: RecordedEvent) -> str:
        """Try to deliver an event once; return why it was not delivered, "" where it was."""
        notification = of_event(self._parts.origin, event)
        attempt = Attempt(self.settings.timeout_seconds, self._clock)
        with self._lock:
            self._attempt = attempt
            if self._stopping.is_set():
                return "the server stops"
        try:
            with attempt:
                self.sender.send(notification, attempt)
        except DeliveryError as error:
            return str(error)
        except LedgerError:
            raise
        except Exception as error:  # noqa: BLE001 - a defect counts as a failed attempt
            return f"this is a defect, {type(error).__name__}: please report it"
        finally:
            with self._lock:
                self._attempt = None
        return ""

    def _delivered(self, cursor: Cursor, event: RecordedEvent) -> Cursor | None:
        """Move the cursor past an event that was taken; None where another server moved it."""
        if self._problem:
            _log.info("notification.recovered", **self._named())
        self._clear()
        after = Cursor(event.position)
        return after if self._store.move(self.key, cursor, after, _mark(event)) else None

    def _failed(self, cursor: Cursor, event: RecordedEvent, why: str) -> Cursor | None:
        """Remember a failed attempt, or set the event aside; None where another server moved it."""
        self._note(why)
        now = self._clock.now_micros()
        since, attempts = cursor.failing_since or now, cursor.attempts + 1
        is_late = now - since >= self.settings.give_up_seconds * SECOND
        if attempts >= self.settings.attempts_max or is_late:
            letter = UndeliveredEvent(event.position, event.type, now, attempts, why)
            if not self._store.bury(self.key, cursor, letter, _mark(event)):
                return None
            _log.warning("notification.set_aside", position=event.position, **self._named())
            self._clear()
            return Cursor(event.position)
        after = Cursor(cursor.position, attempts, since, why)
        return after if self._store.move(self.key, cursor, after) else None

    def _pause(self, cursor: Cursor) -> float:
        """Return how long to wait after a failed attempt, and keep to it."""
        doubled = self.settings.pause_seconds * 2.0 ** min(cursor.attempts - 1, _DOUBLINGS_MAX)
        pause = min(doubled, max(self.settings.pause_seconds_max, self.settings.pause_seconds))
        self._retry_at = self._clock.elapsed_seconds() + pause
        return pause

    def _replay(self, letters: Sequence[UndeliveredEvent]) -> None:
        """Send dead letters again, each once; one that fails again is kept."""
        for letter in letters:
            if not self._may_go_on():
                return
            event = self._parts.ledgers.events.event(self._parts.origin, letter.position)
            why = "the ledger has no such event" if event is None else self._send(event)
            if not why:
                self._store.replayed(self.key, letter.position)
            elif not self._stopping.is_set():
                again = UndeliveredEvent(
                    letter.position,
                    letter.type,
                    self._clock.now_micros(),
                    letter.attempts + 1,
                    why,
                )
                self._store.put_back(self.key, again)

    # ---- what is said of it ----------------------------------------------------------------------

    def _named(self) -> dict[str, str]:
        return {"ledger": self._parts.origin, "subscriber": self.settings.name}

    def _hold(self, why: str) -> None:
        """Say why the subscriber is not told of anything, also to those who list it."""
        self._note(why)
        cursor = self._store.cursor(self.key)
        if cursor is not None and cursor.problem != why:
            self._store.move(self.key, cursor, cursor._replace(problem=why))

    def _note(self, why: str) -> None:
        """Report a problem, once for as long as it stays the same."""
        if why != self._problem and not self._stopping.is_set():
            _log.warning("notification.failed", why=why, **self._named())
        self._problem = why
        self._parts.trouble.report(self.key, is_in_trouble=True)

    def _clear(self) -> None:
        """Forget a problem that is over."""
        self._problem = ""
        self._parts.trouble.report(self.key, is_in_trouble=False)


def _mark(at: Head | RecordedEvent) -> Mark | None:
    """Return what is kept of an event; None where there is none yet."""
    return Mark(at.position, at.event_hash) if at.position else None


def _lost(cursor: Cursor | None) -> str:
    """Return what is wrong with a cursor that is not one of this ledger."""
    if cursor is None:
        return "its cursor is gone: another program has changed what subscribers were told"
    return (
        f"it was told of events up to {cursor.position} that the ledger does not have: it was "
        "restored from an older copy. Give the subscriber another name in the settings, and an "
        "`after_position`, once its receiver knows of that"
    )
