"""Tables and answers say which callers were believed, and up to where.

Method: a few facts made by hand, of a ledger that gets its first administrator late and lets in a
caller without a credential; all of them, a period, and a part.
"""

import pytest

from ledger.authority.believed import UNSHOWN
from ledger.compliance.callers import callers_in_words
from ledger.compliance.facts import FactFilter
from ledger.compliance.inquiry import Inquiry
from ledger.compliance.questions import answer as answer_to
from ledger.compliance.report import TABLES
from ledger.compliance.tables import as_records
from ledger.events.facts import Fact
from ledger.events.values import SECOND
from tests.support.facts import FactList

ANA, MONITOR = "users/ana", "services/monitor-7"
BELIEVED = (
    "Callers of events up to position {} were believed, not authenticated: "
    "no administrator was named before."
)
WITHOUT = (
    "From position 7 on, some callers were believed without a credential, by "
    "`authentication.development`."
)


def used(position: int, actor: str, method: str) -> Fact:
    data: dict[str, object] = {"actor": actor, "method": method, "subject": "dns:m"}
    data["address"] = "192.0.2.7"
    return fact(position, "credential.used.v1", "system/credentials", data)


def fact(position: int, type_: str, actor: str, data: dict[str, object] | None = None) -> Fact:
    return Fact(position, "any", type_, position * SECOND, actor, data or {})


FACTS = (
    fact(1, "thing.done.v1", ANA),
    fact(2, "thing.done.v1", ANA),
    fact(3, "thing.done.v1", MONITOR),
    fact(4, "administrator.named.v1", "system/operator"),
    used(5, MONITOR, "certificate"),
    fact(6, "thing.done.v1", MONITOR),
    used(7, ANA, "development"),
    fact(8, "thing.done.v1", ANA),
)


def said(count: int, *, since: int | None = None) -> list[str]:
    return callers_in_words(FactList("o", FACTS[:count]), FactFilter(since=since))


def test_callers_before_the_first_administrator_are_said_to_be_believed() -> None:
    assert said(3) == [BELIEVED.format(3)]
    assert said(6) == [BELIEVED.format(3)]


def test_callers_without_a_credential_are_said_to_be_believed() -> None:
    assert said(8) == [BELIEVED.format(3), WITHOUT]


def test_a_period_after_the_first_administrator_holds_no_caller_of_before() -> None:
    assert said(8, since=3 * SECOND) == [BELIEVED.format(3), WITHOUT]
    assert said(8, since=4 * SECOND) == [WITHOUT]


def test_a_part_of_a_ledger_shows_nothing_of_it_and_says_so() -> None:
    part = FactList("o", FACTS[3:], is_whole=False)
    assert callers_in_words(part, FactFilter()) == [UNSHOWN]
    table = TABLES["believed_callers"](part, FactFilter())
    assert (table.rows, table.note) == ((), UNSHOWN)


def test_a_use_of_a_credential_without_a_body_is_said_not_to_be_shown() -> None:
    gone = FactList("o", (*FACTS[:6], FACTS[6]._replace(data=None)))
    (_, last) = callers_in_words(gone, FactFilter())
    assert last == "By which credentials callers were let in is not shown of 1 use: without body."


def test_the_table_has_the_span_of_each() -> None:
    rows = as_records(TABLES["believed_callers"](FactList("o", FACTS), FactFilter()))
    assert [(row["first_position"], row["last_position"], row["callers"]) for row in rows] == [
        (1, 3, BELIEVED.format(3)),
        (7, 8, WITHOUT),
    ]


@pytest.mark.parametrize("question", ["audits", "authorship", "who-read", "clocks"])
def test_each_answer_says_it(question: str) -> None:
    source = FactList("o", FACTS)
    given = answer_to(question, source, Inquiry(model="m", at=8 * SECOND))
    assert given.callers == [BELIEVED.format(3), WITHOUT]


@pytest.mark.parametrize(
    ("position", "how"),
    [
        (3, ""),
        (6, " Its author's last credential on record before: certificate dns:m from 192.0.2.7"),
        (8, " Its author's last credential on record before: none was asked of it, by"),
    ],
)
def test_the_author_of_an_event_is_named_with_the_credential_that_was_shown(
    position: int, how: str
) -> None:
    given = answer_to("authorship", FactList("o", FACTS), Inquiry(position=position))
    assert f"Valid at that size: no key.{how}" in given.said[-1]
    assert ("credential on record before" in given.said[-1]) == bool(how)


def test_authorship_is_answered_in_part_where_some_callers_were_believed() -> None:
    known = FactList("o", (FACTS[0], FACTS[1], FACTS[3]._replace(position=3)))
    assert answer_to("authorship", known, Inquiry()).state == "answered"
    given = answer_to("authorship", FactList("o", FACTS), Inquiry())
    assert given.state == "partly"
    assert given.missing == "Callers that were believed are not proven to be whom they name."
