"""People propose, approve, deny and cancel jobs from the command line, which says what is next."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from ledger.client.jobs import ReportedEvidence
from tests.cli.conftest import Run, against
from tests.support.explained import explained_text
from tests.support.job_worlds import RECIPE
from tests.support.live_fleet import POLICY, START, furnish
from tests.support.served import Served, serving

ANA, BOB = ("--actor", "users/ana"), ("--actor", "users/bob")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as found:
        found.create()
        with found.client(actor="users/ana") as client:
            furnish(client, ("fares", "hotels"))
            made = client.draft_recipe("weekly", RECIPE, "because")
        with found.client(actor="users/bob") as client:
            client.approve_recipe("weekly", 1, made.version.digest)
        yield found


@pytest.fixture
def cli(served: Served) -> Run:
    return against(served)


def seen(cli: Run, job: str = "j1") -> tuple[str, str]:
    """Return the option that names the newest evidence of a job, as `job show` says it."""
    rows = dict(line.split(maxsplit=1) for line in cli("job", "show", job).out.splitlines())
    return "--seen", rows["evidence"].rpartition(" ")[2]


def test_a_job_is_proposed_approved_shown_and_cancelled(cli: Run) -> None:
    misused = cli("job", "propose", "fares", "--recipe", "weekly", *ANA)
    assert misused.code != 0
    assert "Name the plan that admitted the model, or say why" in misused.err
    proposed = cli(
        "job", "propose", "fares", "--recipe", "weekly", "--reason", "worse", "--id", "j1", *ANA
    )
    assert proposed.out.startswith("Proposed job j1 of fares at position ")
    assert "It waits for 1 approval: `decision-ledger job approve j1 --seen " in proposed.err
    refused = cli("job", "approve", "j1", *seen(cli), *ANA)
    assert "is the person who proposed it" in refused.err
    assert refused.code == 1
    late = cli("job", "approve", "j1", "--seen", "1", *BOB)
    assert "it is approved as it was at position 1, and its newest evidence is at" in late.err
    done = cli("job", "approve", "j1", *seen(cli), "--note", "fine", *BOB)
    assert done.out.startswith("Approved job j1 at position ")
    assert "waits for an executor" in done.err
    shown = cli("job", "show", "models/fares/jobs/j1")
    assert "0.00 EUR of 5.00 EUR expected" in shown.out
    rows = dict(line.split(maxsplit=1) for line in shown.out.splitlines())
    assert rows["policy"] == "fleet version 1"
    forecast = "5.00 EUR (0.00 to 10.00), 50.0% likely to stay, by the recipe alone"
    assert rows["forecast"] == forecast
    assert f"Its forecast is {forecast}." in proposed.err
    assert "error" not in rows
    assert "data_integrity, candidate, holdout, deployment, observation" in shown.out
    head, row = cli("job", "list", "--state", "ready").out.splitlines()
    assert head.split() == ["JOB", "MODEL", "RECIPE", "GATES", "ATTEMPT", "STATE", "COST"]
    assert row.split()[:5] == ["j1", "fares", "weekly", "1", "0/5"]
    done = cli("job", "cancel", "j1", "--reason", "no machine is free", *ANA)
    assert done.out.startswith("Cancelled job j1 at position ")
    before = seen(cli)[1]
    assert cli("job", "list", "--as-of", before).out.splitlines()[1].split()[6] == "proposed"
    assert cli("job", "list", "--as-of", str(int(before) - 1)).out == "No job.\n"
    assert "lies beyond the head" in cli("job", "list", "--as-of", "100000").err
    assert (
        "cancelled: users/ana cancelled it, because: no machine is free."
        in cli("job", "list", "fares").out
    )
    assert "No job j9 was proposed." in cli("job", "show", "j9").err


def test_a_job_says_which_budget_pays_and_the_budget_names_its_jobs(cli: Run) -> None:
    propose = ("job", "propose", "--recipe", "weekly", "--reason", "worse", *ANA)
    cli("budget", "set", "main", "--every", "7d", "--refill", "8", "--unit", "EUR", *ANA)
    done = cli(*propose, "fares", "--id", "j1")
    assert "Budget main keeps 5.00 EUR for it." in done.err
    assert "budget main keeps 5.00 EUR for it" in cli("job", "show", "j1").out
    assert ["j1", "fares", "jobs", "5.00", "EUR"] in [
        line.split()[:5] for line in cli("budget", "show", "main").out.splitlines()
    ]
    refused = cli(*propose, "hotels", "--id", "j2")
    assert refused.code == 1
    assert "Budget main lacks 2.00 EUR for job j2." in refused.err
    assert "choose a recipe that costs less" in refused.err
    cli("job", "cancel", "j1", "--reason", "no machine is free", *ANA)
    assert "budget main paid 0.00 EUR for it" in cli("job", "show", "j1").out
    cli("budget", "set", "main", "--every", "7d", "--refill", "8", "--unit", "EUR", "--team", "x",
        *ANA)  # fmt: skip
    assert "No budget covers its model." in cli(*propose, "hotels", "--id", "j3").err


def test_a_job_is_denied_and_one_in_progress_names_its_executor(served: Served, cli: Run) -> None:
    cli("job", "propose", "fares", "--recipe", "weekly", "--reason", "worse", "--id", "j1", *ANA)
    done = cli("job", "deny", "j1", "--reason", "too dear", *BOB)
    assert done.out.startswith("Denied job j1 at position ")
    cli("job", "propose", "hotels", "--recipe", "weekly", "--reason", "worse", "--id", "j2", *ANA)
    cli("job", "approve", "j2", *seen(cli, "j2"), *BOB)
    with served.client(actor="services/worker-1") as worker:
        worker.lease_job("models/hotels/jobs/j2")
    shown = cli("job", "show", "j2")
    assert "leased to services/worker-1 until " in shown.out
    assert "is worked on by services/worker-1" in shown.err
    refused = cli("job", "give-up", "j2", "--reason", "its machine is gone", *BOB)
    assert (refused.code, "LEASE_LOST" in refused.err) == (1, True)
    done = cli("job", "give-up", "j2", "--reason", "its machine is gone", "--actor",
               "services/worker-1")  # fmt: skip
    assert done.out.startswith("Gave up job j2 at position ")
    assert "It waits for an executor." in done.err
    misused = cli("job", "give-up", "j2", "--reason", "its machine is gone", *BOB)
    assert misused.code == 2
    assert "No executor has job j2: it waits for an executor." in misused.err


def test_a_proposal_says_which_roles_are_to_approve_and_how_to(tmp_path: Path) -> None:
    asking = explained_text(POLICY) + (
        "jobs: {budget: optional, approvals: [{role: model-owner, count: 2}]}\n"
    )
    with serving(tmp_path) as served:
        served.create()
        with served.client(actor="users/ana") as client:
            furnish(client, ("fares",), document=asking)
            made = client.draft_recipe("weekly", RECIPE, "because")
        with served.client(actor="users/bob") as client:
            client.approve_recipe("weekly", 1, made.version.digest)
        cli = against(served)
        done = cli(
            "job", "propose", "fares", "--recipe", "weekly", "--reason", "worse", "--id", "j1", *ANA
        )
        assert (
            f"It waits for 1 approval: `decision-ledger job approve j1 {' '.join(seen(cli))}` and "
            "2 approvals as model-owner: `decision-ledger job approve j1 "
            f"{' '.join(seen(cli))} --role model-owner`."
        ) in done.err
        done = cli("job", "approve", "j1", *seen(cli), *BOB)
        assert "It waits for 2 approvals as model-owner: " in done.err
        refused = cli(
            "job", "approve", "j1", *seen(cli), "--role", "model-owner", "--actor", "users/cleo"
        )
        assert "users/cleo does not hold the role model-owner" in refused.err


def test_a_job_that_is_over_says_how_far_its_cost_is_from_the_forecast(
    served: Served, cli: Run
) -> None:
    cli("job", "propose", "fares", "--recipe", "weekly", "--reason", "worse", "--id", "j1", *ANA)
    cli("job", "approve", "j1", *seen(cli), *BOB)
    name = "models/fares/jobs/j1"
    with served.client(actor="services/worker-1") as worker:
        lease = worker.lease_job(name).job.lease
        assert lease is not None
        dear = ReportedEvidence(metrics={"missing": 99}, cost_micros=12_500_000)
        worker.report_gate(name, lease.token, "data-integrity", dear)
    shown = cli("job", "show", "j1").out
    assert "the cost is 7.50 EUR above the forecast, outside its interval" in shown


def test_a_late_return_is_shown_and_a_version_that_was_replaced_by_hand_ends_the_job(
    served: Served, cli: Run
) -> None:
    cli("job", "propose", "fares", "--recipe", "weekly", "--reason", "worse", "--id", "j1", *ANA)
    cli("job", "approve", "j1", *seen(cli), *BOB)
    name = "models/fares/jobs/j1"
    with served.client(actor="services/worker-1") as worker:
        lease = worker.lease_job(name).job.lease
        assert lease is not None
        compared = ReportedEvidence(champion={"loss": 100}, candidate={"loss": 1})
        for gate, evidence in (
            ("data-integrity", ReportedEvidence(metrics={"missing": 1})),
            ("candidate", compared),
            ("holdout", ReportedEvidence(metrics={"loss": 1})),
        ):
            worker.report_gate(name, lease.token, gate, evidence)
        worker.deploy_job_version(
            name, lease.token, "v2", in_service_at=START, trained_through=START, baseline_loss=0.3
        )
    assert cli("job", "cancel", "j1", "--reason", "worse", *BOB).code == 0
    waits = cli("job", "show", "j1")
    assert "It waits for an executor that takes it back, until 2026-" in waits.err
    again = cli("job", "cancel", "j1", "--reason", "worse", *BOB)
    assert "v2 is being taken back, and a cancel would leave it there" in again.err
    with served.client(actor="users/ana") as client:
        client.submit([("hotels", "log-loss", 0.4, START + timedelta(hours=2), "v1", 10)])
        due = served.service.ledger().due_jobs
        due.run()
        late = cli("job", "show", "j1")
        assert "rolling back, overdue since 2026-" in late.out
        assert "It waits for an executor that takes it back, overdue since 2026-" in late.err
        assert "to v1\n" in late.out
        assert "if its observation fails" not in late.out
        assert cli("job", "list", "--state", "rolling back").out == cli("job", "list").out
        client.record_deployment(
            "fares", "v3", in_service_at=START, trained_through=START, baseline_loss=0.3
        )
        due.run()
    by = "users/bob cancelled it, because: worse."
    why = f"{by} Nothing is left to do: v3 was put in its place by users/ana."
    assert f"lapsed: {why}" in cli("job", "list").out
    shown = cli("run", "show", served.client().get_job(name).job.run_id).out
    assert "No executor has taken up the return, which was to be leased until " in shown
    assert "v3 was put in its place by users/ana, at position " in shown
    assert "v2, in the place of v1, until v3 served in its place" in cli("job", "report", "j1").out
    answer = cli("audit", "answer", "roll-back", "--model", "fares").out
    assert "In 1 job nothing was left to put back: another version served already" in answer
