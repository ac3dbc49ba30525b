"""Threads for calls: goal: whatever one connection asks for, another one's call gets a thread.

Method: an event loop, few threads, and functions that hold their thread until they are let go.
"""

import asyncio
import threading
from collections.abc import Callable

import pytest

from ledger.api.call_threads import CallThreads, LoopCallbacks
from ledger.errors import LedgerError, Reason
from ledger.limits import QUEUED_CALLS_PER_CONNECTION

SECONDS = 30.0


def held_calls(let_go: threading.Event, begun: list[int]) -> Callable[[], None]:
    """Return a function that holds its thread."""

    def hold() -> None:
        begun.append(1)
        assert let_go.wait(SECONDS)

    return hold


async def _threads(count: int) -> CallThreads:
    loop = asyncio.get_running_loop()
    return CallThreads(loop, LoopCallbacks(loop), count)


def test_a_connection_whose_calls_take_long_leaves_threads_to_the_others() -> None:
    let_go, begun = threading.Event(), list[int]()

    async def try_it() -> None:
        threads = await _threads(4)
        long = [threads.run("one", held_calls(let_go, begun)) for _ in range(10)]
        for _ in range(5):
            async with asyncio.timeout(SECONDS):
                assert await threads.run("other", lambda: "answered") == "answered"
        assert len(begun) <= 3
        assert not any(future.done() for future in long)
        let_go.set()
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*long)
        assert len(begun) == 10
        threads.close()

    asyncio.run(try_it())


def test_what_must_be_run_is_run_though_too_much_waits() -> None:
    let_go, begun, ran = threading.Event(), list[int](), threading.Event()

    async def try_it() -> None:
        threads = await _threads(2)
        hold = held_calls(let_go, begun)
        held = [threads.run("one", hold) for _ in range(1 + QUEUED_CALLS_PER_CONNECTION)]
        with pytest.raises(LedgerError) as error:
            threads.run("one", hold)
        assert error.value.reason is Reason.LIMIT_REACHED
        threads.leave("one", ran.set)
        for future in held[1:]:
            future.cancel()
        let_go.set()
        async with asyncio.timeout(SECONDS):
            await held[0]
        assert await asyncio.to_thread(ran.wait, SECONDS)
        assert len(begun) == 1, "what no caller waits for any more is not begun"
        threads.close()

    asyncio.run(try_it())
