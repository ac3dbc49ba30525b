"""A ledger whose clock is its data was recorded when its data say: any other time is refused."""

from pathlib import Path

import pytest

from ledger.events.values import format_time, parse_time
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of, observed
from tests.support.world import DAY

RULE = "times.derived"


def findings(paper: Paper, folder: Path) -> list[tuple[str, int]]:
    return [(one.rule, one.position) for one in audit_of(paper, folder).findings]


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59.000000Z", "2026-12-24T00:00:00.000000Z"])
def test_an_observation_that_was_recorded_long_after_it_says_is_refused(
    paper: Paper, tmp_path: Path, at: str
) -> None:
    position = observed(paper)
    paper.at(position).recorded_at = parse_time(at)
    assert findings(paper, tmp_path) == [(RULE, position)]


def test_a_batch_is_recorded_at_its_own_newest_time(paper: Paper, tmp_path: Path) -> None:
    at = paper.events[-1].recorded_at + DAY
    for earlier in (2, 0, 1):
        observed(paper, observed_at=format_time(at - earlier))
        paper.events[-1].recorded_at = at
    assert findings(paper, tmp_path) == []


def test_a_batch_does_not_borrow_the_time_of_the_next_one(paper: Paper, tmp_path: Path) -> None:
    at = paper.events[-1].recorded_at + DAY
    first = observed(paper, observed_at=format_time(at - 1))
    second = observed(paper, observed_at=format_time(at))
    body = paper.at(second).body
    assert isinstance(body, dict)
    body["request_id"] = "another"
    for position in (first, second):
        paper.at(position).recorded_at = at
    assert findings(paper, tmp_path) == [(RULE, first)]


def test_a_ledger_of_data_begins_without_a_time(paper: Paper, tmp_path: Path) -> None:
    for event in paper.events[1:]:
        event.recorded_at = max(event.recorded_at, 1)
    assert findings(paper, tmp_path) == [(RULE, 2)]
