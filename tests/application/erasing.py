"""Erasing in a test's ledger, and what replaying all of it gives."""

from typing import Final

from ledger.application.commands import Caller
from tests.support.world import OFFICER, World

GROUND: Final = "GDPR Art. 17(1)(a)"
AUTHORITY: Final = "the data protection officer"


def first_of(world: World, type_: str, model: str = "m2") -> int:
    """Return where the first event of a type is: in a model's stream, if it has such events."""
    events = world.events(type_)
    own = [event for event in events if event.stream == f"models/{model}"]
    return (own or events)[0].position


def erase(
    world: World, *ranges: tuple[int, int], caller: Caller = OFFICER, ground: str = GROUND
) -> int:
    """Erase by command and return how many bodies went."""
    return world.ledger.erasure.erase_bodies(caller, ranges, ground, AUTHORITY).bodies


def outcomes(world: World) -> dict[int, str]:
    """Return what replaying everything gives, by position."""
    return {result.position: result.outcome for result in world.replay()}
