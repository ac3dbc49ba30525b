"""What budgets were granted, by whom raised, and what of it jobs were given and have spent."""

from pathlib import Path

import pytest

from ledger.application.budgets.budgets import Overspending
from ledger.compliance.budgets import spending_table
from ledger.compliance.facts import FactFilter
from ledger.compliance.inquiry import Answer, Inquiry
from ledger.compliance.questions import answer
from ledger.compliance.tables import Cell, as_records
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


def rows(given: Answer, name: str) -> list[dict[str, Cell]]:
    [table] = [one for one in given.tables if one.name == name]
    return as_records(table)


def test_overspending_that_was_approved_is_said_with_amount_and_person(story: FactList) -> None:
    given = answer("budgets", story, Inquiry())
    assert given.said[:3] == [
        "More was spent and set aside than was granted in 0 of 2 envelopes of 1 budget.",
        (
            "Jobs that a budget paid or pays: 3; overspending was approved 1 time, 60.00 EUR "
            "together, by users/ana."
        ),
        "No budget was set again.",
    ]
    jobs, tests = rows(given, "envelopes")
    shown = ("envelope", "granted", "approved", "spent", "reserved", "free", "is_exceeded")
    assert tuple(jobs[name] for name in shown) == (
        "jobs", "160.00 EUR", "60.00 EUR", "120.00 EUR", "5.00 EUR", "5.00005 EUR", False,
    )  # fmt: skip
    assert tests["envelope"] == "tests"
    assert given.state == "answered"


def test_a_budget_that_was_raised_says_by_whom_and_what(tmp_path: Path) -> None:
    world = World(tmp_path / "l.sqlite").begin("alpha", policy=policy_text())
    set_budget(world, jobs=FLOW)
    less = FLOW | {"cap_micros": str(200 * EUR)}
    set_budget(world, jobs=less, reason="a cut")
    set_budget(world, jobs=less | {"refill_micros": str(150 * EUR)}, reason="a busy year")
    found = facts_of(world)
    world.close()
    given = answer("budgets", found, Inquiry())
    assert "Budgets were set again 2 times, and raised in 1 of these, by users/ana." in given.said
    shown = [(one["is_first"], one["raised"], one["reason"]) for one in rows(given, "budget_terms")]
    assert shown == [
        (True, None, ""),
        (False, None, "a cut"),
        (False, "refill for jobs", "a busy year"),
    ]


def test_a_budget_whose_terms_were_erased_is_not_reckoned_with(story: FactList) -> None:
    gone = FactList(
        story.origin,
        tuple(
            one._replace(data=None) if one.type == "budget.spent.v1" else one for one in story.items
        ),
    )
    given = answer("budgets", gone, Inquiry())
    assert given.missing.startswith("Of 1 budget the body of an event was erased")
    assert {one["is_exceeded"] for one in rows(given, "envelopes")} == {None}


def test_spending_that_no_budget_could_have_is_said(story: FactList) -> None:
    spent = next(one for one in story.items if one.type == "budget.spent.v1")
    forged = tuple(
        one._replace(data=(one.data or {}) | {"spent_micros": str(900 * EUR)})
        if one is spent
        else one
        for one in story.items
    )
    given = answer("budgets", FactList(story.origin, forged), Inquiry())
    assert any(one.startswith("Events that no budget could have: 1;") for one in given.said)
