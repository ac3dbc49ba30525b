"""What `rules/2` promises, broken by somebody with database and key: refused, by the rule's name.

Method: a small ledger of the service's own, in which deployments are recorded out of order; one
member is changed to what the order of arrival would have given, and everything is signed again.
"""

from pathlib import Path

import pytest

from tests.audit.paper import Paper
from tests.audit.test_forgeries import DECISION, SCORE, audit_of
from tests.support.world import ANA, DAY, HOUR, ORIGIN, START, World, defined

LATER = START + 10 * DAY


@pytest.fixture
def story(tmp_path: Path) -> Paper:
    """A version that is recorded last and was over long before."""
    path = tmp_path / "ledger.sqlite"
    world = World(path)
    world.begin("m1", "m2", planning={"min_models": 1})
    world.deploy("m1", "v2", at=LATER)
    world.see("m1", 1.2, LATER + HOUR)
    world.settle()
    world.deploy("m1", "v1b", at=START + DAY, through=START)
    world.see("m1", 0.4, START + 2 * DAY)
    world.see("m1", 1.2, LATER + 3 * HOUR)
    world.settle()
    world.evaluate("m1")
    world.see("m2", 0.5, LATER + 3 * HOUR)
    world.plan(1_000_000)
    world.ledger.attestation.checkpoints.sign()
    world.close()
    return Paper.copied(path, ORIGIN)


def findings(paper: Paper, folder: Path) -> list[tuple[str, int]]:
    return [(one.rule, one.position) for one in audit_of(paper, folder).findings]


def test_the_story_holds(story: Paper, tmp_path: Path) -> None:
    assert findings(story, tmp_path) == []


def test_a_score_of_the_version_that_was_recorded_last_is_refused(
    story: Paper, tmp_path: Path
) -> None:
    found = story.find(SCORE, model="m1", trigger="ingest")[-1]
    story.at(found).data["model_version"] = "v1b"
    assert findings(story, tmp_path) == [("replay.score", found)]


def test_a_decision_made_by_order_of_arrival_is_refused(story: Paper, tmp_path: Path) -> None:
    found = story.find(DECISION, model="m1")[-1]
    for position in (found - 1, found):
        story.at(position).data["model_version"] = "v1b"
    assert findings(story, tmp_path) == [("replay.score", found - 1), ("replay.decision", found)]


def test_a_decision_with_another_reporting_interval_is_refused(
    story: Paper, tmp_path: Path
) -> None:
    found = story.find(DECISION, model="m1")[-1]
    story.at(found).data["environment"]["report_interval_hours"] = 240
    assert findings(story, tmp_path) == [("replay.decision", found)]


def test_a_plan_with_the_version_that_was_recorded_last_is_refused(
    story: Paper, tmp_path: Path
) -> None:
    found = story.find("plan.made.v1")[-1]
    row = next(one for one in story.at(found).data["backlog"] if one["model"] == "m1")
    assert row["model_version"] == "v2"
    row["model_version"] = "v1b"
    assert findings(story, tmp_path) == [("replay.plan", found)]


def test_a_deployment_that_replaces_what_was_not_in_service_is_refused(
    story: Paper, tmp_path: Path
) -> None:
    found = story.find("model.deployed.v1", model="m1")[-1]
    assert story.at(found).data["replaces"] == "v1"
    story.at(found).data["replaces"] = "v9"
    assert findings(story, tmp_path) == [("models.deployed", found)]


def test_a_version_drafted_against_another_meaning_does_not_come_into_force(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.sqlite"
    world = World(path)
    world.begin()
    turned = defined("drift").model_copy(update={"unit": "bits"})
    world.ledger.definitions.define(ANA, turned)
    world.ledger.attestation.checkpoints.sign()
    world.close()
    paper = Paper.copied(path, ORIGIN)
    assert findings(paper, tmp_path) == []
    loss = paper.at(paper.find("signal.defined.v1", signal="loss")[0]).data
    activated = paper.at(paper.find("policy.activated.v1")[0]).data
    stated = {"scope": {"kind": "model", "model": "m9", "labels": {}}}
    turned_at = paper.append(
        "signals/loss", "signal.defined.v1", loss | {"direction": "lower_is_worse"}
    )
    again = paper.append("policies/main", "policy.activated.v1", activated | stated)
    assert findings(paper, tmp_path) == [("meanings.pinned", turned_at), ("meanings.pinned", again)]
