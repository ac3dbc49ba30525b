"""How records show hashes: in hexadecimal, as every other output of the ledger does."""

from dataclasses import fields
from typing import Final, TypeVar

T = TypeVar("T")

_HASH_BYTES_MAX: Final = 64  # a longer value is no hash or salt, but content


def hex_repr(cls: type[T]) -> type[T]:
    """Let the `repr` of a dataclass show its hashes in hexadecimal."""
    cls.__repr__ = _repr  # type: ignore[method-assign]
    return cls


def _repr(record: object) -> str:
    """Return what a dataclass shows, with hashes in hexadecimal."""
    shown = ", ".join(
        f"{field.name}={_shown(getattr(record, field.name))}"
        for field in fields(record)  # type: ignore[arg-type]
        if field.repr
    )
    return f"{type(record).__qualname__}({shown})"


def _shown(value: object) -> str:
    if isinstance(value, bytes) and len(value) <= _HASH_BYTES_MAX:
        return value.hex()
    if isinstance(value, tuple) and all(isinstance(one, bytes) for one in value):
        return f"({', '.join(_shown(one) for one in value)})"
    return repr(value)
