"""What a client sends again by mistake is not recorded again, unless it says that it is meant.

Method: one batch sent twice, under two request ids, by every way in that the clients have.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.client import AsyncLedgerClient, LedgerClient
from tests.support.served import START, Fleets, Served, serving_fleet

ROWS = [("fares", "log-loss", 0.5 + n / 100, (START + n) * 1_000_000) for n in range(3)]


@pytest.fixture
def served(tmp_path: Path, fleets: Fleets) -> Iterator[Served]:
    with serving_fleet(fleets, tmp_path, "fares") as server:
        yield server


def submit(address: str, leave_out: dict[str, Any]) -> None:
    with LedgerClient(address) as ledger:
        ledger.submit(ROWS, **leave_out)


def stream(address: str, leave_out: dict[str, Any]) -> None:
    with LedgerClient(address) as ledger, ledger.stream_signals(**leave_out) as begun:
        begun.send(ROWS)


def submit_async(address: str, leave_out: dict[str, Any]) -> None:
    async def call() -> None:
        async with AsyncLedgerClient(address) as ledger:
            await ledger.submit(ROWS, **leave_out)

    asyncio.run(call())


def stream_async(address: str, leave_out: dict[str, Any]) -> None:
    async def call() -> None:
        async with (
            AsyncLedgerClient(address) as ledger,
            ledger.stream_signals(**leave_out) as begun,
        ):
            await begun.send(ROWS)

    asyncio.run(call())


WAYS = [submit, stream, submit_async, stream_async]


@pytest.mark.parametrize("send", WAYS)
def test_a_batch_that_is_sent_twice_is_recorded_once(
    served: Served, send: Callable[[str, dict[str, Any]], None]
) -> None:
    head = served.head()
    for _ in range(2):
        send(served.server.address, {})
    assert served.head() == head + len(ROWS)


@pytest.mark.parametrize("send", WAYS)
def test_what_is_meant_to_be_recorded_again_is(
    served: Served, send: Callable[[str, dict[str, Any]], None]
) -> None:
    head = served.head()
    for _ in range(2):
        send(served.server.address, {"leave_out_duplicates": False})
    assert served.head() == head + 2 * len(ROWS)


def test_a_buffer_leaves_out_what_is_on_record(served: Served) -> None:
    head = served.head()
    with LedgerClient(served.server.address) as ledger:
        for _ in range(2):
            with ledger.batch(max_items=10, max_seconds=600.0) as batch:
                for row in ROWS:
                    batch.add(row)
    assert served.head() == head + len(ROWS)


def test_the_answer_counts_what_was_left_out_and_what_was_kept(served: Served) -> None:
    with LedgerClient(served.server.address) as ledger:
        first = ledger.submit(ROWS)
        again = ledger.submit(ROWS).intake
        kept = ledger.submit(ROWS, leave_out_duplicates=False).intake
    assert (first.intake.likely_duplicates, first.intake.left_out) == (0, 0)
    assert (again.likely_duplicates, again.left_out) == (3, 3)
    assert (kept.likely_duplicates, kept.left_out) == (3, 0)
    assert again.duplicates_first_position == first.first_position
