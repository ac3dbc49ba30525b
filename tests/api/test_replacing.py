"""DefineSignal with what replaces the policies it touches: over the wire, by both clients."""

import asyncio

import pytest

from ledger.client import (
    AsyncLedgerClient,
    InvalidRequestError,
    LedgerClient,
    PolicyReplacement,
    Signal,
    WrongStateError,
)
from ledger.client.records import Defined
from ledger.v1 import signal_pb2, signal_service_pb2
from tests.support.served import POLICY, TIMEOUT, Served, refused, signal_named

FITTING = POLICY.replace("baseline: 0.40", "baseline: 0.60").replace(
    "critical: 0.60", "critical: 0.40"
)
TURNED = Signal("log-loss", "PERFORMANCE", "nats", "LOWER_IS_WORSE", "How wrong it is.")
REPLACEMENT = PolicyReplacement("default", FITTING, "turned")


def turning(*replacements: tuple[str, str, str]) -> signal_service_pb2.DefineSignalRequest:
    turned = signal_named("log-loss")
    turned.direction = signal_pb2.SIGNAL_DIRECTION_LOWER_IS_WORSE
    return signal_service_pb2.DefineSignalRequest(
        signal=turned,
        request_id="turn",
        replacements=[
            signal_service_pb2.PolicyReplacement(name=name, document=document, rationale=rationale)
            for name, document, rationale in replacements
        ],
    )


def test_the_answer_says_what_was_replaced_by_what_and_a_repeat_gets_the_same(
    served: Served,
) -> None:
    head = served.head()
    request = turning(("policies/default/versions/1", FITTING, "turned"))
    first = served.signals.DefineSignal(request, timeout=TIMEOUT)
    assert list(first.policies_replaced) == ["default version 1"]
    assert list(first.policies_in_force) == ["default version 2"]
    assert (first.appended.first_position, first.appended.position) == (head + 1, head + 3)
    assert first.signal.position == head + 1
    again = served.signals.DefineSignal(request, timeout=TIMEOUT)
    assert again.appended.repeated_request
    again.appended.repeated_request = False
    assert again == first
    assert served.head() == head + 3
    request.replacements[0].rationale += "!"
    other = refused(lambda: served.signals.DefineSignal(request, timeout=TIMEOUT))
    assert other.reason == "REQUEST_ID_REUSED"


def test_each_fault_of_a_replacement_is_named_by_its_field(served: Served) -> None:
    head = served.head()
    empty = refused(lambda: served.signals.DefineSignal(turning(("", "", "")), timeout=TIMEOUT))
    assert empty.reason == "FIELD_INVALID"
    assert empty.fields.keys() == {
        f"replacements[0].{name}" for name in ("name", "document", "rationale")
    }
    unfit = turning(("policies/default", POLICY, "turned"))
    error = refused(lambda: served.signals.DefineSignal(unfit, timeout=TIMEOUT))
    assert error.reason == "POLICY_INVALID"
    assert error.fields.keys() == {"replacements[0].document.scoring.signals[0].critical"}
    bare = refused(lambda: served.signals.DefineSignal(turning(), timeout=TIMEOUT))
    assert bare.reason == "MEANING_PINNED"
    assert bare.metadata["policies"] == "default version 1"
    assert served.head() == head


def define(served: Served, kind: str, *replacements: PolicyReplacement) -> Defined:
    """Define the turned signal by one of the clients."""
    address = served.server.address
    if kind == "blocking":
        with LedgerClient(address, actor="users/ana") as client:
            return client.define_signal(TURNED, replacements=replacements)

    async def defined() -> Defined:
        async with AsyncLedgerClient(address, actor="users/ana") as client:
            return await client.define_signal(TURNED, replacements=replacements)

    return asyncio.run(defined())


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
def test_both_clients_replace_policies_with_a_definition(served: Served, kind: str) -> None:
    with pytest.raises(WrongStateError):
        define(served, kind)
    stranger = PolicyReplacement("another", FITTING, "turned")
    with pytest.raises(InvalidRequestError):
        define(served, kind, REPLACEMENT, stranger)
    done = define(served, kind, REPLACEMENT)
    assert done.policies_replaced == ("default version 1",)
    assert done.policies_in_force == ("default version 2",)
    assert done.position == done.first_position + 2
