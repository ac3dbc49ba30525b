"""What never changes about a ledger, read from its row and from the event that configured it."""

from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Select, and_, select

from ledger.events.canonical import CanonicalError, decode
from ledger.events.system import LedgerConfiguredV3
from ledger.events.values import ORIGIN
from ledger.limits import LEAP_SECONDS_DEFAULT
from ledger.storage.database import damaged
from ledger.storage.records import LedgerInfo
from ledger.storage.schema import events, ledgers

_CLOCKS: Final = frozenset({"wall", "data"})

INFO: Final[Select[Any]] = select(
    ledgers.c.ledger_id,
    ledgers.c.origin,
    ledgers.c.clock,
    ledgers.c.skew_seconds,
    ledgers.c.vkey,
    events.c.body,
).select_from(
    ledgers.outerjoin(
        events,
        and_(
            events.c.ledger_id == ledgers.c.ledger_id,
            events.c.position == 2,
            events.c.type == LedgerConfiguredV3.TYPE,
        ),
    )
)
"""Ledgers, each with the body of its configuration where that says more than the row."""


def info_of(row: Any) -> LedgerInfo:  # noqa: ANN401 - a row of INFO
    """Return the ledger that a row of INFO describes.

    A body that cannot be read adds nothing: to find it damaged is for verification. CHAIN_BROKEN
    where the row itself is none that this product writes.
    """
    *fields, body = row
    info = LedgerInfo(*fields)
    texts, numbers = (info.origin, info.clock, info.vkey), (info.ledger_id, info.skew_seconds)
    is_typed = {type(text) for text in texts} == {str} and {type(one) for one in numbers} == {int}
    if not is_typed or not ORIGIN.fullmatch(info.origin) or info.clock not in _CLOCKS:
        raise damaged("the row of a ledger cannot be read")
    if body is None and info.clock == "data":  # of an earlier release, which had no such bound
        return replace(info, leap_seconds=LEAP_SECONDS_DEFAULT)
    try:
        data = {} if body is None else decode(bytes(body))["data"]
        unit, leap = data.get("unit_of_cost") or "", data.get("leap_seconds", 0)
    except (CanonicalError, AttributeError, KeyError, TypeError):
        return info
    if type(unit) is not str or type(leap) is not int:
        return info
    return replace(info, unit_of_cost=unit, leap_seconds=leap)
