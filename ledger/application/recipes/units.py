"""The units that recipes alone have: money, memory, digests, images and names of variables."""

import re
from dataclasses import dataclass
from typing import Final

from ledger.application.documents.units import RefusedValueError, Schema, Stored, Unit
from ledger.events.notation import money, parse_money, shown
from ledger.events.values import UNIT_OF_COST_FORM, is_unit_of_cost

_MIB: Final = {"MiB": 1, "GiB": 1_024, "TiB": 1_024 * 1_024}
_MEMORY: Final = re.compile(r"([0-9]{1,12}) ?(MiB|GiB|TiB)", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_IMAGE: Final = re.compile(r"[!-?A-~]{1,440}@sha256:[0-9a-f]{64}", re.ASCII)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Money(Unit):
    """An amount such as `12.50`, stored in millionths."""

    CODE = "NUMBER_INVALID"

    def read(self, text: str) -> str:
        """Return the millionths, as the decimal text that is stored."""
        return str(parse_money(text))

    def write(self, value: Stored) -> str:
        """Return the amount with at least two places."""
        return money(int(str(value)))

    def _read_node(self, node: object) -> Stored:
        """Return the amount; code states it as it is stored."""
        return node if isinstance(node, str) else Unit._read_node(self, node)  # noqa: SLF001

    def schema(self) -> Schema:
        """Return number and decimal text as alternatives."""
        pattern = r"^[0-9]{1,16}(\.[0-9]{1,6})?$"
        return {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": pattern}]}


@dataclass(frozen=True, slots=True)
class CostUnit(Unit):
    """A currency, or another unit of cost."""

    CODE = "NAME_INVALID"

    def read(self, text: str) -> str:
        """Return the unit."""
        if not is_unit_of_cost(text):
            raise ValueError(f"{shown(text)} is not a unit of cost: {UNIT_OF_COST_FORM}")
        return text

    def schema(self) -> Schema:
        """Return the grammar."""
        return {"type": "string", "pattern": "^[A-Za-z]([A-Za-z0-9 ./-]{0,14}[A-Za-z0-9])?$"}


@dataclass(frozen=True, slots=True)
class Memory(Unit):
    """An amount of memory such as `512 MiB` or `8 GiB`, stored in MiB."""

    CODE = "NUMBER_INVALID"

    minimum: int
    maximum: int

    def read(self, text: str) -> int:
        """Return the MiB."""
        found = _MEMORY.fullmatch(text)
        if found is None:
            raise ValueError(f"{shown(text)} is not an amount of memory such as 512 MiB or 8 GiB")
        mib = int(found[1]) * _MIB[found[2]]
        if not self.minimum <= mib <= self.maximum:
            bounds = f"{self.write(self.minimum)} to {self.write(self.maximum)}"
            raise RefusedValueError("VALUE_OUT_OF_RANGE", f"{text} is outside {bounds}")
        return mib

    def write(self, value: Stored) -> str:
        """Return the amount in the largest unit that holds it exactly."""
        mib = int(str(value))
        for name, size in reversed(_MIB.items()):
            if mib % size == 0:
                return f"{mib // size} {name}"
        raise AssertionError("every amount is a whole number of MiB")

    def schema(self) -> Schema:
        """Return the grammar."""
        return {"type": "string", "pattern": "^[0-9]{1,12} ?(MiB|GiB|TiB)$"}


@dataclass(frozen=True, slots=True)
class Digest(Unit):
    """A SHA-256 in hexadecimal digits."""

    CODE = "NAME_INVALID"

    def read(self, text: str) -> str:
        """Return the digest."""
        if _DIGEST.fullmatch(text) is None:
            raise ValueError(f"{shown(text)} is not a SHA-256: 64 of 0-9 and a-f")
        return text

    def schema(self) -> Schema:
        """Return the grammar."""
        return {"type": "string", "pattern": "^[0-9a-f]{64}$"}


@dataclass(frozen=True, slots=True)
class ImageName(Unit):
    """A container image by its digest."""

    CODE = "NAME_INVALID"

    def read(self, text: str) -> str:
        """Return the name; a tag alone may mean another image tomorrow."""
        if _IMAGE.fullmatch(text) is None:
            raise ValueError(f"{shown(text)} does not end with @sha256: and 64 of 0-9 and a-f")
        return text

    def schema(self) -> Schema:
        """Return the grammar."""
        return {"type": "string", "pattern": "^[!-?A-~]{1,440}@sha256:[0-9a-f]{64}$"}


@dataclass(frozen=True, slots=True)
class VariableName(Unit):
    """The name of a variable of the environment."""

    CODE = "NAME_INVALID"

    def read(self, text: str) -> str:
        """Return the name."""
        if _VARIABLE.fullmatch(text) is None:
            raise ValueError(f"{shown(text)} is not the name of a variable, such as MODEL_STORE")
        return text

    def schema(self) -> Schema:
        """Return the grammar."""
        return {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$"}
