"""An actor is limited for itself, and a refusal says when to come back.

Goal: calls, bytes, observations, streams and waits of an actor on a ledger are bounded; one that is
refused slows no other. Method: a server whose steady clock the test turns, so that what is let in
is counted and never timed; places by calls that stay open, and by the quotas alone.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from ledger.api.call_limits import ActorQuotas, QuotaLimits
from ledger.api.concurrency_limit import ConcurrencyLimit
from ledger.api.rates import LimitedCallers
from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.events.proving import RequestsRefusedV2
from ledger.events.registry import typed
from ledger.events.values import SECOND
from ledger.limit_settings import LimitSettings
from ledger.limits import BATCH_OBSERVATIONS_MAX, BURST_SECONDS, ActorLimits
from ledger.v1 import (
    ledger_pb2,
    ledger_service_pb2,
    signal_service_pb2,
)
from tests.support.clocks import TurnedClock
from tests.support.limited import ANN, BEN, BURST, RATE, STREAM, Limited, limited, wait_of
from tests.support.served import (
    ORIGIN,
    START,
    TIMEOUT,
    Fleets,
    observation,
    refused,
    refused_in_time,
    serving,
)
from tests.support.server_process import until


def test_a_call_too_many_is_told_when_to_come_back_and_is_let_in_then(
    fleets: Fleets, tmp_path: Path
) -> None:
    with limited(fleets, tmp_path, calls_per_second=RATE) as server:
        assert server.reads(ANN, BURST + 3) == BURST
        refusal = refused(server.read)
        assert refusal.message == (
            f"users/ann has used up its 5 calls a second on {ORIGIN}. "
            "Send the same request again in 0.2 s."
        )
        assert refusal.metadata["actor"] == "users/ann"
        assert refusal.metadata["ledger"] == ORIGIN
        assert (refusal.metadata["what"], refusal.metadata["limit"]) == ("calls", "5")
        server.clock.advance(wait_of(refusal) - 1_000)
        refused(server.read)
        server.clock.advance(1_000)
        server.read()


def test_ten_times_the_rate_of_one_actor_leaves_another_its_share(
    fleets: Fleets, tmp_path: Path
) -> None:
    seconds, ticks = 6, 5
    with limited(fleets, tmp_path, calls_per_second=RATE) as server:
        flood = share = 0
        for _ in range(seconds * ticks):
            flood += server.reads(ANN, 10 * RATE // ticks)
            share += server.reads(BEN, RATE // ticks)
            server.clock.advance(SECOND // ticks)
    assert share >= 0.9 * RATE * seconds
    assert flood <= BURST + RATE * seconds


def test_naming_the_first_ledger_or_none_or_one_to_create_is_one_bucket_refused_or_not(
    fleets: Fleets, tmp_path: Path
) -> None:
    with limited(fleets, tmp_path, calls_per_second=RATE) as server:

        def create(number: int) -> None:
            request = ledger_service_pb2.CreateLedgerRequest(
                origin=f"made.up/{number}", clock=ledger_pb2.LEDGER_CLOCK_WALL
            )
            server.served.ledgers.CreateLedger(request, timeout=TIMEOUT, metadata=ANN)

        for number in range(BURST // 2):
            server.read(ledger=ORIGIN if number % 2 else "")
            assert refused(lambda: create(number)).reason == "ACTOR_NOT_AUTHORISED"  # noqa: B023
        for ledger in ("", ORIGIN):
            wait_of(refused(lambda: server.read(ledger=ledger)))  # noqa: B023
        wait_of(refused(lambda: create(BURST)))


def test_observations_are_counted_before_a_batch_is_looked_at(
    fleets: Fleets, tmp_path: Path
) -> None:
    with limited(fleets, tmp_path, observations_per_second=100) as server:
        server.submit(BATCH_OBSERVATIONS_MAX - 1)
        invalid = signal_service_pb2.SubmitSignalsRequest(
            observations=[observation(model="No Model", seconds=n) for n in range(51)]
        )
        refusal = refused(
            lambda: server.served.signals.SubmitSignals(invalid, timeout=TIMEOUT, metadata=ANN)
        )
        assert refusal.metadata["what"] == "observations"
        assert wait_of(refusal) == SECOND // 2
        server.submit(1)  # a smaller batch has room
        server.submit(51, BEN)  # and another actor


def test_bytes_are_counted_too(fleets: Fleets, tmp_path: Path) -> None:
    with limited(fleets, tmp_path, megabytes_per_second=0.001) as server:
        largest = signal_service_pb2.SubmitSignalsRequest(
            observations=[observation(model="m" * 2_000)] * 1_900
        )
        refusals = [
            refused(
                lambda: server.served.signals.SubmitSignals(largest, timeout=TIMEOUT, metadata=ANN)
            )
            for _ in range(5)
        ]
        assert [one.reason for one in refusals] == ["FIELD_INVALID"] * 4 + ["LIMIT_REACHED"]
        assert "users/ann has used up its 0.001 MB a second on" in refusals[-1].message


def test_a_batch_of_a_stream_is_refused_alone_and_the_stream_goes_on(
    fleets: Fleets, tmp_path: Path
) -> None:
    with limited(fleets, tmp_path, observations_per_second=100) as server:
        sizes = [BATCH_OBSERVATIONS_MAX, 50, 50]

        def batches() -> Iterator[signal_service_pb2.StreamSignalsRequest]:
            for number, size in enumerate(sizes):
                rows = [observation(seconds=number * 10_000 + n) for n in range(size)]
                yield signal_service_pb2.StreamSignalsRequest(
                    observations=rows, request_id=f"batch-{number}"
                )

        answers = server.served.signals.StreamSignals(batches(), timeout=TIMEOUT, metadata=ANN)
        assert next(answers).HasField("appended")
        second = next(answers)
        assert second.request_id == "batch-1"
        assert second.error.metadata["what"] == "observations"
        assert second.error.retry_delay.ToMilliseconds() == 500
        assert next(answers).error.retry_delay.ToMilliseconds() == 500
        assert list(answers) == []


def test_a_refused_actor_is_counted_on_the_ledger_and_named_in_the_log_once(
    fleets: Fleets, tmp_path: Path
) -> None:
    with capture_logs() as lines:
        with limited(fleets, tmp_path, calls_per_second=RATE) as server:
            server.reads(ANN, BURST + 7)
            ledger = server.served.service.ledger()
        said = [line for line in lines if str(line["event"]).startswith("limits.")]
    assert [(line["event"], line.get("refused")) for line in said] == [
        ("limits.reached", None),
        ("limits.over", 7),
    ]
    assert all((line["ledger"], line["actor"]) == (ORIGIN, "users/ann") for line in said)
    with serving(tmp_path) as served:
        events = served.service.store.events.of_types(
            ledger.info.origin, (RequestsRefusedV2.TYPE,), stream=RequestsRefusedV2.STREAM, after=0
        )
        counted = [
            (part.actor, part.method, part.reason, part.count)
            for event in events
            for part in typed(event, RequestsRefusedV2).refusals
        ]
    assert ("users/ann", "GetModel", "LIMIT_REACHED") in {one[:3] for one in counted}
    assert sum(one[3] for one in counted) == 7


def test_an_actor_has_so_many_streams_and_others_theirs(fleets: Fleets, tmp_path: Path) -> None:
    watch = ledger_service_pb2.WatchEventsRequest()
    with limited(fleets, tmp_path, streams=2) as server, ExitStack() as open_:
        watches = server.served.ledgers.WatchEvents

        def begin(actor: Any) -> Any:  # noqa: ANN401
            call = watches(watch, metadata=actor)
            open_.callback(call.cancel)
            next(call)
            return call

        first, _ = begin(ANN), begin(ANN)
        refusal = refused(lambda: watches(watch, metadata=ANN, timeout=TIMEOUT))
        assert refusal.message.startswith(
            f"users/ann has as many watches on {ORIGIN} as it may: 2."
        )
        wait_of(refusal)
        begin(BEN)
        batch = [signal_service_pb2.StreamSignalsRequest(observations=[observation()])]
        for _ in range(3):  # streams of observations are another kind, and each ends
            answers = server.served.signals.StreamSignals(iter(batch), metadata=ANN)
            assert next(answers).HasField("appended")
            assert list(answers) == []
        first.cancel()
        begin_again(watches, watch)


def begin_again(watches: Any, request: Any) -> None:  # noqa: ANN401
    """Begin a watch once the place of one that was cancelled is free."""

    def begins() -> bool:
        call = watches(request, metadata=ANN)
        try:
            next(call)
        except grpc.RpcError:
            return False
        finally:
            call.cancel()
        return True

    until(begins, "the place of the watch that was cancelled is free")


def test_a_stream_without_a_place_ends_and_says_when_to_come_back(
    fleets: Fleets, tmp_path: Path
) -> None:
    batch = [signal_service_pb2.StreamSignalsRequest(observations=[observation()])]
    with limited(fleets, tmp_path, streams=0) as server:
        wait_of(refused(lambda: server.served.signals.StreamSignals(iter(batch), metadata=ANN)))


def test_a_read_that_is_made_again_after_a_wait_counts_once(fleets: Fleets, tmp_path: Path) -> None:
    with limited(fleets, tmp_path, calls_per_second=RATE) as server:
        far = ledger_service_pb2.GetLedgerRequest(min_position=10**6)
        tries: list[float] = []

        def ask(seconds: float) -> None:
            tries.append(seconds)
            server.served.ledgers.GetLedger(far, timeout=seconds, metadata=ANN)

        assert refused_in_time(ask).reason == "POSITION_BEYOND_HEAD"
        assert server.reads(ANN, BURST) >= BURST - len(tries)


def test_an_actor_has_so_many_reads_that_wait(fleets: Fleets, tmp_path: Path) -> None:
    with limited(fleets, tmp_path, waits=1) as server:
        far = ledger_service_pb2.GetLedgerRequest(min_position=10**6)
        get = server.served.ledgers.GetLedger
        two = [get.future(far, timeout=TIMEOUT, metadata=ANN) for _ in range(2)]
        until(lambda: any(call.done() for call in two), "one of them has no place")
        ended, waiting = sorted(two, key=lambda call: not call.done())
        refusal = refused(ended.result)
        assert refusal.message.startswith(
            f"users/ann has as many waiting reads on {ORIGIN} as it may: 1."
        )
        wait_of(refusal)
        waiting.cancel()


# ---- places, by themselves -----------------------------------------------------------------------


class _Call:
    """As much of a call as the limits read."""

    def __init__(self, actor: str = "users/ann", method: str = STREAM) -> None:
        self.actor, self.method = actor, method
        self.peer = "ipv4:127.0.0.1:1"
        self.sender = self.place = None
        self.is_over = False


def quotas(clock: TurnedClock, stated: dict[tuple[str, str], ActorLimits]) -> ActorQuotas:
    """Return limits of actors, of which some are stated by the ledger."""
    kind = ConcurrencyLimit("streams", total=8, per_connection=8)
    return ActorQuotas(
        clock,
        LimitedCallers(clock),
        {STREAM: kind},
        QuotaLimits.of(LimitSettings()),
        lambda origin, actor: stated.get((origin, actor)),
    )


def refusal_of(limits: ActorQuotas, call: Any, **request: int) -> LedgerError:  # noqa: ANN401
    """Return why a call is refused."""
    with pytest.raises(LedgerError) as caught:
        limits.charge(call, "l", request.get("size", 10), request.get("observations", 0))
    assert caught.value.reason is Reason.LIMIT_REACHED
    return caught.value


def test_no_actor_has_more_than_three_quarters_of_the_servers_places() -> None:
    limits = quotas(TurnedClock(), {})
    calls: list[Any] = [_Call() for _ in range(6)]
    for call in calls:
        limits.charge(call, "l", 10)
        limits.charge(call, "l", 10)  # a further request of a stream takes no other place
    assert "has as many streams on l as it may: 6." in refusal_of(limits, _Call()).message
    another: Any = _Call("users/ben")
    limits.charge(another, "l", 10)
    limits.charge(_Call(), "m", 10)  # type: ignore[arg-type]
    limits.leave(calls[0])
    limits.charge(_Call(), "l", 10)  # type: ignore[arg-type]


def test_a_call_that_ended_while_a_thread_let_it_in_keeps_no_place() -> None:
    limits = quotas(TurnedClock(), {})
    for _ in range(100):
        call: Any = _Call()
        call.is_over = True  # as the event loop says it, before it leaves
        limits.leave(call)
        limits.charge(call, "l", 10)
    for _ in range(6):  # every place is free
        limits.charge(_Call(), "l", 10)  # type: ignore[arg-type]


def test_what_a_ledger_states_for_an_actor_holds_at_once_and_for_it_alone() -> None:
    clock, stated = TurnedClock(), dict[tuple[str, str], ActorLimits]()
    limits = quotas(clock, stated)
    method = "/ledger.v1.ModelService/GetModel"
    limits.charge(_Call(method=method), "l", 10)  # type: ignore[arg-type]
    stated["l", "users/ann"] = ActorLimits(3, 1_000_000, 10, 1, 1)
    for _ in range(3 * BURST_SECONDS):
        limits.charge(_Call(method=method), "l", 10)  # type: ignore[arg-type]
    assert refusal_of(limits, _Call(method=method)).metadata["limit"] == "3"
    for call in (_Call("users/ben", method), _Call(method=method)):
        limits.charge(call, "m", 10)  # type: ignore[arg-type]
    stated["l", "users/ann"] = ActorLimits(1_000, 1_000_000, 10, 1, 1)
    refusal_of(limits, _Call(method=method))  # higher limits give back nothing that was used
    clock.advance(1_000)
    limits.charge(_Call(method=method), "l", 10)  # type: ignore[arg-type]


def test_a_caller_that_does_not_wait_is_answered_late_and_so_slowed_down(
    fleets: Fleets, tmp_path: Path
) -> None:
    shutil.copytree(fleets("fares"), tmp_path, dirs_exist_ok=True)
    clock, steady = TurnedClock(START * SECOND), SystemClock()
    with serving(tmp_path, clock, limits__calls_per_second=RATE) as served:
        server = Limited(served, clock)
        server.reads(ANN, BURST)
        began = steady.monotonic_seconds()
        for _ in range(3):
            wait_of(refused(server.read))
        assert steady.monotonic_seconds() - began >= 3 / RATE
        server.read(BEN)
