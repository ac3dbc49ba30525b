"""Approvals by a role that is held for another part of the ledger: forced into the log, and found.

Method: as in `test_forged_governance.py`, on a ledger with two models. All keep the right to
approve anything, by another role: so it is found that the role asked for was held elsewhere.
"""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.audit.paper import Paper
from tests.audit.test_forged_governance import (
    AUTHOR,
    KIM,
    PAT,
    ROOT,
    SAM,
    approve,
    findings,
    step,
)
from tests.audit.test_forgeries import audit_of
from tests.audit.unauthorised import grant, show
from tests.audit.ungoverned import activate, submit, version_of
from tests.support.staffed import APPROVER, governed, governed_text
from tests.support.world import ORIGIN


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    """A ledger on paper: two models; version 1 asks for two approvers, 2 is a draft."""
    path = tmp_path_factory.mktemp("roles") / "ledger.db"
    world = governed(path)
    for model in ("alpha", "beta"):
        world.register(model)
    world.drafted(governed_text((APPROVER, 2), title="Second"))
    world.close()
    return Paper.copied(path, ORIGIN)


@pytest.fixture
def paper(written: Paper) -> Paper:
    """The same, for one test; everybody has shown who they are, before any event of theirs."""
    paper = deepcopy(written)
    for actor in (AUTHOR, PAT, SAM, KIM, ROOT):
        show(paper, actor)
    return paper


def model(name: str) -> dict[str, Any]:
    return {"kind": "model", "model": name, "labels": {}}


def hold_the_role_for(paper: Paper, name: str, *actors: str) -> None:
    """Leave people the role for one model alone, and the right to approve anything."""
    data = {"role": "reviewer", "actions": ["policies.approve"], "meaning": "", "proposal": None}
    paper.append("authority/changes", "role.defined.v1", data, actor=ROOT)
    for actor in actors:
        granted = paper.find("role.granted.v1", actor=actor, role=APPROVER)[0]
        withdrawn = {"grant": granted, "reason": "x", "proposal": None}
        paper.append("authority/changes", "grant.withdrawn.v1", withdrawn, actor=ROOT)
        grant(paper, actor, "reviewer", by=ROOT)
        part = {"labels": {}, "models": [name], "signals": []}
        grant(paper, actor, APPROVER, by=ROOT, scope=part)


def submit_for(paper: Paper, name: str) -> int:
    return submit(paper, AUTHOR, version_of(paper, version=2), scope=model(name))


def enforce_for(paper: Paper, name: str, *approvals: int) -> int:
    named = version_of(paper, version=2)
    return activate(paper, PAT, named, None, scope=model(name), approvals=list(approvals))


def test_approvals_for_a_model_by_those_of_it_are_in_order(paper: Paper, tmp_path: Path) -> None:
    hold_the_role_for(paper, "alpha", SAM, KIM)
    submission = submit_for(paper, "alpha")
    enforce_for(paper, "alpha", *(approve(paper, actor, submission) for actor in (SAM, KIM)))
    report = audit_of(paper, tmp_path)
    assert findings(report) == [], report.text()


def approve_for_a_model_by_a_role_for_another(paper: Paper) -> int:
    hold_the_role_for(paper, "beta", KIM)
    return approve(paper, KIM, submit_for(paper, "alpha"))


def approve_for_the_ledger_by_a_role_for_a_model(paper: Paper) -> int:
    hold_the_role_for(paper, "alpha", KIM)
    return approve(paper, KIM, submit(paper, AUTHOR, version_of(paper, version=2)))


@pytest.mark.parametrize(
    "forge",
    [approve_for_a_model_by_a_role_for_another, approve_for_the_ledger_by_a_role_for_a_model],
    ids=lambda forge: forge.__name__,
)
def test_an_approval_by_a_role_for_another_part_is_found(
    paper: Paper, tmp_path: Path, forge: Callable[[Paper], int]
) -> None:
    position = forge(paper)
    assert findings(audit_of(paper, tmp_path)) == [("policies.steps", position)]


def test_an_activation_by_a_role_that_is_of_another_model_by_then_is_found(
    paper: Paper, tmp_path: Path
) -> None:
    submission = submit_for(paper, "alpha")
    given = [approve(paper, actor, submission) for actor in (SAM, KIM)]
    hold_the_role_for(paper, "beta", KIM)
    position = enforce_for(paper, "alpha", *given)
    assert findings(audit_of(paper, tmp_path)) == [("policies.approved", position)]


def test_a_rejection_by_one_who_may_approve_for_another_model_alone_is_found(
    paper: Paper, tmp_path: Path
) -> None:
    granted = paper.find("role.granted.v1", actor=KIM, role=APPROVER)[0]
    withdrawn = {"grant": granted, "reason": "x", "proposal": None}
    paper.append("authority/changes", "grant.withdrawn.v1", withdrawn, actor=ROOT)
    part = {"labels": {}, "models": ["beta"], "signals": []}
    grant(paper, KIM, APPROVER, by=ROOT, scope=part)
    step(paper, KIM, "rejected", submission=submit_for(paper, "beta"))
    position = step(paper, KIM, "rejected", submission=submit_for(paper, "alpha"))
    assert findings(audit_of(paper, tmp_path)) == [("authority.rights", position)]
