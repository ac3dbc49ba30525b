"""Where the folds of this room take facts from, and which of them are asked about."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ledger.events.facts import Fact, readable
from ledger.events.registry import BY_TYPE
from ledger.events.signals import SignalObserved
from ledger.events.system import CONFIGURED

_BUT_OBSERVATIONS: Final = frozenset(BY_TYPE) - {SignalObserved.TYPE}


class FactSource(Protocol):
    """Where facts come from, in order of position."""

    @property
    def origin(self) -> str:
        """The ledger that they are of."""
        ...

    @property
    def last_position(self) -> int:
        """The position of the last event that may be among them."""
        ...

    @property
    def is_whole(self) -> bool:
        """Whether each event of the ledger up to there is among them."""
        ...

    def facts(self, types: Collection[str] | None = None) -> Iterator[Fact]:
        """Yield the facts of these types, or all."""
        ...


@dataclass(frozen=True, slots=True)
class FactFilter:
    """Which part of a ledger is asked about: a model, a person, a period; empty members mean all.

    The period is of record times: from `since`, before `until`.
    """

    model: str = ""
    actor: str = ""
    since: int | None = None
    until: int | None = None

    def has_time(self, fact: Fact) -> bool:
        """Whether a fact was recorded in the period."""
        return (self.since is None or fact.recorded_at >= self.since) and (
            self.until is None or fact.recorded_at < self.until
        )

    def has_actor(self, fact: Fact) -> bool:
        """Whether the person asked for caused it."""
        return not self.actor or fact.actor == self.actor

    def has_model(self, model: object) -> bool:
        """Whether the model asked for is this one."""
        return not self.model or model == self.model

    def takes(self, fact: Fact) -> bool:
        """Whether a fact counts by time and person."""
        return self.has_time(fact) and self.has_actor(fact)

    def facts_of_model(
        self, source: FactSource, *types: str
    ) -> Iterator[tuple[Fact, dict[str, Any]]]:
        """Yield the readable facts of some types that count by time, person and model."""
        for fact, data in readable(source.facts(types)):
            if self.takes(fact) and self.has_model(data["model"]):
                yield fact, data


class KeptFacts:
    """Facts that are read once for many folds; observations, which are most, are read each time."""

    def __init__(self, source: FactSource) -> None:
        self._source = source
        self.origin = source.origin
        self.last_position = source.last_position
        self.is_whole = source.is_whole
        self._kept = list(source.facts(_BUT_OBSERVATIONS))

    def facts(self, types: Collection[str] | None = None) -> Iterator[Fact]:
        """Yield the facts of these types, or all, in order of position."""
        if types is None or not _BUT_OBSERVATIONS.issuperset(types):
            return self._source.facts(types)
        return (fact for fact in self._kept if fact.type in types)


def unit_of_cost(source: FactSource) -> str:
    """Return what the ledger counts cost in; empty if it does not say."""
    for fact in source.facts(CONFIGURED):
        return str((fact.data or {}).get("unit_of_cost") or "")
    return ""
