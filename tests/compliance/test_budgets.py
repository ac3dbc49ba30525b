"""The table of spending says of each job what was set aside, approved beyond it, and spent."""

from pathlib import Path

import pytest

from ledger.application.budgets.budgets import Overspending
from ledger.compliance.budgets import spending_table
from ledger.compliance.facts import FactFilter
from ledger.compliance.tables import as_records
from tests.support.budgeted import add, moved, release, reserve, set_budget, spend
from tests.support.facts import FactList, facts_of
from tests.support.world import ANA, World, policy_text

EUR = 1_000_000
FLOW = {"refill_micros": str(100 * EUR), "cap_micros": str(400 * EUR)}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> FactList:
    """Return the facts: one job above its reservation, one cancelled, one that is open."""
    world = World(Path(tmp_path_factory.mktemp("money")) / "l.sqlite")
    world.begin("alpha", "beta", policy=policy_text())
    set_budget(world, jobs=FLOW)
    moved(world, reserve("a", 40 * EUR))
    moved(world, reserve("b", 10 * EUR, "beta"))
    wanted = Overspending("main", "a", "jobs", 60 * EUR, "needed")
    world.ledger.budgets.approve_overspending(ANA, wanted)
    moved(world, add("a", 10 * EUR))
    moved(world, spend("a", 120 * EUR))
    moved(world, release("b"))
    moved(world, reserve("c", 5 * EUR, top=True))
    found = facts_of(world)
    world.close()
    return found


def test_each_job_has_its_reservation_its_approvals_and_its_cost(story: FactList) -> None:
    table = spending_table(story, FactFilter())
    shown = ("job", "reserved", "added", "approved", "approved_by", "spent", "state")
    assert [tuple(row[name] for name in shown) for row in as_records(table)] == [
        ("a", "40.00 EUR", "10.00 EUR", "60.00 EUR", "users/ana", "120.00 EUR", "spent"),
        ("b", "10.00 EUR", None, None, None, "0.00 EUR", "released"),
        ("c", "5.00 EUR", None, None, None, None, "open"),
    ]
    of_beta = as_records(spending_table(story, FactFilter(model="beta")))
    assert [row["job"] for row in of_beta] == ["b"]
    assert table.note == ""


def test_bodies_that_are_gone_are_counted(story: FactList) -> None:
    lost = (
        one._replace(data=None) if one.type == "budget.spent.v1" else one for one in story.items
    )
    gone = FactList(story.origin, tuple(lost))
    table = spending_table(gone, FactFilter())
    assert table.note == "Events of budgets without a readable body: 1."
    assert as_records(table)[0]["state"] == "open"
