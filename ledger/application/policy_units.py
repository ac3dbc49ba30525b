"""The units of a policy as people write them, and the integers they stand for.

Each kind turns the text of one value into what is stored and back, and describes itself as JSON
Schema. Nothing is rounded: a value that the stored integer cannot hold exactly is refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ledger.events.base import PPM
from ledger.events.values import DECIMAL_PLACES, WHOLE_DIGITS, format_decimal

Stored = str | int | bool | None
Schema = dict[str, Any]

NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})  # what YAML calls null
_SEGMENT: Final = r"[a-z0-9][a-z0-9._-]{0,127}"
_NUMBER: Final = re.compile(r"(-?)([0-9]{0,24})(?:\.([0-9]{0,40}))?(%?)", re.ASCII)
_DURATION: Final = re.compile(
    r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,11})s)?", re.ASCII
)
_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


class Kind(Protocol):
    """How one value is read, written and described."""

    def read(self, text: str) -> Stored:
        """Return the stored value; ValueError says what is wrong, as a clause."""
        ...

    def write(self, value: Stored) -> str:
        """Return the text that `read` turns into the same value."""
        ...

    def schema(self) -> Schema:
        """Return the JSON Schema of the value as a YAML or JSON reader delivers it."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, text: str) -> str:
        """Return the word."""
        if text not in self.words:
            raise ValueError(f"{shown(text)} is not one of {', '.join(self.words)}")
        return text

    def write(self, value: Stored) -> str:
        """Return the word."""
        return str(value)

    def schema(self) -> Schema:
        """Return the list of words."""
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Prose:
    """Text of bounded length."""

    maximum: int
    minimum: int = 0

    def read(self, text: str) -> str:
        """Return the text."""
        if len(text) > self.maximum:
            raise ValueError(f"has {len(text)} characters; at most {self.maximum} fit")
        if len(text) < self.minimum:
            raise ValueError("is empty")
        return text

    def write(self, value: Stored) -> str:
        """Return the text."""
        return str(value)

    def schema(self) -> Schema:
        """Return the bounds of the length."""
        return {"type": "string", "minLength": self.minimum, "maxLength": self.maximum}


@dataclass(frozen=True, slots=True)
class Name:
    """A segment: the grammar of names in streams."""

    def read(self, text: str) -> str:
        """Return the name."""
        if re.fullmatch(_SEGMENT, text, re.ASCII) is None:
            raise ValueError(
                f"{shown(text)} is not a name: 1 to 128 of a-z, 0-9, '.', '_', '-', "
                "the first a letter or digit"
            )
        return text

    def write(self, value: Stored) -> str:
        """Return the name."""
        return str(value)

    def schema(self) -> Schema:
        """Return the grammar."""
        return {"type": "string", "pattern": f"^{_SEGMENT}$"}


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number."""

    minimum: int
    maximum: int

    def read(self, text: str) -> int:
        """Return the number."""
        if re.fullmatch(r"-?[0-9]{1,20}", text, re.ASCII) is None:
            raise ValueError(f"{shown(text)} is not a whole number")
        return _bounded(int(text), self.minimum, self.maximum, str)

    def write(self, value: Stored) -> str:
        """Return the digits."""
        return str(value)

    def schema(self) -> Schema:
        """Return the bounds."""
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""

    def read(self, text: str) -> bool:
        """Return the truth value; only YAML 1.2's two words are taken."""
        if text not in ("true", "false"):
            raise ValueError(f"{shown(text)} is not true or false")
        return text == "true"

    def write(self, value: Stored) -> str:
        """Return the word."""
        return "true" if value else "false"

    def schema(self) -> Schema:
        """Return the type."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Share:
    """A ratio, `0.25` or `25%`, stored in parts per million."""

    minimum_ppm: int = 0
    maximum_ppm: int = PPM
    is_optional: bool = False

    def read(self, text: str) -> int | None:
        """Return the parts per million, or None for `none` where that is allowed."""
        if self.is_optional and text == "none":
            return None
        ppm = _scaled(text, 6)
        return _bounded(ppm, self.minimum_ppm, self.maximum_ppm, _ratio)

    def write(self, value: Stored) -> str:
        """Return the ratio as a decimal."""
        return "none" if value is None else _ratio(int(value))

    def schema(self) -> Schema:
        """Return number, percentage and decimal text as alternatives."""
        forms: list[Schema] = [
            {
                "type": "number",
                "minimum": _number(self.minimum_ppm),
                "maximum": _number(self.maximum_ppm),
            },
            {"type": "string", "pattern": r"^[0-9]{1,4}(\.[0-9]{1,4})?%$"},
            {"type": "string", "pattern": r"^[0-9]{1,2}(\.[0-9]{1,6})?$"},
        ]
        if self.is_optional:
            forms.append({"enum": ["none"]})
        return {"anyOf": forms}


@dataclass(frozen=True, slots=True)
class Duration:
    """A span such as `7d`, `12h`, `30m`, `90s` or `1d12h`, stored in units of so many seconds."""

    unit_seconds: int
    minimum: int
    maximum: int

    def read(self, text: str) -> int:
        """Return the number of units; a span that is not a whole number of them is refused."""
        match = _DURATION.fullmatch(text)
        if match is None or not text:
            raise ValueError(f"{shown(text)} is not a span of time such as 7d, 12h, 30m or 90s")
        seconds = sum(
            int(count) * size
            for count, (_, size) in zip(match.groups(), _UNITS, strict=True)
            if count is not None
        )
        units, rest = divmod(seconds, self.unit_seconds)
        if rest:
            raise ValueError(f"{text} is not a whole number of hours")
        return _bounded(units, self.minimum, self.maximum, self.write)

    def write(self, value: Stored) -> str:
        """Return the span in the largest unit that holds it exactly."""
        assert isinstance(value, int)
        seconds = value * self.unit_seconds
        if seconds == 0:
            return "0s" if self.unit_seconds == 1 else "0h"
        letter, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
        return f"{seconds // size}{letter}"

    def schema(self) -> Schema:
        """Return the grammar."""
        return {
            "type": "string",
            "pattern": r"^(?=.)([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,11}s)?$",
        }


@dataclass(frozen=True, slots=True)
class Measure:
    """A decimal in the unit of its signal, stored in its canonical spelling."""

    def read(self, text: str) -> str:
        """Return the canonical decimal; `0.40` and `.4` are taken, more than nine places not."""
        if text.endswith("%"):
            raise ValueError(f"{shown(text)} is a percentage; write the value as the signal has it")
        nano = _scaled(text, DECIMAL_PLACES)
        try:
            return format_decimal(nano)
        except ValueError as error:
            raise ValueError(f"{shown(text)} has more than {WHOLE_DIGITS} whole digits") from error

    def write(self, value: Stored) -> str:
        """Return the decimal."""
        return str(value)

    def schema(self) -> Schema:
        """Return number and decimal text as alternatives."""
        pattern = rf"^-?[0-9]{{1,{WHOLE_DIGITS}}}(\.[0-9]{{1,{DECIMAL_PLACES}}})?$"
        return {"anyOf": [{"type": "number"}, {"type": "string", "pattern": pattern}]}


def shown(text: str) -> str:
    """Return a text as errors quote it: bounded, with what cannot be seen made visible."""
    return repr(text if len(text) <= 40 else text[:40] + "…")


def listed(words: Sequence[str]) -> str:
    """Return words as a person lists them."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _scaled(text: str, places: int) -> int:
    """Return a decimal or percentage times 10^places; ValueError unless that is exactly whole."""
    match = _NUMBER.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        raise ValueError(f"{shown(text)} is not a decimal such as 0.25")
    whole, fraction, percent = match[2], match[3] or "", match[4]
    digits = places - (2 if percent else 0)
    fraction = fraction.rstrip("0")
    if len(fraction) > digits:
        raise ValueError(f"{shown(text)} has {len(fraction)} decimal places; at most {digits} fit")
    scaled = int((whole or "0") + fraction.ljust(digits, "0"))
    return -scaled if match[1] else scaled


def _ratio(ppm: int) -> str:
    """Return parts per million as a decimal."""
    return format_decimal(ppm * 1_000)


def _number(ppm: int) -> int | float:
    """Return parts per million as the number a JSON Schema states; no value passes through it."""
    return ppm // PPM if ppm % PPM == 0 else ppm / PPM


class _Writer(Protocol):
    def __call__(self, value: int, /) -> str: ...


def _bounded(value: int, minimum: int, maximum: int, write: _Writer) -> int:
    """Return the value; ValueError where it lies outside its bounds."""
    if not minimum <= value <= maximum:
        raise ValueError(f"{write(value)} is outside {write(minimum)} to {write(maximum)}")
    return value
