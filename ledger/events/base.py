"""The base of all events' data: strict, frozen, closed, and made of canonical values only."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from ledger.events import values
from ledger.events.values import INTEGER_MAX, PPM, SEGMENT_FORM
from ledger.limits import LABEL_CHARS_MAX, LABELS_MAX, SAMPLE_SIZE_MAX, TEXT_CHARS_MAX

# For the catalogue's schemas only; what is accepted is what `values` parses.
_TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$"
_DECIMAL_PATTERN = r"^(?!-0$)-?(0|[1-9][0-9]{0,11})(\.[0-9]{0,8}[1-9])?$"


def _time(text: str) -> str:
    values.parse_time(text)
    return text


def _decimal(text: str) -> str:
    values.parse_decimal(text)
    return text


Segment = Annotated[str, Field(pattern=rf"^{SEGMENT_FORM}\z")]
Origin = Annotated[
    str,
    Field(max_length=255, pattern=rf"^{SEGMENT_FORM}(/{SEGMENT_FORM})*\z"),
]
Actor = Annotated[str, Field(pattern=rf"^(users|services|system)/{SEGMENT_FORM}\z")]
Time = Annotated[
    str,
    AfterValidator(_time),
    WithJsonSchema({"type": "string", "title": "time", "pattern": _TIME_PATTERN}),
]
Decimal = Annotated[
    str,
    AfterValidator(_decimal),
    WithJsonSchema({"type": "string", "title": "decimal", "pattern": _DECIMAL_PATTERN}),
]
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")]
BigInt = Annotated[str, Field(pattern=r"^(0|-?[1-9][0-9]{0,59})\z")]
"""An integer that may exceed 2^53, as a decimal string."""
Ppm = Annotated[int, Field(ge=0, le=PPM)]
Count = Annotated[int, Field(ge=0, le=INTEGER_MAX)]
SafeInt = Annotated[int, Field(ge=-INTEGER_MAX, le=INTEGER_MAX)]
Position = Annotated[int, Field(ge=1, le=INTEGER_MAX)]
SampleSize = Annotated[int, Field(ge=1, le=SAMPLE_SIZE_MAX)]
Text = Annotated[str, Field(max_length=TEXT_CHARS_MAX)]
UnitOfCost = Annotated[str, Field(pattern=r"^[A-Za-z]([A-Za-z0-9 ./-]{0,14}[A-Za-z0-9])?\z")]
"""The unit of money: a currency, or another unit such as `GPU hours`."""
ShortText = Annotated[str, Field(max_length=LABEL_CHARS_MAX)]
LabelKey = Annotated[str, Field(pattern=rf"^{SEGMENT_FORM}\z")]
Labels = Annotated[dict[LabelKey, ShortText], Field(max_length=LABELS_MAX)]


class Part(BaseModel):
    """A piece of an event's data: frozen, strict, and without unknown members."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", regex_engine="rust-regex")


class EventData(Part):
    """The data of one event type, and all that is said of the type.

    `TYPE`: its name with its version. `STREAM`: where its events are. `CAUSE`: who may cause them.
    """

    TYPE: ClassVar[str]
    STREAM: ClassVar[str]
    CAUSE: ClassVar[str]
    METHOD: ClassVar[str] = ""
    """The call that leaves them; empty where no client asks for one."""
    KEEPS_BODY: ClassVar[bool] = False
    """Whether bodies can be neither erased nor withheld, as keys and proofs rest on them."""
    IS_HOUSEKEEPING: ClassVar[bool] = False
    """Whether they only record what was done about the ledger itself."""
    IS_OF_AGGREGATE: ClassVar[bool] = False
    """Whether they change the aggregate whose stream they are in, and count as its versions."""
    ONCE_ERASED: ClassVar[str] = ""
    """The effect of an erased body, beyond that its text is gone."""

    @property
    def stream_name(self) -> str:
        """The stream that an event of these data belongs to; an observation's names its model."""
        return self.STREAM.format_map(self.__dict__)

    def to_data(self) -> dict[str, Any]:
        """Return the canonical-JSON-able form: exactly what is recorded."""
        return self.model_dump(mode="json")

    @classmethod
    def from_data(cls, data: object) -> Self:
        """Return the instance that `data` describes; pydantic's ValidationError if it is none."""
        return cls.model_validate(data)
