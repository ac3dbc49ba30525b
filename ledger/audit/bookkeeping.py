"""What a database keeps beside its events, compared with them: no hash covers these columns.

The service finds observations by an indexed time, answers repeated requests from a table, and goes
on from a stored head. A change of one of them changes what the service does and no event.
"""

import hashlib
from typing import Any, Final, Protocol

from ledger.audit.source import Finding, SourceReport
from ledger.events.canonical import CanonicalError, decode
from ledger.events.signals import SignalObserved
from ledger.events.system import LedgerCreated
from ledger.events.values import format_time

_PAGE: Final = 5_000
_OBSERVED: Final = SignalObserved.TYPE

_TIMES: Final = (
    "SELECT position, type, observed_at, body FROM events WHERE ledger_id = ? AND position > ?"
    " AND position <= ? ORDER BY position LIMIT ?"
)
_REQUESTS: Final = (
    "SELECT actor, method, request_id, digest, first_position, last_position, seal FROM requests"
    " WHERE ledger_id = ? AND (actor, method, request_id) > (?, ?, ?)"
    " ORDER BY actor, method, request_id LIMIT ?"
)
_BODIES: Final = "SELECT body FROM events WHERE ledger_id = ? AND position IN (?, ?)"


class Query(Protocol):
    """Runs one statement and returns all its rows."""

    def __call__(self, sql: str, *parameters: object) -> list[Any]:
        """Return the rows."""
        ...


def examine(
    query: Query, tables: set[str], ledger_id: int, size: int, tree: bytes, found: SourceReport
) -> None:
    """Note what was compared, and what differs."""
    newest = _observed_at(query, ledger_id, size, found)
    if "heads" in tables:
        _head(query, ledger_id, size, (newest, tree), found)
    if "requests" in tables:
        _requests(query, ledger_id, size, found)
    _row(query, ledger_id, found)


def _observed_at(query: Query, ledger_id: int, size: int, found: SourceReport) -> int | None:
    """Compare each event's indexed time with its body; return the newest."""
    rule, after, newest, count = "database.observed_at", 0, None, 0
    while page := query(_TIMES, ledger_id, after, size, _PAGE):
        for position, type_, observed_at, body in page:
            count += 1
            if type_ != _OBSERVED:
                if observed_at is not None:
                    found.findings.append(
                        Finding(rule, position, f"a {type_} is indexed as an observation")
                    )
                continue
            text = _time_text(observed_at)
            if text is None or (body is not None and text not in bytes(body)):
                what = "the indexed time of observation is not the body's"
                found.findings.append(Finding(rule, position, what))
            elif newest is None or observed_at > newest:
                newest = observed_at
        after = page[-1][0]
        if type(after) is not int:
            break  # the pass over the hashes names it
    found.checked[rule] = count
    return newest


def _time_text(observed_at: object) -> bytes | None:
    """Return the member of a body that states this time; None if it is no time."""
    try:
        return f'"observed_at":"{format_time(observed_at)}"'.encode()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _head(
    query: Query, ledger_id: int, size: int, expected: tuple[int | None, bytes], found: SourceReport
) -> None:
    """Compare the stored head, which may have moved on since, with the event that it names.

    `expected` are the newest time of observation and the tree, if it has not moved on.
    """
    rule = "database.head"
    found.checked[rule] = 1
    rows = query(
        "SELECT position, event_hash, recorded_at, newest_observed_at, tree FROM heads"
        " WHERE ledger_id = ?",
        ledger_id,
    )
    if not rows:
        found.findings.append(Finding(rule, 0, "the ledger has no stored head"))
        return
    position, event_hash, recorded_at, newest_observed_at, tree = rows[0]
    if type(position) is not int or position < size:
        what = "the stored head lies before the last event"
        found.findings.append(Finding(rule, size, what, str(size), str(position)))
        return
    at = query(
        "SELECT event_hash, recorded_at FROM events WHERE ledger_id = ? AND position = ?",
        ledger_id,
        position,
    )
    if position and not at:
        what = "the stored head names an event that is not there"
        found.findings.append(Finding(rule, size + 1, what, f"position {position}", "none"))
    elif at and (bytes(at[0][0]), at[0][1]) != (bytes(event_hash), recorded_at):
        what = "the stored head is not the event that it names"
        found.findings.append(Finding(rule, position, what))
    elif position == size and (newest_observed_at, bytes(tree)) != expected:
        what = "the stored head's tree or newest time of observation is not the events'"
        found.findings.append(Finding(rule, position, what))


def _requests(query: Query, ledger_id: int, size: int, found: SourceReport) -> None:
    """Compare every remembered request with its seal and with the events that it names."""
    rule, last, count = "database.requests", ("", "", ""), 0
    while page := query(_REQUESTS, ledger_id, *last, _PAGE):
        for row in page:
            count += 1
            what = _request_fault(query, ledger_id, size, row)
            if what:
                position = row[4] if type(row[4]) is int else 0
                named = f"the row of request id {str(row[2])[:140]!r} {what}"
                found.findings.append(Finding(rule, position, named))
        last = (page[-1][0], page[-1][1], page[-1][2])
    found.checked[rule] = count


def _request_fault(query: Query, ledger_id: int, size: int, row: Any) -> str:  # noqa: ANN401
    """Return what is wrong with a remembered request; empty if nothing is."""
    actor, method, request_id, digest, first, last, seal = row
    try:
        text = f"{ledger_id}\n{actor}\n{method}\n{request_id}\n{first}\n{last}\n"
        if hashlib.sha256(text.encode() + bytes(digest)).digest() != bytes(seal):
            return "was changed"
        if not 1 <= first <= last + 1:
            return "names positions that cannot be"
    except (TypeError, ValueError):
        return "does not have the types of its columns"
    if last > size or first > last:
        return ""  # of an append since, or one that placed nothing
    bodies = query(_BODIES, ledger_id, first, last)
    if len(bodies) < len({first, last}):
        return "names positions where there is nothing"
    for (body,) in bodies:
        if body is not None and _request_of(bytes(body)) != request_id:
            return "names events of another request"
    return ""


def _request_of(body: bytes) -> object:
    try:
        return decode(body)["request_id"]
    except (CanonicalError, KeyError, TypeError):
        return None


def _row(query: Query, ledger_id: int, found: SourceReport) -> None:
    """Compare the ledger's own row with its first events."""
    rule = "database.row"
    found.checked[rule] = 1
    rows = query("SELECT vkey, clock, skew_seconds FROM ledgers WHERE ledger_id = ?", ledger_id)
    vkey, clock, skew_seconds = rows[0]
    firsts = query(
        "SELECT position, type, body FROM events WHERE ledger_id = ? AND position <= 2"
        " AND body IS NOT NULL ORDER BY position",
        ledger_id,
    )
    for position, type_, body in firsts:
        try:
            data = decode(bytes(body))["data"]
            differs = (type_ == LedgerCreated.TYPE and data["vkey"] != vkey) or (
                str(type_).startswith("ledger.configured.")
                and (data["clock"], data["skew_seconds"]) != (clock, skew_seconds)
            )
        except (CanonicalError, KeyError, TypeError):
            continue  # its body is judged elsewhere
        if differs:
            what = "the ledger's row is not what its first events say"
            found.findings.append(Finding(rule, position, what))
