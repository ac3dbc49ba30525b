"""Time is governed wherever a service serves, and its account says how far it has governed.

Method: a stepped service that does not evaluate, over a ledger in which a policy runs in shadow.
"""

from pathlib import Path
from typing import Any

import pytest

from ledger.errors import LedgerError, Reason
from ledger.events.values import SECOND, parse_time
from tests.support.audits import audited
from tests.support.shadowed import shadow
from tests.support.stepped import SteppedWorld
from tests.support.world import DAY, HOUR, START, policy_text


def begun(folder: Path) -> SteppedWorld:
    """Return a service that does not evaluate, and a shadow that ends in a day."""
    world = SteppedWorld(
        folder / "ledger.db", 1, clock="wall", service__evaluate=False, accounts__seconds=600.0
    )
    world.begin("m1")
    shadow(world, policy_text(), span=DAY)
    return world


def account_of(world: SteppedWorld) -> dict[str, Any]:
    """Stop the service and return its last account."""
    world.close()
    world.start()
    return world.events("service.accounted.v3")[-1].data


def test_a_server_that_does_not_evaluate_records_what_time_brings(tmp_path: Path) -> None:
    world = begun(tmp_path)
    world.pass_time(DAY - HOUR)
    assert world.events("shadow.ended.v1") == []
    world.pass_time(2 * HOUR)
    [ended] = world.events("shadow.ended.v1")
    assert ended.body.actor == "system/governor"
    world.close()
    assert audited(tmp_path / "ledger.db").passed


def test_an_account_says_as_of_which_position_and_time_nothing_was_left(tmp_path: Path) -> None:
    world = begun(tmp_path)
    world.pass_time(HOUR)
    world.register("m2")
    head = world.head
    world.pass_time(60 * SECOND)
    account = account_of(world)
    assert account["governed_through"] >= head
    assert parse_time(account["governed_at"]) >= START + HOUR
    assert audited(tmp_path / "ledger.db").passed


def test_an_account_does_not_go_beyond_what_cannot_be_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = begun(tmp_path)
    world.pass_time(HOUR)

    def fail(*_: object, **__: object) -> None:
        raise LedgerError(Reason.STORE_UNAVAILABLE, "It is away.", remedy="Wait.")

    monkeypatch.setattr(world.ledger.shadowing, "end", fail)
    world.pass_time(2 * DAY)
    world.register("m2")  # so that there is something to account for
    account = account_of(world)
    assert parse_time(account["governed_at"]) < START + DAY + HOUR
    world.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()
