"""A version that ran in shadow is promoted by approvals, and each step cites the shadow.

Method: people with roles, under a policy that asks for two approvers; the auditor agrees.
"""

from pathlib import Path

from ledger.api.convert.policies import PolicyMoment, policy
from ledger.events.policies import PolicyActivatedV2, PolicySubmitted
from tests.support.audits import audited
from tests.support.staffed import APPROVER, AUTHOR, PAT, SAM, governed, governed_text
from tests.support.world import EVERYWHERE


def test_a_submission_that_starts_from_a_shadow_cites_it_and_so_does_what_is_activated(
    tmp_path: Path,
) -> None:
    world = governed(tmp_path / "ledger.db")
    version = world.drafted(governed_text((APPROVER, 2), title="Next"))
    begun = world.ledger.shadowing.begin(
        AUTHOR, version.policy, version.number, "", EVERYWHERE, 86_400, "to compare"
    )
    chosen = (begun.last_position, version.policy, version.number, EVERYWHERE)
    shadow = world.ledger.shadowing.promoted(*chosen)
    world.ledger.policy_steps.submit(AUTHOR, version, EVERYWHERE, "it was compared", shadow)
    world.approve(version, PAT, SAM)
    commands = world.ledger.commands
    commands.activate_policy(PAT, version.policy, version.number, "", EVERYWHERE, "go", shadow)
    for type_ in (PolicySubmitted.TYPE, PolicyActivatedV2.TYPE):
        assert world.events(type_)[-1].body.causation_position == begun.last_position
    world.ledger.fleet.refresh()
    view = world.ledger.fleet.policy(version.policy)
    assert view is not None
    moment = PolicyMoment(None, world.ledger.governance.as_of(None), {})
    shown = policy(view, moment).activations
    assert [one.shadow for one in shown] == [0] * (len(shown) - 1) + [begun.last_position]
    rules = {one.rule for one in audited(Path(world.path)).findings}
    assert rules <= {"authority.shown"}, "credentials are the gate's"
    world.close()
