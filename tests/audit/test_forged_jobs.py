"""Jobs that no honest service records: each is found, by name, where it was forced into the log.

Method: on an honest ledger with jobs, one event is changed or appended as its owner could, and
everything is hashed and signed again.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.events.jobs import JOB_TYPES
from ledger.events.values import format_time, parse_time
from ledger.jobs.conclusions import verdict
from ledger.jobs.machine import Job, Jobs
from tests.audit.left_out import say_that_all_was_governed
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.audit.unjudged import (
    DEPLOYED,
    GIVEN_UP,
    JUDGED,
    ONE,
    REPORTED,
    body_of,
    follow,
    leave_a_verdict_out,
)
from tests.support.world import HOUR

Found = set[tuple[str, int]]


def deploy_without_a_gate(paper: Paper) -> Found:
    """Deploy a version of a job whose gates were not passed, with the model's deployment."""
    model = paper.at(paper.find("model.deployed.v1", model="ell")[0]).data
    served = model | {"model_version": "v2", "replaces": "v1"}
    before = paper.append("models/ell", "model.deployed.v1", served, actor=ONE)
    data = paper.at(paper.find(DEPLOYED, job="good")[0]).data
    position = follow(paper, DEPLOYED, data | {"job": "open"}, actor=ONE, cause=before)
    return {("jobs.deployed", position), ("jobs.due", position)}


def soften_a_criterion(paper: Paper) -> Found:
    found = paper.find(JUDGED, job="open")[-1]
    paper.at(found).data["criteria"][0]["when"] = 'metrics["missing"] < 1000'
    return {("gates.judged", found)}


def pass_what_failed(paper: Paper) -> Found:
    found = paper.find(JUDGED, job="bad", gate="observation")[0]
    data = paper.at(found).data
    data["is_passed"] = data["criteria"][0]["is_met"] = True
    return {("gates.judged", found)}


def judge_by_better_observations(paper: Paper) -> Found:
    """Have a verdict pass what the ledger's own observations do not, in all that it says itself."""
    found = paper.find(JUDGED, job="of-wye", gate="observation")[0]
    data = paper.at(found).data
    data["observed"][0]["compared_mean_micros"] = "420000"
    criterion = data["criteria"][1]
    criterion["values"]['compared["loss"]'] = "420000"
    criterion["sentence"] = (
        criterion["sentence"].replace("450000", "420000").replace(" not met", " met")
    )
    data["is_passed"] = criterion["is_met"] = True
    return {("gates.observed", found)}


def judge_without_observations(paper: Paper) -> Found:
    found = paper.find(JUDGED, job="of-vee", gate="observation")[0]
    paper.at(found).data["observed"] = []
    return {("gates.judged", found)}


def use_a_holdout_too_often(paper: Paper) -> Found:
    """Have a job allow one use: another one uses the data again, and later ones are proposed."""
    found = paper.find("job.proposed.v1", job="lost")[0]
    _holdout(paper.at(found).data)["max_uses"] = 1
    first, *later = [
        one
        for one in paper.find(REPORTED, gate="holdout")
        if _holdout(proposal_of(paper, paper.at(one).data["job"]))["name"] == "spring"
    ]
    proposed = [
        one
        for one in paper.find("job.proposed.v1")
        if one > first and _holdout(paper.at(one).data)["name"] == "spring"
    ]
    assert later
    assert proposed
    return {
        ("jobs.proposed", found),
        *(("jobs.proposed", one) for one in proposed),
        *(("gates.reported", one) for one in later),
    }


def proposal_of(paper: Paper, job: str) -> dict[str, Any]:
    return paper.at(paper.find("job.proposed.v1", job=job)[0]).data


def _holdout(proposed: dict[str, Any]) -> dict[str, Any]:
    gate = next(one for one in proposed["gates"] if one["gate"] == "holdout")
    holdout: dict[str, Any] = gate["holdout"]
    return holdout


def propose_by_another_recipe(paper: Paper) -> Found:
    found = paper.find("job.proposed.v1", job="open")[0]
    paper.at(found).data["recipe_digest"] = "33" * 32
    return {("jobs.proposed", found)}


def propose_without_a_plan(paper: Paper) -> Found:
    found = paper.find("job.proposed.v1", job="open")[0]
    paper.at(found).data.update(plan=5)
    return {("jobs.proposed", found)}


def shorten_an_observation(paper: Paper) -> Found:
    found = paper.find(DEPLOYED, job="good")[0]
    data = paper.at(found).data
    data["observed_until"] = data["in_service_at"]
    return {("jobs.deployed", found)}


def gain_more_than_was_observed(paper: Paper) -> Found:
    found = paper.find("job.closed.v1", job="of-vee")[0]
    paper.at(found).data["realised"] = {
        "signal": "loss", "rows": "200", "change_micros": "-1", "benefit_micros": "999000000",
    }  # fmt: skip
    return {("jobs.steps", found)}


def value_a_loss_higher(paper: Paper) -> Found:
    found = paper.find("job.proposed.v1", job="open")[0]
    paper.at(found).data["unit_value_micros"] = "999000000"
    return {("jobs.forecast", found)}


def claim_a_margin(paper: Paper) -> Found:
    """Have a person's job say that its policy's margin was met."""
    found = paper.find("job.proposed.v1", job="open")[0]
    paper.at(found).data["margin"] = "met"
    return {("jobs.forecast", found)}


def plan_on_more_than_jobs_bring(paper: Paper) -> Found:
    found = paper.find("job.proposed.v1", job="open")[0]
    paper.at(found).data["forecast"]["gain_ppm"] += 1
    return {("jobs.forecast", found)}


def go_back_to_what_never_served(paper: Paper) -> Found:
    found = paper.find("job.rolled_back.v1", job="bad")[0]
    paper.at(found).data["model_version"] = "v0"
    closed = paper.find("job.closed.v1", job="bad")[0]
    return {("jobs.deployed", found), ("jobs.steps", closed)}


def go_back_to_what_is_not_registered(paper: Paper) -> Found:
    """Have a job that may fall back to a version, by its proposal, fall back to it."""
    proposed = paper.find("job.proposed.v1", job="bad")[0]
    paper.at(proposed).data["fall_back"] = ["v0"]
    found = paper.find("job.rolled_back.v1", job="bad")[0]
    paper.at(found).data["model_version"] = "v0"
    return {("jobs.fall_back", proposed), ("jobs.fall_back", found)}


def expire_before_its_time(paper: Paper) -> Found:
    data = {"job": "open", "token": 1}
    return {("jobs.leases", follow(paper, "job.lease_expired.v1", data, actor="system/governor"))}


def approve_by_older_evidence(paper: Paper) -> Found:
    found = paper.find("job.approved.v1", job="open")[-1]
    paper.at(found).data["seen_position"] -= 1
    return {("jobs.steps", found)}


def given_up(paper: Paper, job: str, token: int) -> dict[str, Any]:
    """Return the data of a job that is given up at the cost that was reported last."""
    costs = [paper.at(one).data["cost_micros"] for one in paper.find("gate.reported.v1", job=job)]
    return {"job": job, "token": token, "reason": "x", "cost_micros": ["0", *costs][-1]}


def give_up_at_less_than_was_reported(paper: Paper) -> Found:
    found = paper.find(GIVEN_UP, job="open")[0]
    paper.at(found).data["cost_micros"] = "-1"
    return {("jobs.leases", found)}


def give_up_the_lease_of_another(paper: Paper) -> Found:
    found = paper.find(GIVEN_UP, job="open")[0]
    body_of(paper, found)["actor"] = ONE
    return {("jobs.leases", found)}


def give_up_under_a_stale_token(paper: Paper) -> Found:
    data = given_up(paper, "open", 1)
    return {("jobs.leases", follow(paper, GIVEN_UP, data, actor=ONE))}


def give_up_a_return(paper: Paper) -> Found:
    """Give up what is to be taken back, in the place of the return itself."""
    found = paper.find("job.rolled_back.v1", job="bad")[0]
    event = paper.at(found)
    token = event.data["token"]
    event.type = GIVEN_UP
    body_of(paper, found)["data"] = given_up(paper, "bad", token)
    return {("jobs.leases", found), ("jobs.due", found + 1)}


def cancel_a_return(paper: Paper) -> Found:
    """Have a person end a job whose version goes back, so that the version stays in service."""
    found = paper.find("job.rolled_back.v1", job="bad")[0]
    event = paper.at(found)
    leased = body_of(paper, paper.find("job.leased.v1", job="bad")[-1])
    event.type = "job.cancelled.v1"
    body_of(paper, found).update(
        actor="users/ana", data={"job": "bad", "reason": "x"}, run_id=leased["run_id"]
    )
    return {("jobs.steps", found)}


def job_before(paper: Paper, position: int, name: str) -> Job:
    """Return a job as it was before an event."""
    jobs = Jobs()
    for place, event in enumerate(paper.events[: position - 1], 1):
        if event.type in JOB_TYPES:
            jobs.apply(
                *(place, event.stream, event.type, "", event.data), recorded_at=event.recorded_at
            )
    return jobs.jobs[name]


def judge_a_version_that_serves_no_more(paper: Paper) -> Found:
    """Have the governor judge a job's version, in the place of saying that it serves no more."""
    found = paper.find("job.lapsed.v1", job="gone")[0]
    event = paper.at(found)
    event.type, body = JUDGED, body_of(paper, found)
    body["data"] = verdict(job_before(paper, found, "gone")).to_data()
    return {("jobs.lapsed", found)}


def deploy_before_what_serves(paper: Paper) -> Found:
    """State that a job's version went into service an hour before the one that it replaced."""
    places = [
        paper.find(DEPLOYED, job="gone")[0],
        paper.find("model.deployed.v1", model="jay", model_version="v4")[0],
    ]
    for place in places:
        data = paper.at(place).data
        before = format_time(parse_time(data["in_service_at"]) - HOUR)
        data["in_service_at"] = before
        if "trained_through" in data:
            data["trained_through"] = before
    return {("jobs.lapsed", places[0])}


def leave_a_lapse_out(paper: Paper) -> Found:
    """Put other events in the place of a lapse, its end and its money; all keep their places."""
    found = paper.find("job.lapsed.v1", job="gone")[0]
    defined = paper.at(paper.find("signal.defined.v1", signal="drift")[0])
    for number, place in enumerate((found, found + 1)):
        event = paper.at(place)
        name = f"spare-{number}"
        event.stream, event.type = f"signals/{name}", defined.type
        event.body = {
            "actor": "users/ana", "causation_position": None, "request_id": None, "run_id": None,
            "data": defined.data | {"signal": name},
        }  # fmt: skip
    say_that_all_was_governed(paper)
    return {("jobs.time", paper.find("model.deployed.v1", model="jay", model_version="v5")[0])}


def leave_the_end_out_behind_a_last_attempt(paper: Paper) -> Found:
    """Give up the second of two attempts, and record no end."""
    data = given_up(paper, "open", 2)
    return {("jobs.due", follow(paper, GIVEN_UP, data, actor=ONE))}


def close_what_is_not_over(paper: Paper) -> Found:
    data = paper.at(paper.find("job.closed.v1", job="good")[0]).data | {"job": "open"}
    position = follow(paper, "job.closed.v1", data, actor="users/ana")
    return {("jobs.steps", position), ("jobs.due", position)}


def leave_a_verdict_out_before_another_event(paper: Paper) -> Found:
    position = leave_a_verdict_out(paper)
    defined = paper.at(paper.find("signal.defined.v1", signal="drift")[0]).data
    paper.append("signals/spare", "signal.defined.v1", defined | {"signal": "spare"})
    return {("jobs.due", position)}


def cite_another_event(paper: Paper) -> Found:
    data = {"job": "open", "reason": "x"}
    position = follow(paper, "job.cancelled.v1", data, actor="users/ana", cause=4)
    return {("jobs.steps", position), ("jobs.due", position)}


@pytest.mark.parametrize(
    "forge",
    [
        deploy_without_a_gate,
        soften_a_criterion,
        pass_what_failed,
        judge_by_better_observations,
        judge_without_observations,
        use_a_holdout_too_often,
        propose_by_another_recipe,
        propose_without_a_plan,
        shorten_an_observation,
        gain_more_than_was_observed,
        value_a_loss_higher,
        claim_a_margin,
        plan_on_more_than_jobs_bring,
        go_back_to_what_never_served,
        go_back_to_what_is_not_registered,
        expire_before_its_time,
        approve_by_older_evidence,
        give_up_at_less_than_was_reported,
        give_up_the_lease_of_another,
        give_up_under_a_stale_token,
        give_up_a_return,
        cancel_a_return,
        judge_a_version_that_serves_no_more,
        deploy_before_what_serves,
        leave_a_lapse_out,
        leave_the_end_out_behind_a_last_attempt,
        close_what_is_not_over,
        cite_another_event,
        leave_a_verdict_out_before_another_event,
    ],
    ids=lambda one: one.__name__,
)
def test_a_job_that_no_service_records_is_found(
    long_paper: Paper, tmp_path: Path, forge: Callable[[Paper], Any]
) -> None:
    expected = forge(long_paper)
    report = audit_of(long_paper, tmp_path)
    seen = {(one.rule, one.position) for one in report.findings}
    assert expected <= seen, report.text()
    assert report.first_bad_position == min(position for _, position in expected), report.text()
