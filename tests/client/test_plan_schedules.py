"""Schedules of plans over the wire: set, replaced, ended, and told as of a moment.

Method: both clients against a served ledger with one model and a policy that plans.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.client import AsyncLedgerClient, LedgerClient
from ledger.client.errors import WrongStateError
from ledger.client.ranking import ToldPlanSchedule
from tests.support.job_worlds import RECIPE
from tests.support.served import Fleets, Served, serving_fleet


@pytest.fixture
def served(tmp_path: Path, fleets: Fleets) -> Iterator[Served]:
    with serving_fleet(fleets, tmp_path, "fares") as server:
        yield server


@pytest.fixture
def ledger(served: Served) -> Iterator[LedgerClient]:
    with LedgerClient(served.server.address, actor="users/ana") as client:
        yield client


def test_schedules_of_plans_are_told_as_of_a_moment(ledger: LedgerClient) -> None:
    first = ledger.schedule_plans("default", 86_400, 5, budget_cap_micros=9, reason="A day's.")
    ledger.schedule_plans("default", 3_600, 7)
    [now] = ledger.list_plan_schedules()
    assert (now.policy, now.every_seconds, now.budget_cap_micros) == ("default", 3_600, 7)
    [then] = ledger.list_plan_schedules(as_of_position=first.position)
    assert (then.name, then.newest_plan) == ("planSchedules/default", "")
    assert (then.budget_micros, then.reason, then.position) == (5, "A day's.", first.position)
    assert (then.next_at.hour, then.recipe) == (0, "")
    assert ledger.list_plan_schedules(as_of_position=first.position - 1) == []
    ledger.schedule_plans("default", 0)
    assert ledger.list_plan_schedules() == []


def test_a_schedule_names_an_approved_recipe(served: Served, ledger: LedgerClient) -> None:
    drafted = ledger.draft_recipe("weekly", RECIPE, "because")
    with pytest.raises(WrongStateError, match="not approved"):
        ledger.schedule_plans("default", 86_400, 5, recipe="weekly")
    with LedgerClient(served.server.address, actor="users/bob") as bob:
        bob.approve_recipe("weekly", 1, drafted.version.digest)
    ledger.schedule_plans("default", 86_400, 5, recipe="recipes/weekly")
    assert [one.recipe for one in ledger.list_plan_schedules()] == ["weekly"]


def test_asyncio_lists_the_same_schedules(served: Served, ledger: LedgerClient) -> None:
    ledger.schedule_plans("default", 86_400, 5)

    async def listed() -> list[ToldPlanSchedule]:
        async with AsyncLedgerClient(served.server.address, actor="users/ana") as client:
            return await client.list_plan_schedules()

    assert asyncio.run(listed()) == ledger.list_plan_schedules() != []
