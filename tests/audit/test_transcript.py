"""Two auditors compare one root: it is over what was read and every verdict, part by part.

Method: audit the same ledger twice in every way that should make no difference, and once in each
way that should; the parts must say which. Then record transcripts that are not of their audits.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.audit.bundle import BundleSource
from ledger.audit.database import DatabaseSource
from ledger.audit.report import Report
from ledger.audit.source import Finding
from ledger.audit.tile_folder import TileFolderSource
from ledger.audit.transcript import AuditRecord, RowDigest, Transcript, transcript_of
from ledger.chain import transcript
from ledger.chain.keys import SecretKey
from ledger.chain.merkle import leaf_hash, root_of
from ledger.events.canonical import encode
from ledger.storage import Store
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of, foreign
from tests.audit.test_sources import bundled, published, record
from tests.support.audits import audited
from tests.support.clocks import ManualClock
from tests.support.stores import edit
from tests.support.vectors import load_cases

OF_THE_EVENTS = {"events", "bodies", "rules", "results", "unchecked", "findings"}


def of(report: Report) -> Transcript:
    assert report.transcript is not None
    return report.transcript


def differing(one: Report, other: Report) -> set[str]:
    """Return the names of the parts in which two transcripts differ."""
    first, second = of(one).parts, of(other).parts
    found = {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)}
    assert bool(found) == (of(one).root != of(other).root), "the root says whether any differs"
    return found


CASES = load_cases("transcript_v1.json")


def column(shown: object) -> object:
    """Return what a database holds in a column that a case shows."""
    return bytes.fromhex(shown["hex"]) if isinstance(shown, dict) else shown


@pytest.mark.parametrize("name", CASES)
def test_parts_and_root_are_those_of_the_page(name: str) -> None:
    case, audit = CASES[name], CASES[name]["audit"]
    read = {}
    for table, rows in (audit["rows"] | {"checkpoints": audit["checkpoints"]}).items():
        digest = RowDigest()
        digest.update([column(one) for one in row] for row in rows)
        read[table] = digest.hexdigest()
    made = transcript_of(
        AuditRecord(
            kind=audit["source"],
            origin=audit["ledger"],
            size=audit["size"],
            root=audit["root"],
            bodiless=[tuple(span) for span in audit["bodies"]],
            meanings=audit["rules"],
            results=[tuple(one) for one in audit["checks"]],
            findings=[Finding(*one) for one in audit["findings"]],
            unchecked=[tuple(one) for one in audit["unchecked"]],
            trust=audit["trust"],
            read=read,
        )
    )
    assert made.parts == case["parts"]
    assert made.root == case["transcript"]


# ---- what makes no difference, and what does -----------------------------------------------------


def test_the_root_is_over_the_parts_by_name_as_the_page_says(paper: Paper, tmp_path: Path) -> None:
    kept = of(audit_of(paper, tmp_path))
    records = [encode({"digest": kept.parts[name], "name": name}) for name in sorted(kept.parts)]
    assert kept.root == root_of(leaf_hash(one) for one in records).hex()


def test_where_a_ledger_lies_differs_only_in_what_was_read_there(
    paper: Paper, tmp_path: Path
) -> None:
    keys = [str(paper.key.verifier_key)]
    paper.checkpoint_sizes = [len(paper.events)]
    stored = audited(paper.write(tmp_path / "paper.db"), vkeys=keys)
    bundle = audited(BundleSource(bundled(paper, tmp_path / "bundle")), vkeys=keys)
    rows = {name for name in of(stored).parts if name.startswith("rows.")}
    assert rows
    assert differing(stored, bundle) == {"source", *rows}
    tiles = audited(TileFolderSource(published(paper, tmp_path / "log")), vkeys=keys)
    assert of(tiles).parts["events"] == of(stored).parts["events"]
    assert "results" in differing(stored, tiles), "headers alone show less"


def test_another_key_from_elsewhere_is_another_trust(paper: Paper, tmp_path: Path) -> None:
    with_it, without = audit_of(paper, tmp_path), audit_of(paper, tmp_path, vkeys=())
    assert differing(with_it, without) == {"trust"}
    stranger = str(SecretKey(paper.origin, bytes([9]) * 32).verifier_key)
    other = audit_of(paper, tmp_path, vkeys=(stranger,))
    assert differing(with_it, other) == {"findings", "source", "trust"}


def test_an_event_more_and_a_body_less_are_other_transcripts(paper: Paper, tmp_path: Path) -> None:
    position = foreign(paper)
    whole = audit_of(paper, tmp_path)
    paper.at(position).is_gone = True
    assert "bodies" in differing(whole, audit_of(paper, tmp_path))
    paper.at(position).is_gone = False
    foreign(paper)
    assert "events" in differing(whole, audit_of(paper, tmp_path))


@pytest.mark.parametrize("table", ["requests", "heads", "signing_keys", "ledgers", "cosignatures"])
def test_each_table_beside_the_events_has_a_part(
    store: Store, database_url: str, clock: ManualClock, table: str
) -> None:
    clock.advance(1)
    record(store, 3)
    before = audited(DatabaseSource(database_url))
    assert differing(before, audited(DatabaseSource(database_url))) == set()
    changes = {
        "requests": "UPDATE requests SET actor = 'users/eve' WHERE request_id = 'r1'",
        "heads": "UPDATE heads SET recorded_at = recorded_at + 1",
        "signing_keys": "UPDATE signing_keys SET number = number + 10",
        "ledgers": "UPDATE ledgers SET skew_seconds = skew_seconds + 1",
        "cosignatures": "INSERT INTO cosignatures VALUES (1, 3, 'w', 'k', 'l', 's')",
    }
    edit(store, changes[table])
    assert f"rows.{table}" in differing(before, audited(DatabaseSource(database_url)))


# ---- on record -----------------------------------------------------------------------------------


def audit_on_record(paper: Paper, tmp_path: Path) -> dict[str, Any]:
    """Return the data of an audit of a ledger on paper, as `audit run --record` records it."""
    report = audit_of(paper, tmp_path)
    return {
        "program": "x",
        "source": "database",
        "size": report.size,
        "root": report.root,
        "passed": True,
        "checks": [
            {
                "rule": one.rule,
                "checked": one.checked,
                "failed": one.failed,
                "unchecked": one.unchecked,
            }
            for one in report.rules
        ],
        "findings": [],
        "transcript": of(report).root,
        "transcript_parts": [
            {"name": name, "digest": digest} for name, digest in of(report).parts.items()
        ],
    }


def again(data: dict[str, Any]) -> None:
    """Make the transcript the root over its parts."""
    parts = {one["name"]: one["digest"] for one in data["transcript_parts"]}
    data["transcript"] = transcript.transcript_root(parts).hex()


def part(data: dict[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON
    (found,) = (one for one in data["transcript_parts"] if one["name"] == name)
    return found


def another_root(data: dict[str, Any]) -> None:
    data["transcript"] = "11" * 32


def another_part_under_the_same_root(data: dict[str, Any]) -> None:
    part(data, "trust")["digest"] = "11" * 32


def parts_out_of_order(data: dict[str, Any]) -> None:
    data["transcript_parts"].reverse()


def a_part_twice(data: dict[str, Any]) -> None:
    data["transcript_parts"].insert(0, data["transcript_parts"][0])


def the_events_of_another_ledger(data: dict[str, Any]) -> None:
    digest = transcript.events_digest("ledger.example.com/other", data["size"], data["root"])
    part(data, "events")["digest"] = digest
    again(data)


def results_that_were_improved(data: dict[str, Any]) -> None:
    data["checks"][-1]["checked"] += 1_000


def another_kind_of_source(data: dict[str, Any]) -> None:
    data["source"] = "server"


def a_part_left_out(data: dict[str, Any]) -> None:
    data["transcript_parts"].remove(part(data, "results"))
    again(data)


LIES: list[Callable[[dict[str, Any]], None]] = [
    another_root,
    another_part_under_the_same_root,
    parts_out_of_order,
    a_part_twice,
    the_events_of_another_ledger,
    results_that_were_improved,
    another_kind_of_source,
    a_part_left_out,
]


@pytest.mark.parametrize("lie", LIES)
def test_a_transcript_on_record_that_is_not_of_its_audit_is_refused_by_the_rule_alone(
    paper: Paper, tmp_path: Path, lie: Callable[[dict[str, Any]], None]
) -> None:
    data = audit_on_record(paper, tmp_path)
    lie(data)
    position = paper.append("ledger", "audit.completed.v2", data)
    report = audit_of(paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [("audits", position)]


def test_a_true_transcript_on_record_is_audited_and_holds(paper: Paper, tmp_path: Path) -> None:
    paper.append("ledger", "audit.completed.v2", audit_on_record(paper, tmp_path))
    report = audit_of(paper, tmp_path)
    assert report.passed, report.text()
    assert {one.rule: one.checked for one in report.rules}["audits"] == 1
