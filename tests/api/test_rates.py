"""No caller is let in faster than its rate, and one that comes back when told to is let in.

Goal: the arithmetic of token buckets, over any arrivals and any span between two of them. Method:
hypothesis draws rates, sizes and arrivals in whole nanoseconds; what was let in is added up apart.
"""

from collections.abc import Sequence

import pytest
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ledger.api.errors import to_status
from ledger.api.rates import NANOS, LimitedCallers, RatedCallers, Rates, TokenBucket, too_fast
from ledger.api.signals import batch_error
from ledger.errors import LedgerError, Reason
from ledger.limits import (
    BATCH_OBSERVATIONS_MAX,
    BURST_SECONDS,
    LIMITED_CALLERS_MAX,
    LIMITED_QUIET_SECONDS,
    RATED_CALLERS_MAX,
    RECEIVED_BYTES_MAX,
)
from tests.support.clocks import TurnedClock

RATES = st.builds(Rates, *(st.integers(1, most) for most in (5_000, 100 * 2**20, 2_000_000)))
REQUESTS = st.tuples(
    st.just(1), st.integers(0, RECEIVED_BYTES_MAX), st.integers(0, BATCH_OBSERVATIONS_MAX)
)
PAUSES = st.one_of(st.just(0), st.integers(0, 1_000), st.integers(0, 10 * NANOS))
ARRIVALS = st.lists(st.tuples(PAUSES, REQUESTS), min_size=1, max_size=40)


@given(st.integers(1, 1_000), st.integers(1, 50), st.data())
def test_in_no_span_is_more_admitted_than_the_burst_and_the_rate_times_the_span(
    per_second: int, size: int, data: st.DataObject
) -> None:
    arrivals = data.draw(
        st.lists(st.tuples(st.integers(0, NANOS), st.integers(1, size)), max_size=40)
    )
    bucket, now = TokenBucket(per_second, size, 0), 0
    admitted: list[tuple[int, int]] = []
    for pause, count in arrivals:
        now += pause
        if bucket.take(count, now) == 0:
            admitted.append((now, count))
    for first, (begin, _) in enumerate(admitted):
        total = 0
        for end, count in admitted[first:]:
            total += count
            assert total * NANOS <= size * NANOS + per_second * (end - begin)


@given(st.integers(1, 1_000), st.integers(1, 50), st.data())
def test_a_bucket_lets_in_at_the_nanosecond_it_said_and_not_one_before(
    per_second: int, size: int, data: st.DataObject
) -> None:
    bucket, now = TokenBucket(per_second, size, 0), 0
    for pause, count in data.draw(
        st.lists(st.tuples(st.integers(0, NANOS), st.integers(1, size)), max_size=20)
    ):
        now += pause
        if wait := bucket.take(count, now):
            assert bucket.take(count, now + wait - 1) > 0
            assert bucket.take(count, now + wait) == 0
            now += wait


@given(RATES, ARRIVALS)
def test_a_patient_caller_is_let_in_at_the_time_that_its_refusal_told(
    rates: Rates, arrivals: Sequence[tuple[int, tuple[int, int, int]]]
) -> None:
    callers, now = RatedCallers(), 0
    for pause, request in arrivals:
        now += pause
        refused = callers.take("ana", rates, request, now)
        if refused is None:
            continue
        told = too_fast("users/ana", rates, refused).retry_after_seconds
        assert told is not None
        now += round(told * NANOS)
        assert callers.take("ana", rates, request, now) is None


@given(RATES, ARRIVALS)
def test_a_refused_request_takes_nothing_and_no_caller_takes_from_another(
    rates: Rates, arrivals: Sequence[tuple[int, tuple[int, int, int]]]
) -> None:
    alone, beside, now = RatedCallers(), RatedCallers(), 0
    for pause, request in arrivals:
        now += pause
        found = alone.take("ana", rates, request, now)
        for _ in range(3):  # the impatient caller and another, in between
            beside.take("other", rates, request, now)
        assert beside.take("ana", rates, request, now) == found
        if found is not None:
            assert beside.take("ana", rates, request, now) == found


@pytest.mark.parametrize("rates", [Rates(1, 1, 1), Rates(10_000, 64_000_000, 500_000)])
def test_the_largest_request_fits_into_the_bucket_of_the_smallest_rate(rates: Rates) -> None:
    callers = RatedCallers()
    largest = (1, RECEIVED_BYTES_MAX, BATCH_OBSERVATIONS_MAX)
    assert callers.take("ana", rates, largest, 0) is None
    assert rates.sizes().observations == max(
        rates.observations * BURST_SECONDS, BATCH_OBSERVATIONS_MAX
    )


@given(st.lists(st.tuples(RATES, st.integers(0, 1_000)), min_size=1, max_size=20))
def test_a_change_of_limits_gives_no_caller_tokens_that_it_has_used(
    changes: Sequence[tuple[Rates, int]],
) -> None:
    callers, slow = RatedCallers(), Rates(1, 1, 1)
    now, may_have, taken = 0, slow.sizes().calls, 0
    for rates, pause in [(slow, 0), *changes]:
        now += pause
        may_have += -(-rates.calls * pause // NANOS)
        while callers.take("ana", rates, (1, 0, 0), now) is None:
            taken += 1
            assert taken <= may_have


def test_of_many_callers_the_one_heard_of_longest_ago_is_forgotten() -> None:
    callers, rates = RatedCallers(), Rates(1, 1, 1)
    size = rates.sizes().calls
    for name in range(RATED_CALLERS_MAX):
        callers.take(name, rates, (1, 0, 0), 0)
    callers.take(0, rates, (1, 0, 0), 0)
    callers.take("one more", rates, (1, 0, 0), 0)
    assert len(callers) == RATED_CALLERS_MAX
    taken = dict.fromkeys((0, 1), 0)
    for name in taken:
        while callers.take(name, rates, (1, 0, 0), 0) is None:
            taken[name] += 1
    assert taken == {0: size - 2, 1: size}


def test_a_caller_that_is_limited_is_logged_once_and_once_more_when_that_is_over() -> None:
    clock = TurnedClock()
    limited = LimitedCallers(clock)
    with capture_logs() as lines:
        for _ in range(100):
            limited.refused("calls", ledger="l", actor="users/ana")
            clock.advance(100_000)
            limited.look()
        clock.advance(int(LIMITED_QUIET_SECONDS * 1_000_000) - 200_000)
        limited.look()
    assert [line["event"] for line in lines] == ["limits.reached"]
    assert (lines[0]["actor"], lines[0]["what"]) == ("users/ana", "calls")
    with capture_logs() as lines:
        clock.advance(200_000)
        limited.look()
        limited.look()
    assert [(line["event"], line["refused"], line["seconds"]) for line in lines] == [
        ("limits.over", 100, 9.9)
    ]


def test_so_many_limited_callers_are_logged_and_no_more() -> None:
    limited = LimitedCallers(TurnedClock())
    with capture_logs() as lines:
        for name in range(LIMITED_CALLERS_MAX + 10):
            limited.refused("calls", actor=f"users/{name}")
        limited.look(quiet_seconds=0)
    assert len(lines) == 2 * LIMITED_CALLERS_MAX


def test_the_pause_that_travels_is_the_pause_that_is_told_to_the_millisecond() -> None:
    for millis in range(1, 2_000):
        error = LedgerError(Reason.LIMIT_REACHED, "Wait.", retry_after_seconds=millis / 1_000)
        info = error_details_pb2.RetryInfo()
        assert any(detail.Unpack(info) for detail in to_status(error).details)
        assert info.retry_delay.ToNanoseconds() == millis * 1_000_000
        assert batch_error(error).retry_delay.ToNanoseconds() == millis * 1_000_000
