"""Auditors are told who read what, and which reads were not recorded.

Method: facts made by hand, of two days and two servers, as tables and as the answer `who-read`.
"""

from typing import Any

import pytest

from ledger.compliance.access import accesses_table, reads_table
from ledger.compliance.facts import FactFilter
from ledger.compliance.inquiry import Answer, Inquiry
from ledger.compliance.questions import answer as answer_to
from ledger.compliance.tables import as_records
from ledger.events.access import ACCESS_KINDS
from ledger.events.facts import Fact
from ledger.events.values import parse_time
from tests.support.facts import FactList

HOUR = 3_600_000_000
START = parse_time("2026-01-01T00:00:00.000000Z")


def fact(position: int, type_: str, data: dict[str, Any] | None) -> Fact:
    """Return an event of the ledger's own stream, an hour after the one before it."""
    return Fact(position, "ledger", type_, START + position * HOUR, "system/access", data)


def count(position: int, *rows: tuple[str, str, int], beyond: int = 0, unlisted: int = 0) -> Fact:
    """Return counts of reads; a row is day and hour, actor, how many."""
    reads = [
        {
            "actor": actor,
            "method": "GetModel",
            "count": number,
            "first_at": f"2026-01-{at}:00:00.000000Z",
            "last_at": f"2026-01-{at}:30:00.000000Z",
        }
        for at, actor, number in rows
    ]
    total = sum(row[2] for row in rows) + beyond
    data = {"since": "", "until": "", "total": total, "reads": reads, "unlisted": unlisted}
    return fact(position, "reads.counted.v1", data)


def access(position: int, actor: str) -> Fact:
    """Return an access."""
    at = "2026-01-02T03:04:05.000000Z"
    data = {
        "access": f"a{position}", "actor": actor, "method": "ListEvents", "address": "192.0.2.7",
        "purpose": "audit", "export": None, "first_position": 1, "last_position": 9, "events": 9,
        "archive_bytes": 0, "started_at": at, "ended_at": at,
    }  # fmt: skip
    return fact(position, "access.recorded.v1", data)


def account(position: int, kinds: tuple[str, ...], seconds: int) -> Fact:
    """Return what the account of a service says of reads."""
    data = {"reads_seconds": seconds, "accesses_recorded": list(kinds)}
    return fact(position, "service.accounted.v2", data)


FACTS = FactList(
    "ledger.example/reads",
    (
        count(3, ("01T10", "users/ann", 2), ("01T10", "users/bob", 1)),
        count(4, ("01T12", "users/ann", 3), ("02T00", "users/ann", 4), beyond=7, unlisted=2),
        access(5, "users/ann"),
        access(6, "users/bob"),
        fact(7, "access.recorded.v1", None),
        account(8, ACCESS_KINDS, 3_600),
    ),
)


def test_reads_of_an_actor_on_a_day_are_one_row_however_often_they_were_recorded() -> None:
    table = reads_table(FACTS, FactFilter())
    assert [(row["day"], row["actor"], row["count"]) for row in as_records(table)] == [
        ("2026-01-01", "users/ann", 5),
        ("2026-01-01", "users/bob", 1),
        ("2026-01-02", "users/ann", 4),
    ]
    first = as_records(table)[0]
    assert (first["first_at"], first["last_at"]) == (
        "2026-01-01T10:00:00.000000Z",
        "2026-01-01T12:30:00.000000Z",
    )
    assert "7 more were by actors beyond the rows" in table.note
    assert "2 mass reads beyond those that are kept are not listed" in table.note


def test_a_scope_is_of_an_actor_and_of_the_time_of_recording_and_says_that_no_model_is() -> None:
    until = FactFilter(actor="users/ann", until=START + 4 * HOUR)
    assert [row["count"] for row in as_records(reads_table(FACTS, until))] == [2]
    since = FactFilter(actor="users/bob", since=START + 6 * HOUR)
    assert [row["position"] for row in as_records(accesses_table(FACTS, since))] == [6]
    for table in (reads_table, accesses_table):
        assert "not by model" in table(FACTS, FactFilter(model="fares")).note


def asked(*accounts: Fact) -> Answer:
    """Ask who read what, of a ledger with these accounts."""
    items = (*FACTS.items[:-1], *accounts)
    return answer_to("who-read", FactList(FACTS.origin, items), Inquiry())


def test_the_answer_is_whole_where_the_newest_account_says_that_all_is_recorded() -> None:
    given = asked(account(8, ("exports",), 0), account(9, ACCESS_KINDS, 3_600))
    assert (given.state, len(given.tables)) == ("answered", 2)
    assert "Exports, audits and mass reads on record: 2." in given.said
    assert any("(position 9) says that it counts reads" in one for one in given.said)


@pytest.mark.parametrize(
    ("accounts", "missing"),
    [
        ((), "No account of a service says whether reads were counted and recorded."),
        (
            (account(8, ("exports", "purposes"), 0),),
            "Switched off in that service: events, replays, counts of reads.",
        ),
        ((account(8, ACCESS_KINDS, 0),), "Switched off in that service: counts of reads."),
        ((account(8, (), 60),), f"Switched off in that service: {', '.join(ACCESS_KINDS)}."),
    ],
)
def test_the_answer_says_what_is_not_recorded(accounts: tuple[Fact, ...], missing: str) -> None:
    given = asked(*accounts)
    assert (given.state, given.missing) == ("partly", missing)
