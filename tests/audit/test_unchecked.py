"""A verdict says what it did not look at; salts that hide nothing are a finding.

Method: events of a later release in an honest ledger, and salts that are zero, counted up or equal.
"""

from pathlib import Path

import pytest

from tests.audit.paper import Paper
from tests.audit.test_forgeries import DECISION, audit_of, foreign


def last_line(paper: Paper, folder: Path) -> str:
    return audit_of(paper, folder).text().split("\n")[-1]


def test_the_last_line_counts_events_of_newer_versions_of_known_types(
    paper: Paper, tmp_path: Path
) -> None:
    assert last_line(paper, tmp_path) == "Everything that could be checked holds."
    for _ in range(2):
        paper.append("models/alpha", "decision.made.v9", {"model": "alpha", "action": "anything"})
    paper.append("ledger", "weather.seen.v1", {"is_fine": True})
    report = audit_of(paper, tmp_path)
    assert report.passed, report.text()
    assert report.newer_types == {"decision.made.v9": 2}
    assert report.unknown_types == {"decision.made.v9": 2, "weather.seen.v1": 1}
    assert report.text().split("\n")[-1] == (
        "Everything that could be checked holds. "
        "Not checked: 2 events of newer versions of known types."
    )


def test_a_verdict_of_damage_counts_them_too(paper: Paper, tmp_path: Path) -> None:
    paper.append("models/alpha", DECISION.replace("v2", "v3"), {"model": "alpha"})
    paper.at(foreign(paper)).is_gone = True
    line = last_line(paper, tmp_path)
    assert line.startswith("The ledger does not hold: 1 finding")
    assert line.endswith("Not checked: 1 event of newer versions of known types.")


@pytest.mark.parametrize(
    "salt",
    [bytes(16), b"\xff" * 16, bytes(15) + b"\1", b"salt" * 4, bytes(11) + b"abcde"],
    ids=["zero", "one value", "counted", "a word", "half drawn"],
)
def test_a_salt_that_can_be_guessed_is_a_finding(paper: Paper, tmp_path: Path, salt: bytes) -> None:
    position = foreign(paper)
    paper.at(position).salt = salt
    found = audit_of(paper, tmp_path).findings
    assert [(one.rule, one.position) for one in found] == [("salts", position)]
    assert "can be guessed" in found[0].what


def test_equal_salts_are_found_however_far_apart_and_both_are_named(
    paper: Paper, tmp_path: Path
) -> None:
    salt = bytes(range(40, 56))
    paper.at(9).salt = salt
    between = [foreign(paper) for _ in range(6_000)]
    paper.at(between[-1]).salt = salt
    paper.checkpoint_sizes = [between[-1]]
    found = audit_of(paper, tmp_path).findings
    assert [(one.rule, one.position) for one in found] == [("salts", between[-1])]
    assert "position 9" in found[0].what


def test_the_salt_of_a_body_that_is_gone_is_said_to_be_unchecked(
    paper: Paper, tmp_path: Path
) -> None:
    position = foreign(paper)
    paper.at(position).is_gone = True
    report = audit_of(paper, tmp_path)
    counts = {one.rule: (one.checked, one.unchecked) for one in report.rules}
    assert counts["salts"] == (report.size - 1, 1)
