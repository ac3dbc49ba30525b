"""Subscribers and dead letters."""

from ledger.api.convert.basics import message_of, timestamp
from ledger.notifications.outbox import SubscriberStatus
from ledger.notifications.tables import UndeliveredEvent
from ledger.v1 import notification_pb2


def subscriber(status: SubscriberStatus) -> notification_pb2.Subscriber:
    """Return a subscriber. Of its URL the host alone is shown: a path may be a secret."""
    settings, cursor = status.settings, status.cursor
    address = settings.recipient or (settings.parts.netloc if settings.url else "")
    return message_of(
        notification_pb2.Subscriber,
        settings,
        address=address or settings.command[0],
        cursor_position=cursor.position,
        head_position=status.head,
        attempts=cursor.attempts,
        failing_since=timestamp(cursor.failing_since) if cursor.failing_since else None,
        problem=cursor.problem,
        dead_letters=status.dead_letters,
    )


def dead_letter(letter: UndeliveredEvent) -> notification_pb2.DeadLetter:
    """Return an event that was set aside."""
    return message_of(notification_pb2.DeadLetter, letter)
