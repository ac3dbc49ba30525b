"""Times, enumerations and receipts: what every other conversion is made of."""

from typing import Any, get_args

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.events.values import SECOND, parse_time
from ledger.storage.records import AppendResult
from ledger.v1 import append_pb2

NANOS_PER_MICRO = 1_000
NANOS_MAX = 1_000_000_000  # what a Timestamp has less of


def numbers(enum: Any, literal: object) -> dict[str, Any]:  # noqa: ANN401 - a generated enumeration
    """Return the enumeration's number for each string of a Literal.

    Made once at import, where a string without a number is a mistake of ours and raises at once.
    """
    prefix = enum.DESCRIPTOR.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {name: enum.Value(prefix + name.upper()) for name in get_args(literal)}


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
