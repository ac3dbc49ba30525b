"""Events that say what is measured and what was observed."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from ledger.events.base import (
    Decimal,
    EventData,
    Part,
    SampleSize,
    Segment,
    ShortText,
    Text,
    Time,
)

SignalKind = Literal[
    "performance", "drift", "data_quality", "latency", "fairness", "cost", "custom"
]
Direction = Literal["higher_is_worse", "lower_is_worse"]
PINNED: Final = ("kind", "unit", "direction")
"""The members of a definition on which the limits of a policy rest."""


class SignalDefined(EventData):
    """A signal entered the taxonomy, or its description was replaced as a whole."""

    TYPE: ClassVar[str] = "signal.defined.v1"
    STREAM: ClassVar[str] = "signals/{signal}"
    CAUSE: ClassVar[str] = "the caller of DefineSignal"
    METHOD: ClassVar[str] = "DefineSignal"
    IS_OF_AGGREGATE: ClassVar[bool] = True
    ONCE_ERASED: ClassVar[str] = (
        "their signals are not shown and not linted until they are defined again"
    )

    signal: Segment
    kind: SignalKind
    unit: ShortText
    direction: Direction
    meaning: Text
    collection: Text
    """How the value is collected, in words: where, from what, how often."""


class StandardPart(Part):
    """An entry of the catalogue of standard signals, as `signal standard` lists them."""

    name: Segment
    version: int = Field(ge=1, le=1_000_000)


class SignalDefinedV2(SignalDefined):
    """A signal with an owner entered the taxonomy, or its description was replaced as a whole."""

    TYPE: ClassVar[str] = "signal.defined.v2"

    owner: Annotated[ShortText, Field(min_length=1)]
    """The team or person that answers for the signal."""
    standard: StandardPart | None
    """The entry that it adopts: kind, unit and direction are those of the entry; null for none."""


DEFINED_TYPES: Final = (SignalDefined.TYPE, SignalDefinedV2.TYPE)


class SignalObserved(EventData):
    """One observation of one signal of one model version, as a monitor reported it."""

    TYPE: ClassVar[str] = "signal.observed.v1"
    STREAM: ClassVar[str] = "models/{model}"
    CAUSE: ClassVar[str] = "the monitor that calls SubmitSignals or StreamSignals"
    METHOD: ClassVar[str] = "SubmitSignals"

    model_version: Segment
    observed_at: Time
    sample_size: SampleSize
    signal: Segment
    value: Decimal
