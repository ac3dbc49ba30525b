"""Times, enumerations, fields by name: what every other conversion is made of."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, Final, TypeVar, get_args

from google.protobuf.descriptor import Descriptor, EnumDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.events.values import SECOND, parse_time
from ledger.storage.records import AppendResult
from ledger.v1 import append_pb2

NANOS_PER_MICRO: Final = 1_000
NANOS_MAX: Final = 1_000_000_000  # what a Timestamp has less of
_MISSING: Final = object()

M = TypeVar("M", bound=Message)


def message_of(cls: type[M], value: Any, /, **stated: Any) -> M:  # noqa: ANN401 - of any room
    """Return a message: what is stated, and every other field from the value's member of its name.

    Ratios are in ppm everywhere, and members may leave the unit of their name out. Times, choices
    and parts become what the contract has for them; None leaves a field unset. AttributeError where
    a value has no such member, so that no field of the contract can be forgotten.
    """
    if isinstance(value, Mapping):
        value = SimpleNamespace(**value)
    for name, short, convert in _fields(cls.DESCRIPTOR):
        if name not in stated:
            member = getattr(value, short, _MISSING)
            if member is _MISSING:
                member = getattr(value, name)
            stated[name] = member if convert is None or member is None else convert(member)
    return cls(**stated)


@cache
def _fields(message: Descriptor) -> list[tuple[str, str, Callable[[Any], Any] | None]]:
    """Return a message's fields: name, name without its unit, and what converts a value."""
    return [
        (field.name, field.name.removesuffix("_ppm"), _converter(field)) for field in message.fields
    ]


def _converter(field: Any) -> Callable[[Any], Any] | None:  # noqa: ANN401
    """Return what converts a member for a field's descriptor; None where it is taken as it is."""
    if field.enum_type is not None:
        return _numbers(field.enum_type).__getitem__
    message = field.message_type
    if message is None or message.GetOptions().map_entry:
        return None
    if message is Timestamp.DESCRIPTOR:
        return lambda time: timestamp_of(time) if isinstance(time, str) else timestamp(time)
    made = partial(message_of, GetMessageClass(message))
    return (lambda members: [made(one) for one in members]) if field.is_repeated else made


@cache
def _numbers(enum: EnumDescriptor) -> dict[str, int]:
    """Return the number of each choice, in capitals or not; 0 is for what is None."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    names = {value.name.removeprefix(prefix): value.number for value in enum.values}
    return names | {name.lower(): number for name, number in names.items()}


def numbers(enum: Any, literal: object) -> dict[str, Any]:  # noqa: ANN401 - a generated enumeration
    """Return the enumeration's number for each string of a Literal.

    Made once at import, where a string without a number is a mistake of ours and raises at once.
    """
    return {name: _numbers(enum.DESCRIPTOR)[name] for name in get_args(literal)}


def inverse(table: dict[str, Any]) -> dict[int, Any]:
    """Return the string for each number."""
    return {number: name for name, number in table.items()}


def timestamp(micros: int) -> Timestamp:
    """Return a time of microseconds since 1970."""
    seconds, rest = divmod(micros, SECOND)
    return Timestamp(seconds=seconds, nanos=rest * NANOS_PER_MICRO)


def timestamp_of(text: str) -> Timestamp:
    """Return a time as events spell it."""
    return timestamp(parse_time(text))


def appended(written: AppendResult) -> append_pb2.Appended:
    """Return where a request's events stand."""
    return append_pb2.Appended(
        position=written.last_position,
        event_hash=written.event_hash,
        recorded_at=timestamp(written.recorded_at),
        first_position=written.first_position,
        repeated_request=written.repeated,
    )
