"""Which sender a subscriber has, by its kind."""

from ledger.clock import Clock
from ledger.notification_settings import SubscriberSettings
from ledger.notifications.allow_list import AllowList
from ledger.notifications.attempt import Sender
from ledger.notifications.mail import Mail
from ledger.notifications.program import Program
from ledger.notifications.webhook import Webhook


def sender_of(subscriber: SubscriberSettings, allow_list: AllowList, clock: Clock) -> Sender:
    """Return what sends to a subscriber."""
    if subscriber.kind == "smtp":
        return Mail(subscriber, allow_list, clock)
    if subscriber.kind == "command":
        return Program(subscriber)
    return Webhook(subscriber, allow_list, clock)
