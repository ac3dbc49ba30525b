"""Faults of a request by itself: all are collected, then refused together.

Whether a named thing exists, and whether it may be changed, is for the application to say.
"""

from collections.abc import Iterable
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import ValidationError

from ledger.application.fleet.intake import name_fault
from ledger.errors import FieldViolation, LedgerError, Reason
from ledger.events import values
from ledger.limits import DOCUMENT_BYTES_MAX, TEXT_CHARS_MAX

_NANOS_PER_MICRO: Final = 1_000
_INTEGER_DIGITS_MAX: Final = 30
_NAMED_MAX: Final = 5  # further fields in a sentence; the violations have all
_POSITION_MAX: Final = values.INTEGER_MAX


class Checks:
    """Collects what is wrong with one request. Methods return the value, usable once `done`."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []

    def refuse(self, field: str, description: str) -> None:
        """Note one fault."""
        self._violations.append(FieldViolation(field, description))

    def done(self) -> None:
        """Raise FIELD_INVALID naming every fault, if there is any."""
        if not self._violations:
            return
        first, *rest = self._violations
        named = ", ".join(one.field for one in rest[:_NAMED_MAX])
        cut = ", …" if len(rest) > _NAMED_MAX else ""
        more = f" {_counted(len(rest))} refused too: {named}{cut}." if rest else ""
        raise LedgerError(
            Reason.FIELD_INVALID,
            f"{first.field}: {first.description}.{more}",
            remedy="Correct the named fields and send the request again.",
            violations=self._violations,
            metadata={"field": first.field, "violations": str(len(self._violations))},
        )

    def present(self, field: str, value: object) -> bool:
        """Require a value that is not empty; return whether it is there."""
        if not value:
            self.refuse(field, "is required")
        return bool(value)

    def text(self, field: str, value: str, *, maximum: int = TEXT_CHARS_MAX) -> str:
        """Require text of at most so many characters."""
        if self.present(field, value.strip()) and len(value) > maximum:
            self.refuse(field, f"is {len(value)} characters long; at most {maximum} fit")
        return value

    def document(self, field: str, value: str) -> str:
        """Require the text of a document, of a size that is read."""
        size = len(value.encode())
        if self.present(field, value.strip()) and size > DOCUMENT_BYTES_MAX:
            self.refuse(field, f"has {size} bytes; at most {DOCUMENT_BYTES_MAX} fit")
        return value

    def identifier(self, field: str, value: str, *, optional: bool = False) -> str:
        """Require an id."""
        if value or not optional:
            fault = "is required" if not value else name_fault(value)
            if fault:
                self.refuse(field, fault)
        return value

    def name(self, field: str, value: str, collection: str, *, optional: bool = False) -> str:
        """Require a resource name `collection/{id}` and return the id."""
        if not value and optional:
            return ""
        before, slash, identifier = value.partition("/")
        if not value:
            self.refuse(field, "is required")
        elif before != collection or not slash or name_fault(identifier):
            self.refuse(field, f"{value[:160]!r} is not of the form {collection}/ID")
        return identifier

    def bare_position(self, value: str) -> int:
        """Return the position of `positions/{position}`; 0 for any other name."""
        collection, _, position = value.partition("/")
        return _counting(position) if collection == "positions" else 0

    def placed_name(self, field: str, value: str, *kinds: str) -> tuple[str, str, int]:
        """Require `models/{model}/{kind}/{position}`, of one of these kinds; return all three."""
        parts = value.split("/")
        if not value:
            self.refuse(field, "is required")
        elif (
            len(parts) == 4
            and parts[0] == "models"
            and parts[2] in kinds
            and name_fault(parts[1]) is None
            and (position := _counting(parts[3]))
        ):
            return parts[1], parts[2], position
        else:
            forms = " or ".join(f"models/MODEL/{kind}/POSITION" for kind in kinds)
            self.refuse(field, f"{value[:160]!r} is not of the form {forms}")
        return "", "", 0

    def version_name(
        self,
        field: str,
        value: str,
        *,
        version_optional: bool = False,
        collection: str = "policies",
    ) -> tuple[str, int]:
        """Require `policies/{policy}/versions/{version}` and return both; version 0 if left out."""
        parts = value.split("/")
        if not value:
            self.refuse(field, "is required")
        elif parts[0] == collection and len(parts) > 1 and name_fault(parts[1]) is None:
            if len(parts) == 2 and version_optional:
                return parts[1], 0
            if len(parts) == 4 and parts[2] == "versions" and (version := _counting(parts[3])):
                return parts[1], version
        if value:
            self.refuse(field, f"{value[:160]!r} is not of the form {collection}/ID/versions/N")
        return "", 0

    def integer(self, field: str, value: str, *, minimum: int, optional: bool = False) -> int:
        """Require an integer written in decimal digits."""
        if not value:
            if not optional:
                self.refuse(field, "is required")
            return minimum
        digits = value.removeprefix("-")
        canonical = digits.isascii() and digits.isdigit() and (digits == "0" or digits[0] != "0")
        if not canonical or value == "-0" or len(digits) > _INTEGER_DIGITS_MAX:
            self.refuse(
                field,
                f"{value[:40]!r} is not a decimal integer of at most {_INTEGER_DIGITS_MAX} digits",
            )
            return minimum
        number = int(value)
        if number < minimum:
            self.refuse(field, f"is {number}; at least {minimum} is needed")
        return number

    def decimal(self, field: str, value: str) -> tuple[str, bool]:
        """Require a number; return its nearest decimal of 9 places, and whether it was rounded."""
        if not self.present(field, value):
            return value, False
        try:
            nearest, is_rounded = values.nearest_decimal(value)
        except ValueError as error:
            self.refuse(field, str(error))
            return value, False
        if is_rounded and nearest == "0":
            self.refuse(field, f"{value[:40]!r} is too small for 9 decimals")
        return nearest, is_rounded

    def time(self, field: str, value: Timestamp, *, given: bool) -> int:
        """Require a time from 1970 to 9999; return it in microseconds, what is finer is cut off."""
        if not given:
            self.refuse(field, "is required")
            return 0
        micros = value.seconds * values.SECOND + value.nanos // _NANOS_PER_MICRO
        if not 0 <= value.nanos < 1_000_000_000:
            self.refuse(field, f"has {value.nanos} ns; less than 1000000000 make a second")
        elif not 0 <= micros < values.TIME_LIMIT:
            self.refuse(field, "lies before 1970 or after the year 9999")
        return micros

    def position(self, field: str, value: int, *, optional: bool = True) -> int:
        """Require a position or a size, or 0 for none where it is optional."""
        if not 0 <= value <= _POSITION_MAX:
            self.refuse(field, f"is {value}; positions count from 1, and 0 means none")
        elif not value and not optional:
            self.refuse(field, "is required: it counts from 1")
        return value

    def at_most(self, field: str, items: Iterable[str], count: int) -> list[str]:
        """Require a list that is not too long."""
        found = list(items)
        if len(found) > count:
            self.refuse(field, f"has {len(found)} entries; at most {count} are taken")
        return found

    def model_errors(self, prefix: str, error: ValidationError) -> None:
        """Note what pydantic refused, by the path of each field below `prefix`."""
        for fault in error.errors(include_url=False, include_context=False, include_input=False):
            path = ".".join([prefix, *(str(part) for part in fault["loc"])])
            if any(found.field == path for found in self._violations):
                continue  # it was refused already, in words of ours
            text = fault["msg"].removeprefix("Value error, ")
            self.refuse(path, text[0].lower() + text[1:])


def _counted(more: int) -> str:
    return "1 more field was" if more == 1 else f"{more} more fields were"


def _counting(text: str) -> int:
    """Return a number from 1 on, as names spell it, or 0."""
    canonical = text.isascii() and text.isdigit() and text[0] != "0" and len(text) <= 16
    return int(text) if canonical else 0
