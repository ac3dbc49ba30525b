"""Calls of ModelService."""

from typing import Final

from ledger.client.call import Call, CallScope, Paged
from ledger.client.calls.pages import appended, deployed, one, page
from ledger.client.inputs import (
    Time,
    Value,
    decimal_text,
    id_of,
    in_collection,
    timestamp_of,
)
from ledger.client.records import Appended, Deployed, Model
from ledger.v1 import model_pb2, model_service_pb2

_SERVICE: Final = "/ledger.v1.ModelService/"


def register_model(scope: CallScope, model: Model) -> Call[Appended]:
    """Return the call that registers a model."""
    return Call(
        _SERVICE + "RegisterModel",
        model_service_pb2.RegisterModelRequest(
            ledger=scope.ledger, request_id=scope.request_id, model=_message(model)
        ),
        model_service_pb2.RegisterModelResponse,
        appended,
        scope.request_id,
    )


def update_model(scope: CallScope, model: Model) -> Call[Appended]:
    """Return the call that replaces a model's description, if its etag still holds."""
    return Call(
        _SERVICE + "UpdateModel",
        model_service_pb2.UpdateModelRequest(
            ledger=scope.ledger,
            request_id=scope.request_id,
            model=_message(model),
            etag=model.etag,
        ),
        model_service_pb2.UpdateModelResponse,
        appended,
        scope.request_id,
    )


def record_deployment(
    scope: CallScope,
    model: str,
    model_version: str,
    *,
    in_service_at: Time,
    trained_through: Time,
    baseline_loss: Value,
    replaces: str,
) -> Call[Deployed]:
    """Return the call that records that a version went into service."""
    return Call(
        _SERVICE + "RecordDeployment",
        model_service_pb2.RecordDeploymentRequest(
            ledger=scope.ledger,
            request_id=scope.request_id,
            name=in_collection("models", model),
            model_version=model_version,
            in_service_at=timestamp_of(in_service_at, "in_service_at"),
            trained_through=timestamp_of(trained_through, "trained_through"),
            baseline_loss=decimal_text(baseline_loss, "baseline_loss"),
            replaces=replaces,
            allow_leap=scope.allow_leap,
        ),
        model_service_pb2.RecordDeploymentResponse,
        deployed,
        scope.request_id,
    )


def retire_model(scope: CallScope, model: str, reason: str) -> Call[Appended]:
    """Return the call that takes a model out of the fleet."""
    return Call(
        _SERVICE + "RetireModel",
        model_service_pb2.RetireModelRequest(
            ledger=scope.ledger,
            request_id=scope.request_id,
            name=in_collection("models", model),
            reason=reason,
        ),
        model_service_pb2.RetireModelResponse,
        appended,
        scope.request_id,
    )


def get_model(scope: CallScope, model: str, min_position: int) -> Call[Model]:
    """Return the call that reads one model."""
    return Call(
        _SERVICE + "GetModel",
        model_service_pb2.GetModelRequest(
            ledger=scope.ledger, name=in_collection("models", model), min_position=min_position
        ),
        model_service_pb2.GetModelResponse,
        one(Model, "model"),
    )


def list_models(scope: CallScope, *, include_retired: bool, min_position: int) -> Paged[Model]:
    """Return the call that lists the fleet."""
    return Paged(
        Call(
            _SERVICE + "ListModels",
            model_service_pb2.ListModelsRequest(
                ledger=scope.ledger, include_retired=include_retired, min_position=min_position
            ),
            model_service_pb2.ListModelsResponse,
            page(Model, "models"),
        )
    )


def _message(model: Model) -> model_pb2.Model:
    """Return the description to record; what the server fills in stays out."""
    return model_pb2.Model(
        model=id_of("models", model.model),
        owner=model.owner,
        tier=model.tier,
        labels=dict(model.labels),
        impact_ppm=model.impact_ppm,
        risk_ppm=model.risk_ppm,
        slo_signal=model.slo_signal,
        unit_value_micros=str(model.unit_value_micros),
        cost_micros=str(model.cost_micros),
        recipe=model.recipe,
        schema_version=model.schema_version,
        features_version=model.features_version,
        architecture=model.architecture,
        meaning=model.meaning,
    )
