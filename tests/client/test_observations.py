"""Observations mean the same however they are written, and what cannot be sent is named.

Method: the same observation in every form must give the same bytes; each way to be wrong must be
refused with the path of its field, before anything is sent.
"""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.client import Observation
from ledger.client.errors import InvalidRequestError
from ledger.client.inputs import decimal_text, micros_of, plain, timestamp_of
from ledger.client.observations import add_observations
from ledger.client.stamping import stamped
from ledger.clock import ManualClock
from ledger.events.values import NANO, format_decimal, parse_decimal
from ledger.v1 import signal_service_pb2

Anything: TypeAlias = Any  # the right form and every wrong one
NOW = 1_800_000_000_000_000
TIME = datetime(2026, 3, 1, 10, 0, 0, 123_456, tzinfo=UTC)
MICROS = 1_772_359_200_123_456


def request_of(*items: Anything) -> signal_service_pb2.SubmitSignalsRequest:
    request = signal_service_pb2.SubmitSignalsRequest()
    add_observations(request, items, NOW)
    return request


@pytest.mark.parametrize(
    "form",
    [
        Observation("fares", "log-loss", 0.412, TIME, "v2", 40),
        ("fares", "log-loss", 0.412, TIME, "v2", 40),
        ["fares", "log-loss", 0.412, MICROS, "v2", 40],
        {
            "model": "fares",
            "signal": "log-loss",
            "value": 0.412,
            "observed_at": TIME.astimezone(timezone(timedelta(hours=2))),
            "model_version": "v2",
            "sample_size": 40,
        },
    ],
)
def test_every_form_gives_the_same_message(form: Anything) -> None:
    (item,) = request_of(form).observations
    assert (item.model, item.signal, item.number) == ("fares", "log-loss", 0.412)
    assert (item.model_version, item.sample_size) == ("v2", 40)
    assert item.observed_at.ToMicroseconds() == MICROS


def test_what_is_left_out_is_now_and_the_version_in_service() -> None:
    (item,) = request_of(("fares", "log-loss", 1)).observations
    assert item.observed_at.ToMicroseconds() == NOW
    assert (item.model_version, item.sample_size, item.decimal) == ("", 0, "1")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0.50", "0.50"),  # text is the caller's own: the server says what is wrong with it
        (Decimal("0.50"), "0.5"),
        (Decimal("-0.0"), "0"),
        (Decimal("1E+3"), "1000"),
        (7, "7"),
        (-3, "-3"),
    ],
)
def test_exact_values_travel_as_decimal_text(value: Anything, text: str) -> None:
    (item,) = request_of(("fares", "log-loss", value)).observations
    assert item.WhichOneof("value") == "decimal"
    assert item.decimal == text


@given(st.integers(-(10**21) + 1, 10**21 - 1))
def test_a_decimal_of_the_ledger_keeps_its_spelling(nano: int) -> None:
    text = format_decimal(nano)
    assert plain(Decimal(text)) == text
    assert parse_decimal(plain(Decimal(nano) / NANO)) == nano


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (("fares", "log-loss"), "observations[1]"),
        (("fares", "log-loss", 1.0, None, "", 1, "more"), "observations[1]"),
        (42, "observations[1]"),
        (("fares", "log-loss", None), "observations[1].value"),
        (("fares", "log-loss", True), "observations[1].value"),
        (("fares", "log-loss", 1.0, TIME.replace(tzinfo=None)), "observations[1].observed_at"),
        (("fares", "log-loss", 1.0, "2026-03-01"), "observations[1].observed_at"),
        (("fares", "log-loss", 1.0, 10**30), "observations[1].observed_at"),
        (("fares", "log-loss", 1.0, TIME, 7), "observations[1].model_version"),
        (("fares", "log-loss", 1.0, TIME, "", 0), "observations[1].sample_size"),
        (("fares", "log-loss", 1.0, TIME, "", 2.5), "observations[1].sample_size"),
        (("fares", "log-loss", 1.0, TIME, "", 10**30), "observations[1].sample_size"),
        (("fares", 3, 1.0), "observations[1].signal"),
        (("\ud800", "log-loss", 1.0), "observations[1].model"),
        ({"model": "fares", "signal": "log-loss"}, "observations[1].value"),
        ({"model": "fares", "signal": "s", "value": 1, "valu": 2}, "observations[1].valu"),
    ],
)
def test_what_cannot_be_sent_is_named_by_its_place(item: Anything, field: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        request_of(("fares", "log-loss", 0.1), item)
    assert caught.value.violations[0].field == field
    assert caught.value.remedy


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e300, 1e-300])
def test_floats_of_any_kind_are_the_servers_to_judge(number: float) -> None:
    (item,) = request_of(("fares", "log-loss", number)).observations
    assert repr(item.number) == repr(number)


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_keep_their_microseconds(time: datetime) -> None:
    assert timestamp_of(time, "at").ToMicroseconds() == micros_of(time, "at")
    assert timestamp_of(time, "at").ToDatetime(tzinfo=UTC) == time


@pytest.mark.parametrize("time", [True, 1.5, "now", None, 10**40])
def test_what_is_no_time_is_refused(time: Anything) -> None:
    with pytest.raises(InvalidRequestError, match="at"):
        timestamp_of(time, "at")


@pytest.mark.parametrize("value", [True, None, [1]])
def test_what_is_no_number_is_refused(value: Anything) -> None:
    with pytest.raises(InvalidRequestError, match="baseline_loss"):
        decimal_text(value, "baseline_loss")


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (("m", "s", 1.0), Observation("m", "s", 1.0, 5)),
        (Observation("m", "s", 1.0), Observation("m", "s", 1.0, 5)),
        (Observation("m", "s", 1.0, 3), Observation("m", "s", 1.0, 3)),
        (("m", "s", 1.0, 3), ("m", "s", 1.0, 3)),
        ({"model": "m", "value": 1.0}, {"model": "m", "value": 1.0, "observed_at": 5}),
        ({"model": "m", "observed_at": 3}, {"model": "m", "observed_at": 3}),
        (42, 42),
    ],
)
def test_a_buffered_observation_gets_the_moment_it_was_made(
    form: Anything, expected: Anything
) -> None:
    assert stamped(form, ManualClock(5)) == expected
