"""Bad input gets an error that names field, reason and remedy, and nothing is written.

Method: tables of requests that are wrong in one way each; every one is sent to a real server, and
afterwards the ledger's head is where it was.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_status import rpc_status

from ledger.v1 import (
    ledger_pb2,
    model_service_pb2,
    policy_service_pb2,
    signal_pb2,
    signal_service_pb2,
)
from tests.support.served import (
    DAY,
    START,
    TIMEOUT,
    Served,
    model_named,
    observation,
    refused,
    signal_named,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@dataclass(frozen=True)
class Case:
    """A bad item in the middle of a good batch, and what is said about it."""

    item: Callable[[], signal_pb2.Observation]
    field: str
    says: str
    reason: str = "FIELD_INVALID"
    code: grpc.StatusCode = INVALID


def _bad(**fields: object) -> Callable[[], signal_pb2.Observation]:
    return lambda: observation(**fields)  # type: ignore[arg-type]


def _without(field: str) -> Callable[[], signal_pb2.Observation]:
    def make() -> signal_pb2.Observation:
        item = observation()
        item.ClearField(field)  # type: ignore[arg-type]
        return item

    return make


OBSERVATIONS = {
    "not a number": Case(_bad(number=math.nan), "value", "finite"),
    "infinity": Case(_bad(number=math.inf), "value", "finite"),
    "minus infinity": Case(_bad(number=-math.inf), "value", "finite"),
    "a huge number": Case(_bad(number=1e300), "value", "12 whole digits"),
    "13 whole digits": Case(_bad(number=1e12), "value", "12 whole digits"),
    "13 whole digits as text": Case(
        _bad(number=None, decimal="1" + "0" * 12), "value", "12 whole digits"
    ),
    "words for a number": Case(_bad(number=None, decimal="high"), "value", "not a decimal"),
    "no value": Case(_bad(number=None), "value", "required"),
    "an empty model": Case(_bad(model=""), "model", "empty"),
    "an over-long model": Case(_bad(model="a" * 129), "model", "129 characters"),
    "a model beyond ASCII": Case(_bad(model="münchen"), "model", "ASCII"),
    "a model in capitals": Case(_bad(model="Fares"), "model", "a-z"),
    "an empty signal": Case(_bad(signal=""), "signal", "empty"),
    "a version beyond ASCII": Case(_bad(model_version="v1é"), "model_version", "ASCII"),
    "before 1970": Case(_bad(observed_at=Timestamp(seconds=-1)), "observed_at", "before 1970"),
    "no time": Case(
        _without("observed_at"),
        "observed_at",
        "this ledger takes its time from the data: state observed_at",
    ),
    "a sample of nothing": Case(_bad(sample_size=0), "sample_size", "000, not 0"),
    "a negative sample": Case(_bad(sample_size=-1), "sample_size", "from 1"),
    "a sample too large": Case(_bad(sample_size=10**12 + 1), "sample_size", "from 1"),
    "an unknown model": Case(
        _bad(model="tolls"), "model", "tolls", "MODEL_UNKNOWN", grpc.StatusCode.NOT_FOUND
    ),
    "an unknown signal": Case(
        _bad(signal="lag"), "signal", "lag", "SIGNAL_UNKNOWN", grpc.StatusCode.NOT_FOUND
    ),
}


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_one_bad_observation_refuses_the_batch_and_is_named_by_its_index(
    served: Served, name: str
) -> None:
    case, head = OBSERVATIONS[name], served.head()
    error = refused(lambda: served.submit(observation(), observation(), case.item(), observation()))
    assert (error.code, error.reason) == (case.code, case.reason)
    field = f"observations[2].{case.field}"
    assert field in error.fields
    assert case.says in error.fields[field]
    assert error.metadata["field"] == field
    assert error.metadata["remedy"]
    assert error.metadata["remedy"] in error.message
    assert served.head() == head


def test_what_is_finer_than_a_microsecond_is_cut_off_as_in_files(served: Served) -> None:
    whole = Timestamp(seconds=START + DAY, nanos=123_456_000)
    finer = Timestamp(seconds=START + DAY, nanos=123_456_999)
    served.submit(observation(observed_at=finer))
    again = served.submit(observation(observed_at=whole))
    assert again.intake.likely_duplicates == 1, "both are of one microsecond"
    (event,) = served.service.ledger().log.events(after=again.appended.position - 1)
    assert event.body.data["observed_at"] == "2026-01-02T00:00:00.123456Z"


def test_a_sample_size_that_is_not_stated_is_1(served: Served) -> None:
    item = observation()
    item.ClearField("sample_size")
    recorded = served.submit(item)
    (event,) = served.service.ledger().log.events(after=recorded.appended.position - 1)
    assert event.body.data["sample_size"] == 1


@pytest.mark.parametrize("name", OBSERVATIONS)
def test_a_stream_answers_a_bad_batch_and_goes_on(served: Served, name: str) -> None:
    case = OBSERVATIONS[name]
    batches = [
        [observation()],
        [observation(), case.item()],
        [observation(seconds=2 * DAY)],
    ]
    answers = list(
        served.signals.StreamSignals(
            iter([signal_service_pb2.StreamSignalsRequest(observations=one) for one in batches])
        )
    )
    assert [one.WhichOneof("result") for one in answers] == ["appended", "error", "appended"]
    assert [one.batch for one in answers] == [1, 2, 3]
    error = answers[1].error
    assert error.code == case.code.value[0]
    assert error.field_violations[0].field == f"observations[1].{case.field}"
    assert error.remedy
    assert answers[2].appended.position == answers[0].appended.position + 1 == served.head()


def test_a_wall_ledger_refuses_the_far_future(empty: Served) -> None:
    empty.create(clock=ledger_pb2.LEDGER_CLOCK_WALL)
    empty.signals.DefineSignal(
        signal_service_pb2.DefineSignalRequest(signal=signal_named("log-loss")), timeout=TIMEOUT
    )
    empty.add_model("fares")
    head = empty.head()
    future = Timestamp(seconds=250_000_000_000)
    error = refused(lambda: empty.submit(observation(), observation(observed_at=future)))
    assert (error.code, error.reason) == (INVALID, "CLOCK_AHEAD")
    assert list(error.fields) == ["observations[1].observed_at"]
    assert empty.head() == head


def test_a_model_without_a_version_in_service_needs_one_named(served: Served) -> None:
    served.models.RegisterModel(
        model_service_pb2.RegisterModelRequest(model=model_named("tolls")), timeout=TIMEOUT
    )
    error = refused(lambda: served.submit(observation(model="tolls")))
    assert error.code is grpc.StatusCode.FAILED_PRECONDITION
    assert error.reason == "MODEL_NOT_DEPLOYED"
    served.submit(observation(model="tolls", model_version="v0"))


def test_an_empty_batch_and_one_too_long_are_refused(served: Served) -> None:
    for items in ([], [observation()] * 5_001):
        error = refused(lambda items=items: served.submit(*items))  # type: ignore[misc]
        assert list(error.fields) == ["observations"]


def test_a_batch_of_exactly_four_mebibytes_is_read_and_a_byte_more_is_refused(
    served: Served,
) -> None:
    head = served.head()

    def sized(extra: int) -> signal_service_pb2.SubmitSignalsRequest:
        request = signal_service_pb2.SubmitSignalsRequest(observations=[observation()])
        request.observations[0].signal = "x" * (4 * 1024 * 1024 - 100)
        request.observations[0].signal += "x" * (4 * 1024 * 1024 - request.ByteSize() + extra)
        return request

    fits, exceeds = sized(0), sized(1)
    assert (fits.ByteSize(), exceeds.ByteSize()) == (4 << 20, (4 << 20) + 1)
    error = refused(lambda: served.signals.SubmitSignals(fits, timeout=TIMEOUT))
    assert list(error.fields) == ["observations[0].signal"]
    error = refused(lambda: served.signals.SubmitSignals(exceeds, timeout=TIMEOUT))
    assert (error.code, error.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "MESSAGE_TOO_LARGE",
    )
    assert "4 MiB" in error.message
    assert served.head() == head


def test_a_batch_too_large_does_not_end_a_stream(served: Served) -> None:
    large = signal_service_pb2.StreamSignalsRequest(observations=[observation()])
    large.observations[0].signal = "x" * (4 << 20)
    small = signal_service_pb2.StreamSignalsRequest(observations=[observation()])
    answers = list(served.signals.StreamSignals(iter([large, small])))
    assert answers[0].error.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert answers[1].appended.position > 0


def test_duplicate_keys_in_a_policy_are_refused_with_their_line(served: Served) -> None:
    head = served.head()
    error = refused(
        lambda: served.policies.DraftPolicy(
            policy_service_pb2.DraftPolicyRequest(
                name="policies/p",
                document='{"format": "policy/1", "title": "a", "title": "b"}',
                rationale="r",
            ),
            timeout=TIMEOUT,
        )
    )
    assert (error.code, error.reason) == (INVALID, "POLICY_INVALID")
    assert any("title" in text for text in (*error.fields, *error.fields.values()))
    assert served.head() == head


def test_a_server_without_a_ledger_says_how_to_make_one(empty: Served) -> None:
    error = refused(lambda: empty.submit(observation()))
    assert error.reason == "LEDGER_UNKNOWN"
    assert "CreateLedger" in error.metadata["remedy"]


def test_beyond_sixteen_mebibytes_grpc_refuses_without_a_reason(served: Served) -> None:
    """Method: the documented exception to rich errors, on a call and on a stream."""
    head = served.head()
    item = observation()
    item.signal = "x" * (16 << 20)
    batch = signal_service_pb2.StreamSignalsRequest(observations=[item])
    request = signal_service_pb2.SubmitSignalsRequest(observations=[item])
    for call in (
        lambda: served.signals.SubmitSignals(request, timeout=TIMEOUT),
        lambda: list(served.signals.StreamSignals(iter([batch]), timeout=TIMEOUT)),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            call()
        error: Any = caught.value
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert rpc_status.from_call(error) is None
    assert served.head() == head
