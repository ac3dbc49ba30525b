"""Roll-backs: to which versions one can go, which not and why, when it was done, how long it took.

Method: ledgers in one process; versions are taken back by jobs and by a person.
"""

from pathlib import Path

import pytest

from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.jobs.roll_backs import RollBackSpec
from ledger.application.jobs.stated_deployments import DeploymentGround
from ledger.application.recipes.benchmarks import Training
from ledger.compliance.inquiry import Answer, Inquiry
from ledger.compliance.questions import answer
from ledger.compliance.tables import Cell, as_records
from ledger.events.drills import DrillRecorded
from ledger.events.facts import Fact
from ledger.events.values import SECOND
from tests.support.facts import FactList, facts_of
from tests.support.job_worlds import ONE, WINDOW_SECONDS, Working
from tests.support.world import ANA, HOUR, World

AFTER_SECONDS = 90


def told(source: FactList, model: str = "alpha") -> Answer:
    return answer("roll-back", source, Inquiry(model=model))


def rows(given: Answer, name: str) -> list[dict[str, Cell]]:
    [table] = [one for one in given.tables if one.name == name]
    return as_records(table)


@pytest.fixture
def working(tmp_path: Path) -> Working:
    return Working.of(World(tmp_path / "l.sqlite", clock="wall").begin("alpha", "beta"))


def taken_back(working: Working) -> FactList:
    """A job's version of alpha goes back, so long after that was called for."""
    world = working.world
    token = working.observing("v2", at=world.clock.now_micros())
    working.report("observation", token, loss=500)
    world.clock.advance(WINDOW_SECONDS * SECOND)
    world.govern()
    world.clock.advance(AFTER_SECONDS * SECOND)
    working.take_back(working.lease(), at=world.clock.now_micros())
    return facts_of(world)


def test_a_version_that_a_job_took_back_is_none_to_roll_back_to(working: Working) -> None:
    given = told(taken_back(working))
    assert given.said == [
        "v1 serves since 2026-03-01T02:01:30Z; before it: v2.",
        "It cannot be rolled back: no other version that served may serve again.",
        "Not to v2, but in an emergency: job j1 took it back.",
        (
            "Versions of this model were put back 1 time; last v1 of alpha at "
            "2026-03-01T02:01:30Z, 1m30s after that was called for."
        ),
        "Drills of a roll-back on record: 0.",
    ]
    [target] = rows(given, "targets")
    assert (target["model_version"], target["by"], target["refused_by"]) == (
        "v2", "an emergency alone", "j1",
    )  # fmt: skip
    [row] = rows(given, "returns")
    assert (row["from_version"], row["to_version"], row["seconds"]) == ("v2", "v1", AFTER_SECONDS)


def test_another_model_says_when_it_was_done_in_the_ledger(working: Working) -> None:
    given = told(taken_back(working), "beta")
    assert rows(given, "returns") == rows(given, "targets") == []
    assert given.said[1:4] == [
        "It cannot be rolled back: no other version that served may serve again.",
        "No version of this model was ever put back.",
        (
            "Versions in the whole ledger were put back 1 time; last v1 of alpha at "
            "2026-03-01T02:01:30Z, 1m30s after that was called for."
        ),
    ]


def test_the_version_that_served_last_is_the_first_to_go_back_to(working: Working) -> None:
    world = working.world
    for version in ("v2", "v3"):
        world.clock.advance(HOUR)
        world.deploy("alpha", version, at=world.clock.now_micros())
    given = told(facts_of(world))
    assert given.said[1] == (
        "It can be rolled back to v2, which served before and to 1 other version that served."
    )
    assert [one["model_version"] for one in rows(given, "targets")] == ["v2", "v1"]


def test_a_roll_back_by_a_person_says_that_its_span_is_not_known(working: Working) -> None:
    world = working.world
    world.clock.advance(HOUR)
    world.deploy("alpha", "v2", at=world.clock.now_micros())
    world.clock.advance(HOUR)
    at = world.clock.now_micros()
    back = DeploymentSpec("alpha", "v1", at, world.trained["alpha", "v1"], "0.4", "v2")
    ground = DeploymentGround("roll_back", "customers complain")
    world.ledger.stated_deployments.record(ANA, back, ground)
    given = told(facts_of(world))
    assert given.said[2] == (
        "Versions of this model were put back 1 time, 1 of them by persons; last v1 of alpha at "
        "2026-03-01T02:00:00Z, which was stated once it was done, so how long it took is not known."
    )
    last = rows(given, "deployments")[-1]
    assert (last["basis"], last["reason"]) == ("rolled back by a person", "customers complain")


def test_what_a_person_asked_is_told_with_the_person_and_how_long_it_took(working: Working) -> None:
    world = working.world
    world.clock.advance(HOUR)
    world.deploy("alpha", "v2", at=world.clock.now_micros())
    world.clock.advance(HOUR)
    spec = RollBackSpec("alpha", "v1", "customers complain")
    asked = world.ledger.roll_backs.ask(ANA, spec)[0].last_position
    world.clock.advance(AFTER_SECONDS * SECOND)
    at = world.clock.now_micros()
    world.ledger.stated_deployments.put_back(ONE, "alpha", asked, at)
    given = told(facts_of(world))
    assert given.said[2] == (
        "Versions of this model were put back 1 time, 1 of them by persons; last v1 of alpha at "
        "2026-03-01T02:01:30Z, on record 1m30s after users/ana asked for it."
    )
    last = rows(given, "deployments")[-1]
    assert (last["basis"], last["proposal"], last["asked_by"], last["reason"]) == (
        "rolled back by a person", asked, "users/ana", "customers complain",
    )  # fmt: skip


def test_the_version_that_is_stated_latest_serves_also_where_another_was_recorded_later(
    working: Working,
) -> None:
    world = working.world
    begun = world.clock.now_micros()
    world.clock.advance(3 * HOUR)
    world.deploy("alpha", "v3", at=begun + 2 * HOUR)
    world.deploy("alpha", "v2", at=begun + HOUR)
    serving = world.model("alpha").model.in_service
    assert serving is not None
    assert serving.model_version == "v3"
    given = told(facts_of(world))
    assert given.said[0] == "v3 serves since 2026-03-01T02:00:00Z; before it: v2."
    assert [one["model_version"] for one in rows(given, "targets")] == ["v2", "v1"]


def test_a_registered_version_is_one_for_jobs_alone(working: Working) -> None:
    training = Training("2026-02-27T00:00:00.000000Z", "0.5")
    working.world.ledger.benchmarks.register(
        ANA, "alpha", "v0", "benchmark", "ab" * 32, "", training
    )
    given = told(facts_of(working.world))
    [target] = rows(given, "targets")
    assert (target["model_version"], target["ground"]) == ("v0", "it is registered as benchmark")
    assert "It cannot be rolled back" in given.said[1]


def test_a_return_that_waits_is_said(working: Working) -> None:
    world = working.world
    token = working.observing("v2", at=world.clock.now_micros())
    working.report("observation", token, loss=500)
    world.clock.advance(WINDOW_SECONDS * SECOND)
    world.govern()
    said = " ".join(told(facts_of(world)).said)
    assert "1 return of jobs waits for an executor." in said
    world.clock.advance(2 * HOUR)
    world.govern()
    said = " ".join(told(facts_of(world)).said)
    assert "1 return of jobs waits for an executor, 1 of them for longer than a lease" in said


def test_a_drill_says_what_came_of_it(working: Working) -> None:
    found = facts_of(working.world)
    held = {
        "drill": "rollback", "kind": "built_in", "scenario": "x", "participants": [],
        "held_at": "2026-03-01T00:00:00.000000Z", "program": "p", "detected": True,
        "detected_by": ["observation"], "micros_to_detect": 54_000, "findings": [],
        "follow_ups": [],
    }  # fmt: skip
    fact = Fact(found.last_position + 1, "ledger", DrillRecorded.TYPE, 1, "users/ana", held)
    drilled = FactList(found.origin, (*found.items, fact))
    assert told(drilled).said[-1] == (
        "Drills of a roll-back on record: 1, the newest held 2026-03-01T00:00:00Z: it was noticed "
        "within 54 ms and done."
    )
