"""Jobs of scheduled plans that the service could not have proposed are found in a forged log."""

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import LedgerError
from ledger.jobs.plan_schedules import (
    PlanSchedule,
    by_schedule_fault,
    is_job_of_plan,
    job_of_plan,
)
from tests.application.test_plan_schedule_money import FIRST, WEEK
from tests.application.test_scheduled_jobs import govern, schedule, settle, test_job, world_of
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.support.job_worlds import Working
from tests.support.world import ORIGIN, World


@pytest.fixture
def paper(tmp_path: Path) -> Paper:
    """A ledger on paper with jobs by a schedule, one refused, and the plan that followed."""
    path = tmp_path / "forged" / "ledger.db"
    path.parent.mkdir()
    working = world_of(path)
    schedule(working)
    govern(working, FIRST)
    for model in "ab":
        test_job(working, model, loss=200)
    settle(working)
    working.world.close()
    return Paper.copied(path, ORIGIN)


def findings(paper: Paper, tmp_path: Path) -> list[tuple[str, str]]:
    return [(one.rule, one.what) for one in audit_of(paper, tmp_path).findings]


def test_jobs_of_a_schedule_that_names_another_recipe_or_none_are_refused(
    paper: Paper, tmp_path: Path
) -> None:
    [at] = paper.find("plan.scheduled.v1")
    paper.at(at).data["recipe"] = None
    found = findings(paper, tmp_path)
    assert {rule for rule, _ in found} == {"plans.scheduled"}
    assert "names no recipe" in found[0][1]


@pytest.mark.parametrize(
    ("actor", "recipe", "stated", "why"),
    [
        ("system/governor", "weekly", ("weekly", 3), ""),
        ("users/ana", None, ("own", 1), ""),
        ("system/governor", "weekly", ("weekly", 2), "it is by version 2 of weekly"),
        ("system/governor", "weekly", ("own", 3), "it is by version 3 of own"),
        ("system/governor", None, ("weekly", 3), "names no recipe"),
        ("system/follower", "weekly", ("weekly", 3), "proposes no jobs"),
    ],
)
def test_the_governor_proposes_by_the_recipe_and_version_that_are_due(
    actor: str, recipe: str | None, stated: tuple[str, int], why: str
) -> None:
    one = PlanSchedule("main", 9, WEEK, "1", "1", recipe, "", 0)
    data = {
        "job": "j1" if actor.startswith("users/") else "scheduled-7-a",
        "plan": 7,
        "model": "a",
        "recipe": stated[0],
        "recipe_version": stated[1],
    }
    said = by_schedule_fault(one, actor, data, ("weekly", 3))
    assert (why in said) if why else (said == "")


def test_another_part_of_the_service_proposes_no_job(paper: Paper, tmp_path: Path) -> None:
    body = paper.at(paper.find("job.proposed.v1", model="c")[0]).body
    assert isinstance(body, dict)
    body["actor"] = "system/evaluator"
    [(rule, why)] = findings(paper, tmp_path)
    assert (rule, why) == ("plans.scheduled", "system/evaluator proposes no jobs")


def test_a_schedule_by_a_recipe_that_was_never_approved_is_refused(
    paper: Paper, tmp_path: Path
) -> None:
    paper.at(paper.find("plan.scheduled.v1")[0]).data["recipe"] = "another"
    assert ("plans.due", "no version of recipe another is approved") in findings(paper, tmp_path)


def test_a_plan_that_is_made_again_without_new_money_is_refused(
    paper: Paper, tmp_path: Path
) -> None:
    last = paper.find("plan.made.v2")[-1]
    data, body = paper.at(last).data, paper.at(last).body
    assert isinstance(body, dict)
    twice = data | {"plan": data["plan"][:-1] + "3", "as_of": len(paper.events)}
    paper.append(
        f"plans/{twice['plan']}", "plan.made.v2", twice, actor="system/governor",
        causation_position=body["causation_position"],
    )  # fmt: skip
    said = [what for rule, what in findings(paper, tmp_path) if rule == "plans.scheduled"]
    assert said == ["a job of its period waits for its test"]


def test_a_job_of_a_schedule_has_the_id_of_its_plan_and_model(paper: Paper, tmp_path: Path) -> None:
    at = paper.find("job.proposed.v1", model="c")[0]
    data = paper.at(at).data
    assert data["job"] == f"scheduled-{data['plan']}-c"
    rename(paper, data["job"], "another")
    [(rule, why)] = findings(paper, tmp_path)
    expected = f"its id is another, and by its plan scheduled-{data['plan']}-c"
    assert (rule, why) == ("plans.scheduled", expected)


def test_a_job_of_a_person_has_no_id_of_a_schedule(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.db").begin("alpha")
    working = Working.of(world)
    working.propose()
    with pytest.raises(LedgerError, match="has the form of the ids of jobs"):
        working.propose("scheduled-7-alpha")
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    rename(paper, "j1", "scheduled-7-alpha")
    [(rule, why)] = findings(paper, tmp_path)
    assert rule == "plans.scheduled"
    assert why == "its id scheduled-7-alpha has the form of those by schedules"


def test_ids_of_jobs_by_schedules_are_readable_bounded_and_each_models_own() -> None:
    assert job_of_plan(41, "churn") == "scheduled-41-churn"
    long = ["m" * 127 + last for last in "ab"]
    made = {job_of_plan(41, model) for model in long}
    assert len(made) == 2
    assert {len(job) for job in made} == {128}
    assert all(is_job_of_plan(job) for job in made)


def rename(paper: Paper, job: str, name: str) -> None:
    """Have a job another id in all that is recorded of it."""
    for number, event in enumerate(paper.events):
        if event.stream == f"jobs/{job}":
            paper.events[number] = replace(event, stream=f"jobs/{name}")
            paper.at(number + 1).data["job"] = name
        elif isinstance(event.body, dict) and event.body["data"].get("job") == job:
            event.body["data"]["job"] = name
