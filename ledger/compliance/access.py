"""Reads as auditors ask for them: accesses one by one, the rest by day, actor and method."""

from typing import Any, Final

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.inquiry import Answer, Inquiry
from ledger.compliance.tables import Cell, Table, table_of
from ledger.events.access import ACCESS_KINDS, AccessRecorded, ReadsCounted
from ledger.events.facts import readable
from ledger.events.notation import counted
from ledger.events.proving import ACCOUNTED_READS
from ledger.events.values import parse_time

_DAY_CHARS: Final = len("2026-07-01")


def accesses_table(source: FactSource, scope: FactFilter) -> Table:
    """Return the exports, replays and mass reads of the period, and what audits and tables read."""
    records = [
        fact.record
        for fact, data in readable(source.facts((AccessRecorded.TYPE,)))
        if scope.has_time(fact) and (not scope.actor or data["actor"] == scope.actor)
    ]
    return table_of(
        "accesses",
        "Exports, audits and mass reads",
        (
            ("position", "integer", "where it is recorded"),
            ("started_at", "time", "when it began, by the server's clock"),
            ("ended_at", "time", "when it ended"),
            ("actor", "text", "who read"),
            ("address", "text", "from which host"),
            ("method", "text", "what was called"),
            ("purpose", "prose", "what for, as stated by the caller"),
            ("export", "text", "which export was read"),
            ("first_position", "integer", "first event that was handed out or replayed"),
            ("last_position", "integer", "the last one"),
            ("events", "integer", "how many, repeats included"),
            ("archive_bytes", "integer", "how much of the export's archive"),
        ),
        records,
        _unmodelled(scope),
        page=(
            ("When", ("started_at", "ended_at")),
            ("Who", ("actor", "address")),
            ("Method", ("method", "export")),
            ("Purpose", ("purpose",)),
            ("Positions", ("first_position", "last_position")),
            ("Events", ("events", "archive_bytes")),
            ("Recorded", ("position",)),
        ),
    )


def reads_table(source: FactSource, scope: FactFilter) -> Table:
    """Return the answered reads of the period by UTC day, actor and method."""
    rows: dict[tuple[str, str, str], list[Any]] = {}
    beyond = unlisted = 0
    for fact, data in readable(source.facts((ReadsCounted.TYPE,))):
        if not scope.has_time(fact):
            continue
        beyond += data["total"] - sum(one["count"] for one in data["reads"])
        unlisted += data["unlisted"]
        for one in data["reads"]:
            if scope.actor and one["actor"] != scope.actor:
                continue
            key = one["first_at"][:_DAY_CHARS], one["actor"], one["method"]
            row = rows.setdefault(key, [0, one["first_at"], one["last_at"]])
            row[0] += one["count"]
            row[1], row[2] = min(row[1], one["first_at"]), max(row[2], one["last_at"])
    notes = [_unmodelled(scope)] if scope.model else []
    if beyond:
        notes.append(f"{beyond} more were by actors beyond the rows that are kept.")
    if unlisted:
        notes.append(f"{unlisted} mass reads beyond those that are kept are not listed.")
    records: list[tuple[Cell, ...]] = [
        (*key, count, parse_time(first), parse_time(last))
        for key, (count, first, last) in sorted(rows.items())
    ]
    return table_of(
        "ordinary_reads",
        "Answered reads by day",
        (
            ("day", "text", "UTC day, by the server's clock"),
            ("actor", "text", "who read"),
            ("method", "text", "what was called"),
            ("count", "integer", "how often it was answered"),
            ("first_at", "time", "first time on that day"),
            ("last_at", "time", "last time"),
        ),
        records,
        " ".join(notes),
    )


def who_read(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """List who read what, and say which of it is recorded."""
    scope = FactFilter(until=inquiry.at)
    accesses, reads = accesses_table(source, scope), reads_table(source, scope)
    answer.say(
        f"Exports, audits and mass reads on record: {len(accesses.rows)}.",
        f"Answered reads are counted in {counted(len(reads.rows), 'row')} by day, actor and "
        "method; what they read is not recorded.",
        "Only calls of a server count: reading its database, a backup, a published folder or a "
        "bundle that was handed on leaves nothing on record.",
    )
    accounts = list(readable(source.facts(ACCOUNTED_READS)))
    if accounts:
        fact, data = accounts[-1]
        kinds = data["accesses_recorded"]
        answer.say(
            f"The newest account of a service (position {fact.position}) says that it "
            f"{'counts' if data['reads_seconds'] else 'does not count'} reads, and records one by "
            f"one: {', '.join(kinds) or 'nothing'}."
        )
        left_out = [kind for kind in ACCESS_KINDS if kind not in kinds]
        if left_out or not data["reads_seconds"]:
            off = [*left_out, *([] if data["reads_seconds"] else ["counts of reads"])]
            answer.missing = f"Switched off in that service: {', '.join(off)}."
    else:
        answer.missing = "No account of a service says whether reads were counted and recorded."
    answer.tables += [accesses, reads]
    answer.how = ["decision-ledger log access", "decision-ledger audit run"]


def _unmodelled(scope: FactFilter) -> str:
    return "Reads are recorded by actor and method, not by model." if scope.model else ""
