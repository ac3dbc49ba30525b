"""Jobs in an honest life, and the budgets that pay for them: in every order, to every end."""

from collections.abc import Sequence
from typing import Any

from ledger.application.budgets.budgets import Overspending
from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.jobs.deployments import ReturnSpec
from ledger.application.jobs.proposals import JobSpec
from ledger.application.recipes.shelf import ChosenRecipe
from ledger.errors import LedgerError, Reason
from ledger.jobs.machine import Job
from tests.support.budget_stories import EVERYWHERE
from tests.support.budgeted import EURO, in_euros, set_budget
from tests.support.job_worlds import RECIPE, Working
from tests.support.lives import Life, Steps
from tests.support.world import ANA, DAY, HOUR

EAST = {"kind": "labels", "labels": {"region": "east"}, "team": ""}
TEAM = {"kind": "team", "labels": {}, "team": "team-a"}
PROPOSER, APPROVER = "users/ana", "users/auditor"
EXECUTORS = ("services/a", "services/b")
_RECIPE = RECIPE.replace("max_uses: 3", "max_uses: 60").replace(
    "attempts: 2, lease: 1h", "attempts: 3, lease: 12h"
)


def begin_jobs(life: Life) -> None:
    """Have a recipe approved, and in every third life a job end in each way that there is."""
    recipes, caller = life.world.ledger.recipes, life.caller
    drafted = recipes.draft(caller(PROPOSER), "monthly", _RECIPE, "needed")
    recipes.approve(caller(APPROVER), ChosenRecipe("monthly", drafted.version), "fits")
    if life.seed % 3 == 0:
        set_budget(life.world, **in_euros(opening={"jobs": 40, "tests": 0}))
        end_in_each_way(life)


def end_in_each_way(life: Life) -> None:
    """Have jobs of a model denied, cancelled above their reservation, taken back, and lapse."""
    jobs, model = life.world.ledger.jobs, "m1"
    propose(life, "denied", model)
    jobs.deny(life.caller(APPROVER), "denied", "not now")
    propose(life, "given-up", model)
    approve(life, "given-up")
    while jobs.job("given-up").state == "ready":
        lease(life, "given-up")
        held = jobs.job("given-up")
        jobs.give_up(life.caller(holder(held)), held.name, held.token, "its disk is full")
    propose(life, "dear", model)
    approve(life, "dear")
    lease(life, "dear")
    report(life, life.world.ledger.jobs.job("dear"), cost=6)
    jobs.cancel(ANA, "dear", "too dear")
    propose(life, "back", model)
    observe(life, "back")
    jobs.cancel(ANA, "back", "it does worse")
    life.wait(13 * HOUR)  # longer than a lease, so that nobody has taken it up in time
    life.world.observe((model, "loss", "", 0.4, life.now, 10))
    life.world.ledger.due_jobs.run()
    lease(life, "back")
    take_back(life, jobs.job("back"))
    propose(life, "replaced", model)
    observe(life, "replaced")
    life.world.deploy(model, "by-hand", at=life.now)
    life.world.ledger.due_jobs.run()
    propose(life, "kept", model)
    overspend(life, "main", "kept")
    observe(life, "kept")
    beat(life)


# ---- what is done --------------------------------------------------------------------------------


def propose(life: Life, name: str, model: str, plan: str = "") -> None:
    spec = JobSpec(model, "monthly", 0, "it got worse", name, plan)
    caller = life.caller("services/a" if plan else PROPOSER)
    life.world.ledger.job_proposals.propose(caller, spec)


def approve(life: Life, name: str) -> None:
    jobs = life.world.ledger.jobs
    jobs.approve(life.caller(APPROVER), name, jobs.job(name).evidence_at, "", "fine")


def lease(life: Life, name: str) -> None:
    life.world.ledger.jobs.lease(life.caller(life.any_of(EXECUTORS)), name)


def report(life: Life, job: Job, *, cost: int = 0, loss: int = 1, hours: int = 0) -> None:
    """Report the gate that is next; a loss of 100 is not passed, a version serves since hours."""
    assert job.gate is not None, "a gate is next"
    micros = job.cost_micros + cost * EURO
    asked = job.gate["gate"]
    reported = Working(life.world).reported(
        asked, max(1, job.token), job.name, loss=loss, cost=micros
    )
    caller = life.caller(holder(job))
    if asked == "candidate" and not job.environment_of:
        Working(life.world).record_environment(asked, max(1, job.token), job.name, by=caller)
    if asked != "deployment":
        life.world.ledger.jobs.report(caller, reported)
        return
    at = life.now - hours * HOUR
    version = f"w{life.chance.getrandbits(24)}"
    spec = DeploymentSpec("", version, at, at - DAY, "0.4")
    life.world.ledger.job_deployments.deploy(caller, reported, spec)


def take_back(life: Life, job: Job) -> None:
    wanted = ReturnSpec(job.name, max(1, job.token), life.now)
    life.world.ledger.job_deployments.roll_back(life.caller(holder(job)), wanted)


def holder(job: Job) -> str:
    """Return the executor that has a job, or had it; while it is observed any may report."""
    return EXECUTORS[0] if job.lease is None else job.lease.executor


def advance(life: Life, job: Job, **reported: Any) -> None:  # noqa: ANN401 - of a report
    """Do what takes a job on."""
    if job.state in {"proposed", "awaiting_approval"}:
        approve(life, job.name)
    elif job.state in {"ready", "rolling_back"}:
        lease(life, job.name)
    elif job.is_rolling_back:
        take_back(life, job)
    else:
        report(life, job, **reported)


def observe(life: Life, name: str) -> None:
    """Take a job as far as its observation."""
    while (job := life.world.ledger.jobs.job(name)).state != "observing":
        advance(life, job)


def beat(life: Life) -> None:
    """Have an executor keep a job until its lease is made longer."""
    propose(life, "beating", "m2")
    approve(life, "beating")
    lease(life, "beating")
    life.wait(7 * HOUR)
    life.world.observe((life.a_model(), "loss", "", 0.4, life.now, 10))
    job = life.world.ledger.jobs.job("beating")
    life.world.ledger.jobs.heartbeat(life.caller(holder(job)), job.name, job.token)


# ---- steps ---------------------------------------------------------------------------------------


def set_a_budget(life: Life) -> None:
    """Set one of three budgets, or set it again with other terms."""
    name, scope = life.any_of((("main", EVERYWHERE), ("east", EAST), ("team", TEAM)))
    flow = {
        "refill_micros": str(life.any_of((0, 4, 9)) * EURO),
        "cap_micros": str(life.any_of((6, 30)) * EURO),
    }
    period = life.any_of((3_600, 86_400, 7 * 86_400))
    terms = in_euros() | {"jobs": flow, "period_seconds": period}
    set_budget(life.world, name, scope=scope, unit=life.any_of(("EUR",) * 9 + ("hours",)), **terms)


def propose_a_job(life: Life) -> None:
    """Propose a job as a person, or as a plan admitted its model."""
    name, plan, model = f"j{life.chance.getrandbits(24)}", "", life.a_model()
    if life.happens(0.3):
        made = life.world.plan(5_000_000)
        admitted = [row.model for row in made.backlog if row.outcome == "admitted"]
        if admitted:
            plan, model = made.plan, life.any_of(admitted)
    propose(life, name, model, plan)


def work_on_a_job(life: Life) -> None:
    """Take a job on by a few steps, which cost something; have a person approve what it lacks."""
    found = open_jobs(life)
    if not found:
        return
    name = life.any_of(found).name
    for _ in range(life.any_of((1, 2, 4, 8))):
        job = life.world.ledger.jobs.job(name)
        if job.is_over:
            return
        done = {
            "cost": life.any_of((0, 0, 1, 3, 20)),
            "loss": life.any_of((1, 1, 1, 1, 1, 1, 500)),
            "hours": life.any_of((0, 0, 1)),
        }
        try:
            advance(life, job, **done)
        except LedgerError as error:
            if error.reason is not Reason.BUDGET_EXHAUSTED:
                raise
            overspend(life, job.proposed["budget"], name)


def overspend(life: Life, budget: str, job: str) -> None:
    wanted = Overspending(budget, job, "jobs", life.any_of((1, 25)) * EURO, "it is worth it")
    life.world.ledger.budgets.approve_overspending(life.caller(PROPOSER), wanted)


def keep_a_job(life: Life) -> None:
    """Have an executor beat for the job that it has, or one that it lost."""
    for job in open_jobs(life):
        if job.token:
            life.world.ledger.jobs.heartbeat(life.caller(holder(job)), job.name, job.token)
            return


def end_a_job(life: Life) -> None:
    """Deny or cancel a job."""
    found = open_jobs(life)
    if not found:
        return
    job, jobs = life.any_of(found), life.world.ledger.jobs
    if job.state in {"proposed", "awaiting_approval"} and life.happens(0.5):
        jobs.deny(life.caller(APPROVER), job.name, "not now")
    elif not job.is_rolling_back:
        jobs.cancel(life.caller(PROPOSER), job.name, "not now")


def open_jobs(life: Life) -> Sequence[Job]:
    return [one for one in life.world.ledger.job_reader.every()[1] if not one.is_over]


JOB_STEPS: Steps = {
    "set_a_budget": (1.5, set_a_budget),
    "propose_a_job": (2, propose_a_job),
    "work_on_a_job": (6, work_on_a_job),
    "keep_a_job": (1, keep_a_job),
    "end_a_job": (0.5, end_a_job),
}
