"""A lease that is said to be over sooner than its recipe has it is found, on a `wall` ledger."""

from pathlib import Path

import pytest

from ledger.events.values import SECOND, format_time, parse_time
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.job_worlds import LEASE_SECONDS, ONE, Working
from tests.support.world import ORIGIN, World

LEASED, EXTENDED = "job.leased.v1", "job.lease_extended.v1"


@pytest.fixture
def leased(tmp_path: Path) -> Paper:
    """A ledger on the machine's clock with a job that is leased, for longer once."""
    world = World(tmp_path / "ledger.db", clock="wall").begin("alpha")
    working = Working.of(world)
    working.propose()
    working.approve()
    token = working.lease()
    world.clock.advance(LEASE_SECONDS * SECOND * 3 // 4)
    world.ledger.jobs.heartbeat(ONE, "j1", token)
    world.close()
    return Paper.copied(tmp_path / "ledger.db", ORIGIN)


def test_leases_that_a_service_gave_pass(leased: Paper, tmp_path: Path) -> None:
    assert (len(leased.find(LEASED)), len(leased.find(EXTENDED))) == (1, 1)
    assert audit_of(leased, tmp_path).passed


@pytest.mark.parametrize("type_", [LEASED, EXTENDED])
def test_a_lease_that_is_shorter_than_its_recipe_has_it_is_found(
    leased: Paper, tmp_path: Path, type_: str
) -> None:
    [found] = leased.find(type_)
    data = leased.at(found).data
    data["expires_at"] = format_time(parse_time(data["expires_at"]) - 600 * SECOND)
    report = audit_of(leased, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [("jobs.leases", found)]


def test_a_lease_may_be_recorded_a_little_later_than_it_was_given(
    leased: Paper, tmp_path: Path
) -> None:
    [found] = leased.find(LEASED)
    data = leased.at(found).data
    data["expires_at"] = format_time(parse_time(data["expires_at"]) - 200 * SECOND)
    assert audit_of(leased, tmp_path).passed
