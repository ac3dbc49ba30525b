"""Policies in shadow in an honest life: begun, and ended by a person, by time or by promotion."""

from ledger.events.policies import ScopePart
from ledger.events.values import DAY, SECOND
from ledger.governance.shadows import Shadow
from tests.support.lives import Life
from tests.support.world import ANA, HOUR, policy_text, rule

EVERYWHERE = ScopePart(kind="ledger", model=None, labels={})
M1 = ScopePart(kind="model", model="m1", labels={})
EAST = ScopePart(kind="labels", model=None, labels={"region": "east"})


def begin_shadows(life: Life) -> None:
    """Have a policy of each procedure score, decide and plan in shadow; one of them is ended."""
    world, shadowing = life.world, life.world.ledger.shadowing
    rules = [rule("bad", "priority >= 100000")]
    begun = []
    for procedure, scope in (("rules/1", EVERYWHERE), ("rules/2", M1)):
        drafted = world.draft(policy_text(rules=rules, procedure=procedure), "own")
        life.drafts.append(("own", drafted.version))
        version, span = (drafted.version, drafted.digest), 40 * DAY // SECOND
        written = shadowing.begin(ANA, "own", *version, scope, span, "to compare")
        begun.append(written.last_position)
    life.wait(26 * HOUR)
    world.observe(*((name, "loss", "", 0.9, life.now, 1_000) for name in ("m1", "m2")))
    world.settle()
    world.plan(1_000_000)
    shadowing.end(ANA, begun[0], "it was compared")


def begin_shadow(life: Life) -> None:
    """Have a drafted version run in shadow."""
    policy, version = life.any_of([*life.drafts, ("main", 1)])
    life.world.ledger.shadowing.begin(
        life.caller("users/ana"), policy, version, "", life.any_of((EVERYWHERE, M1, EAST)),
        life.any_of((1, 9, 40)) * DAY // SECOND, "to compare",
    )  # fmt: skip


def end_shadow(life: Life) -> None:
    """End a shadow, if any runs, or promote it; mostly time ends it."""
    life.world.ledger.governor.run_due()
    running = life.world.ledger.shadowing.running().running
    if running and life.happens(0.7):
        shadow = life.any_of(sorted(running))
        if life.happens(0.5):
            promote(life, running[shadow])
        else:
            life.world.ledger.shadowing.end(life.caller("users/ana"), shadow, "it was compared")


def promote(life: Life, shadow: Shadow) -> None:
    """Bring the version of a shadow into force for its scope, citing it."""
    policy, version, _ = shadow.reference
    scope, caller = ScopePart.model_validate(shadow.scope), life.caller("users/ana")
    activate = life.world.ledger.commands.activate_policy
    activate(caller, policy, version, "", scope, "it was compared", shadow.position)
