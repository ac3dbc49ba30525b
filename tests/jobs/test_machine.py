"""A job goes from its proposal to its end by the events that may come next, and by no others."""

from dataclasses import replace

import pytest

from ledger.events.cases import GOVERNOR
from ledger.events.values import SECOND
from ledger.jobs.conclusions import verdict
from tests.support.job_stories import (
    ANA,
    BOB,
    EVE,
    LEASE_SECONDS,
    ONE,
    TWO,
    WINDOW_SECONDS,
    Story,
)


def outcome(story: Story, job: str = "j1") -> tuple[str, str]:
    return story.job(job).state, story.job(job).outcome


def test_a_job_is_proposed_approved_leased_judged_deployed_observed_and_closed() -> None:
    story = Story().observing()
    assert not story.report(ONE, "observation", 50)
    story.now += WINDOW_SECONDS * SECOND
    assert not story.observe()
    assert outcome(story) == ("closed", "succeeded")
    assert [data.TYPE.removesuffix(".v1") for _, _, data in story.events] == [
        "job.proposed", "job.approved", "job.leased",
        "gate.reported", "gate.judged", "gate.reported", "gate.judged",
        "gate.reported", "gate.judged", "job.approved", "job.leased",
        "gate.reported", "gate.judged", "job.deployed",
        "gate.reported", "gate.judged", "job.closed",
    ]  # fmt: skip


def test_a_person_s_job_takes_the_approval_of_another_person() -> None:
    story = Story()
    assert "is not a person, and no plan" in story.propose(ONE)
    assert "asks for no approval" in story.propose(approvals=0)
    assert not story.propose()
    assert "waits for approvals" in story.lease()
    assert "is the person who proposed it" in story.approve(ANA)
    assert "is the person who proposed it" in story.approve("users/ana-2")
    assert "is not a person" in story.approve(ONE)
    assert not story.approve(BOB)
    assert "waits for an executor" in story.approve(EVE)
    assert not story.lease()


def test_each_approval_is_of_another_natural_person() -> None:
    story = Story()
    assert not story.propose(approvals=2)
    assert not story.approve(EVE)
    assert "approved it already" in story.approve("users/eve-2")
    assert story.job().state == "proposed"
    assert not story.approve(BOB)
    assert story.job().state == "ready"


def test_a_job_that_a_plan_admitted_takes_no_approval_and_comes_once_of_each_plan() -> None:
    story = Story()
    plan = story.plan()
    assert not story.propose(ONE, plan=plan, approvals=0)
    assert "is not over" in story.propose(ONE, job="j2", plan=plan, approvals=0)
    assert not story.cancel()
    assert "does not know job j1" in story.propose(ONE, job="j2", plan=plan, approvals=0)
    assert not story.propose(ONE, job="j2", plan=story.plan(), approvals=0)
    assert not story.lease(job="j2")


def test_a_denied_job_ends() -> None:
    story = Story()
    assert not story.propose()
    assert not story.deny(BOB)
    assert outcome(story) == ("closed", "denied")
    assert "is over" in story.approve(BOB)


def test_of_two_executors_one_has_the_job_and_the_token_of_the_other_is_stale() -> None:
    story = Story().leased()
    assert "is leased to an executor" in story.lease(TWO)
    story.now += LEASE_SECONDS * SECOND
    assert not story.expire(1)
    assert "waits for an executor" in story.report(ONE, "data_integrity", token=1)
    assert "the next one is 2" in story.lease(TWO, token=1)
    assert not story.lease(TWO)
    assert "token 1 is not that of the lease" in story.report(ONE, "data_integrity", token=1)
    assert "holds the lease, not" in story.report(ONE, "data_integrity", token=2)
    assert not story.report(TWO, "data_integrity")


def test_a_lease_expires_once_its_time_has_come_and_by_the_governor_alone() -> None:
    story = Story().leased()
    story.now += LEASE_SECONDS * SECOND - 1
    assert "had not run out" in story.expire(1)
    story.now += 1
    assert "does" in story.expire(1, actor=TWO)
    assert not story.extend(ONE, 1)
    assert "had not run out" in story.expire(1)
    story.now += LEASE_SECONDS * SECOND
    assert "its token is 7" in story.expire(7)
    assert not story.expire(1)


def test_a_lease_is_given_up_by_its_holder_alone_and_the_job_is_open_at_once() -> None:
    story = Story().leased()
    assert not story.report(ONE, "data_integrity")
    assert "holds the lease, not" in story.give_up(TWO, 1)
    assert "holds the lease, not" in story.give_up(GOVERNOR, 1)
    assert "token 2 is not that of the lease" in story.give_up(ONE, 2)
    assert not story.give_up(ONE, 1)
    assert (story.job().state, story.job().attempt) == ("ready", 2)
    assert "waits for an executor" in story.give_up(ONE, 1)
    assert not story.lease(TWO)
    assert "token 1 is not that of the lease" in story.report(ONE, "candidate", token=1)
    assert not story.report(TWO, "candidate")


def test_an_attempt_that_is_given_up_tells_its_cost_which_never_falls() -> None:
    story = Story().leased()
    assert not story.report(ONE, "data_integrity", cost=7)
    assert "cannot be 6" in story.give_up(ONE, 1, cost=6)
    assert not story.give_up(ONE, 1, cost=9)
    assert story.job().cost_micros == 9
    assert not story.lease(TWO)
    assert "cannot be 8" in story.report(TWO, "candidate", cost=8)
    assert not story.report(TWO, "candidate", cost=9)


def test_a_last_attempt_that_is_given_up_fails_the_job_with_its_reason() -> None:
    story = Story().leased()
    assert not story.give_up(ONE, 1)
    assert not story.lease(TWO)
    assert not story.give_up(TWO, 2)
    assert outcome(story) == ("closed", "failed")
    assert story.job().why == (
        "services/worker-2 gave up attempt 2, because: The disk is full. Its recipe allows 2."
    )


def test_what_an_attempt_that_was_given_up_had_recorded_is_recorded_again_by_the_next() -> None:
    story = Story().leased()
    story.jobs.jobs["j1"] = replace(story.job(), environment_of="data_integrity")
    assert not story.give_up(ONE, 1)
    assert story.job().environment_of == ""


def test_a_heartbeat_makes_a_lease_longer_by_its_term_and_never_shorter() -> None:
    story = Story().leased()
    assert "would not end later" in story.extend(ONE, 1)
    story.now += SECOND
    assert "not that of the lease" in story.extend(ONE, 9)
    assert "holds the lease" in story.extend(TWO, 1)
    assert not story.extend(ONE, 1)
    story.now -= 30 * SECOND
    assert "would not end later" in story.extend(ONE, 1)
    assert "longer than the 60 seconds" in Story().ready().lease(seconds=61)


def test_gates_that_were_passed_stay_passed_and_the_last_attempt_fails_the_job() -> None:
    story = Story().leased()
    assert not story.report(ONE, "data_integrity")
    story.now += LEASE_SECONDS * SECOND
    assert not story.expire(1)
    assert story.job().attempt == 2
    assert not story.lease(TWO)
    assert "what is next is candidate" in story.report(TWO, "data_integrity")
    story.now += LEASE_SECONDS * SECOND
    assert not story.expire(2)
    assert outcome(story) == ("closed", "failed")
    assert "allows 2" in story.job().why


def test_gates_come_in_their_order_and_a_report_has_what_its_gate_asks_for() -> None:
    story = Story().leased()
    assert "what is next is data_integrity" in story.report(ONE, "candidate")
    data = story.reported("data_integrity")
    assert "is not reported" in story.add(ONE, data.model_copy(update={"metrics": {}}))
    more = data.model_copy(update={"metrics": {"loss": 1, "luck": 7}})
    assert "does not ask for it" in story.add(ONE, more)
    assert "attempt 1 runs" in story.add(ONE, data.model_copy(update={"attempt": 2}))
    assert not story.report(ONE, "data_integrity", cost=500)
    assert "the cost so far was 500" in story.report(ONE, "candidate", cost=499)


def test_the_ledger_judges_a_gate_by_the_criteria_that_the_job_was_proposed_with() -> None:
    story = Story().leased()
    assert not story.report(ONE, "data_integrity")
    assert not story.report(ONE, "candidate", 100)
    judged = story.events[-2][2].to_data()
    assert not judged["is_passed"]
    assert judged["criteria"] == [
        {
            "name": "good",
            "when": 'metrics["loss"] < 100',
            "is_met": False,
            "values": {'metrics["loss"]': "100"},
            "sentence": judged["criteria"][0]["sentence"],
        }
    ]
    assert outcome(story) == ("closed", "failed")
    assert story.job().why == ("The gate candidate was not passed.")
    assert "is over" in story.report(ONE, "holdout")


@pytest.mark.parametrize(
    "change",
    [
        {"is_passed": True},
        {"criteria": []},
        {"report": 3},
        {"gate": "holdout"},
    ],
    ids=str,
)
def test_a_verdict_that_its_evidence_and_criteria_do_not_give_is_refused(
    change: dict[str, object],
) -> None:
    story = Story().leased()
    assert not story.report(ONE, "data_integrity")
    job = story.job()
    position, report = story.position + 1, story.reported("candidate", 100)
    told = position, report.stream_name, report.TYPE, ONE, report.to_data()
    story.jobs.apply(*told, recorded_at=story.now)
    true = verdict(story.job())
    assert story.fault(ONE, true) == ""
    assert story.fault(ONE, true.model_copy(update=change))
    assert job.state == "leased"


def test_a_deployment_waits_for_people_in_their_roles() -> None:
    story = Story().awaiting()
    assert "waits for approvals" in story.lease()
    assert "waits for approvals" in story.report(ONE, "deployment")
    assert "it is at the stage deployment" in story.approve(BOB)
    assert "without a role" in story.approve(BOB, "deployment")
    assert "does not hold the role" in story.approve("users/zoe", "deployment", "model-owner")
    assert not story.approve(BOB, "deployment", "model-owner")
    assert story.job().state == "ready"


def test_an_approval_counts_for_the_newest_evidence_alone() -> None:
    story = Story()
    assert not story.propose()
    proposed = story.job().position
    assert "as it was at position 7" in story.approve(BOB, seen=7)
    assert not story.approve(BOB, seen=proposed)
    assert not story.lease()
    for name in ("data_integrity", "candidate", "holdout"):
        assert not story.report(ONE, name)
    judged = story.position
    late = story.approve(BOB, "deployment", "model-owner", seen=proposed)
    newest = f"at position {proposed}, and its newest evidence is at position {judged}"
    assert newest in late
    assert newest.replace(str(proposed), str(judged - 1), 1) in story.approve(
        BOB, "deployment", "model-owner", seen=judged - 1
    )
    assert not story.approve(BOB, "deployment", "model-owner", seen=judged)


def test_an_observation_without_evidence_does_not_pass() -> None:
    story = Story().observing()
    story.now += WINDOW_SECONDS * SECOND
    assert not story.observe()
    assert story.job().state == "rolling_back"
    assert story.events[-1][2].to_data()["report"] is None


def test_the_newest_evidence_of_an_observation_counts_and_a_stale_token_reports_none() -> None:
    story = Story().observing()
    assert not story.report(ONE, "observation", 100)
    assert "not that of the deployment" in story.report(ONE, "observation", 1, token=1)
    assert "services/worker-1 deployed it" in story.report(TWO, "observation", 1)
    assert not story.report(ONE, "observation", 1)
    story.now += WINDOW_SECONDS * SECOND
    assert "was over at" in story.report(ONE, "observation", 1)
    assert not story.observe()
    assert outcome(story) == ("closed", "succeeded")


@pytest.mark.parametrize("state", ["proposed", "ready", "leased", "awaiting", "observing"])
def test_a_job_can_be_cancelled_in_every_state_but_the_last(state: str) -> None:
    story = Story()
    if state == "proposed":
        assert not story.propose()
    else:
        getattr(story, state)()
    assert not story.cancel()
    expected = ("rolling_back", "") if state == "observing" else ("closed", "cancelled")
    assert outcome(story) == expected
    if state == "observing":
        return
    assert "is over" in story.cancel()


def test_a_job_with_an_erased_body_goes_nowhere() -> None:
    story = Story().leased()
    story.jobs.apply(999, "jobs/j1", "job.lease_extended.v1", ONE, None, recorded_at=0)
    assert "body is gone" in story.report(ONE, "data_integrity")
    assert "body is gone" in story.cancel()
