"""What was in force and who could approve at any position equals a fold to that position.

Method: a history of steps drawn with a fixed seed, in which most are refused and many are not; at
positions of it the service's answers as of that position are compared with a fold that this test
makes of the events by itself.
"""

import random  # noqa: TID251 - always from a seed
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from ledger.application.policies.steps import ChosenVersion
from ledger.authority.state import AuthorityState
from ledger.errors import LedgerError
from ledger.events.authority import AUTHORITY_TYPES
from ledger.events.envelope import RecordedEvent
from ledger.events.policies import ScopePart
from ledger.governance.lifecycle import LifecycleState, scope_key
from ledger.governance.status import status_of
from ledger.governance.steps import StepTimes
from tests.governance.test_approvals import check_audit
from tests.support.staffed import (
    APPROVER,
    AUTHOR,
    KIM,
    PAT,
    PAT_TOO,
    SAM,
    Governed,
    governed,
    governed_text,
)
from tests.support.world import DAY, EVERYWHERE, HOUR, policy_text

HIGH = ScopePart(kind="labels", model=None, labels={"tier": "high"})
ALPHA = ScopePart(kind="model", model="alpha", labels={})
SCOPES = (EVERYWHERE, EVERYWHERE, HIGH, ALPHA)
PEOPLE = (PAT, PAT_TOO, SAM, KIM, AUTHOR)


def lived(path: Path, seed: int, length: int) -> Governed:
    """Return a ledger in which people took so many steps, by chance."""
    chance = random.Random(seed)
    world = governed(path, approval_valid="2d", ratify_within="1d")
    world.register("alpha", labels={"tier": "high"})
    taken = 0
    for _ in range(length):
        world.clock.advance(chance.randrange(1, 8) * HOUR)
        try:
            chance.choice(_steps(world, chance))()
            taken += 1
        except LedgerError:
            continue
    assert taken > length // 5
    return world


def _steps(world: Governed, chance: random.Random) -> Sequence[Callable[[], object]]:
    state = world.ledger.governance.judged().state
    policy, number = chance.choice(sorted(state.drafts))
    version, scope = ChosenVersion(policy, number), chance.choice(SCOPES)
    who = chance.choice(PEOPLE)
    waiting = [ChosenVersion(*named) for named in sorted(state.submissions)] or [version]
    chosen, title = chance.choice(waiting), str(chance.randrange(1_000_000))
    at, steps = world.clock.now_micros(), world.ledger.policy_steps
    commands = world.ledger.commands

    def approve() -> None:
        for one in chance.sample(PEOPLE, 3):
            world.approve(chosen, one)

    def draft() -> None:
        count = chance.randrange(3)
        text = governed_text((APPROVER, count), title=title) if count else policy_text()
        world.submit(world.drafted(text, chance.choice(("main", "own"))), scope)

    def rush() -> None:
        where = version.policy, version.number, "", scope, "now"
        commands.activate_in_emergency(who, *where)

    def schedule() -> None:
        where = chosen.policy, chosen.number, "", scope, "then", at + DAY
        commands.schedule_policy(who, *where)

    def regrant() -> None:
        granted = world.ledger.authority.state.grants_of[KIM.actor]
        world.ungrant(granted[0].position) if granted else world.grant(KIM.actor, APPROVER)

    def relabel() -> None:
        world.update("alpha", labels={"tier": chance.choice(("high", "low"))})

    return (
        draft, approve, approve, approve, regrant, relabel, rush, schedule,
        lambda: world.submit(version, scope),
        lambda: world.enforce(chosen, scope),
        lambda: world.enforce(chosen, scope),
        lambda: world.roll_back(version, scope),
        lambda: steps.ratify(who, version),
        lambda: steps.withdraw(who, chosen, "no"),
        lambda: steps.reject(who, chosen, "no"),
        lambda: steps.retire(who, version, "old"),
        world.ledger.due_policies.run,
    )  # fmt: skip


def compare(world: Governed, positions: Sequence[int], chance: random.Random) -> int:
    """Compare answers at these positions, in order; return how many versions were asked about.

    At each position that is what is in force, and the status of two versions.
    """
    state, authority, asked = LifecycleState(), AuthorityState(), 0
    events = iter(world.events())
    for position in positions:
        event = _folded(events, position, state, authority)
        times = StepTimes(event.recorded_at, event.recorded_at, event.recorded_at)
        history = world.ledger.histories.activations_in_force(position)
        assert [
            (one.policy, one.version, scope_key(one.scope.model_dump())) for one in history
        ] == [(*one.named, one.scope) for one in state.in_force.values()]
        drafted = sorted(state.drafts)
        for policy, number in chance.sample(drafted, min(2, len(drafted))):
            expected = status_of(
                state, authority, (policy, number), scope_key(EVERYWHERE.model_dump()), times
            )
            assert world.ledger.governance.status(policy, number, EVERYWHERE, position) == expected
            asked += 1
    return asked


def _folded(
    events: Iterator[RecordedEvent], until: int, state: LifecycleState, authority: AuthorityState
) -> RecordedEvent:
    for event in events:
        body = event.body
        state.apply(
            event.position, event.stream, event.type, body.actor, body.data, event.recorded_at
        )
        if event.type in AUTHORITY_TYPES:
            authority.apply(event.position, event.type, body.actor, body.data)
        if event.position == until:
            return event
    raise AssertionError(f"there is no position {until}")


def test_a_generated_life_is_in_order_and_its_past_is_what_a_fold_gives(tmp_path: Path) -> None:
    world = lived(tmp_path / "ledger.db", 11, 60)
    world.clock.advance(DAY)
    world.ledger.due_policies.run()
    check_audit(world, "authority.rights")
    chance = random.Random(7)
    positions = sorted(chance.sample(range(30, world.head + 1), 12))
    assert compare(world, positions, chance)
    world.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_at_a_thousand_positions_of_generated_lives_the_past_is_what_a_fold_gives(
    tmp_path: Path, seed: int
) -> None:
    world = lived(tmp_path / "ledger.db", seed, 500)
    world.clock.advance(DAY)
    world.ledger.due_policies.run()
    check_audit(world, "authority.rights")
    chance = random.Random(seed)
    positions = sorted(chance.sample(range(30, world.head + 1), 250))
    assert compare(world, positions, chance)
    world.close()
