"""Several emergencies of one version at once: each is approved and ratified by itself.

Method: a ledger with people under a policy that asks for two approvers; one version comes into
force in an emergency for two models; the auditor agrees.
"""

from pathlib import Path

from ledger.events.policies import PolicyRatified, ScopePart
from tests.governance.test_approvals import check_audit
from tests.support.staffed import APPROVER, KIM, PAT, SAM, governed, governed_text


def test_of_two_emergencies_of_a_version_the_one_that_has_its_approvals_is_ratified(
    tmp_path: Path,
) -> None:
    world = governed(tmp_path / "ledger.db")
    version = world.drafted(governed_text((APPROVER, 1), title="Second"))
    scopes = [ScopePart(kind="model", model=model, labels={}) for model in ("alpha", "beta")]
    called: list[int] = []
    for scope in scopes:
        world.register(scope.model or "")
        made = world.ledger.commands.activate_in_emergency(
            KIM, version.policy, version.number, "", scope, "it burns"
        )
        called.append(made.last_position)
    steps = world.ledger.policy_steps
    for person in (PAT, SAM):
        steps.approve(person, version, "", "fine", called[0])
    steps.ratify(PAT, version)
    world.approve(version, PAT, SAM)
    steps.ratify(PAT, version)
    assert [one.activation for one in world.all_of(PolicyRatified)] == called
    check_audit(world)
    world.close()
