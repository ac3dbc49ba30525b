"""A refusal arrives as it was raised: reason, words, fields, values, and when to try again.

Method: a server raises each reason there is through the API's own conversion, and the client's
exception is compared with what was raised, for both clients and inside a stream of batches.
"""

import asyncio

import grpc
import pytest

from ledger.api.errors import grpc_code, retry_seconds
from ledger.client import AsyncLedgerClient, LedgerClient, LedgerRefusedError, RetryOptions
from ledger.client.errors import FAMILY, DeadlineError, UnreachableError, from_batch_error
from ledger.errors import FieldViolation, LedgerError, Reason
from ledger.v1 import errors_pb2, signal_service_pb2
from tests.client.scripted import scripted

ONCE = RetryOptions(attempts_max=1)


def raised(reason: Reason) -> LedgerError:
    return LedgerError(
        reason,
        "observations[3].value: NaN is not a number.",
        remedy="Send a number.",
        violations=[FieldViolation("observations[3].value", "is not a number")],
        retry_after_seconds=1.25,
        metadata={"field": "observations[3].value"},
    )


def same(got: LedgerRefusedError, sent: LedgerError) -> bool:
    return (got.reason, got.message, got.remedy, got.violations, got.retry_after_seconds) == (
        sent.reason,
        sent.message,
        sent.remedy,
        sent.violations,
        retry_seconds(sent),
    ) and got.metadata.items() >= sent.metadata.items()


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_arrives_as_it_was_raised(reason: Reason) -> None:
    sent = raised(reason)
    with (
        scripted(GetLedger=[sent]) as script,
        LedgerClient(script.target, retry=ONCE) as client,
        pytest.raises(LedgerRefusedError) as caught,
    ):
        client.get_ledger()
    assert type(caught.value) is FAMILY[reason]
    assert same(caught.value, sent)
    assert str(caught.value) == (
        f"observations[3].value: NaN is not a number. Send a number. [{reason.value}]"
    )


@pytest.mark.parametrize("reason", [Reason.FIELD_INVALID, Reason.DRAINING, Reason.CHAIN_BROKEN])
def test_the_asynchronous_client_raises_the_same(reason: Reason) -> None:
    sent = raised(reason)

    async def call(target: str) -> None:
        async with AsyncLedgerClient(target, retry=ONCE) as client:
            await client.get_ledger()

    with scripted(GetLedger=[sent]) as script, pytest.raises(LedgerRefusedError) as caught:
        asyncio.run(call(script.target))
    assert type(caught.value) is FAMILY[reason]
    assert same(caught.value, sent)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_refused_batch_of_a_stream_says_the_same(reason: Reason) -> None:
    sent = raised(reason)
    error = signal_service_pb2.BatchError(
        code=grpc_code(reason),
        reason=errors_pb2.ErrorReason.Value(f"ERROR_REASON_{reason.value}"),
        message=f"{sent.message} {sent.remedy}",
        remedy=sent.remedy,
        field_violations=[
            signal_service_pb2.FieldFault(field=v.field, description=v.description)
            for v in sent.violations
        ],
        metadata=sent.metadata,
    )
    error.retry_delay.FromMilliseconds(1_250)
    got = from_batch_error(error)
    assert type(got) is FAMILY[reason]
    assert same(got, sent)


def test_no_server_there_is_unreachable_and_says_what_to_do() -> None:
    with scripted(GetLedger=[grpc.StatusCode.UNAVAILABLE]) as script:
        target = script.target
    with LedgerClient(target, retry=ONCE) as client, pytest.raises(UnreachableError) as caught:
        client.submit([("m", "s", 0.5)], request_id="r-1")
    assert target in str(caught.value)
    assert "decision-ledger serve" in str(caught.value)
    assert "r-1" in str(caught.value)


def test_a_server_that_is_no_ledger_is_named_so() -> None:
    with (
        scripted(Other=[grpc.StatusCode.OK]) as script,
        LedgerClient(script.target) as client,
        pytest.raises(UnreachableError, match="no decision ledger"),
    ):
        client.get_ledger()


def test_a_deadline_that_passes_says_how_to_repeat_an_append() -> None:
    with (
        scripted(SubmitSignals=[grpc.StatusCode.DEADLINE_EXCEEDED]) as script,
        LedgerClient(script.target, deadline_seconds=3) as client,
        pytest.raises(DeadlineError, match="request id r-7") as caught,
    ):
        client.submit([("m", "s", 0.5)], request_id="r-7")
    assert "3 s" in caught.value.message
    assert len(script.asked) == 1  # it may be on record: only the caller may decide to repeat


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAUTHENTICATED]
)
def test_a_bare_status_is_a_refusal_too(code: grpc.StatusCode) -> None:
    with (
        scripted(GetLedger=[code]) as script,
        LedgerClient(script.target) as client,
        pytest.raises(LedgerRefusedError, match=code.name),
    ):
        client.get_ledger()
