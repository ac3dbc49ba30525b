"""The units that policies alone have: conditions of rules, values of signals, and their reasons.

A signal's limits are rounded at 9 decimals like the values that are held against them, and lint
says so.
"""

import json
from dataclasses import dataclass
from typing import ClassVar, Final

from ledger.application.documents.source import Mapping, Scalar
from ledger.application.documents.units import (
    NULLS,
    FreeText,
    RefusedValueError,
    Schema,
    Stored,
    Unit,
)
from ledger.events.notation import scaled, shown
from ledger.events.values import WHOLE_DIGITS, nearest_decimal
from ledger.rules.expressions import ExpressionError, compile_expression
from ledger.rules.shares import signals_named, to_stored, to_written
from ledger.rules.vocabulary import PROCEDURES

_PLACES_READ: Final = 40  # of a decimal as `scaled` reads it


@dataclass(frozen=True, slots=True)
class Expression(FreeText):
    """A condition of a rule: shares are written as per cent, and stored as parts per million."""

    CODE = "EXPRESSION_INVALID"

    def read(self, text: str) -> str:
        """Return the expression as rules evaluate it."""
        return to_stored(FreeText.read(self, text)).text

    def write(self, value: Stored) -> str:
        """Return the expression with its shares as per cent."""
        text = str(value)
        for procedure in PROCEDURES:
            try:
                compiled = compile_expression(text, signals_named(text), procedure)
            except ExpressionError:
                continue
            return to_written(text, compiled.tree)
        return text


@dataclass(frozen=True, slots=True)
class SignalValue(Unit):
    """A decimal in the unit of its signal, stored in its canonical spelling."""

    CODE = "NUMBER_INVALID"

    def read(self, text: str) -> str:
        """Return the canonical decimal; `0.40` and `.4` are taken, what is longer is rounded."""
        return self.nearest(text)[0]

    def nearest(self, text: str) -> tuple[str, bool]:
        """Return the nearest canonical decimal, as of an observed value, and whether it differs."""
        if text.endswith("%"):
            raise ValueError(f"{shown(text)} is a percentage; write the value as the signal has it")
        number = scaled(text, _PLACES_READ)
        whole, fraction = divmod(abs(number), 10**_PLACES_READ)
        if len(str(whole)) > WHOLE_DIGITS:
            raise ValueError(f"{shown(text)} has more than {WHOLE_DIGITS} whole digits")
        sign = "-" if number < 0 else ""
        return nearest_decimal(f"{sign}{whole}.{fraction:0{_PLACES_READ}d}")

    def schema(self) -> Schema:
        """Return number and decimal text as alternatives."""
        pattern = rf"^-?[0-9]{{1,{WHOLE_DIGITS}}}(\.[0-9]{{1,{_PLACES_READ}}})?$"
        return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": pattern}]}


@dataclass(frozen=True, slots=True)
class SignalRationale(FreeText):
    """Why a signal counts as it does: one text, or one for its weight and one for its thresholds.

    A text alone is for both under format policy/1, and for the weight under policy/2.
    """

    PARTS: ClassVar[dict[str, str]] = {
        "weight": "weight",
        "thresholds": "baseline, critical, breach and sustain",
    }
    """Each with what it is the reason for."""

    def write(self, value: Stored) -> str:
        """Return the text, or both in one line."""
        if not isinstance(value, dict):
            return str(value)
        return ", ".join(f"{name}: {json.dumps(value[name], ensure_ascii=False)}" for name in value)

    def schema(self) -> Schema:
        """Return one text and a mapping of two as alternatives."""
        text = FreeText.schema(self)
        parts = {
            name: text | {"description": f"Why the signal has this {what}."}
            for name, what in self.PARTS.items()
        }
        mapping = {"type": "object", "properties": parts, "additionalProperties": False}
        return {"anyOf": [mapping, text]}

    def _read_node(self, node: object) -> Stored:
        if isinstance(node, dict):  # as code states it
            return node
        if not isinstance(node, Mapping):
            return FreeText._read_node(self, node)  # noqa: SLF001 - as it is read there
        found = dict.fromkeys(self.PARTS, "")
        for key, value in node.entries:
            if key.text not in found:
                message = f"has no {key.text}, but {' and '.join(self.PARTS)}"
                raise RefusedValueError("KEY_UNKNOWN", message)
            if not isinstance(value, Scalar):
                raise RefusedValueError("VALUE_TYPE", f"expected a text for {key.text}")
            is_left_out = value.is_plain and value.text in NULLS
            found[key.text] = "" if is_left_out else self.read(value.text)
        return found
