"""What callers may write for a time, a name or an enum, and what it becomes on the wire.

Times are aware datetimes, text of one, or integers of microseconds since 1970; a naive datetime is
refused, because it names no moment. Names may be written with or without their
collection: `fares` and `models/fares` are the same model.
"""

import operator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, SupportsFloat, TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.client.decode import prefix_of
from ledger.client.errors import invalid
from ledger.client.times import (
    NoTimeError,
    micros_of_datetime,
    micros_of_integer,
    micros_of_text,
)
from ledger.events.values import nearest_decimal

Time: TypeAlias = datetime | int | str
"""An aware datetime, text of one, or microseconds since 1970-01-01T00:00:00Z."""
Value: TypeAlias = float | int | str | Decimal
"""A number as observed, any `numbers.Real` too; recorded rounded half to even at 9 decimals."""

_MICROS: Final = 1_000_000


def micros_of(time: Time, field: str) -> int:
    """Return the microseconds since 1970 of a time; FIELD_INVALID names `field`."""
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise invalid(
                field,
                f"{time.isoformat()} has no time zone, so it names no moment",
                "Give it one, such as `.replace(tzinfo=datetime.UTC)`.",
            )
        return micros_of_datetime(time)
    try:
        if isinstance(time, str):
            return micros_of_text(time)
        if hasattr(time, "__index__") and not isinstance(time, bool):
            return micros_of_integer(operator.index(time))  # numpy's integers too
    except NoTimeError as error:
        raise invalid(field, error.fault, error.remedy) from None
    raise invalid(
        field,
        f"{str(time)[:40]!r} is no time",
        "Give an aware datetime, text such as 2026-03-01T10:00:00Z, or microseconds since 1970.",
    )


def timestamp_of(time: Time, field: str) -> Timestamp:
    """Return the Timestamp of a time; what lies outside its range is refused by name."""
    seconds, micros = divmod(micros_of(time, field), _MICROS)
    if not -62_135_596_800 <= seconds < 253_402_300_800:
        raise invalid(
            field, "lies before the year 1 or after 9999", "Give microseconds since 1970."
        )
    return Timestamp(seconds=seconds, nanos=micros * 1000)


def decimal_text(value: Value, field: str) -> str:
    """Return a value as decimal text; the server checks text, rounds at 9 places and says so.

    What is neither text nor exact is read as a double, as an observed one is.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | Decimal | SupportsFloat):
        raise invalid(field, f"{str(value)[:40]!r} is no number", "Give a number or decimal text.")
    if isinstance(value, int | Decimal):
        return plain(value)
    try:
        text = repr(float(value))
        nearest_decimal(text)  # refuse here what no decimal is near to
    except (ValueError, OverflowError) as error:
        raise invalid(field, f"{str(value)[:40]!r} {error}", "Give a finite number.") from error
    return text


def plain(value: int | Decimal) -> str:
    """Return the plain spelling: no exponent, no trailing zeros, no minus zero."""
    if isinstance(value, int):
        return str(value)
    if not value.is_finite():
        return str(value)  # the server says what is wrong with it
    if abs(value.adjusted()) > 64:  # far outside what fits either way: do not spell it out
        return f"{value:.3e}" if value else "0"
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
