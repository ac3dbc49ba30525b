"""Canonical JSON: the one spelling of a value that is hashed, stored and exported.

RFC 8785 (JCS) over the ledger format's domain: valid Unicode text, integers within ±(2^53 − 1),
booleans, null, arrays, objects with ASCII keys. Floats are not in it. orjson does the work; over
this domain its sorted output is JCS byte for byte (the tests hold it to a plain encoder written
from the RFC), and what lies outside the domain is refused before it gets there.
"""

import re
from typing import Any, Final

import orjson

from ledger.events.values import INTEGER_MAX

DEPTH_MAX: Final = 64  # nesting beyond this is no event of ours, and deep recursion is an attack

_SPECIAL: Final = re.compile(r'[\x00-\x1f"\\\ud800-\udfff]')


class CanonicalError(ValueError):
    """A value or bytes outside the canonical domain; the text says which part and why."""


def encode(value: object) -> bytes:
    """Return the canonical bytes of a value; CanonicalError if any part is outside the domain."""
    _check(value, "$", DEPTH_MAX)
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:  # the walk leaves this to the encoder, which reads all text anyway
        raise CanonicalError("text holds a lone surrogate, which is not valid Unicode") from error


def decode(data: bytes) -> Any:  # noqa: ANN401 - the JSON edge: models narrow it
    """Return the value of canonical bytes; CanonicalError unless `encode(decode(data)) == data`.

    So duplicate keys, floats, white space, needless escapes and unsorted keys are all refused.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise CanonicalError(f"not JSON: {error}") from error
    canonical = encode(value)
    if canonical != data:
        at = _first_difference(canonical, data)
        raise CanonicalError(
            f"not canonical from byte {at} on: keys must be sorted and unique, no white space, "
            "every character and number in its shortest form"
        )
    return value


def escape(text: str) -> str:
    """Return text as it is between the quotation marks of a canonical string.

    For templates on hot paths: `f'"{escape(text)}"'` are the characters of `encode(text)`.
    """
    if _SPECIAL.search(text) is None:
        return text
    return encode(text)[1:-1].decode()


def _check(value: object, path: str, depth: int) -> None:
    """Refuse the first part of value that is outside the domain, naming its path."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return
    if kind is int:
        if not -INTEGER_MAX <= value <= INTEGER_MAX:  # type: ignore[operator]
            raise CanonicalError(
                f"{path[:200]}: integer beyond 2^53 − 1; write it as a decimal string"
            )
        return
    if depth == 0:
        raise CanonicalError(f"{path[:200]}: nested more than {DEPTH_MAX} deep")
    if isinstance(value, dict) and kind is dict:
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                raise CanonicalError(f"{path[:200]}: key {str(key)[:40]!r} is not ASCII text")
            # Leaves are most of a body; a call for each would double the cost of encoding.
            if type(item) is not str:
                _check(item, f"{path}.{key[:80]}", depth - 1)
        return
    if isinstance(value, list | tuple) and kind in (list, tuple):
        for index, item in enumerate(value):
            if type(item) is not str:
                _check(item, f"{path}[{index}]", depth - 1)
        return
    hint = "; write it as a decimal string" if kind is float else ""
    raise CanonicalError(f"{path[:200]}: {kind.__name__} is outside canonical JSON{hint}")


def _first_difference(left: bytes, right: bytes) -> int:
    """Return the index of the first byte in which two different byte strings differ."""
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return index
    return min(len(left), len(right))
