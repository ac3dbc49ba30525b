"""Policies of format policy/2, made of the text of any policy."""

import json
from collections.abc import Sequence
from typing import Any

from tests.support.explained import explained


def governed(text: str, tiers: Sequence[dict[str, Any]] | None = None, **part: object) -> str:
    """Return a policy's text under format policy/2, with this governance."""
    document = explained(json.loads(text))
    on_call = {"name": "on-call", "route": "phone", "acknowledge": "4h"}
    first = {"name": "ds", "route": "mail", "acknowledge": "24h", "next": "on-call"}
    chosen = [first, on_call] if tiers is None else list(tiers)
    return json.dumps(document | {"governance": part, "tiers": chosen})
