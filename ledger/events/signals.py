"""Events that say what is measured and what was observed."""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from ledger.events.base import (
    Decimal,
    EventData,
    Hex32,
    Part,
    Position,
    SampleSize,
    Segment,
    ShortText,
    Text,
    Time,
)
from ledger.limits import INDICATORS_MAX, REPORT_URI_CHARS_MAX

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


class CorrectionPart(Part):
    """The observation that another one takes the place of, and where the first of them is."""

    position: Position
    """The one that it takes the place of: until then the newest of its chain."""
    first: Position
    """The observation that the chain of corrections begins with."""


class ReportPart(Part):
    """A raw report: where it lies, and the digest by which it is known again."""

    uri: Annotated[
        str, Field(max_length=REPORT_URI_CHARS_MAX, pattern=r"^[a-z][a-z0-9+.-]*:[!-~]+\z")
    ]
    sha256: Hex32


class SignalObservedV2(SignalObserved):
    """One observation that says more than its value, or takes the place of an earlier one.

    A correction has the model, version, time, signal and source of what it corrects, which is known
    then and was not corrected before.
    """

    TYPE: ClassVar[str] = "signal.observed.v2"
    ONCE_ERASED: ClassVar[str] = "what they corrected counts again"

    corrects: CorrectionPart | None
    """From here on the other one no longer counts; null for an observation of its own."""
    estimated: bool
    """Whether the value is an estimate of what is not known yet, such as labels."""
    indicators: Annotated[dict[Segment, Decimal], Field(max_length=INDICATORS_MAX)]
    """Further values derived from the raw one, by name; they move no score."""
    raw: Decimal | None
    """The measured value, where `value` is derived from it."""
    report: ReportPart | None


OBSERVED_TYPES: Final = (SignalObserved.TYPE, SignalObservedV2.TYPE)
