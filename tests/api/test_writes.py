"""Writes: idempotent by request id, never without a deadline, attributed to their actor.

Method: the same request twice, a changed one under the same id, and what the log says of each.
"""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import grpc
import pytest

from ledger.v1 import (
    decision_pb2,
    decision_service_pb2,
    ledger_service_pb2,
    model_service_pb2,
    policy_service_pb2,
    priority_service_pb2,
    signal_service_pb2,
)
from tests.support.served import (
    DAY,
    HOUR,
    POLICY,
    TIMEOUT,
    Served,
    deployment,
    model_named,
    observation,
    refused,
    signal_named,
)

Request: TypeAlias = Any  # of whichever type the call takes


def _writes(served: Served) -> dict[str, tuple[Callable[..., Any], Any, Callable[[Any], None]]]:
    """Return each kind of write: the stub, a request, and how to make it another request."""

    def other_meaning(request: Request) -> None:
        request.signal.meaning += "!"

    def other_owner(request: Request) -> None:
        request.model.owner += "-2"

    def other_value(request: Request) -> None:
        request.observations[0].number += 1

    def other_loss(request: Request) -> None:
        request.baseline_loss = "0.5"

    def other_rationale(request: Request) -> None:
        request.rationale += "!"

    def other_budget(request: Request) -> None:
        request.purse_micros = "7"

    def other_models(request: Request) -> None:
        request.models.append("tolls")

    def other_span(request: Request) -> None:
        request.expires_after_seconds = 61

    def other_skew(request: Request) -> None:
        request.skew_seconds = 7

    return {
        "DefineSignal": (
            served.signals.DefineSignal,
            signal_service_pb2.DefineSignalRequest(signal=signal_named("lag")),
            other_meaning,
        ),
        "SubmitSignals": (
            served.signals.SubmitSignals,
            signal_service_pb2.SubmitSignalsRequest(
                observations=[observation(seconds=HOUR * n) for n in (1, 2, 3)]
            ),
            other_value,
        ),
        "RegisterModel": (
            served.models.RegisterModel,
            model_service_pb2.RegisterModelRequest(model=model_named("tolls")),
            other_owner,
        ),
        "RecordDeployment": (
            served.models.RecordDeployment,
            deployment("fares", "v2"),
            other_loss,
        ),
        "DraftPolicy": (
            served.policies.DraftPolicy,
            policy_service_pb2.DraftPolicyRequest(
                name="policies/p", document=POLICY, rationale="r"
            ),
            other_rationale,
        ),
        "ActivatePolicy": (
            served.policies.ActivatePolicy,
            policy_service_pb2.ActivatePolicyRequest(
                name="policies/default/versions/1", rationale="again"
            ),
            other_rationale,
        ),
        "Evaluate": (
            served.decisions.Evaluate,
            decision_service_pb2.EvaluateRequest(models=["fares"]),
            other_models,
        ),
        "OverrideDecision": (
            served.decisions.OverrideDecision,
            decision_service_pb2.OverrideDecisionRequest(
                name="models/fares",
                action=decision_pb2.ACTION_INVESTIGATE,
                reason="r",
                expires_after_seconds=60,
            ),
            other_span,
        ),
        "MakePlan": (
            served.priorities.MakePlan,
            priority_service_pb2.MakePlanRequest(purse_micros="100000000"),
            other_budget,
        ),
        "CreateLedger": (
            served.ledgers.CreateLedger,
            ledger_service_pb2.CreateLedgerRequest(origin="ledger.example/more"),
            other_skew,
        ),
    }


@pytest.mark.parametrize(
    "method",
    [
        "DefineSignal",
        "SubmitSignals",
        "RegisterModel",
        "RecordDeployment",
        "DraftPolicy",
        "ActivatePolicy",
        "Evaluate",
        "OverrideDecision",
        "MakePlan",
        "CreateLedger",
    ],
)
def test_a_repeat_gets_the_first_answer_and_other_content_is_refused(
    served: Served, method: str
) -> None:
    served.submit(observation())  # the data are the clock, which what ends is counted from
    call, request, change = _writes(served)[method]
    request.request_id = "retry-1"
    first = call(request, timeout=TIMEOUT)
    head = served.service.ledger("ledger.example/test").log.head().position
    again = call(request, timeout=TIMEOUT)
    assert not first.appended.repeated_request
    assert again.appended.repeated_request
    again.appended.repeated_request = False
    assert again.appended == first.appended
    change(request)
    error = refused(lambda: call(request, timeout=TIMEOUT))
    assert error.code is grpc.StatusCode.ALREADY_EXISTS
    assert error.reason in {"REQUEST_ID_REUSED", "ALREADY_EXISTS"}
    if method != "CreateLedger":
        assert error.reason == "REQUEST_ID_REUSED"
    assert served.service.ledger("ledger.example/test").log.head().position == head


def test_update_and_retire_repeat_too(served: Served) -> None:
    etag = served.models.GetModel(
        model_service_pb2.GetModelRequest(name="models/fares"), timeout=TIMEOUT
    ).model.etag
    update = model_service_pb2.UpdateModelRequest(
        model=model_named("fares"), etag=etag, request_id="u"
    )
    retire = model_service_pb2.RetireModelRequest(
        name="models/fares", reason="replaced", request_id="r"
    )
    updates = [served.models.UpdateModel(update, timeout=TIMEOUT) for _ in range(2)]
    retirements = [served.models.RetireModel(retire, timeout=TIMEOUT) for _ in range(2)]
    assert updates[0].appended.position == updates[1].appended.position
    assert retirements[0].appended.position == retirements[1].appended.position
    assert refused(lambda: served.submit(observation())).reason == "MODEL_RETIRED"


def test_a_batch_of_a_stream_may_be_repeated_by_a_single_call(served: Served) -> None:
    batch = [observation(), observation(seconds=DAY)]
    streamed = next(
        iter(
            served.signals.StreamSignals(
                iter([signal_service_pb2.StreamSignalsRequest(observations=batch, request_id="b")])
            )
        )
    )
    again = served.submit(*batch, request_id="b")
    assert again.appended.repeated_request
    assert again.appended.position == streamed.appended.position


def test_naming_the_only_ledger_does_not_make_it_another_request(served: Served) -> None:
    first = served.submit(observation(), request_id="n")
    again = served.signals.SubmitSignals(
        signal_service_pb2.SubmitSignalsRequest(
            observations=[observation()], request_id="n", ledger="ledger.example/test"
        ),
        timeout=TIMEOUT,
    )
    assert again.appended.position == first.appended.position


def test_a_write_without_a_deadline_is_refused_and_a_read_is_not(served: Served) -> None:
    head = served.head()
    for name, (call, request, _) in _writes(served).items():
        error = refused(lambda call=call, request=request: call(request))  # type: ignore[misc]
        assert (error.code, error.reason) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "DEADLINE_MISSING",
        ), name
    assert served.head() == head
    assert served.ledgers.GetLedger(ledger_service_pb2.GetLedgerRequest()).ledger.origin


def test_events_name_the_actor_and_the_request(served: Served) -> None:
    request = signal_service_pb2.SubmitSignalsRequest(
        observations=[observation()], request_id="mine"
    )
    answer = served.signals.SubmitSignals(
        request, timeout=TIMEOUT, metadata=(("ledger-actor", "services/monitor-7"),)
    )
    event = served.ledgers.ListEvents(
        ledger_service_pb2.ListEventsRequest(after_position=answer.appended.position - 1)
    ).events[0]
    body = json.loads(event.body)
    assert (body["actor"], body["request_id"]) == ("services/monitor-7", "mine")
    assert event.event_hash == answer.appended.event_hash


def test_request_ids_of_two_actors_do_not_meet(served: Served) -> None:
    first = served.submit(observation(), request_id="same")
    other = served.signals.SubmitSignals(
        signal_service_pb2.SubmitSignalsRequest(
            observations=[observation(number=0.9)], request_id="same"
        ),
        timeout=TIMEOUT,
        metadata=(("ledger-actor", "services/other"),),
    )
    assert other.appended.position > first.appended.position
