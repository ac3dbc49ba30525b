"""Further forgeries of governance: each is forced into the log around the service, and is found.

Method: as in `test_forgeries.py`, on a `wall` ledger of people with roles, whose policy in force
asks for two approvers. The honest version of each story is found to be in order.
"""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.events.values import format_time
from tests.audit.paper import Paper
from tests.audit.test_absence import erase
from tests.audit.test_forgeries import audit_of
from tests.audit.unauthorised import grant, show
from tests.audit.ungoverned import EVERYWHERE, activate, submit, version_of
from tests.support.staffed import APPROVER, governed, governed_text
from tests.support.world import DAY, ORIGIN

AUTHOR, PAT, PAT_TOO = "users/author", "users/pat", "users/pat-too"
SAM, KIM, ROOT = "users/sam", "users/kim", "users/root"
OFFICER: Final = "users/dpo"
STREAM: Final = "policies/main"
FIRST: Final = "policy.activated.v1"


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    """A ledger on paper: version 1 is in force and asks for two approvers, 2 to 4 are drafts."""
    path = tmp_path_factory.mktemp("governed") / "ledger.db"
    world = governed(path, approval_valid="2d")
    world.drafted(governed_text((APPROVER, 2), title="Second"))
    world.drafted(governed_text((APPROVER, 2), title="Third"))
    fifth = world.grant("users/dpo", APPROVER)
    world.drafted(governed_text((APPROVER, 5), title="Fourth"))
    world.ungrant(fifth)
    world.close()
    return Paper.copied(path, ORIGIN)


@pytest.fixture
def paper(written: Paper) -> Paper:
    """The same, for one test; everybody has shown who they are, before any event of theirs."""
    paper = deepcopy(written)
    for actor in (AUTHOR, PAT, PAT_TOO, SAM, KIM, ROOT):
        show(paper, actor)
    return paper


def approve(paper: Paper, actor: str, submission: int, version: int = 2, **changes: object) -> int:
    """Approve a version for two days."""
    at = paper.events[-1].recorded_at
    data = version_of(paper, version=version) | {
        "submission": submission, "role": APPROVER, "meaning": "reviewed_and_approved",
        "expires_at": format_time(at + 2 * DAY), "comment": "",
    } | changes  # fmt: skip
    return paper.append(STREAM, "policy.approved.v1", data, actor=actor)


def step(paper: Paper, actor: str, name: str, version: int = 2, **members: object) -> int:
    """Take another step of a version."""
    data = {"policy": "main", "version": version, "reason": "x"} | members
    return paper.append(STREAM, f"policy.{name}.v1", data, actor=actor)


def in_force(paper: Paper) -> int:
    return max(paper.find(FIRST) + paper.find("policy.activated.v2"))


def enforce(paper: Paper, *approvals: int, version: int = 2, **changes: object) -> int:
    cited: dict[str, Any] = {"approvals": list(approvals)} | changes
    return activate(paper, PAT, version_of(paper, version=version), in_force(paper), **cited)


def approved_by_two(paper: Paper) -> tuple[int, int]:
    submission = submit(paper, AUTHOR, version_of(paper, version=2))
    return approve(paper, PAT, submission), approve(paper, SAM, submission)


# ---- honest stories ------------------------------------------------------------------------------


def come_into_force(paper: Paper) -> None:
    enforce(paper, *approved_by_two(paper))


def be_withdrawn_and_given_again(paper: Paper) -> None:
    submission = submit(paper, AUTHOR, version_of(paper, version=2))
    first, second = approve(paper, PAT, submission), approve(paper, SAM, submission)
    step(paper, PAT_TOO, "approval_withdrawn", approval=first)
    enforce(paper, second, approve(paper, PAT, submission))


def be_rejected_and_retired(paper: Paper) -> None:
    submission = submit(paper, AUTHOR, version_of(paper, version=2))
    approve(paper, PAT, submission)
    step(paper, KIM, "rejected", submission=submission)
    step(paper, PAT, "retired")


def be_rolled_back(paper: Paper) -> None:
    come_into_force(paper)
    enforce(paper, version=1, basis="roll_back")


HONEST: Final = (
    come_into_force, be_withdrawn_and_given_again, be_rejected_and_retired, be_rolled_back,
)  # fmt: skip


@pytest.mark.parametrize("story", HONEST, ids=lambda story: story.__name__)
def test_an_honest_life_of_a_policy_is_in_order(
    paper: Paper, tmp_path: Path, story: Callable[[Paper], None]
) -> None:
    story(paper)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [], report.text()


def findings(report: Any) -> list[tuple[str, int]]:  # noqa: ANN401 - a report
    """Return what was found, but for the credentials of those who set the ledger up."""
    return [(one.rule, one.position) for one in report.findings if one.rule != "authority.shown"]


# ---- forged stories ------------------------------------------------------------------------------


def approve_oneself(paper: Paper) -> int:
    return approve(paper, AUTHOR, submit(paper, AUTHOR, version_of(paper, version=2)))


def approve_oneself_by_another_account(paper: Paper) -> int:
    show(paper, "users/author-too")
    submission = submit(paper, AUTHOR, version_of(paper, version=2))
    return approve(paper, "users/author-too", submission)


def approve_what_one_submitted(paper: Paper) -> int:
    show(paper, "users/ana")
    return approve(paper, "users/ana", submit(paper, "users/ana", version_of(paper, version=2)))


def approve_twice_by_two_accounts(paper: Paper) -> int:
    submission = submit(paper, AUTHOR, version_of(paper, version=2))
    approve(paper, PAT, submission)
    return approve(paper, PAT_TOO, submission)


def approve_another_digest(paper: Paper) -> int:
    submission = submit(paper, AUTHOR, version_of(paper, version=2))
    other = version_of(paper, version=3)["digest"]
    return approve(paper, PAT, submission, digest=other)


def approve_for_longer_than_may_be(paper: Paper) -> int:
    submission = submit(paper, AUTHOR, version_of(paper, version=2))
    at = paper.events[-1].recorded_at
    return approve(paper, PAT, submission, expires_at=format_time(at + 3 * DAY))


def approve_in_a_role_that_one_has_not(paper: Paper) -> int:
    show(paper, "users/ana")
    submission = submit(paper, AUTHOR, version_of(paper, version=2))
    granted = paper.find("role.granted.v1", actor=PAT)[0]
    grant(paper, PAT, "administrator", by=ROOT)
    withdrawn = {"grant": granted, "reason": "x", "proposal": None}
    paper.append("authority/changes", "grant.withdrawn.v1", withdrawn, actor=ROOT)
    return approve(paper, PAT, submission)


def approve_what_was_rejected(paper: Paper) -> int:
    submission = submit(paper, AUTHOR, version_of(paper, version=2))
    step(paper, KIM, "rejected", submission=submission)
    return approve(paper, PAT, submission)


def withdraw_anothers_approval(paper: Paper) -> int:
    first, _ = approved_by_two(paper)
    return step(paper, SAM, "approval_withdrawn", approval=first)


def withdraw_what_came_into_force(paper: Paper) -> int:
    first, second = approved_by_two(paper)
    enforce(paper, first, second)
    return step(paper, PAT, "approval_withdrawn", approval=first)


def reject_without_a_reason(paper: Paper) -> int:
    submission = submit(paper, AUTHOR, version_of(paper, version=2))
    return step(paper, KIM, "rejected", submission=submission, reason=" ")


def retire_what_is_in_force(paper: Paper) -> int:
    return step(paper, PAT, "retired", version=1)


STEPS: Final = (
    approve_oneself,
    approve_oneself_by_another_account,
    approve_what_one_submitted,
    approve_twice_by_two_accounts,
    approve_another_digest,
    approve_for_longer_than_may_be,
    approve_what_was_rejected,
    withdraw_anothers_approval,
    withdraw_what_came_into_force,
    reject_without_a_reason,
    retire_what_is_in_force,
)


def enforce_without_approvals(paper: Paper) -> int:
    named = version_of(paper, version=2)
    data = named | {"scope": paper.at(in_force(paper)).data["scope"], "rationale": "x"}
    return paper.append(STREAM, FIRST, data, actor=PAT)


def enforce_without_a_quorum(paper: Paper) -> int:
    return enforce(paper, approved_by_two(paper)[0])


def cite_one_approval_twice(paper: Paper) -> int:
    first, _ = approved_by_two(paper)
    return enforce(paper, first, first)


def cite_approvals_of_another_version(paper: Paper) -> int:
    return enforce(paper, *approved_by_two(paper), version=3)


def cite_what_expired(paper: Paper) -> int:
    first, second = approved_by_two(paper)
    paper.events[-1].recorded_at += 3 * DAY
    show(paper, PAT)
    return enforce(paper, first, second)


def cite_what_was_withdrawn(paper: Paper) -> int:
    first, second = approved_by_two(paper)
    step(paper, PAT, "approval_withdrawn", approval=first)
    return enforce(paper, first, second)


def cite_what_was_rejected(paper: Paper) -> int:
    first, second = approved_by_two(paper)
    submission = paper.find("policy.submitted.v1")[-1]
    step(paper, KIM, "rejected", submission=submission)
    return enforce(paper, first, second)


def cite_a_role_that_was_revoked(paper: Paper) -> int:
    first, second = approved_by_two(paper)
    granted = paper.find("role.granted.v1", actor=SAM)[0]
    withdrawn = {"grant": granted, "reason": "x", "proposal": None}
    paper.append("authority/changes", "grant.withdrawn.v1", withdrawn, actor=ROOT)
    return enforce(paper, first, second)


def cite_approvals_for_another_scope(paper: Paper) -> int:
    first, second = approved_by_two(paper)
    scope = {"kind": "labels", "model": None, "labels": {"tier": "high"}}
    named = version_of(paper, version=2)
    return activate(paper, PAT, named, None, scope=scope, approvals=[first, second])


def cite_approvals_twice_for_two_activations(paper: Paper) -> int:
    cited = approved_by_two(paper)
    enforce(paper, *cited)
    return enforce(paper, *cited)


def roll_back_to_what_never_was(paper: Paper) -> int:
    return enforce(paper, version=2, basis="roll_back")


def escape_by_a_roll_back(paper: Paper) -> int:
    come_into_force(paper)
    enforce(paper, version=1, basis="roll_back")
    return enforce(paper, version=3)


def enforce_what_was_retired(paper: Paper) -> int:
    cited = approved_by_two(paper)
    step(paper, PAT, "retired")
    return enforce(paper, *cited)


def roll_back_without_a_reason(paper: Paper) -> int:
    come_into_force(paper)
    return enforce(paper, version=1, basis="roll_back", rationale=" ")


def enforce_by_the_service(paper: Paper) -> int:
    named, cited = version_of(paper, version=2), list(approved_by_two(paper))
    return activate(paper, "system/governor", named, in_force(paper), approvals=cited)


def define_another(paper: Paper) -> int:
    """Define a signal that no policy reads."""
    known = paper.at(paper.find("signal.defined.v1")[0]).data
    data = known | {"signal": "other"}
    return paper.append("signals/other", "signal.defined.v1", data, actor=AUTHOR)


def erased(paper: Paper, position: int) -> int:
    show(paper, OFFICER)
    return erase(paper, position, actor=OFFICER)


def enforce_freely(paper: Paper) -> int:
    """Bring a version into force that cites no approvals, as where none are asked for."""
    named = version_of(paper, version=2)
    data = named | {"scope": EVERYWHERE, "rationale": "x"}
    return paper.append(STREAM, FIRST, data, actor=PAT)


def enforce_what_nothing_could_follow(paper: Paper) -> int:
    submission = submit(paper, AUTHOR, version_of(paper, version=4))
    given = [approve(paper, actor, submission, version=4) for actor in (PAT, SAM)]
    return enforce(paper, *given, version=4)


def submit_what_anybody_may_have_drafted(paper: Paper) -> int:
    drafted = paper.at(paper.find("policy.drafted.v3", version=2)[0])
    assert isinstance(drafted.body, dict)
    drafted.body["actor"] = "users/ghost"
    return submit(paper, AUTHOR, version_of(paper, version=2))


ACTIVATIONS: Final = (
    enforce_what_nothing_could_follow,
    enforce_without_approvals,
    enforce_without_a_quorum,
    cite_one_approval_twice,
    cite_approvals_of_another_version,
    cite_what_expired,
    cite_what_was_withdrawn,
    cite_what_was_rejected,
    cite_a_role_that_was_revoked,
    cite_approvals_for_another_scope,
    cite_approvals_twice_for_two_activations,
    roll_back_to_what_never_was,
    roll_back_without_a_reason,
    escape_by_a_roll_back,
    enforce_what_was_retired,
    enforce_by_the_service,
)


@pytest.mark.parametrize("forge", STEPS, ids=lambda forge: forge.__name__)
def test_a_step_that_may_not_be_taken_is_found(
    paper: Paper, tmp_path: Path, forge: Callable[[Paper], int]
) -> None:
    position = forge(paper)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [("policies.steps", position)], report.text()


def test_a_submission_of_what_anybody_may_have_drafted_is_found(
    paper: Paper, tmp_path: Path
) -> None:
    position = submit_what_anybody_may_have_drafted(paper)
    assert ("policies.steps", position) in findings(audit_of(paper, tmp_path))


@pytest.mark.parametrize("forge", ACTIVATIONS, ids=lambda forge: forge.__name__)
def test_an_activation_that_may_not_be_is_found(
    paper: Paper, tmp_path: Path, forge: Callable[[Paper], int]
) -> None:
    position = forge(paper)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [("policies.approved", position)], report.text()


def test_the_erasure_of_an_activation_is_found_where_approvals_are_asked_for(
    paper: Paper, tmp_path: Path
) -> None:
    erasure = erased(paper, in_force(paper))
    enforce_freely(paper)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [("erasures", erasure)], report.text()
    assert "policies.approved" in {gap.rule for gap in report.gaps}


def test_an_erasure_of_something_else_excuses_no_activation(paper: Paper, tmp_path: Path) -> None:
    erased(paper, define_another(paper))
    position = enforce_freely(paper)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [("policies.approved", position)], report.text()


def test_an_approval_in_a_role_that_is_not_held_is_found_as_that_and_as_without_a_right(
    paper: Paper, tmp_path: Path
) -> None:
    position = approve_in_a_role_that_one_has_not(paper)
    report = audit_of(paper, tmp_path)
    assert ("policies.steps", position) in findings(report), report.text()
