"""The client lists what decisions ask of people, and answers as the person who calls."""

import asyncio
from pathlib import Path

import pytest

from ledger.client import AsyncLedgerClient, WrongStateError
from tests.support.asking import asking
from tests.support.live_fleet import START


def test_people_answer_what_decisions_ask_of_them(tmp_path: Path) -> None:
    with asking(tmp_path, ("fares",)) as served, served.client(actor="users/ana") as ledger:
        raised = ledger.list_escalations("fares")
        [escalation] = raised.escalations
        [task] = ledger.list_tasks(owner="team-fares").tasks
        ledger.acknowledge_escalation(escalation.name, note="I look at it.")
        ledger.take_task(task.name)
        ledger.resolve_escalation(escalation.name, "The labels were late.")
        closed = ledger.close_task(task.name, "false_alarm")
        assert ledger.list_escalations(min_position=closed.position).escalations == ()
        assert ledger.list_tasks("models/fares").tasks == ()
        assert ledger.list_escalations(as_of_position=raised.position) == raised
        assert ledger.list_tasks(as_of=START, overdue=True).tasks == ()
        with pytest.raises(WrongStateError, match="task list"):
            ledger.take_task(task.name)


def test_the_asynchronous_client_answers_as_well(tmp_path: Path) -> None:
    with asking(tmp_path, ("fares",)) as served:

        async def answer() -> tuple[int, int]:
            async with AsyncLedgerClient(served.server.address, actor="users/ana") as ledger:
                [escalation] = (await ledger.list_escalations(tier="ds")).escalations
                await ledger.resolve_escalation(escalation.name, "Dealt with.")
                left = await ledger.list_escalations()
                return len(left.escalations), len((await ledger.list_tasks()).tasks)

        assert asyncio.run(answer()) == (0, 1)
