"""JSON Schema of the human form of a policy, for editors and other tools.

`policy_schema.json` is its committed text; `python -m tools.catalog` writes it. The schema cannot
say what only the whole shows (names used twice, windows that are no whole number of buckets,
expressions): `decision-ledger policy lint` can.
"""

import json
from typing import Any, Final

from ledger.application.policies.layout import POLICY, Entry, Group, Items, Value

SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_text() -> str:
    """Return the text of `policy_schema.json`."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def json_schema() -> dict[str, Any]:
    """Return the schema of a policy as a YAML or JSON reader delivers it."""
    described = {
        "$schema": SCHEMA_DIALECT,
        "title": "Retraining policy, format policy/1",
        "description": POLICY.meaning,
    }
    return described | _mapping(POLICY.entries)


def _mapping(entries: tuple[Entry, ...]) -> dict[str, Any]:
    required = [entry.name for entry in entries if _is_required(entry)]
    schema: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {entry.name: _entry(entry) for entry in entries},
    }
    return schema | ({"required": required} if required else {})


def _is_required(entry: Entry) -> bool:
    if isinstance(entry, Value):
        return entry.default is None and not entry.is_nullable
    if isinstance(entry, Items):
        return entry.minimum > 0
    return not entry.is_nullable and any(_is_required(each) for each in entry.entries)


def _entry(entry: Entry) -> dict[str, Any]:
    described: dict[str, Any] = {"description": entry.meaning}
    if isinstance(entry, Value):
        if entry.default is not None:
            described["default"] = entry.default
        return described | _or_null(entry.kind.schema(), is_open=not _is_required(entry))
    if isinstance(entry, Items):
        items = {
            "type": "array",
            "items": _mapping(entry.entries),
            "minItems": entry.minimum,
            "maxItems": entry.maximum,
        }
        return described | _or_null(items, is_open=entry.minimum == 0)
    return described | _group(entry)


def _group(group: Group) -> dict[str, Any]:
    return _or_null(_mapping(group.entries), is_open=not _is_required(group))


def _or_null(schema: dict[str, Any], *, is_open: bool) -> dict[str, Any]:
    """Allow null where leaving the value out is allowed: both mean the same."""
    return {"anyOf": [schema, {"type": "null"}]} if is_open else schema
