"""Every other bad request: each is wrong in one way, refused by reason, and writes nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from ledger.v1 import (
    decision_service_pb2,
    ledger_service_pb2,
    model_pb2,
    model_service_pb2,
    policy_service_pb2,
    priority_service_pb2,
    signal_pb2,
    signal_service_pb2,
)
from tests.support.served import (
    DAY,
    TIMEOUT,
    Served,
    at,
    deployment,
    model_named,
    observation,
    refused,
)


def _requests(served: Served) -> dict[str, tuple[Callable[[], Any], str, str]]:
    """Return calls that are wrong in one way, with the reason and the field (or "")."""
    models, decisions, ledgers = served.models, served.decisions, served.ledgers
    priorities, policies = served.priorities, served.policies
    ownerless = model_named("fares")
    ownerless.owner = ""
    free = model_named("tolls")
    free.cost_micros = "0"
    return {
        "a model twice": (
            lambda: models.RegisterModel(
                model_service_pb2.RegisterModelRequest(model=model_named("fares")), timeout=TIMEOUT
            ),
            "ALREADY_EXISTS",
            "",
        ),
        "a model without owner": (
            lambda: models.RegisterModel(
                model_service_pb2.RegisterModelRequest(model=ownerless), timeout=TIMEOUT
            ),
            "FIELD_INVALID",
            "model.owner",
        ),
        "a model that costs nothing": (
            lambda: models.RegisterModel(
                model_service_pb2.RegisterModelRequest(model=free), timeout=TIMEOUT
            ),
            "FIELD_INVALID",
            "model.cost_micros",
        ),
        "a stale etag": (
            lambda: models.UpdateModel(
                model_service_pb2.UpdateModelRequest(model=model_named("fares"), etag="1"),
                timeout=TIMEOUT,
            ),
            "VERSION_CONFLICT",
            "",
        ),
        "a deployment that replaces another version": (
            lambda: models.RecordDeployment(
                deployment("fares", "v2", replaces="v7"), timeout=TIMEOUT
            ),
            "VERSION_CONFLICT",
            "",
        ),
        "a deployment trained on the future": (
            lambda: models.RecordDeployment(
                deployment("fares", "v2", trained_through=at(DAY)), timeout=TIMEOUT
            ),
            "FIELD_INVALID",
            "trained_through",
        ),
        "an unknown model": (
            lambda: models.GetModel(
                model_service_pb2.GetModelRequest(name="models/tolls"), timeout=TIMEOUT
            ),
            "MODEL_UNKNOWN",
            "",
        ),
        "a malformed name": (
            lambda: models.GetModel(
                model_service_pb2.GetModelRequest(name="fares"), timeout=TIMEOUT
            ),
            "FIELD_INVALID",
            "name",
        ),
        "an unknown decision": (
            lambda: decisions.GetDecision(
                decision_service_pb2.GetDecisionRequest(name="models/fares/decisions/1"),
                timeout=TIMEOUT,
            ),
            "DECISION_UNKNOWN",
            "",
        ),
        "an evaluation of an unknown model": (
            lambda: decisions.Evaluate(
                decision_service_pb2.EvaluateRequest(models=["tolls"]), timeout=TIMEOUT
            ),
            "MODEL_UNKNOWN",
            "",
        ),
        "a replay beyond the head": (
            lambda: decisions.ReplayRange(
                decision_service_pb2.ReplayRangeRequest(last_position=10**6), timeout=TIMEOUT
            ),
            "POSITION_BEYOND_HEAD",
            "",
        ),
        "a replay of nothing": (
            lambda: decisions.ReplayDecision(
                decision_service_pb2.ReplayDecisionRequest(), timeout=TIMEOUT
            ),
            "FIELD_INVALID",
            "target",
        ),
        "an unknown plan": (
            lambda: priorities.GetPlan(
                priority_service_pb2.GetPlanRequest(name="plans/none"), timeout=TIMEOUT
            ),
            "PLAN_UNKNOWN",
            "",
        ),
        "a budget that is no integer": (
            lambda: priorities.MakePlan(
                priority_service_pb2.MakePlanRequest(purse_micros="1.5"), timeout=TIMEOUT
            ),
            "FIELD_INVALID",
            "purse_micros",
        ),
        "an unknown projection": (
            lambda: priorities.GetProjection(
                priority_service_pb2.GetProjectionRequest(name="projections/none"), timeout=TIMEOUT
            ),
            "PROJECTION_UNKNOWN",
            "",
        ),
        "an unknown policy": (
            lambda: policies.GetPolicy(
                policy_service_pb2.GetPolicyRequest(name="policies/none"), timeout=TIMEOUT
            ),
            "POLICY_UNKNOWN",
            "",
        ),
        "another digest": (
            lambda: policies.ActivatePolicy(
                policy_service_pb2.ActivatePolicyRequest(
                    name="policies/default/versions/1", rationale="r", digest="0" * 64
                ),
                timeout=TIMEOUT,
            ),
            "FIELD_INVALID",
            "digest",
        ),
        "an unknown ledger": (
            lambda: ledgers.GetLedger(
                ledger_service_pb2.GetLedgerRequest(ledger="nobody.example/x"), timeout=TIMEOUT
            ),
            "LEDGER_UNKNOWN",
            "",
        ),
        "a ledger twice": (
            lambda: ledgers.CreateLedger(
                ledger_service_pb2.CreateLedgerRequest(origin="ledger.example/test"),
                timeout=TIMEOUT,
            ),
            "ALREADY_EXISTS",
            "",
        ),
        "a unit of cost that begins with a digit": (
            lambda: ledgers.CreateLedger(
                ledger_service_pb2.CreateLedgerRequest(origin="ledger.example/b", unit_of_cost="4"),
                timeout=TIMEOUT,
            ),
            "FIELD_INVALID",
            "unit_of_cost",
        ),
        "a bound on leaps below zero": (
            lambda: ledgers.CreateLedger(
                ledger_service_pb2.CreateLedgerRequest(origin="ledger.example/b", leap_seconds=-1),
                timeout=TIMEOUT,
            ),
            "FIELD_INVALID",
            "leap_seconds",
        ),
        "a negative position": (
            lambda: ledgers.ListEvents(
                ledger_service_pb2.ListEventsRequest(after_position=-1), timeout=TIMEOUT
            ),
            "FIELD_INVALID",
            "after_position",
        ),
        "a negative page": (
            lambda: ledgers.ListEvents(
                ledger_service_pb2.ListEventsRequest(page_size=-1), timeout=TIMEOUT
            ),
            "FIELD_INVALID",
            "page_size",
        ),
        "a request id with a space": (
            lambda: served.submit(observation(), request_id="a b"),
            "FIELD_INVALID",
            "request_id",
        ),
        "an actor that is none": (
            lambda: ledgers.GetLedger(
                ledger_service_pb2.GetLedgerRequest(),
                timeout=TIMEOUT,
                metadata=(("ledger-actor", "users/ana x"),),
            ),
            "FIELD_INVALID",
            "ledger-actor",
        ),
    }


def test_every_other_bad_request_is_refused_by_reason_and_writes_nothing(served: Served) -> None:
    head = served.head()
    for name, (call, reason, field) in _requests(served).items():
        error = refused(call)
        assert error.reason == reason, name
        assert error.metadata.get("remedy"), name
        if field:
            assert field in error.fields, (name, error.fields)
    assert served.head() == head


@pytest.mark.parametrize("actor", ["system/evaluator", "system/x", "models/fares", "users/", "ana"])
def test_no_client_speaks_as_a_part_of_the_server_or_as_what_is_no_caller(
    served: Served, actor: str
) -> None:
    head = served.head()
    metadata = (("ledger-actor", actor),)
    request = signal_service_pb2.SubmitSignalsRequest(observations=[observation()])
    batches = iter([signal_service_pb2.StreamSignalsRequest(observations=[observation()])])
    for call in (
        lambda: served.signals.SubmitSignals(request, timeout=TIMEOUT, metadata=metadata),
        lambda: served.signals.StreamSignals(batches, timeout=TIMEOUT, metadata=metadata),
        lambda: served.ledgers.ListLedgers(
            ledger_service_pb2.ListLedgersRequest(), timeout=TIMEOUT, metadata=metadata
        ),
    ):
        error = refused(call)
        assert (error.reason, list(error.fields)) == ("FIELD_INVALID", ["ledger-actor"])
        assert "users/NAME or services/NAME" in error.metadata["remedy"]
    assert served.head() == head


def test_a_field_is_refused_once(served: Served) -> None:
    model = model_pb2.Model(model="Bad Name", owner="risk", unit_value_micros="1", cost_micros="1")
    error = refused(
        lambda: served.models.RegisterModel(
            model_service_pb2.RegisterModelRequest(model=model), timeout=TIMEOUT
        )
    )
    assert list(error.fields) == ["model.model"]
    assert "more field" not in error.message


def test_the_message_counts_the_other_fields_and_a_read_speaks_of_no_writing(
    served: Served,
) -> None:
    empty = signal_pb2.Signal()
    one = refused(
        lambda: served.signals.DefineSignal(
            signal_service_pb2.DefineSignalRequest(signal=empty), timeout=TIMEOUT
        )
    )
    others = len(one.fields) - 1
    assert others > 1
    also = ", ".join(list(one.fields)[1:])
    assert f"is required. {others} more fields were refused too: {also}. Correct" in one.message
    read = refused(
        lambda: served.priorities.GetPlan(
            priority_service_pb2.GetPlanRequest(min_position=-1), timeout=TIMEOUT
        )
    )
    assert "is required. 1 more field was refused too: min_position. Correct" in read.message
    assert "written" not in read.message


@pytest.mark.parametrize("name", ["ListModels", "ListPolicies", "ListSignals", "ListPlans"])
def test_a_list_refuses_a_position_that_cannot_be_as_every_read_does(
    served: Served, name: str
) -> None:
    stub, module = {
        "ListModels": (served.models, model_service_pb2),
        "ListPolicies": (served.policies, policy_service_pb2),
        "ListSignals": (served.signals, signal_service_pb2),
        "ListPlans": (served.priorities, priority_service_pb2),
    }[name]
    request = getattr(module, f"{name}Request")(min_position=-1)
    error = refused(lambda: getattr(stub, name)(request, timeout=TIMEOUT))
    assert (error.reason, list(error.fields)) == ("FIELD_INVALID", ["min_position"])
