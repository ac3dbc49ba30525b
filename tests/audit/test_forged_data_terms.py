"""What had expired does not count on a ledger whose clock is its data.

Method: a ledger of a service, on which approvals count for two days and an emergency is ratified
within two; one observation more moves its time up to that, or just not. A step is then forced into
the log. That an honest service leaves no such step is seen by an observation that comes in while it
decides.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from ledger.application.policies.governance import Judged
from ledger.application.policies.review_packs import PackPeriod
from ledger.application.policies.reviews import SignOff
from ledger.application.policies.steps import ChosenVersion
from ledger.errors import LedgerError
from ledger.events.authority import ActorRegistered
from ledger.events.values import format_time
from tests.audit.paper import Paper
from tests.audit.test_forged_governance import AUTHOR, KIM, PAT, ROOT, SAM, enforce, findings
from tests.audit.test_forged_terms import ratify, schedule
from tests.audit.test_forgeries import audit_of
from tests.audit.unauthorised import show
from tests.governance.test_sign_offs import WHOLE
from tests.support import staffed
from tests.support.staffed import APPROVER, Governed, governed, governed_text
from tests.support.world import DAY, EVERYWHERE, ORIGIN, START

SECOND: Final = ChosenVersion("main", 2)
APPROVED, ACTIVATED = "policy.approved.v1", "policy.activated.v2"
LAPSES: Final = START + 2 * DAY
Step = Callable[[Governed], object]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Governed]:
    made = governed(tmp_path / "ledger.db", approval_valid="2d", ratify_within="2d", clock="data")
    monitor = ActorRegistered(actor="services/monitor-1", person="staff-ana", meaning="")
    made.ledger.authority_changes.record(staffed.ROOT, "RegisterActor", monitor)
    made.grant("services/monitor-1", "monitor")
    made.register("alpha")
    made.deploy("alpha", "v1")
    made.drafted(governed_text((APPROVER, 2), title="Second"))
    made.see("alpha", 0.41, START)
    yield made
    made.close()


def approve(world: Governed) -> None:
    world.submit(SECOND)
    world.approve(SECOND, staffed.PAT, staffed.SAM)


def rush(world: Governed) -> None:
    world.ledger.commands.activate_in_emergency(staffed.KIM, "main", 2, "", EVERYWHERE, "now")
    world.approve(SECOND, staffed.PAT, staffed.SAM)


def on_paper(world: Governed, tmp_path: Path) -> Paper:
    world.settle()
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    for actor in (AUTHOR, PAT, SAM, KIM, ROOT):
        show(paper, actor)
    return paper


def enforce_it(paper: Paper) -> int:
    return enforce(paper, *paper.find(APPROVED))


def ratify_it(paper: Paper) -> int:
    return ratify(paper, paper.find(ACTIVATED)[0], *paper.find(APPROVED))


def schedule_it(paper: Paper) -> int:
    position = schedule(paper, *paper.find(APPROVED))
    paper.at(position).data["effective_time"] = format_time(LAPSES - 1)
    return position


FORGED: Final = (
    (approve, enforce_it, "policies.approved", LAPSES, "it has expired"),
    (rush, ratify_it, "policies.steps", LAPSES + 1, "the time to ratify it is over"),
    (rush, ratify_it, "policies.steps", LAPSES, "it has expired"),
    (approve, schedule_it, "policies.steps", LAPSES - 1, "its time has come already"),
)


@pytest.mark.parametrize(("before", "forge", "rule", "at", "why"), FORGED)
def test_a_step_whose_time_was_over_by_the_data_is_found(
    world: Governed, tmp_path: Path, before: Step, forge: Callable[[Paper], int], rule: str,
    at: int, why: str,
) -> None:  # fmt: skip
    before(world)
    world.see("alpha", 0.42, at)
    paper = on_paper(world, tmp_path)
    position = forge(paper)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [(rule, position)], report.text()
    (what,) = [one.what for one in report.findings if one.position == position]
    assert why in what


@pytest.mark.parametrize(("before", "forge", "at"), [
    (approve, enforce_it, LAPSES - 1), (rush, ratify_it, LAPSES - 1),
    (approve, schedule_it, LAPSES - 2),
])  # fmt: skip
def test_the_same_step_is_in_order_a_moment_before(
    world: Governed, tmp_path: Path, before: Step, forge: Callable[[Paper], int], at: int
) -> None:
    before(world)
    world.see("alpha", 0.42, at)
    paper = on_paper(world, tmp_path)
    forge(paper)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [], report.text()


# ---- while a service decides ---------------------------------------------------------------------


def activate(world: Governed) -> object:
    return world.enforce(SECOND)


def ratify_by_call(world: Governed) -> object:
    return world.ledger.policy_steps.ratify(staffed.SAM, SECOND)


def review(world: Governed) -> None:
    version = world.drafted(governed_text((APPROVER, 1), review_every="10d"), "reviewed")
    world.submit(version)
    world.approve(version, staffed.PAT, staffed.SAM)
    world.enforce(version)


def sign_off(world: Governed) -> object:
    named, reviews = ("reviewed", 1), world.ledger.reviews
    pack = reviews.packs.pack(named, WHOLE, PackPeriod(as_of=world.head))
    return reviews.sign_off(
        staffed.SAM, SignOff(*named, WHOLE, pack.as_of, pack.digest, "As it was.")
    )


def set_a_time(world: Governed) -> object:
    return world.ledger.commands.schedule_policy(
        staffed.PAT, "main", 2, "", EVERYWHERE, "then", LAPSES - 1
    )


TAKEN: Final = (
    (approve, activate, LAPSES, "it has 0 in the role"),
    (rush, ratify_by_call, LAPSES, "it has 0 in the role"),
    (approve, set_a_time, LAPSES - 1, "has come already"),
    (review, sign_off, START + 7 * DAY + 1, "its pack ends at"),
)


@pytest.mark.parametrize("taken", TAKEN)
@pytest.mark.parametrize("early", [0, 1])
def test_what_is_observed_while_a_service_decides_is_before_what_it_records_or_the_step_is_refused(
    world: Governed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    taken: tuple[Step, Step, int, str],
    early: int,
) -> None:
    before, take, at, why = taken
    before(world)
    governance, seen = world.ledger.governance, [at - early]
    judged = governance.judged

    def judged_a_moment_before() -> Judged:
        made = judged()
        if seen:
            world.see("alpha", 0.42, seen.pop())
        return made

    monkeypatch.setattr(governance, "judged", judged_a_moment_before)
    if early:
        take(world)
    else:
        with pytest.raises(LedgerError) as caught:
            take(world)
        assert why in caught.value.message
    assert not seen
    report = audit_of(on_paper(world, tmp_path), tmp_path)
    assert findings(report) == [], report.text()
