"""Details of a row of observations, as people and programs write them, read strictly."""

import json
from decimal import Decimal
from typing import Any, Final

from ledger.client.observation_details import KEYS, ObservationDetail
from ledger.operations.failures import MisuseError

_YES: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def detail_of(fields: dict[str, Any], place: str) -> ObservationDetail | None:
    """Return the details that a row states; None for none, MisuseError for bad ones."""
    stated = {key: value for key in KEYS if (value := fields.get(key)) is not None and value != ""}
    if not stated:
        return None
    for name in ("report_uri", "report_sha256"):
        if not isinstance(stated.get(name, ""), str):
            raise MisuseError(f"{place}: {name} is not text.")
    return ObservationDetail(
        _position(stated.get("corrects", 0), place),
        _flag(stated.get("estimated", False), place),
        _number(stated["raw"], f"{place}: raw") if "raw" in stated else None,
        _indicators(stated.get("indicators", {}), place),
        stated.get("report_uri", ""),
        stated.get("report_sha256", ""),
    )


def _position(value: object, place: str) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) < 16):
        raise MisuseError(
            f"{place}: corrects {text[:40]!r} is not a position.",
            "Write where the observation is: `log tail` and the answer of its submission say it.",
        )
    return int(text)


def _flag(value: object, place: str) -> bool:
    found = value if isinstance(value, bool) else _YES.get(str(value).strip().lower())
    if found is None:
        raise MisuseError(f"{place}: estimated {str(value)[:40]!r} is neither true nor false.")
    return found


def _number(value: object, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise MisuseError(f"{name} is not a number.", "Write a decimal such as 0.412.")
    return str(value).strip()


def _indicators(value: object, place: str) -> dict[str, str]:
    """Return indicators by name; a cell of CSV holds them as a JSON object."""
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_float=Decimal)
        except ValueError:
            value = None
    if not isinstance(value, dict):
        raise MisuseError(
            f"{place}: indicators is no JSON object.", 'Write {"accuracy": 0.93} as its value.'
        )
    return {str(name): _number(one, f"{place}: {name}") for name, one in value.items()}
