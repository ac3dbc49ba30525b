"""The bounds on a new ledger's facts, which stay for as long as the ledger does."""

from collections.abc import Collection

from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events import values
from ledger.limits import LEAP_SECONDS_MAX, LEDGERS_MAX, SKEW_SECONDS_MAX
from ledger.storage.records import CreateLedger


def refuse_impossible(new: CreateLedger, known: Collection[str]) -> None:
    """Raise FIELD_INVALID for the first fact of a new ledger that cannot be.

    `known`: the ledgers that there are; LIMIT_REACHED where these are as many as there may be.
    """
    if not values.ORIGIN.fullmatch(new.origin):
        raise invalid_field(
            "origin", "must be segments of a-z, 0-9, '.', '_' and '-', joined by '/'"
        )
    if new.clock not in {"wall", "data"}:
        raise invalid_field("clock", "must be `wall` or `data`")
    if not 0 <= new.skew_seconds <= SKEW_SECONDS_MAX:
        raise invalid_field("skew_seconds", f"must be from 0 to {SKEW_SECONDS_MAX}")
    if new.unit_of_cost and not values.is_unit_of_cost(new.unit_of_cost):
        raise invalid_field("unit_of_cost", values.UNIT_OF_COST_FORM)
    if not 0 <= new.leap_seconds <= LEAP_SECONDS_MAX:
        raise invalid_field("leap_seconds", f"must be from 0 to {LEAP_SECONDS_MAX}")
    if len(known) >= LEDGERS_MAX and new.origin not in known:
        raise LedgerError(
            Reason.LIMIT_REACHED,
            f"This server holds {len(known)} ledgers, as many as it takes.",
            remedy="Use one of them, or serve another database.",
            metadata={"limit": str(LEDGERS_MAX)},
        )
