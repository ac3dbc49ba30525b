"""A role that is held for a part of the ledger approves what is submitted for that part alone.

Method: people hold the role for a model, for labels or for a signal; versions are submitted for the
ledger, for labels and for models. Lint, status, service and auditor go by one rule.
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from ledger.application.policies.steps import ChosenVersion
from ledger.errors import LedgerError, Reason
from ledger.events.authority import GrantScopePart
from ledger.events.policies import ScopePart
from tests.governance.test_approvals import check_audit, refusal
from tests.support.staffed import (
    APPROVER,
    KIM,
    PAT,
    PAT_TOO,
    SAM,
    Governed,
    governed,
    governed_text,
)
from tests.support.world import EVERYWHERE, reason_of

EAST: Final = {"region": "east"}


def for_model(model: str) -> ScopePart:
    return ScopePart(kind="model", model=model, labels={})


def for_labels(**labels: str) -> ScopePart:
    return ScopePart(kind="labels", model=None, labels=labels)


def part(*models: str, signals: tuple[str, ...] = (), **labels: str) -> GrantScopePart:
    return GrantScopePart(labels=labels, models=list(models), signals=list(signals))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Governed]:
    """A ledger whose policy asks for one approval; Kim, Sam and Pat hold the role for parts."""
    made = governed(tmp_path / "ledger.db", (APPROVER, 1))
    made.register("east", labels=EAST | {"tier": "high"})
    made.register("west", labels={"region": "west", "tier": "high"})
    for actor, scope in (
        (KIM.actor, part("west")),
        (SAM.actor, part(region="east")),
        (PAT_TOO.actor, part(signals=("loss",))),
    ):
        for grant in made.ledger.authority.state.grants_of[actor]:
            made.ungrant(grant.position)
        made.grant(actor, APPROVER, scope)
    yield made
    made.close()


def submitted(world: Governed, scope: ScopePart, title: str = "Next") -> ChosenVersion:
    version = world.drafted(governed_text((APPROVER, 1), title=title))
    world.submit(version, scope)
    return version


CASES: Final = {
    "the ledger": (EVERYWHERE, (PAT,)),
    "a model by name": (for_model("west"), (PAT, KIM)),
    "a model by its label": (for_model("east"), (PAT, SAM)),
    "a label": (for_labels(region="east"), (PAT, SAM)),
    "one label more": (for_labels(region="east", tier="high"), (PAT, SAM)),
    "another label": (for_labels(tier="high"), (PAT,)),
    "another value": (for_labels(region="west"), (PAT,)),
}


@pytest.mark.parametrize("case", CASES)
def test_those_approve_who_hold_the_role_for_all_of_the_scope(world: Governed, case: str) -> None:
    scope, may = CASES[case]
    version = submitted(world, scope)
    (role,) = world.ledger.governance.status(version.policy, version.number, scope).roles
    assert set(role.could) - {"users/ana"} == {one.actor for one in may}
    for who in (KIM, SAM, PAT):
        if who not in may:
            said = refusal(partial(world.approve, version, who, role=APPROVER))
            assert f"{who.actor} does not hold the role {APPROVER} for " in said
            assert "holds none of the roles" in refusal(partial(world.approve, version, who))
    world.approve(version, may[-1])
    world.enforce(version, scope)
    check_audit(world)


def test_a_model_that_loses_its_label_loses_the_approvals_by_it(world: Governed) -> None:
    version = submitted(world, for_model("east"))
    world.approve(version, SAM)
    world.update("east", labels={"tier": "high"})
    with pytest.raises(LedgerError) as caught:
        world.enforce(version, for_model("east"))
    assert reason_of(caught) is Reason.APPROVAL_MISSING
    world.update("east", labels=EAST)
    world.enforce(version, for_model("east"))
    check_audit(world)


def test_a_version_whose_approvers_are_of_one_model_comes_into_force_for_that_alone(
    world: Governed,
) -> None:
    world.grant(KIM.actor, "operator", part("west"))
    world.grant(SAM.actor, "operator", part("west"))
    world.grant(SAM.actor, APPROVER, part("west"))  # by which they may approve anything there
    for actor in ("users/ana", "users/author", "users/author-too"):
        for grant in world.ledger.authority.state.grants_of[actor]:
            if grant.role == "operator":
                world.ungrant(grant.position)
    version = world.drafted(governed_text(("operator", 2), title="Next"))  # for some model it can
    said = refusal(lambda: world.submit(version))
    assert "2 persons in the role operator are asked for, and 0 can approve" in said
    world.submit(version, for_model("west"))
    world.approve(version, PAT)
    world.enforce(version, for_model("west"))
    after = submitted(world, for_model("west"), "After")
    world.approve(after, KIM, role="operator")
    check_audit(world)


def test_those_who_hold_a_role_and_may_not_approve_are_no_approvers(world: Governed) -> None:
    text = governed_text(("data-protection-officer", 1), title="Next")
    with pytest.raises(LedgerError) as caught:
        world.drafted(text)
    assert reason_of(caught) is Reason.POLICY_INVALID
    assert "0 persons can approve as data-protection-officer" in caught.value.message
    unseen = world.drafted_unseen(text)
    said = refusal(lambda: world.submit(unseen))
    assert "1 persons in the role data-protection-officer are asked for, and 0 can approve" in said
    check_audit(world, "policies.grounds")  # the unseen draft
    granted = world.grant("users/dpo", APPROVER, part("west"))
    version = world.drafted(text)  # of some models the officer may
    assert "and 0 can approve" in refusal(lambda: world.submit(version))
    world.submit(version, for_model("west"))
    world.approve(version, PAT)
    world.enforce(version, for_model("west"))
    after = submitted(world, for_model("west"), "After")
    status = world.ledger.governance.status(after.policy, after.number, for_model("west"))
    could = {one.role: one.could for one in status.roles}
    assert could["data-protection-officer"] == ("users/dpo",)
    world.ungrant(granted)
    status = world.ledger.governance.status(after.policy, after.number, for_model("west"))
    could = {one.role: one.could for one in status.roles}
    assert could["data-protection-officer"] == ()
    check_audit(world, "policies.grounds")


def test_approvals_of_jobs_take_persons_who_may_approve_jobs(world: Governed) -> None:
    document = json.loads(governed_text((APPROVER, 1), title="Next"))
    document["jobs"] = {"budget": "optional", "approvals": [{"role": "auditor", "count": 1}]}
    world.grant(KIM.actor, "auditor")
    with pytest.raises(LedgerError) as caught:
        world.drafted(json.dumps(document))
    assert "0 persons can approve as auditor" in caught.value.message
    world.grant(KIM.actor, "model-owner")
    world.drafted(json.dumps(document))
    check_audit(world)
