"""A decision is there exactly where one is due: neither left out nor added is believed.

Method: as a key holder would, take decisions out of an honest chain, or call what was asked for the
evaluator's own, and write every hash, position and signature again.
"""

from copy import deepcopy
from pathlib import Path

import pytest

from tests.audit.paper import Paper
from tests.audit.test_absence import erase
from tests.audit.test_forgeries import DECISION, EVALUATOR, SCORE, audit_of
from tests.support.governed import governed
from tests.support.world import DAY, HOUR, ORIGIN, START, World, policy_text, rule

RULE = "decisions.due"


def findings(paper: Paper, folder: Path) -> list[tuple[str, int]]:
    return [(one.rule, one.position) for one in audit_of(paper, folder).findings]


def test_no_decision_can_be_left_out(copied: Paper, tmp_path: Path) -> None:
    for position in copied.find(DECISION):
        paper = deepcopy(copied)
        paper.remove(position)
        assert (RULE, position - 1) in findings(paper, tmp_path), position


def test_a_decision_is_missed_at_the_very_end(paper: Paper, tmp_path: Path) -> None:
    last = paper.find(DECISION)[-1]
    paper.remove(*range(last, len(paper.events) + 1))
    assert findings(paper, tmp_path) == [(RULE, last - 1)]


@pytest.mark.parametrize("historical", [False, True])
def test_what_was_asked_for_always_has_its_decision(tmp_path: Path, *, historical: bool) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha")
    world.see("alpha", 0.41, START + DAY)
    world.settle()
    world.evaluate("alpha", at=START + HOUR if historical else None)
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    assert findings(paper, tmp_path) == []
    last = paper.find(DECISION, trigger="request")[-1]
    paper.remove(last)
    assert findings(paper, tmp_path) == [(RULE, last - 1)]


def test_a_decision_that_repeats_the_one_in_force_cannot_be_the_evaluators(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha", rules=[rule("bad", "priority >= 0")])
    world.see("alpha", 1.4, START + DAY)
    world.settle()
    world.evaluate("alpha")
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    asked = paper.find(SCORE, trigger="request") + paper.find(DECISION, trigger="request")
    for position in asked:
        event = paper.at(position)
        assert isinstance(event.body, dict)
        event.body["actor"], event.data["trigger"] = EVALUATOR, "schedule"
    assert findings(paper, tmp_path) == [(RULE, asked[-1])]


def test_an_erased_decision_is_still_there_and_an_erased_score_owes_nothing(
    copied: Paper, tmp_path: Path
) -> None:
    for position in copied.find(DECISION):
        for gone in (position, position - 1):
            paper = deepcopy(copied)
            erase(paper, gone)
            assert findings(paper, tmp_path) == []


def test_it_is_found_where_people_were_not_asked_once_governance_began(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha")
    world.see("alpha", 1.4, START + DAY)
    world.settle()
    world.activate(governed(policy_text()))
    world.see("alpha", 1.4, START + 2 * DAY)
    world.settle()
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    again = paper.find(DECISION)[-1]
    paper.remove(*range(again, len(paper.events) + 1))
    assert findings(paper, tmp_path) == [(RULE, again - 1)]
