"""The content of an event, in one line and in the notation of people.

Stored bodies are canonical JSON with integers and the ledger's own spelling of times; `--json`
prints those.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ledger.events import notation
from ledger.events.values import parse_time

_LINE_CHARS_MAX: Final = 160
_DIGEST: Final = re.compile("[0-9a-f]{64}")
_INTEGER: Final = re.compile(r"-?[0-9]{1,30}", re.ASCII)
_PPM: Final = frozenset({"priority", "raw_priority", "degradation", "coverage"}) | frozenset(
    {"price", "price_before", "next_price"}
)
"""Members in parts per million whose names do not say so."""
_MONEY: Final = frozenset({"balances", "opening"})
"""Members of a budget that hold amounts under plain names."""
_LEFT_OUT: Final = frozenset({"as_of", "kernel", "model", "planner", "procedure"})
"""Fields too long for a line, or named by the event's stream already; digests likewise."""


def line_of(data: object, unit_of_cost: Callable[[], str]) -> str:
    """Return the members that fit in a line; the ledger is asked for its unit if money is there.

    Data of any shape have a line, since those of a later release are not known here.
    """
    members = _members(data, unit_of_cost) if isinstance(data, Mapping) else [_shown(data)]
    line = ", ".join(members)
    return line if len(line) <= _LINE_CHARS_MAX else line[:_LINE_CHARS_MAX] + "…"


def _members(data: Mapping[str, Any], unit_of_cost: Callable[[], str]) -> Iterator[str]:
    if "balances" in data:  # a budget has a unit of its own, which its first event says
        unit_of_cost = lambda: str(data.get("unit") or "")  # noqa: E731
    for name, value in data.items():
        if name in _LEFT_OUT or value is None or value in ("", [], {}):
            continue
        plain, shown = _named(name, value, unit_of_cost)
        if shown:
            yield f"{plain.replace('_', ' ')}: {shown}"


def _named(name: str, value: object, unit_of_cost: Callable[[], str]) -> tuple[str, str]:
    """Return a member's name without the unit of its data, and its value with one."""
    if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        ending = "_micros" if name in _MONEY else ""
        parts = [_named(f"{key}{ending}", item, unit_of_cost) for key, item in value.items()]
        return name, " ".join(f"{plain}={shown}" for plain, shown in parts)
    if _INTEGER.fullmatch(str(value)) is None:
        return name, _shown(value)
    number = int(str(value))
    if name in _PPM:
        return name, notation.percent(number)
    if name.endswith("_ppm"):
        return name.removesuffix("_ppm"), notation.share(number)
    if name.endswith("_micros"):
        return name.removesuffix("_micros"), notation.money(number, unit_of_cost())
    if name.endswith("_seconds"):
        return name.removesuffix("_seconds"), notation.duration(number)
    return name, _shown(value)


def _shown(value: object) -> str:
    """Return a value; empty for what no line has room for, such as a document or a digest."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        is_nested = any(isinstance(item, dict | list) for item in value)
        return str(len(value)) if is_nested else " ".join(_shown(item) for item in value)
    if isinstance(value, dict):
        return ""
    text = str(value)
    if _DIGEST.fullmatch(text):
        return ""
    try:
        return notation.time(parse_time(text))
    except ValueError:
        return text
