"""The data of the few types that a verifier of bundles reads, held to the format's page.

The page says which members each has, and in which form; data of any other type is only hashed.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from ledger.chain.link import Link
from ledger.events.canonical import decode
from ledger.events.keys import KeyCommitted, KeyRevoked, KeyRotated
from ledger.events.proving import BodyErased, StreamsSealed
from ledger.events.system import (
    LedgerConfigured,
    LedgerConfiguredV2,
    LedgerConfiguredV3,
    LedgerCreated,
)
from ledger.events.values import HASH_HEX, parse_time
from ledger.export.lines import LineError

Data = Mapping[str, Any]


def _is_text(value: object) -> bool:
    return type(value) is str and value != ""


def _is_hash(value: object) -> bool:
    return type(value) is str and HASH_HEX.fullmatch(value) is not None


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_position(value: object) -> bool:
    return type(value) is int and value >= 1


def _is_time(value: object) -> bool:
    try:
        return type(value) is str and parse_time(value) >= 0
    except ValueError:
        return False


def _is_unit(value: object) -> bool:
    return value is None or _is_text(value)


def _are_ranges(value: object) -> bool:
    return (
        type(value) is list
        and value != []
        and all(
            type(one) is list and len(one) == 2 and all(map(_is_position, one)) for one in value
        )
    )


_FORMS: Final[Mapping[str, Mapping[str, Callable[[object], bool]]]] = {
    LedgerCreated.TYPE: {
        "created_at": _is_time,
        "format": _is_text,
        "origin": _is_text,
        "vkey": _is_text,
    },
    LedgerConfigured.TYPE: {"clock": _is_text, "skew_seconds": _is_count},
    LedgerConfiguredV2.TYPE: {
        "clock": _is_text,
        "next_key_digest": _is_hash,
        "skew_seconds": _is_count,
    },
    LedgerConfiguredV3.TYPE: {
        "clock": _is_text,
        "leap_seconds": _is_count,
        "next_key_digest": _is_hash,
        "skew_seconds": _is_count,
        "unit_of_cost": _is_unit,
    },
    KeyCommitted.TYPE: {"next_key_digest": _is_hash},
    KeyRotated.TYPE: {
        "from_position": _is_position,
        "previous_until_position": _is_position,
        "vkey": _is_text,
    },
    KeyRevoked.TYPE: {"from_position": _is_position, "reason": _is_text, "vkey": _is_text},
    StreamsSealed.TYPE: {"as_of": _is_position, "root": _is_hash, "streams": _is_position},
    BodyErased.TYPE: {"authority": _is_text, "ground": _is_text, "positions": _are_ranges},
}


def read_data(link: Link) -> Data | None:
    """Return the data of an event of such a type; None if it is of another, or has no body.

    LineError says what is not in the form of the page.
    """
    forms = _FORMS.get(link.type)
    if forms is None or link.body is None:
        return None
    if link.stream != "ledger":
        raise LineError(f"{link.type} belongs in the stream ledger, not in {link.stream}")
    data: dict[str, Any] = decode(link.body)["data"]
    if data.keys() != forms.keys():
        members = ", ".join(sorted(forms))
        raise LineError(f"the data of {link.type} does not have exactly the keys {members}")
    for name, has_form in forms.items():
        if not has_form(data[name]):
            raise LineError(f"the data of {link.type} does not have the form of {name}")
    return data
