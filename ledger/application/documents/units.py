"""The units of values as people write them, and what is stored for them.

Each unit turns the text of one value into what is stored and back, and describes itself as JSON
Schema; as the annotation of a field it tells pydantic all three. A value that the stored integer
cannot hold exactly is refused.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, core_schema

from ledger.application.documents.problems import ValueCode
from ledger.application.documents.source import Scalar
from ledger.application.documents.source import Sequence as Listed
from ledger.events.notation import (
    DURATION_PATTERN,
    duration,
    listed,
    parse_duration,
    parse_share,
    share,
    shown,
)
from ledger.events.values import (
    PPM,
    SEGMENT,
    SEGMENT_FORM,
    format_decimal,
)

Stored = str | int | bool | dict[str, str] | None
Schema = dict[str, Any]

NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})  # what YAML calls null


class RefusedValueError(ValueError):
    """A value that is refused for another reason than that it is nothing of its kind."""

    def __init__(self, code: ValueCode, message: str) -> None:
        super().__init__(message)
        self.code: ValueCode = code


class Unit(ABC):
    """How one value is read, written and described; annotates a field of an authored model."""

    CODE: ClassVar[ValueCode]
    """The code of a text that is nothing of the kind."""
    IS_VERBATIM: ClassVar[bool] = False
    """True where white space around the value is part of it."""

    @abstractmethod
    def read(self, text: str) -> Stored:
        """Return the stored value; ValueError says what is wrong, as a clause."""

    @abstractmethod
    def schema(self) -> Schema:
        """Return the JSON Schema of the value as a YAML or JSON reader delivers it."""

    def write(self, value: Stored) -> str:
        """Return the text that `read` turns into the same value."""
        return str(value)

    def default(self, value: Stored) -> Stored:
        """Return a default as the JSON Schema states it."""
        return self.write(value)

    def __get_pydantic_core_schema__(self, source: object, _: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read_node,
            serialization=core_schema.plain_serializer_function_ser_schema(
                self.default, when_used="json-unless-none"
            ),
        )

    def __get_pydantic_json_schema__(self, _: object, __: GetJsonSchemaHandler) -> Schema:
        return self.schema()

    def _read_node(self, node: object) -> Stored:
        """Return the value of a node; one that code states in the stored form is checked alike."""
        if isinstance(node, Scalar):
            return self.read(node.text if self.IS_VERBATIM else node.text.strip())
        if isinstance(node, str | int):
            return self.read(self.write(node))
        raise RefusedValueError("VALUE_TYPE", "expected a single value, not a list or mapping")


@dataclass(frozen=True, slots=True)
class Entries:
    """A list, annotates a field: of mappings that one value tells apart, or of single values."""

    key: str
    """The name of the value that tells mappings apart; empty for single values."""
    minimum: int
    maximum: int

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        form = "values"
        if self.key:
            form = f"mappings with {listed(list(get_args(source)[0].model_fields))}"

        def items(node: object) -> list[object]:
            if not isinstance(node, Listed | list):
                raise RefusedValueError("VALUE_TYPE", f"expected a list of {form}")
            found = list(node.items if isinstance(node, Listed) else node)
            if not self.minimum <= len(found) <= self.maximum:
                bounds = f"{self.minimum} to {self.maximum}"
                message = f"has {len(found)} entries; expected {bounds}"
                raise RefusedValueError("ENTRIES_COUNT", message)
            return found

        return core_schema.no_info_before_validator_function(items, handler(source))

    def __get_pydantic_json_schema__(
        self, inner: CoreSchema, handler: GetJsonSchemaHandler
    ) -> Schema:
        return handler(inner) | {"minItems": self.minimum, "maxItems": self.maximum}


@dataclass(frozen=True, slots=True)
class Choice(Unit):
    """One of a few words, those of a Literal."""

    CODE = "WORD_UNKNOWN"

    literal: object

    @property
    def words(self) -> tuple[str, ...]:
        """The words."""
        return get_args(self.literal)

    def read(self, text: str) -> str:
        """Return the word."""
        if text not in self.words:
            raise ValueError(f"{shown(text)} is not one of {', '.join(self.words)}")
        return text

    def schema(self) -> Schema:
        """Return the list of words."""
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class FreeText(Unit):
    """Text of bounded length."""

    CODE: ClassVar[ValueCode] = "TEXT_LENGTH"
    IS_VERBATIM = True

    maximum: int
    minimum: int = 0

    def read(self, text: str) -> str:
        """Return the text."""
        if len(text) > self.maximum:
            message = f"has {len(text)} characters; at most {self.maximum} fit"
            raise RefusedValueError("TEXT_LENGTH", message)
        if len(text) < self.minimum:
            raise RefusedValueError("TEXT_LENGTH", "is empty")
        return text

    def schema(self) -> Schema:
        """Return the bounds of the length."""
        return {"type": "string", "minLength": self.minimum, "maxLength": self.maximum}


@dataclass(frozen=True, slots=True)
class Name(Unit):
    """A segment: the grammar of names in streams."""

    CODE = "NAME_INVALID"
    IS_VERBATIM = True

    def read(self, text: str) -> str:
        """Return the name."""
        if SEGMENT.fullmatch(text) is None:
            raise ValueError(
                f"{shown(text)} is not a name: 1 to 128 of a-z, 0-9, '.', '_', '-', "
                "the first a letter or digit"
            )
        return text

    def schema(self) -> Schema:
        """Return the grammar."""
        return {"type": "string", "pattern": f"^{SEGMENT_FORM}$"}


@dataclass(frozen=True, slots=True)
class Count(Unit):
    """A whole number."""

    CODE = "NUMBER_INVALID"

    minimum: int
    maximum: int

    def read(self, text: str) -> int:
        """Return the number."""
        if re.fullmatch(r"-?[0-9]{1,20}", text, re.ASCII) is None:
            raise ValueError(f"{shown(text)} is not a whole number")
        return _bounded(int(text), self.minimum, self.maximum, str)

    def default(self, value: Stored) -> Stored:
        """Return the number itself."""
        return value

    def schema(self) -> Schema:
        """Return the bounds."""
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


@dataclass(frozen=True, slots=True)
class Flag(Unit):
    """True or false."""

    CODE = "WORD_UNKNOWN"

    def read(self, text: str) -> bool:
        """Return the truth value; only YAML 1.2's two words are taken."""
        if text not in ("true", "false"):
            raise ValueError(f"{shown(text)} is not true or false")
        return text == "true"

    def write(self, value: Stored) -> str:
        """Return the word."""
        return "true" if value else "false"

    def default(self, value: Stored) -> Stored:
        """Return the truth value itself."""
        return value

    def schema(self) -> Schema:
        """Return the type."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Share(Unit):
    """A ratio, `25%` or `0.25`, stored in parts per million."""

    CODE = "NUMBER_INVALID"

    minimum_ppm: int
    maximum_ppm: int
    is_optional: bool = False
    is_factor: bool = False
    """A factor is written as a decimal, `1.15`; any other share as per cent."""

    def read(self, text: str) -> int | None:
        """Return the parts per million, or None for `none` where that is allowed."""
        if self.is_optional and text == "none":
            return None
        ppm = parse_share(text)
        return _bounded(ppm, self.minimum_ppm, self.maximum_ppm, self._spelled)

    def write(self, value: Stored) -> str:
        """Return the share as per cent, a factor as a decimal."""
        if value is None:
            return "none"
        assert isinstance(value, int)
        return self._spelled(value)

    def _spelled(self, value: int, /) -> str:
        return format_decimal(value * 1_000) if self.is_factor else share(value)

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
class Duration(Unit):
    """A span such as `7d`, `12h`, `1h30m` or `90s`, stored in units of so many seconds."""

    CODE = "SPAN_INVALID"

    unit_seconds: int
    minimum: int
    maximum: int

    def read(self, text: str) -> int:
        """Return the number of units; a span that is not a whole number of them is refused."""
        seconds = parse_duration(text)
        units, rest = divmod(seconds, self.unit_seconds)
        if rest:
            raise ValueError(f"{text} is not a whole number of hours")
        return _bounded(units, self.minimum, self.maximum, self.write)

    def write(self, value: Stored) -> str:
        """Return the span in days, hours, minutes and seconds."""
        assert isinstance(value, int)
        return duration(value * self.unit_seconds)

    def schema(self) -> Schema:
        """Return the grammar."""
        return {"type": "string", "pattern": DURATION_PATTERN}


def bounds(stored: Any) -> tuple[int, int]:  # noqa: ANN401 - an annotated int
    """Return the least and the greatest value of a whole number of the stored form."""
    schema = TypeAdapter(stored).json_schema()
    return schema["minimum"], schema["maximum"]


def _number(ppm: int) -> int | float:
    """Return parts per million as the number a JSON Schema states; no value passes through it."""
    return ppm // PPM if ppm % PPM == 0 else ppm / PPM


class _Writer(Protocol):
    def __call__(self, value: int, /) -> str: ...


def _bounded(value: int, minimum: int, maximum: int, write: _Writer) -> int:
    """Return the value; ValueError where it lies outside its bounds."""
    if not minimum <= value <= maximum:
        message = f"{write(value)} is outside {write(minimum)} to {write(maximum)}"
        raise RefusedValueError("VALUE_OUT_OF_RANGE", message)
    return value
