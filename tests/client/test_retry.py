"""What passes is tried again, with the same request id, within one budget; answers are not.

Method: a scripted server fails so many times and counts; pauses are computed on a clock that the
test moves, and never slept through for longer than milliseconds.
"""

import asyncio

import grpc
import pytest

from ledger.client import (
    AsyncLedgerClient,
    BusyError,
    LedgerClient,
    LedgerRefusedError,
    RetryOptions,
    UnreachableError,
)
from ledger.client.errors import refused
from ledger.client.retry import Attempts
from ledger.errors import LedgerError, Reason
from ledger.v1 import ledger_pb2, ledger_service_pb2, signal_service_pb2
from tests.client.scripted import scripted
from tests.support.clocks import ManualClock

QUICK = RetryOptions(attempts_max=4, first_pause_seconds=0.001, pause_seconds_max=0.002)
ROW = [("fares", "log-loss", 0.5)]
DRAINING = LedgerError(Reason.DRAINING, "Going.", retry_after_seconds=0.001)


class Still(ManualClock):
    """A clock whose monotonic time moves only when told, and whose chance is what it is told."""

    def __init__(self, chance: int = 0) -> None:
        super().__init__()
        self.seconds = 0.0
        self._chance = chance

    def monotonic_seconds(self) -> float:
        return self.seconds

    def random_bytes(self, count: int) -> bytes:
        return bytes([self._chance]) * count


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_an_append_is_repeated_with_the_id_it_began_with(failures: int) -> None:
    answer = signal_service_pb2.SubmitSignalsResponse()
    answer.appended.position = 9
    with (
        scripted(SubmitSignals=[*[DRAINING] * failures, answer]) as script,
        LedgerClient(script.target, retry=QUICK, actor="services/m") as client,
    ):
        assert client.submit(ROW).position == 9
    requests = script.requests(signal_service_pb2.SubmitSignalsRequest)
    assert len(requests) == failures + 1
    assert len({request.request_id for request in requests}) == 1
    assert requests[0].request_id
    assert {metadata["ledger-actor"] for metadata in script.metadata} == {"services/m"}


def test_two_appends_have_two_ids() -> None:
    answer = signal_service_pb2.SubmitSignalsResponse()
    with scripted(SubmitSignals=[answer]) as script, LedgerClient(script.target) as client:
        client.submit(ROW)
        client.submit(ROW)
    first, second = script.requests(signal_service_pb2.SubmitSignalsRequest)
    assert first.request_id != second.request_id


def test_the_asynchronous_client_repeats_likewise() -> None:
    answer = signal_service_pb2.SubmitSignalsResponse()

    async def call(target: str) -> None:
        async with AsyncLedgerClient(target, retry=QUICK) as client:
            await client.submit(ROW)

    with scripted(SubmitSignals=[DRAINING, grpc.StatusCode.UNAVAILABLE, answer]) as script:
        asyncio.run(call(script.target))
    requests = script.requests(signal_service_pb2.SubmitSignalsRequest)
    assert len(requests) == 3
    assert len({request.request_id for request in requests}) == 1


@pytest.mark.parametrize(
    "code",
    [
        code
        for code in grpc.StatusCode
        if code.name not in {"OK", "UNAVAILABLE", "RESOURCE_EXHAUSTED"}
    ],
)
def test_what_is_an_answer_is_not_tried_again(code: grpc.StatusCode) -> None:
    with (
        scripted(GetLedger=[code]) as script,
        LedgerClient(script.target, retry=QUICK) as client,
        pytest.raises((LedgerRefusedError, UnreachableError)),
    ):
        client.get_ledger()
    assert len(script.asked) == 1


@pytest.mark.parametrize(
    ("why", "passes"),
    [
        ("SSL_ERROR_SSL: CERTIFICATE_VERIFY_FAILED: certificate has expired", False),
        ("Hostname Verification Check failed.", False),
        ("SSL_ERROR_SSL: WRONG_VERSION_NUMBER", False),
        ("Socket closed", True),
        ("Connection refused", True),
    ],
)
def test_a_certificate_that_does_not_hold_is_not_tried_again(why: str, *, passes: bool) -> None:
    attempts = Attempts(QUICK, Still(), 10.0)
    attempts.timeout_seconds()
    failure = UnreachableError("localhost:1", why)
    assert (attempts.pause_seconds(grpc.StatusCode.UNAVAILABLE, failure) is not None) is passes


def test_an_overload_that_the_transport_tells_is_a_limit_and_is_tried_again() -> None:
    answer = signal_service_pb2.SubmitSignalsResponse()
    answer.appended.position = 9
    full = grpc.StatusCode.RESOURCE_EXHAUSTED  # bare, as gRPC sends it: the ledger adds details
    dropped = None

    async def call(target: str) -> None:
        async with AsyncLedgerClient(target, retry=QUICK) as client:
            assert (await client.submit(ROW)).position == 9

    with scripted(SubmitSignals=[full, dropped, answer]) as script:
        asyncio.run(call(script.target))
    with (
        scripted(SubmitSignals=[full, dropped, answer]) as again,
        LedgerClient(again.target, retry=QUICK) as client,
    ):
        assert client.submit(ROW).position == 9
    for each in (script, again):
        ids = {r.request_id for r in each.requests(signal_service_pb2.SubmitSignalsRequest)}
        assert (len(each.asked), len(ids)) == (3, 1)


def test_an_overload_that_stays_is_raised_as_a_limit_once_attempts_have_ended() -> None:
    with (
        scripted(GetLedger=[grpc.StatusCode.RESOURCE_EXHAUSTED]) as script,
        LedgerClient(script.target, retry=QUICK) as client,
        pytest.raises(BusyError) as caught,
    ):
        client.get_ledger()
    assert caught.value.reason is Reason.LIMIT_REACHED
    assert caught.value.remedy
    assert len(script.asked) == QUICK.attempts_max


def test_a_limit_of_the_ledger_is_tried_again_after_the_pause_it_asks_for() -> None:
    full = LedgerError(Reason.LIMIT_REACHED, "Full.", retry_after_seconds=0.001)
    answer = ledger_service_pb2.GetLedgerResponse(
        ledger=ledger_pb2.Ledger(clock=ledger_pb2.LEDGER_CLOCK_WALL)
    )
    with (
        scripted(GetLedger=[full, answer]) as script,
        LedgerClient(script.target, retry=QUICK) as client,
    ):
        client.get_ledger()
    assert len(script.asked) == 2


def test_attempts_end_and_the_last_refusal_is_raised() -> None:
    with (
        scripted(GetLedger=[DRAINING]) as script,
        LedgerClient(script.target, retry=QUICK) as client,
        pytest.raises(BusyError, match="Going"),
    ):
        client.get_ledger()
    assert len(script.asked) == 4


def test_every_attempt_has_a_deadline_that_the_server_sees() -> None:
    answer = ledger_service_pb2.GetLedgerResponse(
        ledger=ledger_pb2.Ledger(clock=ledger_pb2.LEDGER_CLOCK_WALL)
    )
    with (
        scripted(GetLedger=[DRAINING, answer]) as script,
        LedgerClient(script.target, retry=QUICK, deadline_seconds=700) as client,
    ):
        client.get_ledger()
        client.using(deadline_seconds=200).get_ledger()
    first, second, other = script.deadlines
    # On the wire they are rounded up, by a hundredth of a deadline at most.
    assert all(500 < seen < 710 for seen in (first, second))
    assert 100 < other < 203


def test_attempts_share_the_deadline() -> None:
    clock = Still()
    attempts = Attempts(RetryOptions(), clock, 7)
    assert attempts.timeout_seconds() == 7
    clock.seconds = 2.5
    assert attempts.timeout_seconds() == 4.5


def test_pauses_double_up_to_a_limit_and_are_drawn_from_the_upper_half() -> None:
    options = RetryOptions(attempts_max=9, first_pause_seconds=1, pause_seconds_max=5)
    error = UnreachableError("here", "gone")
    for chance, share in ((0, 0.5), (255, 1.0)):
        attempts = Attempts(options, Still(chance), 1_000)
        pauses = []
        for _ in range(5):
            attempts.timeout_seconds()
            pauses.append(attempts.pause_seconds(grpc.StatusCode.UNAVAILABLE, error))
        assert pauses == pytest.approx([share * full for full in (1, 2, 4, 5, 5)])


def test_a_longer_pause_that_the_server_asks_for_wins() -> None:
    attempts = Attempts(RetryOptions(first_pause_seconds=0.1), Still(), 10)
    attempts.timeout_seconds()
    error = refused(Reason.PROJECTION_BEHIND, "Behind.", retry_after_seconds=2.5)
    assert attempts.pause_seconds(grpc.StatusCode.UNAVAILABLE, error) == 2.5


def test_no_attempt_begins_that_the_budget_cannot_hold() -> None:
    clock, error = Still(), UnreachableError("here", "gone")
    attempts = Attempts(RetryOptions(first_pause_seconds=1, budget_seconds=3), clock, 60)
    assert attempts.timeout_seconds() == 3
    clock.seconds = 2.6
    assert attempts.pause_seconds(grpc.StatusCode.UNAVAILABLE, error) is None


def test_a_watch_is_patient_whatever_the_attempts() -> None:
    clock, error = Still(), UnreachableError("here", "gone")
    options = RetryOptions(attempts_max=1, patience_seconds=30)
    attempts = Attempts(options, clock)
    for _ in range(20):
        attempts.timeout_seconds()
        assert attempts.pause_seconds(grpc.StatusCode.UNAVAILABLE, error) is not None
    clock.seconds = 30
    assert attempts.pause_seconds(grpc.StatusCode.UNAVAILABLE, error) is None


@pytest.mark.parametrize(
    "wrong", [{"attempts_max": 0}, {"first_pause_seconds": -1}, {"first_pause_seconds": 99}]
)
def test_options_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must hold|1 or more"):
        RetryOptions(**wrong)  # type: ignore[arg-type]


def test_a_watch_whose_connection_was_due_for_renewal_is_taken_up_again_at_once() -> None:
    attempts = Attempts(RetryOptions(), Still())
    error = refused(Reason.DEADLINE_EXCEEDED, "Over.")
    assert attempts.renewal_pause_seconds(grpc.StatusCode.DEADLINE_EXCEEDED, error) == 0
    with pytest.raises(BusyError):
        attempts.renewal_pause_seconds(grpc.StatusCode.INTERNAL, refused(Reason.DRAINING, "Going."))
