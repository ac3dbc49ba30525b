"""Policies in shadow, for worlds."""

from ledger.events.policies import ScopePart
from ledger.events.values import SECOND
from tests.support.world import ANA, DAY, EVERYWHERE, World


def shadow(
    world: World,
    text: str,
    *,
    policy: str = "next",
    scope: ScopePart = EVERYWHERE,
    span: int = 30 * DAY,
) -> int:
    """Draft a version and have it run in shadow; return the position by which it is named."""
    drafted = world.draft(text, policy)
    begun = world.ledger.shadowing.begin(
        ANA, policy, drafted.version, drafted.digest, scope, span // SECOND, "to compare"
    )
    return begun.last_position
