"""Approvals of jobs: for exactly which evidence, by another person, and all that were asked for.

Method: ledgers in one process; a recipe whose gate `approval` asks a model owner.
"""

from pathlib import Path

import pytest

from ledger.compliance.inquiry import Answer, Inquiry
from ledger.compliance.questions import answer
from ledger.compliance.tables import Cell, as_records
from ledger.events.authority import ActorRegistered
from ledger.events.jobs import GateJudged, JobApproved, JobLeased, JobProposed
from ledger.events.values import SECOND
from tests.support.facts import FactList, facts_of
from tests.support.job_worlds import BOB, RECIPE, Working
from tests.support.staffed import SAM, Governed
from tests.support.world import World

ASKING = RECIPE.replace(
    "  - gate: deployment\n",
    "  - gate: approval\n    approvals: [{role: model-owner, count: 1}]\n  - gate: deployment\n",
)


def told(source: FactList, **about: object) -> Answer:
    return answer("approval", source, Inquiry(**about))  # type: ignore[arg-type]


def rows(given: Answer, name: str) -> list[dict[str, Cell]]:
    [table] = [one for one in given.tables if one.name == name]
    return as_records(table)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> FactList:
    """One job that both stages let through, one that is denied, one that waits to begin."""
    world = Governed(Path(tmp_path_factory.mktemp("approvals")) / "l.sqlite", clock="wall").staff()
    world.grant(SAM.actor, "model-owner")
    working = Working.of(world.begin("alpha", "beta", "gamma"), ASKING)
    working.propose("a", "alpha")
    world.clock.advance(60 * SECOND)
    working.approve("a", SAM)
    working.pass_gates(working.lease("a"), "a")
    world.clock.advance(90 * SECOND)
    seen = working.job("a").evidence_at
    world.ledger.jobs.approve(SAM, "a", seen, "model-owner", "fine")
    token = working.lease("a")
    working.deploy(token, "v2", "a", at=world.clock.now_micros())
    working.propose("b", "beta")
    world.ledger.jobs.deny(BOB, "b", "not now")
    working.propose("c", "gamma")
    found = facts_of(world)
    world.close()
    return found


def of(source: FactList, type_: str, job: str) -> list[int]:
    return [
        one.position for one in source.items if one.type == type_ and one.stream == f"jobs/{job}"
    ]


def test_an_approval_names_the_hash_of_the_newest_evidence(story: FactList) -> None:
    hashes = {one.position: one.event_hash for one in story.items}
    first, second = rows(told(story), "job_approvals")
    [proposed] = of(story, JobProposed.TYPE, "a")
    verdict = of(story, GateJudged.TYPE, "a")[2]
    assert (first["seen_position"], first["seen_hash"]) == (proposed, hashes[proposed])
    assert (second["seen_position"], second["seen_hash"]) == (verdict, hashes[verdict])
    assert len(str(second["seen_hash"])) == 64
    assert {one["is_newest"] for one in (first, second)} == {True}
    assert told(story).said[:3] == [
        "On record: 2 approvals of jobs, 2 by another account than that which proposed the job.",
        (
            "For 2 of them the persons behind both accounts are on record, and 2 of these are by "
            "another person."
        ),
        (
            "For exactly the newest evidence of then, by its position and hash: 2 of 2. An "
            "approval counts for that alone: it ends with newer evidence, not with time."
        ),
    ]


def test_an_approval_of_older_evidence_is_told_as_such(story: FactList) -> None:
    forged = FactList(
        story.origin,
        tuple(
            one._replace(data=(one.data or {}) | {"seen_position": 1})
            if one.type == JobApproved.TYPE
            else one
            for one in story.items
        ),
    )
    assert {one["is_newest"] for one in rows(told(forged), "job_approvals")} == {False}
    assert "0 of 2" in told(forged).said[2]


def test_each_stage_says_what_was_asked_for_and_whether_it_came(story: FactList) -> None:
    shown = ("job", "stage", "asked", "given", "state", "seconds")
    found = rows(told(story), "job_stages")
    assert [tuple(one[name] for name in shown) for one in found] == [
        ("a", "start", "1 person", "users/sam", "met", 60),
        ("a", "deployment", "1 as model-owner", "users/sam", "met", 90),
        ("b", "start", "1 person", None, "denied", 0),
        ("c", "start", "1 person", None, "open", None),
    ]
    leases, approved = of(story, JobLeased.TYPE, "a"), of(story, JobApproved.TYPE, "a")
    assert [one["went_on"] for one in found] == [leases[0], leases[1], None, None]
    assert [one["ended_position"] for one in found[:2]] == approved
    assert (
        "Times at which a job waited for people: 4; all that was asked for came: 2; open: 1; "
        "denied: 1." in told(story).said
    )


def test_a_job_that_went_on_without_the_people_is_told(story: FactList) -> None:
    [lease, *_] = of(story, JobLeased.TYPE, "a")
    forged = FactList(
        story.origin,
        tuple(one for one in story.items if one.position != of(story, JobApproved.TYPE, "a")[0]),
    )
    row = rows(told(forged), "job_stages")[0]
    assert (row["state"], row["ended_position"]) == ("passed over", lease)
    assert "passed over: 1" in " ".join(told(forged).said)


def test_one_person_by_two_accounts_is_told_as_one(story: FactList) -> None:
    same = FactList(
        story.origin,
        tuple(
            one._replace(data=(one.data or {}) | {"person": "staff-ana"})
            if one.type == ActorRegistered.TYPE
            else one
            for one in story.items
        ),
    )
    shown = {(one["is_other"], one["is_other_person"]) for one in rows(told(same), "job_approvals")}
    assert shown == {(True, False)}
    assert "and 0 of these are by another person." in told(same).said[1]


def test_a_job_by_a_plan_is_said_to_have_asked_no_one(tmp_path: Path) -> None:
    world = World(tmp_path / "l.sqlite", clock="wall")
    working = Working.of(world.begin("alpha"))
    working.propose("a", "alpha")
    found = facts_of(world)
    world.close()
    proposed = {"approvals": 0, "plan": 5}
    planned = FactList(
        found.origin,
        tuple(
            one._replace(data=(one.data or {}) | proposed) if one.type == JobProposed.TYPE else one
            for one in found.items
        ),
    )
    assert (
        "Jobs that asked no person before they began: 1, of which a plan admitted 1."
        in told(planned).said
    )
