"""The client sets budgets, tells them, and approves overspending as the person who calls."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from ledger.client import AsyncLedgerClient, UnknownNameError, WrongStateError
from ledger.client.budgets import PaidModels
from tests.support.served import serving


def test_a_budget_is_set_told_and_overspent(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.create()
        with served.client(actor="users/ana") as ledger:
            ledger.set_budget(
                "main", unit="EUR", period=timedelta(days=7), refill_micros=100, cap_micros=400,
                tests_refill_micros=10, tests_opening_micros=4, labels={"tier": "gold"},
            )  # fmt: skip
            told = ledger.get_budget("budgets/main")
            assert (told.budget.jobs.free_micros, told.budget.tests.free_micros) == (100, 4)
            assert told.budget.scope == PaidModels({"tier": "gold"}, "")
            done = ledger.approve_overspending("main", "fares-1", 5, "Worth it.", envelope="tests")
            [one] = ledger.list_budgets(min_position=done.position).budgets
            assert one.tests.granted_micros == 9
            with pytest.raises(WrongStateError, match="GPU hours"):
                ledger.set_budget("main", unit="GPU hours", period=3_600, refill_micros=1)
            with pytest.raises(UnknownNameError, match="main"):
                ledger.get_budget("mian")

        async def listed() -> list[str]:
            async with AsyncLedgerClient(served.server.address, actor="users/ana") as ledger:
                return [one.name for one in (await ledger.list_budgets()).budgets]

        assert asyncio.run(listed()) == ["budgets/main"]
