"""The notifications of a server: a subscription for each subscriber and ledger.

Nothing is opened, and no thread begun, where the settings name no subscriber.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from ledger.application.ledger import LedgerApplication
from ledger.application.workers import Workers
from ledger.clock import Clock, uuid7
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.notification_settings import NotificationSettings, SubscriberSettings
from ledger.notifications.allow_list import AllowList, DeliveryError
from ledger.notifications.attempt import Attempt
from ledger.notifications.lease import DeliveryLease
from ledger.notifications.notification import of_test
from ledger.notifications.selection import Selection, types_of
from ledger.notifications.senders import sender_of
from ledger.notifications.store import NotificationStore
from ledger.notifications.subscription import Subscription, SubscriptionParts
from ledger.notifications.tables import Cursor, UndeliveredEvent
from ledger.notifications.trouble import DeliveryTrouble
from ledger.storage.store import Store


@dataclass(frozen=True, slots=True)
class SubscriberStatus:
    """A subscriber of a ledger, how far it was told, and what is wrong."""

    settings: SubscriberSettings
    cursor: Cursor
    head: int
    dead_letters: int


@dataclass(frozen=True, slots=True)
class TrialResult:
    """Whether a test reached a subscriber, and why not."""

    id: str
    problem: str
    seconds: float


class Outbox:
    """The notifications of all ledgers of a server."""

    def __init__(
        self, settings: NotificationSettings, database: str, store: Store, clock: Clock
    ) -> None:
        """FIELD_INVALID where a subscriber's types name no event type."""
        for subscriber in settings.subscribers:
            types_of(subscriber)
        self._subscribers = settings.subscribers
        self._allow_list = AllowList(settings.hosts)
        self._ledgers = store
        self._clock = clock
        self.trouble = DeliveryTrouble()
        self._store = NotificationStore(database) if settings.subscribers else None

    def close(self) -> None:
        """Release files and connections."""
        if self._store is not None:
            self._store.close()

    def of(self, ledger: LedgerApplication) -> "LedgerNotifications":
        """Return the notifications of one ledger, which are not begun yet."""
        origin = ledger.info.origin
        meant = [one for one in self._subscribers if one.ledger in {"", origin}]
        if self._store is None or not meant:
            return LedgerNotifications(origin)
        lease = DeliveryLease(self._ledgers, origin, self._clock)
        parts = SubscriptionParts(
            origin, self._ledgers, self._store, lease, self._clock, self.trouble
        )

        subscriptions = [
            Subscription(
                one,
                Selection(one, ledger.authority.labels_as_of),
                sender_of(one, self._allow_list, self._clock),
                parts,
            )
            for one in meant
        ]
        return LedgerNotifications(origin, subscriptions, parts)


class LedgerNotifications:
    """The subscribers of one ledger: listed, tried out, sent again what they missed."""

    def __init__(
        self,
        origin: str,
        subscriptions: Collection[Subscription] = (),
        parts: SubscriptionParts | None = None,
    ) -> None:
        self._origin = origin
        self._subscriptions = {one.settings.name: one for one in subscriptions}
        self._parts = parts
        self._unsubscribe: Callable[[], None] | None = None

    def start(self, workers: Workers) -> None:
        """Begin to deliver."""
        for one in self._subscriptions.values():
            one.begin()
        if self._parts is not None:
            self._unsubscribe = self._parts.ledgers.commits.subscribe(self._hint)
        for one in self._subscriptions.values():
            one.start(workers)

    def stop(self) -> None:
        """Break off what is under way, and let another server go on."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        for one in self._subscriptions.values():
            one.tell_to_stop()
        for one in self._subscriptions.values():
            one.join()
        if self._parts is not None:
            with suppress(LedgerError):  # the store is out of order; the lease runs out by itself
                self._parts.lease.release()

    def status(self) -> list[SubscriberStatus]:
        """Return every subscriber, by name."""
        if self._parts is None:
            return []
        head = self._parts.ledgers.events.head(self._origin).position
        return [
            SubscriberStatus(
                one.settings,
                self._parts.store.cursor(one.key) or Cursor(0),
                head,
                self._parts.store.count_dead(one.key),
            )
            for _, one in sorted(self._subscriptions.items())
        ]

    def dead_letters(self, name: str, *, after: int, limit: int) -> list[UndeliveredEvent]:
        """Return the dead letters of a subscriber, by position."""
        subscription, parts = self._named(name)
        return parts.store.dead_letters(subscription.key, after=after, limit=limit)

    def replay(self, name: str, positions: Collection[int]) -> list[int]:
        """Have dead letters sent again, all where none is named; return their positions."""
        subscription, parts = self._named(name)
        found = parts.store.ask_replay(subscription.key, positions)
        missing = sorted(set(positions) - set(found))
        if missing:
            raise invalid_field(
                "positions",
                f"the event at position {missing[0]} is no dead letter of {name}",
                remedy="List them with `decision-ledger notification dead`. None was sent again.",
                subscriber=name,
                position=str(missing[0]),
            )
        subscription.hurry()
        return found

    def try_out(self, name: str) -> TrialResult:
        """Send a subscriber a notification that is no event, once, and return how it went."""
        subscription, parts = self._named(name)
        clock = parts.clock
        made = of_test(self._origin, name, uuid7(clock), clock.now_micros())
        began, problem = clock.monotonic_seconds(), ""
        try:
            with Attempt(subscription.settings.timeout_seconds, clock) as attempt:
                subscription.sender.send(made, attempt)
        except DeliveryError as error:
            problem = str(error)
        return TrialResult(made.id, problem, clock.monotonic_seconds() - began)

    def _named(self, name: str) -> tuple[Subscription, SubscriptionParts]:
        found = self._subscriptions.get(name)
        if found is None or self._parts is None:
            raise LedgerError(
                Reason.SUBSCRIBER_UNKNOWN,
                f"This server has no subscriber {name!r} for {self._origin}.",
                remedy="List them with `decision-ledger notification list`; the operator names "
                "them in the setting `notifications.subscribers`.",
                metadata={"subscriber": name},
            )
        return found, self._parts

    def _hint(self, origin: str, _position: int) -> None:
        if origin == self._origin:
            for one in self._subscriptions.values():
                one.wake()
