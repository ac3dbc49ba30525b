"""Events of jobs and plans that name another origin than theirs: run, cause, version in service.

Method: as in `test_forged_jobs.py`.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.events.values import SECOND, format_time
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.audit.unapproved import approve, draft, register, step
from tests.audit.unjudged import DEPLOYED, body_of
from tests.support.job_worlds import Working
from tests.support.world import HOUR, ORIGIN, World


def deploy_what_serves(paper: Paper) -> tuple[str, int]:
    """Have a job put the version in service in its own place, and say the same of the model."""
    found = paper.find(DEPLOYED, job="good")[0]
    first = paper.at(paper.find("model.deployed.v1", model="jay", model_version="v1")[0]).data
    trained = {name: first[name] for name in ("model_version", "trained_through")}
    paper.at(found - 1).data.update(trained, kind="reinstated")
    paper.at(found).data["model_version"] = "v1"
    return ("jobs.replaced", found)


def serve_nothing(paper: Paper) -> tuple[str, int]:
    found = paper.find("job.proposed.v1", job="open")[0]
    paper.at(found).data["serving"] = None
    return ("jobs.serving", found)


def join_the_run_of_another_job(paper: Paper) -> tuple[str, int]:
    """Have a job with all its money carry the run of the job before it."""
    found = paper.find("job.proposed.v1", job="open")[0]
    run_id = body_of(paper, paper.find("job.proposed.v1", job="good")[0])["run_id"]
    for place, event in enumerate(paper.events, 1):
        if event.stream == "jobs/open":
            body_of(paper, place)["run_id"] = run_id
    return ("jobs.origins", found)


def belong_to_no_run(paper: Paper) -> tuple[str, int]:
    found = paper.find("job.proposed.v1", job="open")[0]
    for place, event in enumerate(paper.events, 1):
        if event.stream == "jobs/open":
            body_of(paper, place)["run_id"] = None
    return ("jobs.origins", found)


def follow_from_no_plan(paper: Paper) -> tuple[str, int]:
    found = paper.find("job.proposed.v1", job="open")[0]
    body_of(paper, found)["causation_position"] = 4
    return ("jobs.origins", found)


def ask_for_a_plan_because_of_something(paper: Paper) -> tuple[str, int]:
    found = paper.find("plan.made.v2")[0]
    body_of(paper, found)["causation_position"] = 4
    return ("jobs.origins", found)


def propose_to_put_back_in_a_run(paper: Paper) -> tuple[str, int]:
    found = paper.find("reuse.proposed.v1")[0]
    body_of(paper, found)["run_id"] = "runs/another"
    return ("jobs.origins", found)


def propose_to_put_back_because_of_something(paper: Paper) -> tuple[str, int]:
    found = paper.find("reuse.proposed.v1")[0]
    body_of(paper, found)["causation_position"] = 4
    return ("jobs.origins", found)


def ask_back_in_a_run(paper: Paper) -> tuple[str, int]:
    found = paper.find("roll_back.asked.v1")[0]
    body_of(paper, found)["run_id"] = "runs/another"
    return ("jobs.origins", found)


def explain_because_of_something_else(paper: Paper) -> tuple[str, int]:
    found = paper.find("deployment.explained.v1")[0]
    body_of(paper, found)["causation_position"] -= 1
    return ("jobs.origins", found)


def explain_in_another_run(paper: Paper) -> tuple[str, int]:
    found = paper.find("deployment.explained.v1")[0]
    body_of(paper, found)["run_id"] = "runs/another"
    return ("jobs.origins", found)


def schedule_because_of_something(paper: Paper) -> tuple[str, int]:
    """Have plans made by the clock since the newest event, and say that it follows from one."""
    data = {
        "policy": "reusing", "since": format_time(paper.events[-1].recorded_at),
        "every_seconds": 86_400, "purse_micros": "1", "purse_cap_micros": "1", "recipe": None,
        "reason": "",
    }  # fmt: skip
    found = paper.append("plan_schedules/reusing", "plan.scheduled.v1", data, causation_position=4)
    return ("jobs.origins", found)


def draft_a_recipe_in_a_run(paper: Paper) -> tuple[str, int]:
    found = draft(paper)
    body_of(paper, found)["run_id"] = "runs/another"
    return ("jobs.origins", found)


def approve_a_recipe_because_of_its_draft(paper: Paper) -> tuple[str, int]:
    drafted, found = draft(paper), approve(paper)
    body_of(paper, found)["causation_position"] = drafted
    return ("jobs.origins", found)


def retire_a_recipe_in_a_run(paper: Paper) -> tuple[str, int]:
    draft(paper)
    found = step(paper, "retired", version=None, reason="old")
    body_of(paper, found)["run_id"] = "runs/another"
    return ("jobs.origins", found)


def measure_in_a_run(paper: Paper) -> tuple[str, int]:
    found = register(paper, "known_good")
    body_of(paper, found)["run_id"] = "runs/another"
    return ("jobs.origins", found)


def describe_because_of_something(paper: Paper) -> tuple[str, int]:
    found = paper.find("model.registered.v1")[-1]
    body_of(paper, found)["causation_position"] = 1
    return ("origins", found)


def propose_without_a_reason(paper: Paper) -> tuple[str, int]:
    found = paper.find("job.proposed.v1", job="open")[0]
    paper.at(found).data["reason"] = " "
    return ("jobs.proposed", found)


@pytest.mark.parametrize(
    "forge",
    [
        deploy_what_serves,
        serve_nothing,
        join_the_run_of_another_job,
        belong_to_no_run,
        follow_from_no_plan,
        ask_for_a_plan_because_of_something,
        propose_to_put_back_in_a_run,
        propose_to_put_back_because_of_something,
        ask_back_in_a_run,
        explain_because_of_something_else,
        explain_in_another_run,
        schedule_because_of_something,
        draft_a_recipe_in_a_run,
        approve_a_recipe_because_of_its_draft,
        retire_a_recipe_in_a_run,
        measure_in_a_run,
        describe_because_of_something,
        propose_without_a_reason,
    ],
    ids=lambda one: one.__name__,
)
def test_an_origin_that_no_service_writes_is_found_first(
    long_paper: Paper, tmp_path: Path, forge: Callable[[Paper], tuple[str, int]]
) -> None:
    expected = forge(long_paper)
    report = audit_of(long_paper, tmp_path)
    assert (report.findings[0].rule, report.findings[0].position) == expected, report.text()


@pytest.mark.parametrize("ahead", [-120, 120])
def test_a_job_names_what_is_stated_to_serve_last_to_the_second(tmp_path: Path, ahead: int) -> None:
    world = World(tmp_path / "ledger.db", clock="wall").begin("alpha")
    world.clock.advance(HOUR)
    world.deploy("alpha", "v2", at=world.clock.now_micros() + ahead * SECOND)
    job = Working.of(world).propose()
    world.close()
    paper = Paper.copied(tmp_path / "ledger.db", ORIGIN)
    assert job.proposed["serving"] == "v2"
    assert audit_of(paper, tmp_path).passed
    [found] = paper.find("job.proposed.v1")
    paper.at(found).data["serving"] = "v1"
    report = audit_of(paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [("jobs.serving", found)]
