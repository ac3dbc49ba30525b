"""Which events of a stream make up its aggregate.

A model's stream also holds observations, scores and decisions. The recorders show the library only
the events of the aggregate's family, numbered 1, 2, 3, … among themselves, and refuse an insert
whose number is not the next: that is the aggregate's optimistic concurrency.
"""

from typing import Final

from ledger.events.registry import EVENT_CLASSES, aggregate_types

_KINDS: Final = {cls.STREAM.partition("/")[0] for cls in EVENT_CLASSES if cls.IS_OF_AGGREGATE}
_FAMILIES: Final = {f"{kind}/": aggregate_types(kind) for kind in _KINDS}


def family_of(stream: str) -> frozenset[str]:
    """Return the event types that make up the aggregate of a stream; empty if it has none."""
    prefix = stream[: stream.find("/") + 1]
    return _FAMILIES.get(prefix, frozenset())
