"""Events in a model's life: who owns it, what it is worth, which version serves."""

from typing import ClassVar, Final, Literal

from ledger.events.base import (
    BigInt,
    Decimal,
    EventData,
    Labels,
    Position,
    Ppm,
    Segment,
    ShortText,
    Text,
    Time,
)

RiskTier = ShortText
DeploymentBasis = Literal["put_back", "roll_back", "emergency", "adopted"]
"""Why a version serves otherwise than by a job: as the ledger proposed, by a person's word that an
earlier one serves again, by a person who passes by the gates in an emergency, or because it is the
first of its model that is recorded: one that was there before the ledger."""


class ModelDescribed(EventData):
    """The record of registering and of updating: the whole description, never a difference."""

    model: Segment
    owner: ShortText
    tier: RiskTier
    labels: Labels
    impact_ppm: Ppm
    risk_ppm: Ppm
    slo_signal: Segment | None
    unit_value_micros: BigInt
    """Value of one unit of loss on one row."""
    cost_micros: BigInt
    """The cost of one retraining; above 0."""
    recipe: ShortText
    schema_version: ShortText
    features_version: ShortText
    architecture: ShortText
    meaning: Text


class ModelRegistered(ModelDescribed):
    """A model joined the fleet."""

    TYPE: ClassVar[str] = "model.registered.v1"
    STREAM: ClassVar[str] = "models/{model}"
    CAUSE: ClassVar[str] = "the caller of RegisterModel"
    METHOD: ClassVar[str] = "RegisterModel"
    IS_OF_AGGREGATE: ClassVar[bool] = True
    ONCE_ERASED: ClassVar[str] = "their models have no description until they are described again"


class ModelUpdated(ModelDescribed):
    """A model's description was replaced as a whole."""

    TYPE: ClassVar[str] = "model.updated.v1"
    STREAM: ClassVar[str] = "models/{model}"
    CAUSE: ClassVar[str] = "the caller of UpdateModel"
    METHOD: ClassVar[str] = "UpdateModel"
    IS_OF_AGGREGATE: ClassVar[bool] = True
    ONCE_ERASED: ClassVar[str] = (
        "where it is the newest, the model has no description until the next one"
    )


class ModelDeployed(EventData):
    """A version went into service: newly trained, or an earlier one put back."""

    TYPE: ClassVar[str] = "model.deployed.v1"
    STREAM: ClassVar[str] = "models/{model}"
    CAUSE: ClassVar[str] = "the caller of RecordDeployment"
    METHOD: ClassVar[str] = "RecordDeployment"
    IS_OF_AGGREGATE: ClassVar[bool] = True
    ONCE_ERASED: ClassVar[str] = (
        "where it is the newest, which version serves is not known until the next"
    )

    model: Segment
    model_version: Segment
    kind: Literal["trained", "reinstated"]
    """`trained`: the version enters service for the first time; `reinstated`: it served before."""
    in_service_at: Time
    trained_through: Time
    """Time of the newest data the version was trained on."""
    baseline_loss: Decimal
    """Its loss as seen in training, in the unit of the loss signal; above 0."""
    replaces: Segment | None
    """The version that served until now; null for the first."""


class DeploymentExplained(EventData):
    """Why a version serves that no job deployed, right behind the event of its deployment."""

    TYPE: ClassVar[str] = "deployment.explained.v1"
    STREAM: ClassVar[str] = "models/{model}"
    CAUSE: ClassVar[str] = "the caller of RecordDeployment, with the deployment"
    METHOD: ClassVar[str] = "RecordDeployment"
    KEEPS_BODY: ClassVar[bool] = True

    model: Segment
    model_version: Segment
    replaces: Segment | None
    """The version that served until now, as the deployment has it."""
    basis: DeploymentBasis
    proposal: Position | None
    """Of `put_back`: the proposal that it carries out. Of `roll_back`: what a person asked, where
    that is carried out; null where the person states it."""
    reason: Text
    """Of `roll_back` and `emergency` that a person states: why, in the person's words."""


class ModelRetired(EventData):
    """A model left the fleet: it is no longer observed, scored or planned for."""

    TYPE: ClassVar[str] = "model.retired.v1"
    STREAM: ClassVar[str] = "models/{model}"
    CAUSE: ClassVar[str] = "the caller of RetireModel"
    METHOD: ClassVar[str] = "RetireModel"
    IS_OF_AGGREGATE: ClassVar[bool] = True

    model: Segment
    reason: Text


DESCRIBING: Final = (ModelRegistered.TYPE, ModelUpdated.TYPE)
"""Types that describe a model as a whole."""
