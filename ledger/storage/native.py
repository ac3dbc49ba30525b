"""Which events of a stream make up its aggregate.

A model's stream also holds observations, scores and decisions. The recorders show the library only
the events of the aggregate's family, numbered 1, 2, 3, … among themselves, and refuse an insert
whose number is not the next: that is the aggregate's optimistic concurrency.
"""

from typing import Final

from ledger.events.registry import BY_TYPE

_FAMILIES: Final = {
    "models/": frozenset(name for name in BY_TYPE if name.startswith("model.")),
    "policies/": frozenset(name for name in BY_TYPE if name.startswith("policy.")),
    "signals/": frozenset(name for name in BY_TYPE if name.startswith("signal.defined.")),
}


def family_of(stream: str) -> frozenset[str]:
    """Return the event types that make up the aggregate of a stream; empty if it has none."""
    prefix = stream[: stream.find("/") + 1]
    return _FAMILIES.get(prefix, frozenset())
