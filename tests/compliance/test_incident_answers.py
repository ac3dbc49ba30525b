"""Incidents soon after a deployment are told with their lineage, back to the signals.

Method: a ledger in one process whose models go wrong in every way: a job's version is taken back,
a person rolls one back, work is called for again; then bodies are taken away.
"""

from pathlib import Path

import pytest

from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.jobs.roll_backs import RollBackSpec
from ledger.application.jobs.stated_deployments import DeploymentGround
from ledger.compliance.deployments import recorded_deployments
from ledger.compliance.incident_answers import CALLED_FOR, PUT_BACK, TAKEN_BACK
from ledger.compliance.inquiry import Answer, Inquiry
from ledger.compliance.questions import answer
from ledger.compliance.tables import Cell, as_records
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.jobs import GateJudged, GateReported, JobCancelled
from ledger.events.models import ModelDeployed
from tests.support.facts import FactList, facts_of
from tests.support.job_worlds import ONE
from tests.support.run_stories import BAD, GOOD, decided, deployed, whole_life
from tests.support.world import ANA, DAY, HOUR, World


def told(source: FactList, **about: object) -> Answer:
    return answer("incidents", source, Inquiry(**about))  # type: ignore[arg-type]


def rows(given: Answer) -> list[dict[str, Cell]]:
    [table] = given.tables
    return as_records(table)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> FactList:
    """A decision, a job by it, its version, and how that was taken back."""
    working = decided(Path(tmp_path_factory.mktemp("incidents")))
    whole_life(working)
    found = facts_of(working.world)
    working.world.close()
    return found


def positions(source: FactList, *types: str) -> list[int]:
    return [one.position for one in source.items if one.type in types]


def test_a_version_that_its_job_took_back_leads_back_to_its_signals(story: FactList) -> None:
    given = told(story)
    [row] = [one for one in rows(given) if one["incident"] == TAKEN_BACK]
    decisions, scores = positions(story, *DECISION_TYPES), positions(story, ScoreComputed.TYPE)
    decision = next(one for one in story.items if one.position == decisions[0])
    assert decision.data is not None
    assert (row["model"], row["model_version"], row["deployed_by"]) == ("alpha", "v2", "job j1")
    assert row["deployment_position"] == positions(story, ModelDeployed.TYPE)[2]
    assert row["replaced_position"] == positions(story, ModelDeployed.TYPE)[3]
    assert (row["decision_position"], row["run_id"]) == (decisions[0], decision.run_id)
    assert given.how == [f"decision-ledger run show {decision.run_id}"]
    assert row["score_position"] == decision.data["score_position"]
    assert row["score_position"] in scores
    observed = [
        one.position
        for one in story.items
        if one.type.startswith("signal.observed") and one.stream == "models/alpha"
    ]
    assert row["signals"] == f"loss (2 observations, the newest at position {observed[1]})"
    verdict, evidence = positions(story, GateJudged.TYPE), positions(story, GateReported.TYPE)
    assert row["position"] == verdict[-1]
    assert row["shown_by"] == (
        f"the verdict at position {verdict[-1]}, by evidence at position {evidence[-1]}"
    )
    assert str(row["reason"]).startswith("The gate observation was not passed.")
    assert "1 of 2; the others are of versions" in given.said[1], "work on v1 was called for first"


def test_days_bound_what_counts_as_soon(story: FactList) -> None:
    assert rows(told(story, days=0)) == []
    assert rows(told(story, model="beta")) == []
    assert told(story, model="beta").said[0] == (
        "Within 14 days of a deployment: 0 incidents, after 0 of 1 deployment."
    )


def test_days_that_are_not_over_are_said(story: FactList) -> None:
    assert told(story).said[-1] == "For 4 of 4 deployments so many days are not over."


def test_work_that_is_called_for_again_names_the_signals_that_show_it(tmp_path: Path) -> None:
    working = decided(tmp_path)
    world = working.world
    deployed(working)
    for value in (GOOD, BAD):
        world.clock.advance(DAY)
        seen = world.see("alpha", value, world.clock.now_micros(), version="v2")
        world.settle()
    found = facts_of(world)
    world.close()
    again = [one for one in rows(told(found)) if one["model_version"] == "v2"]
    [row] = again
    assert row["incident"] == CALLED_FOR
    assert f"the newest at position {seen.first_position}" in str(row["shown_by"])
    assert row["deployed_by"] == "job j1"
    assert "the newest at" in str(row["signals"])
    assert str(row["signals"]) not in str(row["shown_by"]), "those of the version before are others"


def test_the_word_of_a_person_is_named_where_it_took_a_version_back(tmp_path: Path) -> None:
    working = decided(tmp_path)
    deployed(working)
    cancelled = working.world.ledger.jobs.cancel(ANA, "j1", "it alarms")
    found = facts_of(working.world)
    working.world.close()
    [row] = [one for one in rows(told(found)) if one["incident"] == TAKEN_BACK]
    assert row["position"] == positions(found, JobCancelled.TYPE)[0] == cancelled.first_position
    assert row["shown_by"] == f"the word of users/ana at position {row['position']}"


def test_a_roll_back_by_a_person_is_an_incident_with_its_reason(tmp_path: Path) -> None:
    world = World(tmp_path / "l.sqlite", clock="wall").begin("alpha")
    for version in ("v2", "v3"):
        world.clock.advance(HOUR)
        world.deploy("alpha", version, at=world.clock.now_micros())
    world.clock.advance(HOUR)
    at = world.clock.now_micros()
    back = DeploymentSpec("alpha", "v2", at, world.trained["alpha", "v2"], "0.4", "v3")
    stated = DeploymentGround("roll_back", "customers complain")
    world.ledger.stated_deployments.record(ANA, back, stated)
    found = facts_of(world)
    world.close()
    given = told(found)
    [row] = rows(given)
    assert (row["incident"], row["model_version"], row["reason"], row["seconds"]) == (
        "rolled back by a person", "v3", "customers complain", 3_600,
    )  # fmt: skip
    assert (row["signals"], row["decision_position"]) == (None, None)
    assert "0 of 1; the others are of versions for which no decision called" in given.said[1]
    [*_, last] = recorded_deployments(found)
    assert (last.basis, last.reason) == ("rolled back by a person", "customers complain")


def test_a_roll_back_that_a_person_asked_is_one_with_the_words_of_that_person(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "l.sqlite", clock="wall").begin("alpha")
    world.clock.advance(HOUR)
    world.deploy("alpha", "v2", at=world.clock.now_micros())
    world.clock.advance(HOUR)
    spec = RollBackSpec("alpha", "v1", "customers complain")
    asked = world.ledger.roll_backs.ask(ANA, spec)[0].last_position
    at = world.clock.now_micros()
    world.ledger.stated_deployments.put_back(ONE, "alpha", asked, at)
    found = facts_of(world)
    world.close()
    given = told(found)
    [row] = rows(given)
    assert (row["incident"], row["model_version"], row["reason"]) == (
        "rolled back by a person", "v2", "customers complain",
    )  # fmt: skip
    assert row["shown_by"] == (
        f"{ONE.actor} put v1 in its place, by what users/ana asked at position {asked}"
    )
    assert "rolled back by a person: 1" in given.said[0]


def test_a_return_that_is_recorded_late_is_of_the_version_that_served_then(tmp_path: Path) -> None:
    world = World(tmp_path / "l.sqlite", clock="wall").begin("alpha")
    begun = world.clock.now_micros()
    world.clock.advance(4 * HOUR)
    for version, hours in (("v2", 1), ("v3", 3), ("v1", 2)):
        world.deploy("alpha", version, at=begun + hours * HOUR)
    found = facts_of(world)
    world.close()
    [row] = rows(told(found))
    assert (row["model_version"], row["seconds"]) == ("v2", 3_600)


def test_an_earlier_version_that_is_stated_to_serve_again_is_one_too(tmp_path: Path) -> None:
    world = World(tmp_path / "l.sqlite", clock="wall").begin("alpha")
    for version in ("v2", "v1"):
        world.clock.advance(HOUR)
        world.deploy("alpha", version, at=world.clock.now_micros())
    found = facts_of(world)
    world.close()
    [row] = rows(told(found))
    assert (row["incident"], row["model_version"]) == (PUT_BACK, "v2")


def test_a_lineage_whose_score_was_erased_is_not_guessed(story: FactList) -> None:
    gone = FactList(
        story.origin,
        tuple(
            one._replace(data=None, actor="") if one.type == ScoreComputed.TYPE else one
            for one in story.items
        ),
    )
    [row] = [one for one in rows(told(gone)) if one["incident"] == TAKEN_BACK]
    assert row["signals"] is None
    assert row["score_position"] is not None
