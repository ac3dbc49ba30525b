"""What was so at any position equals a fold to that position, for all that can be asked of it.

Method: a life drawn with a fixed seed, in which everything happens that the answers depend on. At
positions drawn from it the service's answers are compared with folds that share no code with it.
"""

import random  # noqa: TID251 - always from a seed
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ledger.events.policies import ScopePart
from ledger.governance.status import VersionStatus
from projections.as_of import as_of
from projections.ranking import ranked
from tests.governance.test_approvals import check_audit
from tests.support.plain_folds import Approvals, Cases, Fleet, InForce, Lacking, Roles, scope_of
from tests.support.staffed import Governed
from tests.support.whole_life import whole_life
from tests.support.world import DAY, ORIGIN


def policies_in_force(world: Governed, position: int) -> list[tuple[Any, ...]]:
    """Return the service's answer: the version in force for each scope."""
    found = world.ledger.histories.activations_in_force(position)
    return [(scope_of(one.scope.model_dump()), (one.policy, one.version)) for one in found]


def policy_of(world: Governed, model: str, position: int) -> tuple[str, int] | None:
    """Return the service's answer: the version in force for a model."""
    history = world.ledger.histories.history(model, position)
    assert history is not None
    found = world.ledger.histories.policy_in_force(history.described, position)
    return None if found is None else (found.policy, found.version)


def lacking(status: VersionStatus) -> Lacking:
    """Return the service's answer: approvals asked for and given, and who could give another."""
    return {
        (one.requirement.policy, one.requirement.version, one.role): (
            one.count,
            one.given,
            one.could,
        )
        for one in status.roles
    }


def priorities(world: Governed, position: int) -> list[tuple[Any, ...]]:
    """Return the service's answer: the models in order of priority."""
    shown = []
    for place in ranked(as_of(world.store.events, ORIGIN, position)):
        row = place.row
        score, decision, plan = row["score"], row["decision"], row["plan"]
        version = row["deployed"] and row["deployed"]["model_version"]
        shown.append((
            row["model"],
            version,
            score and score["priority"],
            score and (score["policy"], score["policy_version"]),
            decision and (decision["action"], decision["rule"]),
            plan and plan["outcome"],
        ))  # fmt: skip
    return shown


def open_cases(world: Governed, position: int) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Return the service's answer: the escalations and tasks that are open."""
    found: dict[tuple[str, str, int], dict[str, Any]] = {}
    for model, cases in world.ledger.cases.open(position).items():
        if (one := cases.escalation) is not None:
            key = "escalations", model, one.escalation
            found[key] = {"at": one.tier, "by": one.acknowledged_by, "overdue": False}
        for task in cases.tasks.values():
            key = "tasks", model, task.task
            found[key] = {"at": task.owner, "by": task.taken_by, "overdue": task.is_overdue}
    return found


def compare(world: Governed, positions: set[int]) -> Counter[str]:
    """Compare all answers at these positions; return how often there was something to tell.

    Who could approve is asked about two of the versions that wait.
    """
    told, chance = Counter[str](), random.Random(3)
    fleet, in_force, roles, cases = Fleet(), InForce(), Roles(), Cases()
    approvals = Approvals(roles, fleet)
    for event in world.events():
        for fold in (fleet, in_force, roles, cases, approvals):
            fold.take(event)
        at = event.position
        if at not in positions:
            continue
        expected = [(scope, version) for scope, (_, version) in in_force.scopes.items()]
        assert policies_in_force(world, at) == expected
        told["scopes"] += len(expected)
        for model in fleet.models():
            assert policy_of(world, model, at) == in_force.of(model, fleet.labels[model])
        waiting = list(approvals.waiting)
        for version, scope in chance.sample(waiting, min(2, len(waiting))):
            kind, model, labels = scope
            part = ScopePart.model_validate(
                {"kind": kind, "model": model or None, "labels": dict(labels)}
            )
            status = world.ledger.governance.status(*version, part, at)
            waits = approvals.lacking(version, scope, event.recorded_at)
            assert lacking(status) == waits, (at, version)
            told["could approve"] += sum(len(could) for _, _, could in waits.values())
            told["given"] += sum(given for _, given, _ in waits.values())
        assert priorities(world, at) == fleet.priorities(), at
        told["priorities"] += len(fleet.priorities())
        assert open_cases(world, at) == cases.open, at
        told["open"] += len(cases.open)
    return told


TOLD = {"scopes", "could approve", "given", "priorities", "open"}
NEEDED = {
    "approved", "roll_back", "emergency", "reverted", "scheduled", "policy.ratified.v1",
    "policy.rejected.v1", "policy.approval_withdrawn.v1", "policy.retired.v1",
    "grant.withdrawn.v1", "role.granted.v1", "model.retired.v1", "model.deployed.v1",
    "plan.made.v2",
    "shadow.begun.v1", "shadow.ended.v1", "shadow.decided.v2", "decision.overridden.v2",
    "escalation.raised.v1", "escalation.acknowledged.v1", "escalation.escalated.v1",
    "escalation.resolved.v1", "escalation.ended.v1", "task.opened.v1", "task.taken.v1",
    "task.overdue.v1", "task.closed.v1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("steps", "positions"), [(60, 60), pytest.param(200, 1_000, marks=pytest.mark.slow)]
)
def test_at_random_positions_the_past_is_what_a_fold_to_there_gives(
    tmp_path: Path, steps: int, positions: int
) -> None:
    world = whole_life(tmp_path / "ledger.db", 11, steps)
    world.clock.advance(DAY)
    world.govern()
    check_audit(world, "authority.rights")
    drawn = random.Random(7).sample(range(30, world.head + 1), positions)
    told = compare(world, {*drawn, world.head})
    assert all(told[one] > positions // 4 for one in TOLD), told
    events = world.events()
    happened = {event.type for event in events}
    happened |= {event.data["basis"] for event in events if event.type == "policy.activated.v2"}
    assert happened >= NEEDED, NEEDED - happened
    world.close()
