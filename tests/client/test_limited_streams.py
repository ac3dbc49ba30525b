"""A stream that sends too much in a second is slowed to its rate, and loses nothing.

Method: a server with a small rate on a clock that stands until the test turns it, so that what is
beyond the burst is refused for as long as the test wants; both clients.
"""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ledger.client import AsyncLedgerClient, BatchRefusedError, LedgerClient, RetryOptions
from tests.support.limited import BURST, RATE, Limited, limited
from tests.support.served import START, Fleets
from tests.support.server_process import until

BATCHES = BURST + 3


def batch(number: int) -> list[tuple[str, str, float, int]]:
    """Return one observation of its own time."""
    return [("fares", "log-loss", 0.5, (START + number) * 1_000_000)]


def turn(server: Limited) -> bool:
    """Turn the clock by as long as one more call takes."""
    server.clock.advance(1_000_000 // RATE)
    return True


def test_what_was_too_much_is_sent_again_until_all_is_on_record(
    fleets: Fleets, tmp_path: Path
) -> None:
    with (
        capture_logs() as lines,
        limited(fleets, tmp_path, calls_per_second=RATE) as server,
        LedgerClient(server.served.server.address) as client,
        client.stream_signals() as stream,
    ):
        for number in range(BATCHES):
            stream.send(batch(number))
        until(lambda: any(line["event"] == "limits.reached" for line in lines), "it is limited")
        until(lambda: stream.recorded == BURST, "the burst is on record")
        until(lambda: turn(server) and stream.recorded == BATCHES, "all is on record")
        assert stream.refused == 0
    assert server.clock.elapsed_seconds() >= (BATCHES - BURST) / RATE


def test_the_asynchronous_stream_is_slowed_likewise(fleets: Fleets, tmp_path: Path) -> None:
    async def send(server: Limited) -> None:
        async with (
            AsyncLedgerClient(server.served.server.address) as client,
            client.stream_signals() as stream,
        ):
            for number in range(BATCHES):
                await stream.send(batch(number))
            async with asyncio.timeout(60):
                while stream.recorded < BATCHES:
                    await asyncio.sleep(0.05)
                    if stream.recorded >= BURST:
                        turn(server)
            assert stream.refused == 0

    with limited(fleets, tmp_path, calls_per_second=RATE) as server:
        asyncio.run(send(server))


def test_a_stream_whose_patience_is_over_says_which_batch_was_too_much(
    fleets: Fleets, tmp_path: Path
) -> None:
    impatient = RetryOptions(patience_seconds=0.1)
    with (
        limited(fleets, tmp_path, calls_per_second=RATE) as server,
        LedgerClient(server.served.server.address, retry=impatient) as client,
        client.stream_signals() as stream,
    ):
        for number in range(BURST + 1):
            stream.send(batch(number))
        with pytest.raises(BatchRefusedError) as caught:
            stream.flush()
        assert caught.value.batch == BURST + 1
        assert caught.value.error.retry_after_seconds == 1 / RATE
