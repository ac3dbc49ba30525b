"""Events as folds take them, wherever they come from: a database, a server, a bundle, a list.

A fact is a decoded event. Where the body was erased or withheld, `data` is None and only what the
header says is known; folds count such facts instead of guessing.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ledger.events.canonical import CanonicalError, decode


class Fact(NamedTuple):
    """One event: its place, when it was recorded (micros), who caused it and what it says."""

    position: int
    stream: str
    type: str
    recorded_at: int
    actor: str
    data: dict[str, Any] | None
    causation_position: int | None = None
    request_id: str | None = None
    run_id: str | None = None
    event_hash: str = ""
    """In hex; empty where the source does not tell it."""

    @property
    def record(self) -> dict[str, Any]:
        """The values of header and body, by the names that columns of tables have."""
        return self._asdict() | (self.data or {})


class UnreadableBodyError(ValueError):
    """A body that is not what the ledger format says it is."""


def fact_of(
    position: int,
    stream: str,
    type_: str,
    recorded_at: int,
    body: bytes | None,
    event_hash: str = "",
) -> Fact:
    """Return the fact that an event's header fields and stored body make."""
    if not body:
        return Fact(position, stream, type_, recorded_at, "", None, event_hash=event_hash)
    try:
        value = decode(body)
    except CanonicalError as error:
        raise UnreadableBodyError(f"the body at position {position} is {error}") from error
    if not isinstance(value, dict) or not isinstance(value.get("data"), dict):
        raise UnreadableBodyError(f"the body at position {position} is not an event's")
    return Fact(
        position,
        stream,
        type_,
        recorded_at,
        value["actor"],
        value["data"],
        value["causation_position"],
        value["request_id"],
        value["run_id"],
        event_hash,
    )


def readable(facts: Iterable[Fact]) -> Iterator[tuple[Fact, dict[str, Any]]]:
    """Yield the facts whose body is there, with their data."""
    return ((fact, fact.data) for fact in facts if fact.data is not None)
