"""What callers may write for a time, a name or an enum, and what it becomes on the wire.

Times are aware datetimes or integers of microseconds since 1970; a naive datetime is refused,
because nobody can say which moment it means. Names may be written with or without their
collection: `fares` and `models/fares` are the same model.
"""

import operator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.client.decode import prefix_of
from ledger.client.errors import invalid

Time: TypeAlias = datetime | int
"""An aware datetime, or microseconds since 1970-01-01T00:00:00Z."""
Value: TypeAlias = float | int | str | Decimal
"""A number as observed. Text and Decimal are recorded exactly, a float as its shortest decimal."""

_MICROS: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros_of(time: Time, field: str) -> int:
    """Return the microseconds since 1970 that a time stands for; FIELD_INVALID names `field`."""
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise invalid(
                field,
                f"{time.isoformat()} has no time zone, so it names no moment",
                "Give it one, such as `.replace(tzinfo=datetime.UTC)`.",
            )
        return (time - _EPOCH) // _MICROSECOND
    if isinstance(time, bool) or not hasattr(time, "__index__"):
        raise invalid(
            field,
            f"{str(time)[:40]!r} is no time",
            "Give an aware datetime, or microseconds since 1970 as an int.",
        )
    return operator.index(time)  # numpy's integers too


def timestamp_of(time: Time, field: str) -> Timestamp:
    """Return the Timestamp of a time; what lies outside its range is refused by name."""
    seconds, micros = divmod(micros_of(time, field), _MICROS)
    if not -62_135_596_800 <= seconds < 253_402_300_800:
        raise invalid(
            field, "lies before the year 1 or after 9999", "Give microseconds since 1970."
        )
    return Timestamp(seconds=seconds, nanos=micros * 1000)


def decimal_text(value: Value, field: str) -> str:
    """Return a value as decimal text; text goes as it is, the server checks its spelling."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise invalid(field, f"{str(value)[:40]!r} is no number", "Give a number or decimal text.")
    return plain(value)


def plain(value: int | Decimal) -> str:
    """Return the plain spelling: no exponent, no trailing zeros, no minus zero."""
    if isinstance(value, int):
        return str(value)
    if not value.is_finite():
        return str(value)  # the server says what is wrong with it
    if abs(value.adjusted()) > 64:  # far outside what fits either way: do not spell it out
        return f"{value:.3e}" if value.adjusted() > 0 else "0"
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def number_of(value: StrEnum | str | None, cls: type[StrEnum], wire: Any, field: str) -> int:  # noqa: ANN401
    """Return the number in `wire` (an enum of the contract) of a member or its name; None is 0.

    Case does not matter, and `-` is as good as `_`.
    """
    if value is None:
        return 0
    name = str(value).upper().replace("-", "_")
    if name not in cls.__members__:
        choices = ", ".join(cls.__members__)
        raise invalid(field, f"{str(value)[:40]!r} is none of {choices}", "Choose one of them.")
    number: int = wire.Value(prefix_of(wire.DESCRIPTOR) + name)
    return number


def in_collection(collection: str, name: str) -> str:
    """Return the resource name of an id; a resource name stays what it is."""
    return name if name.startswith(f"{collection}/") else f"{collection}/{name}"


def id_of(collection: str, name: str) -> str:
    """Return the id in a resource name; an id stays what it is."""
    return name.removeprefix(f"{collection}/")
