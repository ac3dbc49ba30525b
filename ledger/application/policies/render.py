"""A stored policy written out in its human form, so that `parse` gives the same document again."""

import json
from collections.abc import Iterator, Mapping
from re import ASCII
from re import compile as pattern
from typing import Any, Final

from ledger.application.policies.layout import POLICY, Group, Items, Value
from ledger.application.policies.units import NULLS, Name, Prose, Stored
from ledger.events.policy_document import PolicyDocument

# Text that every YAML reader takes for this very text; anything else is put in quotation marks.
_PLAIN: Final = pattern(r"[A-Za-z(](?:[ -~]*[!-~])?", ASCII)
_WORDS: Final = NULLS | {"true", "false", "yes", "no", "on", "off", "y", "n"}
_INDENT: Final = "  "


def to_text(document: PolicyDocument) -> str:
    """Return the policy as YAML with every value stated; `parse` gives an equal document."""
    return "\n".join(_group(POLICY, document.model_dump(mode="json"), "")) + "\n"


def _group(group: Group, stored: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Yield the lines of a mapping, not indented."""
    for entry in group.entries:
        if isinstance(entry, Value):
            yield from _value(entry, stored.get(prefix + entry.stored))
        elif isinstance(entry, Items):
            yield from _items(entry, stored[entry.name])
        elif entry.prefix:
            yield f"{entry.name}:"
            yield from _indented(_group(entry, stored, entry.prefix))
        elif stored[entry.name] is not None:
            yield f"{entry.name}:"
            yield from _indented(_group(entry, stored[entry.name], ""))


def _value(entry: Value, value: Stored) -> Iterator[str]:
    if value is None and entry.is_nullable:
        return
    text = entry.kind.write(value)
    if not isinstance(entry.kind, Prose | Name):
        yield f"{entry.name}: {text}"
    elif entry.is_nullable and text == "none":
        yield f'{entry.name}: "none"'
    elif _can_be_block(text):
        yield f"{entry.name}: {'|' if text.endswith(chr(10)) else '|-'}"
        yield from _indented(iter(text.removesuffix("\n").split("\n")))
    else:
        yield f"{entry.name}: {quoted(text)}"


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


def _items(entry: Items, stored: list[Mapping[str, Any]]) -> Iterator[str]:
    if not stored:
        yield f"{entry.name}: []"
        return
    yield f"{entry.name}:"
    item = Group(entry.name, entry.entries, entry.meaning)
    for values in stored:
        lines = _group(item, values, "")
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
