"""A stored document written out in its human form, so that reading it gives the same one again."""

import json
from collections.abc import Iterator, Mapping
from re import ASCII
from re import compile as pattern
from typing import Any, Final

from ledger.application.documents.authored import (
    Authored,
    entries_of,
    item_unit_of,
    part_of,
    unit_of,
)
from ledger.application.documents.units import NULLS, Share, Stored, Unit

# Text that every YAML reader takes for this very text; anything else is put in quotation marks.
_PLAIN: Final = pattern(r"[A-Za-z(](?:[ -~]*[!-~])?", ASCII)
_WORDS: Final = NULLS | {"true", "false", "yes", "no", "on", "off", "y", "n"}
_INDENT: Final = "  "


def written(model: type[Authored], stored: Mapping[str, Any]) -> str:
    """Return a document as YAML with every value stated, by the model of its form."""
    return "\n".join(_mapping(model, stored)) + "\n"


def _mapping(model: type[Authored], stored: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a mapping, not indented."""
    for name, field in model.model_fields.items():
        unit, part = unit_of(field), part_of(field)
        if unit is not None:
            value = stored.get(field.serialization_alias or name)
            yield from _value(name, unit, value, may_be_null=field.default is None)
            continue
        item = item_unit_of(field)
        if item is not None:
            yield from _values(name, item, stored[name])
            continue
        assert part is not None, "what is no single value or list of them has a model"
        if entries_of(field) is not None:
            yield from _items(name, part, stored[name])
        else:  # the values of `otherwise`, which is never left out, are stored beside it
            inner = stored.get(name, None if field.default is None else stored)
            if inner is not None:
                yield f"{name}:"
                yield from _indented(_mapping(part, inner))


def _value(name: str, unit: Unit, value: Stored, *, may_be_null: bool) -> Iterator[str]:
    if value is None and not (isinstance(unit, Share) and unit.is_optional):
        return
    if isinstance(value, dict):
        yield f"{name}:"
        for key, text in value.items():
            yield from _indented(_value(key, unit, text, may_be_null=False))
        return
    text = unit.write(value)
    if not unit.IS_VERBATIM:
        yield f"{name}: {text}"
    elif may_be_null and text == "none":
        yield f'{name}: "none"'
    elif _can_be_block(text):
        yield f"{name}: {'|' if text.endswith(chr(10)) else '|-'}"
        yield from _indented(iter(text.removesuffix("\n").split("\n")))
    else:
        yield f"{name}: {quoted(text)}"


def _values(name: str, unit: Unit, stored: list[Stored]) -> Iterator[str]:
    if not stored:
        yield f"{name}: []"
        return
    yield f"{name}:"
    for value in stored:
        yield f"{_INDENT}- {quoted(unit.write(value))}"


def _can_be_block(text: str) -> bool:
    """Say whether text of several lines survives as a literal block."""
    lines = text.removesuffix("\n").split("\n")
    return (
        len(lines) > 1
        and all(line.isprintable() for line in lines)
        and bool(lines[0])
        and lines[0][0] != " "
        and bool(lines[-1].strip())
    )


def _items(name: str, part: type[Authored], stored: list[Mapping[str, Any]]) -> Iterator[str]:
    if not stored:
        yield f"{name}: []"
        return
    yield f"{name}:"
    for values in stored:
        lines = _mapping(part, values)
        yield f"{_INDENT}- {next(lines)}"
        yield from _indented(_indented(lines))


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (_INDENT + line for line in lines)


def quoted(text: str) -> str:
    """Return text as a YAML scalar: bare where it cannot be misread, else in double quotes."""
    is_bare = (
        _PLAIN.fullmatch(text) is not None
        and text.lower() not in _WORDS
        and ": " not in text
        and " #" not in text
        and not text.endswith(":")
    )
    if is_bare:
        return text
    return "".join(
        character if character.isprintable() else _escaped(character)
        for character in json.dumps(text, ensure_ascii=False)
    )


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
