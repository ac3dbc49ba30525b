"""Policies in shadow, for worlds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.events.policies import ScopePart
from ledger.events.values import SECOND
from tests.support.audits import audited
from tests.support.world import ANA, DAY, EVERYWHERE, START, World, policy_text, rule

CALM = policy_text(rules=[rule("bad", "priority >= 900000")])
KEEN = policy_text(
    rules=[rule("bad", "priority >= 100000", hold="priority >= 50000")], max_priority_step=0.1
)
ALPHA = ScopePart(kind="model", model="alpha", labels={})
BETA = ScopePart(kind="model", model="beta", labels={})


@contextmanager
def shadowing_world(path: Path, clock: str) -> Iterator[World]:
    """Yield a ledger with a calm policy in force for two models; all of it replays in the end."""
    made = World(path / "ledger.db", clock=clock)
    made.begin("alpha", "beta", policy=CALM)
    yield made
    for result in made.replay():
        assert result.outcome == "IDENTICAL" or result.why.startswith("erased"), result
    report = audited(Path(made.path))
    assert report.passed, report.text()
    made.close()


def see(world: World, value: float, after: int, model: str = "alpha", version: str = "") -> None:
    """Move on to a time, and have a model observed and decided about then."""
    world.clock.advance(START + after - world.clock.now_micros())
    world.see(model, value, START + after, version=version)
    world.settle()


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
