"""Approvals that a policy asks for can be known and given: neither erasure nor a way in ends that.

Method: a ledger with people under a policy that asks for two approvers; bodies are erased, grants
withdrawn, and versions brought in by every way; the auditor agrees.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from ledger.application.fleet.definitions import Replacement
from ledger.application.policies.steps import ChosenVersion
from ledger.errors import LedgerError, Reason
from ledger.events.policies import PolicyActivatedV1
from ledger.storage.records import AppendResult
from tests.governance.test_approvals import check_audit, refusal, submitted
from tests.support.staffed import (
    APPROVER,
    AUTHOR,
    PAT,
    PAT_TOO,
    SAM,
    Governed,
    governed,
    governed_text,
)
from tests.support.world import defined, policy_text, reason_of


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Governed]:
    made = governed(tmp_path / "ledger.db")
    yield made
    made.close()


def test_approvals_that_could_not_be_given_are_refused_before_they_are_in_force(
    tmp_path: Path,
) -> None:
    world = Governed(tmp_path / "ledger.db")
    world.ledger.definitions.define(AUTHOR, defined("loss"))
    version = world.drafted(governed_text((APPROVER, 2)))
    many = world.drafted(governed_text((APPROVER, 9)))  # nobody is known, so nothing is wrong yet
    unknown = world.drafted(governed_text(("wizard", 1)))
    assert "no administrator of the ledger is named" in refusal(lambda: world.enforce(version))
    world.staff()
    assert "9 persons in the role policy-approver are asked for, and 5 can approve" in refusal(
        lambda: world.enforce(many)
    )
    assert "there is no role wizard" in refusal(lambda: world.enforce(unknown))
    with pytest.raises(LedgerError) as caught:
        world.drafted(governed_text(("wizard", 1)))
    assert reason_of(caught) is Reason.POLICY_INVALID
    world.enforce(version)
    world.close()


def test_approvals_that_take_every_possible_author_are_refused(world: Governed) -> None:
    for five in ((APPROVER, 5),), ((APPROVER, 4), ("policy-author", 1)):
        with pytest.raises(LedgerError) as caught:
            world.drafted(governed_text(*five, title="Fifth"))
        assert reason_of(caught) is Reason.POLICY_INVALID
        assert "the author of the next version not at all" in caught.value.message
        unseen = world.drafted_unseen(governed_text(*five, title="Fifth unseen"))
        with pytest.raises(LedgerError) as caught:
            world.submit(unseen)
        assert "the author of what follows not counted" in caught.value.message
    world.grant("users/dpo", "policy-author")  # who approves nothing, and so may be the author
    world.submit(world.drafted(governed_text((APPROVER, 5), title="Sixth")))
    check_audit(world, "policies.grounds")  # the unseen drafts


def test_a_definition_brings_no_version_into_force_whose_approvals_could_not_be_given(
    tmp_path: Path,
) -> None:
    world = Governed(tmp_path / "ledger.db", clock="wall")
    world.ledger.definitions.define(AUTHOR, defined("loss"))
    world.enforce(world.drafted(policy_text()))
    changed = defined("loss").model_copy(update={"unit": "bits"})

    def define(*asked: tuple[str, int]) -> AppendResult:
        replacement = Replacement("main", 0, governed_text(*asked), "all new")
        return world.ledger.definitions.define(AUTHOR, changed, [replacement])

    with pytest.raises(LedgerError) as caught:
        define((APPROVER, 2))
    assert reason_of(caught) is Reason.APPROVAL_MISSING
    assert "no administrator of the ledger is named" in caught.value.message
    world.staff()
    with pytest.raises(LedgerError) as caught:
        define(("wizard", 1))
    assert reason_of(caught) is Reason.POLICY_INVALID
    assert "there is no role 'wizard'" in caught.value.message
    define((APPROVER, 2))
    check_audit(world)
    world.close()


def test_the_log_says_when_a_change_of_authority_puts_approvals_out_of_reach(
    world: Governed, capsys: pytest.CaptureFixture[str]
) -> None:
    held = [
        one.position
        for one in world.ledger.authority.state.grants.values()
        if one.role == APPROVER and one.actor not in {PAT.actor, PAT_TOO.actor}
    ]
    for position in held[1:]:
        world.ungrant(position)
    assert "policy.approvals_out_of_reach" not in capsys.readouterr().out
    world.ungrant(held[0])
    said = capsys.readouterr().out
    assert "policy.approvals_out_of_reach" in said
    assert "2 persons in the role policy-approver are asked for, and 1 can approve" in said


def test_where_the_document_in_force_is_erased_only_a_roll_back_goes_on(world: Governed) -> None:
    version = submitted(world)
    world.approve(version, PAT, SAM)
    world.enforce(version)
    drafts = [one.position for one in world.events("policy.drafted.v3")]
    world.erase(drafts[1])
    other = submitted(world, "Third")
    world.approve(other, PAT, SAM)
    assert "the document of main version 2 was erased" in refusal(lambda: world.enforce(other))
    world.roll_back(ChosenVersion("main", 1))
    world.enforce(other)
    check_audit(world)


def test_erasing_what_was_in_force_before_a_roll_back_is_no_way_around_what_it_asked_for(
    tmp_path: Path,
) -> None:
    world = Governed(tmp_path / "ledger.db", clock="wall").staff()
    world.ledger.definitions.define(AUTHOR, defined("loss"))
    free = world.drafted(policy_text(), "free")
    world.enforce(free)
    version = world.drafted(governed_text((APPROVER, 2)))
    drafted = world.head
    world.enforce(version)
    world.roll_back(free)
    world.erase(drafted)
    other = world.drafted(policy_text(), "other")
    assert "the document of main version 1 was erased" in refusal(lambda: world.enforce(other))
    check_audit(world)
    world.close()


def test_no_activation_is_erased_once_a_version_asks_for_approvals(world: Governed) -> None:
    (activated,) = world.events(PolicyActivatedV1.TYPE)
    with pytest.raises(LedgerError) as refused:
        world.erase(activated.position)
    assert reason_of(refused) is Reason.BODY_PERMANENT
    assert f"{activated.position} (policy.activated.v1)" in refused.value.message
    world.erase(world.events("policy.drafted.v3")[0].position)  # it may have asked for some
    with pytest.raises(LedgerError) as refused:
        world.erase(activated.position)
    assert reason_of(refused) is Reason.BODY_PERMANENT
    check_audit(world)


def test_an_activation_is_not_erased_if_a_version_that_asks_comes_between(tmp_path: Path) -> None:
    world = Governed(tmp_path / "ledger.db", clock="wall").staff()
    world.ledger.definitions.define(AUTHOR, defined("loss"))
    activated = world.enforce(world.drafted(policy_text())).last_position
    requests, usual = cast("Any", world.store.requests), world.store.requests.erase

    def erase_late(*given: Any) -> object:  # noqa: ANN401 - as it is called
        world.drafted(governed_text((APPROVER, 1)))
        return usual(*given)

    requests.erase = erase_late
    with pytest.raises(LedgerError) as refused:
        world.erase(activated)
    assert reason_of(refused) is Reason.STORE_UNAVAILABLE
    requests.erase = usual
    with pytest.raises(LedgerError) as refused:
        world.erase(activated)
    assert reason_of(refused) is Reason.BODY_PERMANENT
    world.close()
