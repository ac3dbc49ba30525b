"""Models and their deployments."""

from typing import Final, TypeVar

from pydantic import ValidationError

from ledger.api.checks import Checks
from ledger.api.convert.basics import message_of
from ledger.application.fleet.aggregates import ModelAggregate
from ledger.application.fleet.fleet import ModelRecord
from ledger.application.jobs.stated_deployments import DeploymentGround
from ledger.events.models import DeploymentBasis, ModelDescribed
from ledger.v1 import model_pb2, model_service_pb2

_COPIED: Final = (
    "model",
    "owner",
    "tier",
    "impact_ppm",
    "risk_ppm",
    "unit_value_micros",
    "cost_micros",
    "recipe",
    "schema_version",
    "features_version",
    "architecture",
    "meaning",
)
"""Fields whose names and values are the same in the message and in the event."""

_BASES: Final[dict[int, DeploymentBasis]] = {
    model_pb2.DEPLOYMENT_BASIS_ROLL_BACK: "roll_back",
    model_pb2.DEPLOYMENT_BASIS_EMERGENCY: "emergency",
}
D = TypeVar("D", bound=ModelDescribed)


def described_of(message: model_pb2.Model, kind: type[D], checks: Checks) -> D:
    """Return the description a request states; raises FIELD_INVALID with all its faults."""
    checks.identifier("model.model", message.model)
    checks.present("model.owner", message.owner.strip())
    checks.integer("model.unit_value_micros", message.unit_value_micros, minimum=0)
    checks.integer("model.cost_micros", message.cost_micros, minimum=1)
    checks.identifier("model.slo_signal", message.slo_signal, optional=True)
    data = {name: getattr(message, name) for name in _COPIED}
    # A field refused above is not refused again in other words.
    stand_in = {"model": "x", "owner": "x", "unit_value_micros": "0", "cost_micros": "1"}
    checkable = {**data, **{name: stand_in[name] for name in stand_in if not data[name]}}
    described: D | None = None
    try:
        described = kind.from_data({**data, **_rest(message)})
    except ValidationError:
        try:
            kind.from_data({**checkable, **_rest(message)})
        except ValidationError as error:
            checks.model_errors("model", error)
    checks.done()
    assert described is not None, "an invalid description passed the checks"
    return described


def ground_of(
    request: model_service_pb2.RecordDeploymentRequest, checks: Checks
) -> DeploymentGround | None:
    """Return why a version serves that no job deployed, as a request states it."""
    basis = _BASES.get(request.basis)
    if request.basis and basis is None:
        checks.refuse("basis", "is none that this release knows")
    if basis is None:
        if request.reason:
            checks.refuse("reason", "says why, and `basis` does not say what for")
        return None
    return DeploymentGround(basis, checks.text("reason", request.reason))


def _rest(message: model_pb2.Model) -> dict[str, object]:
    return {"labels": dict(message.labels), "slo_signal": message.slo_signal or None}


def model(view: ModelRecord) -> model_pb2.Model:
    """Return a model as it is, with all its deployments that are known.

    Where its description was erased, what that said is empty or 0.
    """
    known = view.model
    message = model_pb2.Model(
        model=view.name,
        unit_value_micros="0",
        cost_micros="0",
        name=f"models/{view.name}",
        etag=etag(known),
        retired=known.retired,
        version_in_service=known.in_service.model_version if known.in_service else "",
        position=view.updated.position,
    )
    described = known.described
    if described is not None:
        for name in _COPIED:
            setattr(message, name, getattr(described, name))
        message.labels.update(described.labels)
        message.slo_signal = described.slo_signal or ""
    message.deployments.extend(
        message_of(model_pb2.Deployment, deployed, position=placed.position)
        for deployed, placed in zip(known.deployments, view.deployed, strict=True)
    )
    return message


def etag(known: ModelAggregate) -> str:
    """Return the mark of a model's description: the count of its own events."""
    return str(known.version)


def version_of(text: str, checks: Checks) -> int:
    """Return the version that an etag means."""
    if checks.present("etag", text) and not (text.isascii() and text.isdigit() and len(text) <= 16):
        checks.refuse("etag", "is not one that this service gave out")
        return 0
    return int(text or 0)
