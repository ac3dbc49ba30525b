"""Subscribers and what could not be delivered to them, as frozen dataclasses."""

from dataclasses import dataclass
from datetime import datetime

from ledger.client.enums import SubscriberKind


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A receiver of notifications, and how far it was told."""

    name: str
    kind: SubscriberKind
    address: str
    """The host of a URL, an address of e-mail, or a program."""
    types: tuple[str, ...]
    labels: dict[str, str]
    cursor_position: int
    """Every event up to here was delivered to it, passed over or set aside."""
    head_position: int
    attempts: int
    """How often the next event was tried; 0 where nothing fails."""
    failing_since: datetime | None
    problem: str
    dead_letters: int


@dataclass(frozen=True, slots=True)
class DeadNotification:
    """An event that was set aside."""

    position: int
    type: str
    died_at: datetime
    attempts: int
    problem: str
    is_replayed: bool
    """Whether it is to be sent again."""


@dataclass(frozen=True, slots=True)
class SubscriberTest:
    """How a notification that is no event fared."""

    is_delivered: bool
    problem: str
    notification_id: str
    duration_seconds: float
