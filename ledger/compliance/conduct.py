"""How the ledger itself was treated: refused requests, keys, seals, exports, erasures, audits."""

from collections.abc import Callable
from typing import Any, Final

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.tables import Table, table_of
from ledger.events.keys import KeyCommitted, KeyRevoked, KeyRotated
from ledger.events.proving import (
    AUDITED,
    REFUSED,
    BodyErased,
    ExportIssued,
    StreamsSealed,
)


def refusals_table(source: FactSource, scope: FactFilter) -> Table:
    """Return what was refused in the period, counted by caller, host, method and reason."""
    records: list[dict[str, Any]] = []
    beyond = 0
    for fact in source.facts(REFUSED):
        data = fact.data
        if data is None or not scope.has_time(fact):
            continue
        listed = 0
        for row in data["refusals"]:
            listed += row["count"]
            if not scope.actor or row["actor"] == scope.actor:
                records.append(fact.record | {"address": None} | row)
        beyond += data["total"] - listed
    notes = ["Refusals are counted by caller and method, not by model."] if scope.model else []
    if beyond:
        notes.append(f"{beyond} more were refused by callers beyond the rows that are kept.")
    return table_of(
        "refused_requests",
        "Refused requests",
        (
            ("position", "integer", "where the count is recorded"),
            ("since", "time", "begin of the counted span, by the server's clock"),
            ("until", "time", "its end"),
            ("actor", "text", "who asked: as let in, else as stated; `unknown` for neither"),
            ("address", "text", "from which host; not on record by earlier releases"),
            ("method", "text", "what was called"),
            ("reason", "text", "why it was refused"),
            ("count", "integer", "how often"),
            ("first_at", "time", "first time in the span"),
            ("last_at", "time", "last time in it"),
        ),
        records,
        " ".join(notes),
        page=(
            ("Reason", ("reason",)),
            ("Method", ("method",)),
            ("Caller", ("actor", "address")),
            ("Count", ("count",)),
            ("First and last", ("first_at", "last_at")),
            ("Recorded", ("since", "until", "position")),
        ),
    )


def _rotated(data: dict[str, Any]) -> str:
    return (
        f"{data['vkey']} signs from size {data['from_position']}; the key before it up to size "
        f"{data['previous_until_position']}"
    )


def _erased(data: dict[str, Any]) -> str:
    spans = ", ".join(
        str(first) if first == last else f"{first}-{last}" for first, last in data["positions"]
    )
    return f"bodies at {spans}; ground: {data['ground']}; authority: {data['authority']}"


def _audited(data: dict[str, Any]) -> str:
    failed = [check["rule"] for check in data["checks"] if check["failed"]]
    return (
        f"{data['program']} on a {data['source']}, size {data['size']}: "
        f"{'passed' if data['passed'] else 'failed ' + ', '.join(failed)}"
    )


def _exported(data: dict[str, Any]) -> str:
    of = data["stream"] or f"positions {data['first_position']} to {data['last_position']}"
    withheld = f", {data['withheld']} bodies withheld" if data["withheld"] else ""
    purpose = f"; purpose: {data['purpose']}" if data["purpose"] else ""
    return f"{data['kind']} bundle of {of}: {data['events']} events{withheld}{purpose}"


CONDUCT: Final[dict[str, tuple[str, Callable[[dict[str, Any]], str]]]] = {
    KeyRotated.TYPE: ("key rotated", _rotated),
    KeyCommitted.TYPE: (
        "next key committed",
        lambda data: f"SHA-256 of the next key: {data['next_key_digest']}",
    ),
    KeyRevoked.TYPE: (
        "key revoked",
        lambda data: f"{data['vkey']} from size {data['from_position']}: {data['reason']}",
    ),
    StreamsSealed.TYPE: (
        "streams sealed",
        lambda data: f"{data['streams']} streams as of position {data['as_of']}",
    ),
    BodyErased.TYPE: ("bodies erased", _erased),
    **dict.fromkeys(AUDITED, ("audit completed", _audited)),
    ExportIssued.TYPE: ("export issued", _exported),
}


def conduct_table(source: FactSource, scope: FactFilter) -> Table:
    """Return what was done to the ledger itself in the period, and by whom."""
    records = (
        fact.record | {"what": what, "details": "" if fact.data is None else details(fact.data)}
        for fact in source.facts(tuple(CONDUCT))
        if scope.takes(fact)
        for what, details in (CONDUCT[fact.type],)
    )
    return table_of(
        "ledger_conduct",
        "Keys, seals, erasures, exports and audits",
        (
            ("position", "integer", "where it is recorded"),
            ("recorded_at", "time", "when, by the ledger's clock"),
            ("what", "text", "what was done"),
            ("details", "prose", "the particulars"),
            ("actor", "text", "who did it"),
        ),
        records,
        page=(
            ("Recorded", ("recorded_at", "position")),
            ("What", ("what",)),
            ("Details", ("details",)),
            ("By", ("actor",)),
        ),
    )


def conduct_of(source: FactSource, what: str, name: str, title: str) -> Table:
    """Return the rows of one kind of conduct, over all time, as a table of their own."""
    whole = conduct_table(source, FactFilter())
    at = [column.name for column in whole.columns].index("what")
    return Table(name, title, whole.columns, tuple(row for row in whole.rows if row[at] == what))
