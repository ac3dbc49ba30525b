"""Policies in shadow in an honest life: begun on a scope, and ended by somebody or by time."""

from ledger.events.policies import ScopePart
from ledger.events.values import DAY, SECOND
from tests.support.lives import Life

EVERYWHERE = ScopePart(kind="ledger", model=None, labels={})
M1 = ScopePart(kind="model", model="m1", labels={})
EAST = ScopePart(kind="labels", model=None, labels={"region": "east"})


def begin_shadow(life: Life) -> None:
    """Have a drafted version run in shadow."""
    policy, version = life.any_of([*life.drafts, ("main", 1)])
    life.world.ledger.shadowing.begin(
        life.caller("users/ana"), policy, version, "", life.any_of((EVERYWHERE, M1, EAST)),
        life.any_of((1, 9, 40)) * DAY // SECOND, "to compare",
    )  # fmt: skip


def end_shadow(life: Life) -> None:
    """End a shadow, if any runs; mostly time does it, or the activation of its version."""
    life.world.ledger.governor.run_due()
    running = life.world.ledger.shadowing.running().running
    if running and life.happens(0.4):
        shadow = life.any_of(sorted(running))
        life.world.ledger.shadowing.end(life.caller("users/ana"), shadow, "it was compared")
