"""Facts that are in memory, as a source of tables and answers."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ledger.events.facts import Fact, fact_of
from tests.support.world import ORIGIN, World


@dataclass(frozen=True, slots=True)
class FactList:
    """Facts of a ledger, in order of position."""

    origin: str
    items: tuple[Fact, ...]
    is_whole: bool = True

    @property
    def last_position(self) -> int:
        """The position of the last one."""
        return self.items[-1].position if self.items else 0

    def facts(self, types: Collection[str] | None = None) -> Iterator[Fact]:
        """Yield the facts of these types, or all."""
        return (fact for fact in self.items if types is None or fact.type in types)


def facts_of(world: World) -> FactList:
    """Return the facts of a ledger that a test steps."""
    return FactList(
        ORIGIN,
        tuple(
            fact_of(
                event.position,
                event.stream,
                event.type,
                event.recorded_at,
                event.body_bytes,
                event.event_hash.hex(),
            )
            for event in world.events()
        ),
    )
