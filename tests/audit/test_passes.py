"""Hashes and rules judge the same events: no one is shown one ledger, and another one later.

Method: sources with two faces, which change between two readings as a view or an edit would; edits
through another connection while an audit has a database open; views where tables belong.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from pathlib import Path

import pytest

from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.audit.hashing import hash_pass
from ledger.audit.report import Report
from ledger.audit.second_reading import DifferentReadingError, FirstReading, SecondReading
from ledger.audit.source import Row
from ledger.audit.state_file import AuditStateFile
from ledger.audit.verified_prefix import VerifiedPrefix
from ledger.errors import LedgerError, Reason
from ledger.storage import Store
from tests.audit.paper import Paper
from tests.audit.test_forgeries import foreign, improve_a_score
from tests.support.audits import audited
from tests.support.clocks import ManualClock
from tests.support.hooks import read_up_to
from tests.support.stores import DATABASES, begun, edit, grow

TABLES = (
    "ledgers", "events", "checkpoints", "tiles", "cosignatures", "requests", "heads",
    "signing_keys",
)  # fmt: skip


class TwoFaced(DatabaseSource):
    """A database whose events are those of another one from the second whole reading on."""

    def __init__(self, place: Path, later: Path) -> None:
        super().__init__(str(place))
        self._later = DatabaseSource(str(later))
        self.readings = 0

    def rows(self, after: int, until: int) -> Iterator[Row]:
        self.readings += (after, until) == (0, self.size)
        return super().rows(after, until) if self.readings < 2 else self._later.rows(after, until)

    def close(self) -> None:
        self._later.close()
        super().close()


def audit_of_two(first: Paper, later: Paper, folder: Path) -> Report:
    source = TwoFaced(first.write(folder / "first.db"), later.write(folder / "later.db"))
    return audited(source, vkeys=(str(first.key.verifier_key),))


def seen(report: Report) -> list[tuple[str, int]]:
    return [(one.rule, one.position) for one in report.findings]


def test_a_forged_score_that_only_the_hash_pass_was_shown_is_named(
    paper: Paper, tmp_path: Path
) -> None:
    """The signed ledger holds a forged score; the rules are shown the honest one in its place."""
    honest = deepcopy(paper)
    position = improve_a_score(paper)
    report = audit_of_two(paper, honest, tmp_path)
    assert seen(report) == [("passes", position)]
    assert not report.passed
    assert report.root == audited(tmp_path / "first.db").root


@pytest.mark.parametrize("damage", ["edited", "removed", "cut short", "moved"])
def test_a_row_that_was_changed_after_its_hash_was_checked_is_named(
    paper: Paper, tmp_path: Path, damage: str
) -> None:
    later = paper.write(tmp_path / "later.db")
    statement = {
        "edited": "UPDATE events SET body = replace(body, '{', '{ ') WHERE position = 20",
        "removed": "DELETE FROM events WHERE position = 20",
        "cut short": "DELETE FROM events WHERE position >= 20",
        "moved": "UPDATE events SET stream = 'models/other' WHERE position = 20",
    }[damage]
    with sqlite3.connect(later) as connection:
        connection.execute(statement)
    connection.close()
    report = audited(TwoFaced(paper.write(tmp_path / "first.db"), later))
    assert ("passes", 20) in seen(report)
    assert report.first_bad_position == 20


def test_an_erased_body_that_only_the_hash_pass_was_shown_as_gone_is_named(
    paper: Paper, tmp_path: Path
) -> None:
    position = foreign(paper)
    kept = deepcopy(paper)
    paper.at(position).is_gone = True
    for each in (paper, kept):
        data = {"authority": "DPO", "ground": "GDPR", "positions": [[position, position]]}
        each.append("ledger", "body.erased.v1", data)
    assert audited(paper.write(tmp_path / "erased.db")).passed
    report = audit_of_two(paper, kept, tmp_path)
    assert seen(report) == [("erasures", position + 1)]


def test_a_seal_whose_body_only_the_rules_were_shown_is_named(paper: Paper, tmp_path: Path) -> None:
    position = foreign(paper)
    data = {"as_of": position, "root": "00" * 32, "streams": 6}
    paper.append("ledger", "streams.sealed.v1", data, actor="system/sealer")
    shown = deepcopy(paper)
    paper.at(position + 1).is_gone = True
    assert ("seals", position + 1) in seen(audit_of_two(paper, shown, tmp_path))


def test_a_ledger_that_is_the_same_in_both_passes_holds(paper: Paper, tmp_path: Path) -> None:
    report = audit_of_two(paper, paper, tmp_path)
    assert report.passed, report.text()
    assert {one.rule: one.checked for one in report.rules}["passes"] == report.size


@pytest.mark.parametrize("changed", [10, 40, 41, 60])
def test_an_interrupted_audit_that_goes_on_hashes_all_that_its_rules_read(
    paper: Paper, tmp_path: Path, changed: int
) -> None:
    """What was changed in rows that were hashed before the interruption is found too."""
    state, forged = tmp_path / "state.json", deepcopy(paper)
    body = forged.at(changed).body
    assert isinstance(body, dict)
    body["request_id"] = "another"
    source = TwoFaced(paper.write(tmp_path / "first.db"), forged.write(tmp_path / "later.db"))
    half = VerifiedPrefix()
    read_up_to(source, 40)
    assert hash_pass(source, half, cores=1) == []
    AuditStateFile(state).note(paper.origin, "here", half)
    read_up_to(source, len(paper.events))
    source.readings = 1
    report = Audit(source, "test", memory=AuditStateFile(state), place="here").run()
    source.close()
    assert "passes" in {one.rule for one in report.findings}
    assert report.first_bad_position == max(40, changed)


def test_a_single_row_is_held_to_the_first_reading_too(paper: Paper, tmp_path: Path) -> None:
    forged = deepcopy(paper)
    forged.at(20).recorded_at += 1
    source = DatabaseSource(str(paper.write(tmp_path / "first.db")))
    first = FirstReading(VerifiedPrefix())
    assert hash_pass(source, VerifiedPrefix(), on_joined=lambda _, leaves: first.take(leaves)) == []
    source.close()
    other = DatabaseSource(str(forged.write(tmp_path / "later.db")))
    again = SecondReading(other, first)
    assert len(list(again.rows(18, 19))) == 1
    with pytest.raises(DifferentReadingError, match="position 20"):
        list(again.rows(19, 20))
    first.close()
    other.close()


# ---- one state of a database ---------------------------------------------------------------------


def test_an_audit_sees_one_state_of_a_database_throughout(store: Store, database_url: str) -> None:
    grow(store)
    source = DatabaseSource(database_url)
    before = list(source.rows(0, source.size))
    edit(store, "UPDATE events SET body = salt WHERE position = 3")
    edit(store, "DELETE FROM checkpoints")
    assert list(source.rows(0, source.size)) == before
    report = Audit(source, "test").run()
    source.close()
    assert "chain" not in {one.rule for one in report.findings}
    assert ("chain", 3) in seen(audited(DatabaseSource(database_url)))


def test_an_audit_goes_on_where_a_server_begins_meanwhile(
    sqlite_url: str, clock: ManualClock
) -> None:
    begun(sqlite_url, clock).close()  # no log of changes is left: the file is read as it lies
    source = DatabaseSource(sqlite_url)
    with closing(begun(sqlite_url, clock)) as store:
        grow(store, 3)
        report = audited(source)
        assert report.passed, report.text()
        assert report.size == 2
        assert audited(DatabaseSource(sqlite_url)).size == 5


@pytest.mark.parametrize("table", TABLES)
def test_a_view_in_the_place_of_a_table_is_refused_by_name(
    store: Store, database_url: str, table: str
) -> None:
    grow(store)
    edit(store, f"ALTER TABLE {table} RENAME TO kept_{table}")
    edit(store, f"CREATE VIEW {table} AS SELECT * FROM kept_{table}")
    with pytest.raises(LedgerError, match=f"{table} is a view and not a plain table") as refused:
        DatabaseSource(database_url)
    assert refused.value.reason is Reason.CHAIN_BROKEN
    edit(store, f"DROP VIEW {table}")
    edit(store, f"ALTER TABLE kept_{table} RENAME TO {table}")


ENDLESS = """
CREATE VIEW events AS WITH RECURSIVE n(position) AS (SELECT 1 UNION ALL SELECT 1 FROM n)
SELECT 1 AS ledger_id, position, '' AS stream FROM n
"""
KINDS = {
    "an endless view": (ENDLESS, "view"),
    "a virtual table": ("CREATE VIRTUAL TABLE events USING fts5(position)", "virtual table"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_are_made_when_they_are_read_are_refused(
    paper: Paper, tmp_path: Path, kind: str
) -> None:
    statement, named = KINDS[kind]
    path = paper.write(tmp_path / "paper.db")
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE events RENAME TO kept")
        connection.execute(statement)
    connection.close()
    with pytest.raises(LedgerError, match=f"events is a {named} "):
        DatabaseSource(str(path))


@pytest.mark.parametrize("database_url", DATABASES[1:], indirect=True)
def test_on_postgres_a_table_that_has_others_below_it_is_refused(
    store: Store, database_url: str
) -> None:
    edit(store, "CREATE TABLE more () INHERITS (events)")
    with pytest.raises(LedgerError, match="events is a table with others below it"):
        DatabaseSource(database_url)


@pytest.mark.parametrize("database_url", DATABASES[1:], indirect=True)
def test_on_postgres_a_table_that_hides_rows_from_the_auditor_is_refused(
    store: Store, database_url: str
) -> None:
    grow(store)
    edit(
        store, "CREATE ROLE auditor LOGIN", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor"
    )
    url = database_url.replace("//postgres:@", "//auditor:@")
    assert url != database_url
    source = DatabaseSource(url)
    assert source.size == 3
    source.close()
    edit(store, "ALTER TABLE events ENABLE ROW LEVEL SECURITY")
    with pytest.raises(LedgerError, match="events is a table that hides rows from this role"):
        DatabaseSource(url)
    edit(store, "DROP OWNED BY auditor", "DROP ROLE auditor")


def test_a_table_without_events_is_read_as_before(paper: Paper, tmp_path: Path) -> None:
    foreign(paper)
    path = paper.write(tmp_path / "paper.db")
    with sqlite3.connect(path) as connection:
        for table in ("tiles", "cosignatures", "requests", "heads"):
            connection.execute(f"DROP TABLE {table}")
    connection.close()
    report = audited(path)
    assert report.passed, report.text()
