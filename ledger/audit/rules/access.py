"""Rules about what reads leave behind: counts that add up, and accesses that can have been."""

from itertools import pairwise
from typing import Any, Final

from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Verdict, rule
from ledger.events.access import AccessRecorded, ReadsCounted

_RECORDER: Final = "system/access"
_DAY_CHARS: Final = len("2026-07-01")


@rule("reads", ReadsCounted.TYPE)
def reads(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """Every count of reads is the service's own and adds up, each row on one day of its span."""
    data = event.known
    if event.actor != _RECORDER:
        return f"{event.actor} cannot count reads"
    if data["since"] > data["until"]:
        return "it ends before it begins"
    for one in data["reads"]:
        is_ordered = data["since"] <= one["first_at"] <= one["last_at"] <= data["until"]
        if one["count"] < 1 or not is_ordered or _day(one["first_at"]) != _day(one["last_at"]):
            return f"its row of {one['actor']} cannot be"
    if any(_place(before) >= _place(after) for before, after in pairwise(data["reads"])):
        return "its rows are not in order"
    listed = sum(one["count"] for one in data["reads"])
    is_cut = len(data["reads"]) == 1_000
    if data["total"] < listed or (data["total"] != listed and not is_cut):
        return f"its total is {data['total']}, and its rows add up to {listed}"
    return None


@rule("accesses", AccessRecorded.TYPE)
def accesses(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """Every access is the service's own, was over when it was recorded, and is of what was there.

    It is of an export, of events or of a replay, and agrees with itself.
    """
    data = event.known
    if event.actor != _RECORDER:
        return f"{event.actor} cannot record who read"
    first, last = data["first_position"], data["last_position"]
    if data["started_at"] > data["ended_at"]:
        return "it ends before it begins"
    if not (first == last == 0 or 1 <= first <= last < event.position):
        return f"it is of positions {first} to {last}"
    if data["export"] is None and data["archive_bytes"]:
        return "it hands out an archive, and names no export"
    if data["export"] is not None and (data["events"] or last):
        return "it is of an export, and of events besides"
    if data["events"] and not last:
        return f"it hands out {data['events']} events, and says none of their positions"
    return None


def _day(time: str) -> str:
    return time[:_DAY_CHARS]


def _place(row: dict[str, Any]) -> tuple[str, str, str]:
    return _day(row["first_at"]), row["actor"], row["method"]
