"""The statement of a client about a deployment, and the event that follows from it."""

from dataclasses import dataclass

from ledger.application.fleet.aggregates import ModelAggregate
from ledger.application.fleet.intake import ahead_of_clock, latest_statable, name_fault
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events import notation
from ledger.events.models import ModelDeployed
from ledger.events.values import TIME_LIMIT, format_time, parse_decimal
from ledger.storage.records import LedgerInfo
from ledger.storage.store import Store


@dataclass(frozen=True, slots=True)
class DeploymentSpec:
    """The statement of a client about a deployment; times in microseconds, the loss a decimal."""

    model: str
    model_version: str
    in_service_at: int
    trained_through: int
    baseline_loss: str
    replaces: str | None = None


def check_deployment(spec: DeploymentSpec, info: LedgerInfo, store: Store) -> None:
    """Refuse what no deployment of any model can state."""
    for name, version in (("model_version", spec.model_version), ("replaces", spec.replaces)):
        if version is not None and (fault := name_fault(version)):
            raise invalid_field(name, fault)
    for name, time in (
        ("in_service_at", spec.in_service_at),
        ("trained_through", spec.trained_through),
    ):
        if not 0 <= time < TIME_LIMIT:
            raise invalid_field(name, "lies before 1970 or after the year 9999")
    try:
        baseline = parse_decimal(spec.baseline_loss)
    except ValueError as error:
        raise invalid_field("baseline_loss", str(error)) from error
    if baseline <= 0:
        raise invalid_field("baseline_loss", "must be above 0")
    if spec.trained_through > spec.in_service_at:
        raise invalid_field("trained_through", "lies after in_service_at")
    if spec.in_service_at > latest_statable(info, store):
        if (refusal := store.clocks.behind(info.origin)) is not None:
            raise refusal
        raise LedgerError(
            Reason.CLOCK_AHEAD,
            f"in_service_at {ahead_of_clock(info, store)}.",
            remedy="Record the deployment when it happens, and set the source's clock.",
            metadata={"field": "in_service_at"},
        )


def deployed(spec: DeploymentSpec, model: ModelAggregate) -> ModelDeployed:
    """Return the event of a deployment of a model, in its place by stated times.

    VERSION_CONFLICT where another version was in service then than the caller believes,
    ALREADY_EXISTS where this very one was, FIELD_INVALID where it is said to be trained otherwise
    than it was said before.
    """
    in_service_at, trained_through = (
        format_time(spec.in_service_at),
        format_time(spec.trained_through),
    )
    serving = model.in_service_at(in_service_at)
    current = serving.model_version if serving else None
    if spec.replaces is not None and spec.replaces != current:
        raise LedgerError(
            Reason.VERSION_CONFLICT,
            f"{spec.model} is served by {current or 'no version'}, not by {spec.replaces}.",
            remedy="Read the model again, then decide again what to deploy.",
            metadata={"model": spec.model, "in_service": current or ""},
        )
    known = [one for one in model.deployments if one.model_version == spec.model_version]
    if any(one.trained_through != trained_through for one in known):
        raise invalid_field(
            "trained_through",
            f"{trained_through}, but version {spec.model_version} was recorded as trained through "
            f"{known[0].trained_through}, and what was trained does not change",
            remedy="Give a version that was trained again an id of its own.",
        )
    following = model.deployed_after(in_service_at)
    for beside in (serving, following):
        if beside is not None and beside.model_version == spec.model_version:
            raise _serves_anyhow(spec, beside)
    return ModelDeployed(
        model=spec.model,
        model_version=spec.model_version,
        kind="reinstated" if known else "trained",
        in_service_at=in_service_at,
        trained_through=trained_through,
        baseline_loss=spec.baseline_loss,
        replaces=current,
    )


def _serves_anyhow(spec: DeploymentSpec, beside: ModelDeployed) -> LedgerError:
    """Return the refusal of a version that is next to itself by stated times."""
    return LedgerError(
        Reason.ALREADY_EXISTS,
        f"{spec.model_version} of {spec.model} is recorded as in service from "
        f"{notation.shown_time(beside.in_service_at)} on, with no other version between that and "
        f"{notation.time(spec.in_service_at)}.",
        remedy="Nothing need be recorded; a version that was trained again has an id of its own.",
        metadata={
            "model": spec.model,
            "model_version": spec.model_version,
            "in_service_at": beside.in_service_at,
        },
    )
