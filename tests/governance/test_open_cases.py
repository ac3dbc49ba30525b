"""Open escalations and tasks at any position equal a fold of the events to that position.

Method: a history of observations, answers and time, drawn with a fixed seed; at positions of it the
service's answer is compared with a fold that this test makes by itself. The auditor agrees too.
"""

import random  # noqa: TID251 - always from a seed
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ledger.application.commands import Caller
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent
from ledger.governance.cases import ModelCases
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.world import ANA, HOUR, START, World, policy_text, rule, signal_rule

MODELS = ("m1", "m2", "m3")
PEOPLE = (ANA, Caller("users/bo"))
ASKING = governed(
    policy_text(
        signals=[signal_rule(half_life="1d", window="2d")],
        rules=[
            rule("bad", "priority >= 500000"),
            rule("look", "priority >= 200000", "INVESTIGATE"),
            rule("mend", "priority >= 100000", "ADJUST_DATA_COLLECTION"),
        ],
    ),
    investigate_within="2d",
    adjust_within="1d",
)

Answer = dict[tuple[str, str, int], dict[str, Any]]


def lived(path: Path, seed: int, steps: int) -> World:
    """Return a ledger of so many steps, in which people answer now and then."""
    chance = random.Random(seed)
    world = World(path)
    world.begin(*MODELS, policy=ASKING)
    at = START
    for _ in range(steps):
        at += chance.randrange(1, 24) * HOUR
        value = chance.choice((0.4, 0.52, 0.65, 0.65, 1.3))
        world.see(chance.choice(MODELS), value, at)
        world.settle()
        if chance.random() < 0.3:
            world.govern()
        for _ in range(chance.randrange(3)):
            answer(world, chance)
    return world


def answer(world: World, chance: random.Random) -> None:
    """Have a person answer something, which may well be refused."""
    cases, caller, model = world.ledger.cases, chance.choice(PEOPLE), chance.choice(MODELS)
    found = cases.open().get(model, ModelCases())
    number = found.escalation.escalation if found.escalation is not None else 1
    task = chance.choice([one.task for one in found.tasks.values()] or [1])
    acts: list[Callable[[], object]] = [
        lambda: cases.acknowledge(caller, model, number, ""),
        lambda: cases.resolve(caller, model, number, "done"),
        lambda: cases.take(caller, model, task),
        lambda: cases.close(caller, model, task, "cause_found", ""),
    ]
    try:
        chance.choice(acts)()
    except LedgerError as error:
        if error.reason is not Reason.CASE_NOT_OPEN:
            raise


def folded(events: Sequence[RecordedEvent], until: int) -> Answer:
    """Return what is open at a position, by this test's own reading of the events."""
    found: Answer = {}
    for event in events:
        kind, _, model = event.stream.partition("/")
        if event.position > until or kind not in ("escalations", "tasks"):
            continue
        key = kind, model, event.data[kind.removesuffix("s")]
        name = event.type.split(".")[1]
        if name in ("raised", "opened"):
            found[key] = {"at": event.data.get("tier", event.data.get("owner")), "by": None}
            found[key]["overdue"] = False
        elif name == "escalated":
            found[key]["at"] = event.data["tier"]
        elif name == "overdue":
            found[key]["overdue"] = True
        elif name in ("acknowledged", "taken"):
            found[key]["by"] = event.body.actor
        else:
            assert name in ("resolved", "ended", "closed")
            del found[key]
    return found


def told(world: World, position: int | None) -> Answer:
    """Return the same as the service answers it."""
    found: Answer = {}
    for model, cases in world.ledger.cases.open(position).items():
        if (one := cases.escalation) is not None:
            key = "escalations", model, one.escalation
            found[key] = {"at": one.tier, "by": one.acknowledged_by, "overdue": False}
        for task in cases.tasks.values():
            key = "tasks", model, task.task
            found[key] = {"at": task.owner, "by": task.taken_by, "overdue": task.is_overdue}
    return found


@pytest.mark.parametrize(
    ("steps", "positions"), [(60, 60), pytest.param(600, 1_000, marks=pytest.mark.slow)]
)
def test_what_is_open_at_random_positions_is_what_a_fold_to_there_gives(
    tmp_path: Path, steps: int, positions: int
) -> None:
    world = lived(tmp_path / "ledger.db", 7, steps)
    events = world.events()
    chance = random.Random(11)
    for position in (chance.randrange(1, world.head + 1) for _ in range(positions)):
        assert told(world, position) == folded(events, position), position
    assert told(world, None) == folded(events, world.head)
    kinds = {event.type for event in events if event.stream.startswith(("escalations", "tasks"))}
    assert len(kinds) == 9, "the history has every type"
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
