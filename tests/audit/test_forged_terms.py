"""Forgeries of what is due in governance: emergencies, and activations for a stated time.

Method: as in `test_forged_governance.py`, whose ledger this is. The policy in force wants an
emergency ratified within three days; its approvals count for two.
"""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Final

import pytest

from ledger.events.values import format_time
from tests.audit.left_out import say_that_all_was_governed
from tests.audit.paper import Paper
from tests.audit.test_forged_governance import (
    AUTHOR,
    KIM,
    PAT,
    ROOT,
    SAM,
    STREAM,
    approve,
    approved_by_two,
    enforce,
    findings,
    in_force,
    step,
)
from tests.audit.test_forgeries import audit_of
from tests.audit.unauthorised import grant, register, show
from tests.audit.ungoverned import EVERYWHERE, activate, submit, version_of
from tests.support.staffed import APPROVER, governed, governed_text
from tests.support.world import DAY, HOUR, ORIGIN

GOVERNOR, NEW = "system/governor", "users/new"


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    """A ledger on paper: version 1 is in force and asks for two approvers, 2 and 3 are drafts."""
    path = tmp_path_factory.mktemp("termed") / "ledger.db"
    world = governed(path, approval_valid="2d", ratify_within="3d")
    world.drafted(governed_text((APPROVER, 2), title="Second"))
    world.drafted(governed_text((APPROVER, 2), title="Third"))
    world.close()
    return Paper.copied(path, ORIGIN)


@pytest.fixture
def paper(written: Paper) -> Paper:
    """The same, for one test; everybody has shown who they are."""
    paper = deepcopy(written)
    for actor in (AUTHOR, PAT, SAM, KIM, ROOT):
        show(paper, actor)
    return paper


def wait(paper: Paper, micros: int) -> None:
    """Let time pass, after which people show again who they are."""
    at = paper.events[-1].recorded_at + micros
    show(paper, PAT)
    paper.events[-1].recorded_at = at
    for actor in (AUTHOR, SAM, KIM, ROOT):
        show(paper, actor)


def rush(paper: Paper, actor: str = KIM, days: int = 3, **changes: object) -> int:
    """Put version 2 in force in an emergency."""
    until = format_time(paper.events[-1].recorded_at + days * DAY)
    more = {"basis": "emergency", "ratify_until": until} | changes
    return activate(paper, actor, version_of(paper, version=2), in_force(paper), **more)


def revert(paper: Paper, actor: str = GOVERNOR, version: int = 1) -> int:
    named = version_of(paper, version=version)
    return activate(paper, actor, named, in_force(paper), basis="reverted")


def ratify(paper: Paper, emergency: int, *approvals: int) -> int:
    data = {"policy": "main", "version": 2, "activation": emergency, "approvals": list(approvals)}
    return paper.append(STREAM, "policy.ratified.v1", data, actor=PAT)


def schedule(paper: Paper, *approvals: int, after: int = DAY) -> int:
    data = version_of(paper, version=2) | {
        "scope": EVERYWHERE, "rationale": "x", "approvals": list(approvals),
        "effective_time": format_time(paper.events[-1].recorded_at + after),
    }  # fmt: skip
    return paper.append(STREAM, "policy.scheduled.v1", data, actor=PAT)


def come_due(paper: Paper, scheduled: int, version: int = 2) -> int:
    approvals = paper.at(scheduled).data["approvals"]
    more = {"basis": "scheduled", "scheduled": scheduled, "approvals": approvals}
    return activate(paper, GOVERNOR, version_of(paper, version=version), in_force(paper), **more)


# ---- honest stories ------------------------------------------------------------------------------


def be_ratified(paper: Paper) -> None:
    emergency = rush(paper)
    approvals = approve(paper, PAT, emergency), approve(paper, SAM, emergency)
    ratify(paper, emergency, *approvals)
    wait(paper, 9 * DAY)


def be_reverted(paper: Paper) -> None:
    rush(paper)
    wait(paper, 3 * DAY)
    revert(paper)
    wait(paper, 9 * DAY)


def come_at_its_time(paper: Paper) -> None:
    scheduled = schedule(paper, *approved_by_two(paper))
    wait(paper, DAY)
    come_due(paper, scheduled)


def be_dropped(paper: Paper) -> None:
    first, second = approved_by_two(paper)
    scheduled = schedule(paper, first, second)
    step(paper, PAT, "approval_withdrawn", approval=first)
    wait(paper, DAY)
    step(paper, GOVERNOR, "schedule_withdrawn", schedule=scheduled)
    wait(paper, 9 * DAY)


@pytest.mark.parametrize(
    "story", [be_ratified, be_reverted, come_at_its_time, be_dropped], ids=lambda one: one.__name__
)
def test_an_honest_end_of_what_is_due_is_in_order(
    paper: Paper, tmp_path: Path, story: Callable[[Paper], None]
) -> None:
    story(paper)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [], report.text()


# ---- forged stories ------------------------------------------------------------------------------


def with_an_action(paper: Paper, action: str) -> None:
    """Have another person hold one action alone."""
    data = {"role": "single", "actions": [action], "meaning": "", "proposal": None}
    paper.append("authority/changes", "role.defined.v1", data, actor=ROOT)
    register(paper, NEW, "staff-new", by=ROOT)
    grant(paper, NEW, "single", by=ROOT)
    show(paper, NEW)


def rush_without_the_right(paper: Paper) -> int:
    with_an_action(paper, "policies.activate")
    return rush(paper, NEW)


def roll_back_with_the_right_to_rush(paper: Paper) -> int:
    enforce(paper, *approved_by_two(paper))
    with_an_action(paper, "policies.emergency")
    named = version_of(paper, version=1)
    return activate(paper, NEW, named, in_force(paper), basis="roll_back")


def rush_for_longer(paper: Paper) -> int:
    return rush(paper, days=4)


def rush_twice(paper: Paper) -> int:
    rush(paper)
    return rush(paper)


def rush_after_the_reversal(paper: Paper) -> int:
    be_reverted(paper)
    return rush(paper, PAT)


def rush_another_after_the_reversal(paper: Paper) -> int:
    be_reverted(paper)
    until = format_time(paper.events[-1].recorded_at + DAY)
    more = {"basis": "emergency", "ratify_until": until}
    return activate(paper, KIM, version_of(paper, version=3), in_force(paper), **more)


def revert_too_soon(paper: Paper) -> int:
    rush(paper)
    wait(paper, 2 * DAY)
    return revert(paper)


def revert_by_hand(paper: Paper) -> int:
    rush(paper)
    wait(paper, 3 * DAY)
    return revert(paper, PAT)


def revert_to_what_was_not(paper: Paper) -> int:
    rush(paper)
    wait(paper, 3 * DAY)
    return revert(paper, version=3)


def revert_further_than_needed(paper: Paper) -> int:
    enforce(paper, *approved_by_two(paper))
    until = format_time(paper.events[-1].recorded_at + 3 * DAY)
    third = version_of(paper, version=3)
    activate(paper, KIM, third, in_force(paper), basis="emergency", ratify_until=until)
    wait(paper, 3 * DAY)
    return revert(paper, version=1)


def revert_what_was_ratified(paper: Paper) -> int:
    be_ratified(paper)
    return revert(paper)


def follow_an_emergency_freely(paper: Paper) -> int:
    rush(paper)
    named = version_of(paper, version=3)
    return activate(paper, PAT, named, in_force(paper))


def come_too_soon(paper: Paper) -> int:
    scheduled = schedule(paper, *approved_by_two(paper))
    wait(paper, HOUR)
    return come_due(paper, scheduled)


def come_as_another(paper: Paper) -> int:
    scheduled = schedule(paper, *approved_by_two(paper))
    wait(paper, DAY)
    return come_due(paper, scheduled, version=3)


def come_without_its_approvals(paper: Paper) -> int:
    first, second = approved_by_two(paper)
    scheduled = schedule(paper, first, second)
    step(paper, PAT, "approval_withdrawn", approval=first)
    wait(paper, DAY)
    return come_due(paper, scheduled)


def come_over_an_emergency(paper: Paper) -> int:
    scheduled = schedule(paper, *approved_by_two(paper))
    until = format_time(paper.events[-1].recorded_at + 3 * DAY)
    more = {"basis": "emergency", "ratify_until": until}
    activate(paper, KIM, version_of(paper, version=3), in_force(paper), **more)
    wait(paper, DAY)
    return come_due(paper, scheduled)


def ratify_without_a_quorum(paper: Paper) -> int:
    emergency = rush(paper)
    return ratify(paper, emergency, approve(paper, PAT, emergency))


def ratify_too_late(paper: Paper) -> int:
    emergency = rush(paper)
    wait(paper, 3 * DAY + HOUR)
    approvals = approve(paper, PAT, emergency), approve(paper, SAM, emergency)
    return ratify(paper, emergency, *approvals)


def approve_what_one_rushed(paper: Paper) -> int:
    submit(paper, AUTHOR, version_of(paper, version=2))
    submission = len(paper.events)
    rush(paper)
    return approve(paper, KIM, submission)


def schedule_beyond_the_approvals(paper: Paper) -> int:
    return schedule(paper, *approved_by_two(paper), after=3 * DAY)


def drop_too_soon(paper: Paper) -> int:
    scheduled = schedule(paper, *approved_by_two(paper))
    return step(paper, GOVERNOR, "schedule_withdrawn", schedule=scheduled)


def leave_an_emergency(paper: Paper) -> int:
    emergency = rush(paper)
    wait(paper, 5 * DAY)
    say_that_all_was_governed(paper)
    return emergency


def leave_a_time(paper: Paper) -> int:
    scheduled = schedule(paper, *approved_by_two(paper))
    wait(paper, 3 * DAY)
    say_that_all_was_governed(paper)
    return scheduled


FORGED: Final[tuple[tuple[str, Callable[[Paper], int]], ...]] = (
    ("policies.approved", rush_without_the_right),
    ("policies.approved", roll_back_with_the_right_to_rush),
    ("policies.approved", rush_for_longer),
    ("policies.approved", rush_twice),
    ("policies.approved", rush_after_the_reversal),
    ("policies.approved", rush_another_after_the_reversal),
    ("policies.approved", revert_too_soon),
    ("policies.approved", revert_by_hand),
    ("policies.approved", revert_to_what_was_not),
    ("policies.approved", revert_further_than_needed),
    ("policies.approved", revert_what_was_ratified),
    ("policies.approved", follow_an_emergency_freely),
    ("policies.approved", come_too_soon),
    ("policies.approved", come_as_another),
    ("policies.approved", come_without_its_approvals),
    ("policies.approved", come_over_an_emergency),
    ("policies.steps", ratify_without_a_quorum),
    ("policies.steps", approve_what_one_rushed),
    ("policies.steps", schedule_beyond_the_approvals),
    ("policies.steps", drop_too_soon),
    ("policies.terms", leave_an_emergency),
    ("policies.terms", leave_a_time),
)


@pytest.mark.parametrize(("rule", "forge"), FORGED, ids=lambda one: getattr(one, "__name__", one))
def test_what_is_due_and_forged_is_found(
    paper: Paper, tmp_path: Path, rule: str, forge: Callable[[Paper], int]
) -> None:
    position = forge(paper)
    report = audit_of(paper, tmp_path)
    assert (rule, position) in findings(report), report.text()
    others = [found for found in findings(report) if found != (rule, position)]
    assert {found[0] for found in others} <= {"policies.terms"}, report.text()


def test_a_ratification_that_comes_too_late_is_found(paper: Paper, tmp_path: Path) -> None:
    position = ratify_too_late(paper)
    report = audit_of(paper, tmp_path)
    assert ("policies.steps", position) in findings(report), report.text()


@pytest.mark.parametrize("story", [leave_an_emergency, leave_a_time])
def test_what_is_due_is_a_gap_with_its_span_where_no_service_governed(
    paper: Paper, tmp_path: Path, story: Callable[[Paper], int]
) -> None:
    position = story(paper)
    paper.remove(*paper.find("service.accounted.v3"))
    report = audit_of(paper, tmp_path)
    assert findings(report) == [], report.text()
    [gap] = (one for one in report.remarks if f"Gap: positions {position} to" in one)
    assert gap.endswith("no service that governs accounts for it.")


def test_an_emergency_after_which_nothing_can_be_in_force_again_is_a_gap_that_says_why(
    paper: Paper, tmp_path: Path
) -> None:
    position = rush(paper)
    defined = paper.at(paper.find("signal.defined.v1", signal="loss")[-1])
    turned = paper.append(defined.stream, defined.type, defined.data | {"unit": "bits"})
    wait(paper, 5 * DAY)
    say_that_all_was_governed(paper)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [("meanings.pinned", turned)], report.text()
    [gap] = (one for one in report.remarks if f"Gap: positions {position} to" in one)
    assert "and it cannot be: loss changed unit from" in gap
