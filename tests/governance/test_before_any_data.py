"""Before its first observation a ledger on its data's clock has no time, so nothing is for a time.

Method: the version in force asks for one approval; what is only for a time is tried before and
after the first observation.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from ledger.application.policies.steps import ChosenVersion
from ledger.errors import LedgerError, Reason
from ledger.events.values import DAY
from tests.governance.test_approvals import check_audit
from tests.support.staffed import APPROVER, PAT, SAM, Governed, governed, governed_text
from tests.support.world import EVERYWHERE, MONITOR, START

Step = Callable[[Governed, ChosenVersion], object]


def approve(world: Governed, version: ChosenVersion) -> object:
    return world.approve(version, SAM)


def emergency(world: Governed, version: ChosenVersion) -> object:
    commands = world.ledger.commands
    return commands.activate_in_emergency(
        PAT, version.policy, version.number, "", EVERYWHERE, "it burns"
    )


def schedule(world: Governed, version: ChosenVersion) -> object:
    at = START + 2 * DAY
    commands = world.ledger.commands
    return commands.schedule_policy(PAT, version.policy, version.number, "", EVERYWHERE, "then", at)


STEPS: Final[dict[str, Step]] = {
    "an approval": approve,
    "an emergency": emergency,
    "a time that is set": schedule,
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Governed]:
    """A ledger on its data's clock that has seen no observation; people govern it."""
    made = governed(tmp_path / "ledger.db", (APPROVER, 1), clock="data")
    made.register("m1")
    made.deploy("m1", "v1")
    yield made
    made.close()


@pytest.fixture
def version(world: Governed) -> ChosenVersion:
    """A second version, submitted."""
    found = world.drafted(governed_text((APPROVER, 1), title="Second"))
    world.submit(found)
    return found


@pytest.mark.parametrize("step", STEPS)
def test_what_is_for_a_time_is_refused_before_the_first_observation(
    world: Governed, version: ChosenVersion, step: str
) -> None:
    before = world.head
    with pytest.raises(LedgerError) as caught:
        STEPS[step](world, version)
    assert caught.value.reason is Reason.GOVERNANCE_REFUSED
    assert "no observation has set it" in caught.value.message
    assert "Report an observation once first" in caught.value.remedy
    assert world.head == before


def test_after_one_observation_each_lasts_for_its_time(
    world: Governed, version: ChosenVersion
) -> None:
    world.see("m1", 0.4, START, caller=MONITOR)
    approve(world, version)
    schedule(world, version)
    third = world.drafted(governed_text((APPROVER, 1), title="Third"))
    emergency(world, third)
    world.see("m1", 0.4, START + DAY, caller=MONITOR)
    world.govern()
    assert [one.body.data["basis"] for one in world.events("policy.activated.v2")][
        -1
    ] == "emergency"
    [approval] = world.events("policy.approved.v1")
    assert approval.body.data["expires_at"] > "2026"
    check_audit(world, "authority.rights")  # of the monitor
