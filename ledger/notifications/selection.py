"""Which events a subscriber is told of: by type, and by the labels of the model they are about."""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Final

from ledger.errors import invalid_field
from ledger.events.envelope import RecordedEvent
from ledger.events.registry import BY_TYPE
from ledger.notification_settings import SubscriberSettings

_MODEL: Final = re.compile(r"(?:models|escalations|tasks)/(.+)", re.ASCII)

LabelsAsOf = Callable[[str, int], Mapping[str, str]]
"""Returns the labels of a model at a position."""


def types_of(subscriber: SubscriberSettings) -> frozenset[str]:
    """Return the types that a subscriber's patterns name; FIELD_INVALID where one names none."""
    found: set[str] = set()
    for pattern in subscriber.types:
        named = [type_ for type_ in BY_TYPE if fnmatchcase(type_, pattern)]
        if not named:
            near = get_close_matches(pattern, BY_TYPE, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}? " if near else ""
            raise invalid_field(
                "notifications.subscribers",
                f"{subscriber.name}: {pattern} names no event type",
                remedy=f"Correct it: {hint}ledger/events/CATALOG.md lists them.",
                subscriber=subscriber.name,
            )
        found.update(named)
    return frozenset(found)


class Selection:
    """The events that one subscriber is told of, out of those of its types."""

    def __init__(self, subscriber: SubscriberSettings, labels_as_of: LabelsAsOf) -> None:
        self.types = types_of(subscriber)
        self._labels = subscriber.labels
        self._labels_as_of = labels_as_of

    def has(self, event: RecordedEvent) -> bool:
        """Return whether an event is meant. Its model's labels are those of its position."""
        if event.type not in self.types:
            return False
        if not self._labels:
            return True
        found = _MODEL.fullmatch(event.stream)
        if found is None:
            return False
        labels = self._labels_as_of(found[1], event.position)
        return all(labels.get(name) == value for name, value in self._labels.items())
