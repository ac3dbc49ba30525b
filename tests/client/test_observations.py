"""Observations mean the same however they are written, and what cannot be sent is named.

Method: the same observation in every form must give the same bytes; each way to be wrong must be
refused with the path of its field, before anything is sent.
"""

import struct
from dataclasses import asdict
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from numbers import Real
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.client import Observation, ObservationDetail
from ledger.client.errors import InvalidRequestError
from ledger.client.inputs import decimal_text, micros_of, plain, timestamp_of
from ledger.client.observations import add_observations
from ledger.events.values import NANO, format_decimal, parse_decimal
from ledger.v1 import signal_service_pb2

Anything: TypeAlias = Any  # the right form and every wrong one
TIME = datetime(2026, 3, 1, 10, 0, 0, 123_456, tzinfo=UTC)
MICROS = 1_772_359_200_123_456


def request_of(*items: Anything) -> signal_service_pb2.SubmitSignalsRequest:
    request = signal_service_pb2.SubmitSignalsRequest()
    add_observations(request, list(items))
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


def test_what_is_left_out_is_left_to_the_server() -> None:
    (item,) = request_of(("fares", "log-loss", 1)).observations
    assert not item.HasField("observed_at"), "its time and its version are the server's to say"
    assert not item.HasField("sample_size")
    assert (item.model_version, item.decimal) == ("", "1")


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


class Scalar:
    """As the scalars of numpy print themselves: no text of theirs is a number."""

    def __float__(self) -> float:
        return 0.41234567890123

    def __repr__(self) -> str:
        return "np.float64(0.41234567890123)"


@pytest.mark.parametrize("value", [Scalar(), 0.41234567890123, Fraction(41234567890123, 10**14)])
def test_a_stated_loss_is_any_real_number_and_sent_whole(value: Anything) -> None:
    """The server rounds it, and says so."""
    assert decimal_text(value, "baseline_loss") == "0.41234567890123"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_a_double_that_no_decimal_is_near_to_is_refused(value: float) -> None:
    with pytest.raises(InvalidRequestError, match="baseline_loss"):
        decimal_text(value, "baseline_loss")


# ---- values of any library -----------------------------------------------------------------------


@Real.register
class Float32:
    """What numpy's float32 looks like from outside: a Real that is no float."""

    def __init__(self, value: float) -> None:
        self._value = struct.unpack("<f", struct.pack("<f", value))[0]

    def __float__(self) -> float:
        return float(self._value)


class Int64:
    """What numpy's int64 looks like from outside."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __index__(self) -> int:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)


class Frame:
    """What a DataFrame of pandas looks like from outside."""

    def __init__(self, columns: dict[str, list[Anything]]) -> None:
        self._columns = columns

    @property
    def columns(self) -> list[str]:
        return list(self._columns)

    def to_dict(self, orient: str) -> list[dict[str, Anything]]:
        assert orient == "records"
        cells = zip(*self._columns.values(), strict=True)
        return [dict(zip(self._columns, row, strict=True)) for row in cells]


class NotAvailable:
    """What pandas.NA looks like: it compares to something without a truth."""

    def __ne__(self, _other: object) -> Anything:
        return self

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


def frame_of(**more: list[Anything]) -> Frame:
    columns: dict[str, list[Anything]] = {
        "model": ["fares", "fares"],
        "signal": ["log-loss", "log-loss"],
        "value": [0.5, 1.0],
    }
    return Frame(columns | more)


@pytest.mark.parametrize("value", [Float32(0.19333333), Fraction(1, 3)])
def test_every_real_number_is_read_as_a_double(value: Anything) -> None:
    (item,) = request_of(("fares", "log-loss", value)).observations
    assert item.WhichOneof("value") == "number"
    assert item.number == float(value)


@pytest.mark.parametrize("size", [40, 40.0, Decimal("40.0"), Int64(40), Float32(40)])
def test_a_sample_size_is_a_count_however_it_is_held(size: Anything) -> None:
    (item,) = request_of(("fares", "log-loss", 1.0, TIME, "", size)).observations
    assert item.sample_size == 40


@pytest.mark.parametrize("size", [0, 0.0, Int64(0)])
def test_a_sample_size_of_0_is_sent_as_it_is_stated_for_the_server_to_refuse(
    size: Anything,
) -> None:
    (item,) = request_of(("fares", "log-loss", 1.0, TIME, "", size)).observations
    assert item.HasField("sample_size")
    assert item.sample_size == 0


@pytest.mark.parametrize("size", [2.5, "40", float("nan"), float("inf")])
def test_what_is_no_count_is_refused_as_a_sample_size(size: Anything) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        request_of(("fares", "log-loss", 1.0, TIME, "", size))
    assert caught.value.violations[0].field == "observations[0].sample_size"


def test_a_table_with_the_fields_as_columns_is_taken_without_its_missing_values() -> None:
    table = frame_of(
        observed_at=[TIME, "2026-03-01T10:00:00.123456Z"],
        sample_size=[40.0, float("nan")],
        model_version=["v2", NotAvailable()],
    )
    request = signal_service_pb2.SubmitSignalsRequest()
    add_observations(request, table)
    first, second = request.observations
    assert (first.sample_size, second.HasField("sample_size")) == (40, False)
    assert (first.model_version, second.model_version) == ("v2", "")
    assert first.observed_at == second.observed_at
    assert [first.number, second.number] == [0.5, 1.0]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (Frame({"model": ["fares"], "value": [0.5]}), "without a column 'signal'"),
        (frame_of(loss=[1, 2]), "loss"),
    ],
)
def test_a_table_with_other_columns_is_refused_by_their_names(table: Frame, words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        add_observations(signal_service_pb2.SubmitSignalsRequest(), table)


@pytest.mark.parametrize(
    "one",
    [
        Observation("fares", "log-loss", 0.5),
        ("fares", "log-loss", 0.5),
        ["fares", "log-loss", 0.5],
        {"model": "fares", "signal": "log-loss", "value": 0.5},
        "fares",
    ],
)
def test_one_observation_alone_is_to_be_wrapped_in_a_list(one: Anything) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        add_observations(signal_service_pb2.SubmitSignalsRequest(), one)
    assert caught.value.remedy == "Wrap it in a list."


def test_an_iterator_of_observations_is_taken() -> None:
    request = signal_service_pb2.SubmitSignalsRequest()
    add_observations(request, iter([("fares", "log-loss", 0.5)] * 3))
    assert len(request.observations) == 3


def test_a_detail_is_sent_the_same_from_either_form() -> None:
    detail = ObservationDetail(
        corrects=7,
        estimated=True,
        raw=0.25,
        indicators={"p": Decimal("0.5"), "n": 3},
        report_uri="s3://r",
        report_sha256="5a" * 32,
    )
    stated = Observation("fares", "log-loss", 0.4, detail=detail)
    mapping = {"model": "fares", "signal": "log-loss", "value": 0.4, "detail": asdict(detail)}
    first, second = request_of(stated, mapping).observations
    assert first == second
    assert (first.detail.raw, dict(first.detail.indicators)) == ("0.25", {"p": "0.5", "n": "3"})
    assert not request_of(("fares", "log-loss", 0.4)).observations[0].HasField("detail")


@pytest.mark.parametrize(
    ("detail", "field"),
    [
        ({"raw": object()}, "detail.raw"),
        ({"correct": 1}, "detail.correct"),
        ([], "detail"),
        ({"corrects": "seven"}, "detail"),
    ],
)
def test_a_detail_that_cannot_be_sent_is_named(detail: Anything, field: str) -> None:
    item = {"model": "fares", "signal": "log-loss", "value": 0.4, "detail": detail}
    with pytest.raises(InvalidRequestError) as error:
        request_of(item)
    assert error.value.metadata["field"] == f"observations[0].{field}"
