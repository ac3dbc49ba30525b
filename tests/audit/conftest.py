"""Honest ledgers to audit and to forge: one rich ledger, made by the service itself, once."""

import json
from copy import deepcopy
from pathlib import Path

import pytest

from ledger.application.budgets.budgets import Overspending
from ledger.application.jobs.roll_backs import RollBackSpec
from ledger.events.policies import ScopePart
from tests.audit.paper import Paper
from tests.support.budgeted import EURO, in_euros, set_budget
from tests.support.governed import governed
from tests.support.job_worlds import ONE, RECIPE, TWO, WATCHING, Working
from tests.support.shadowed import shadow
from tests.support.world import (
    ANA,
    DAY,
    HOUR,
    ORIGIN,
    START,
    World,
    policy_text,
    request,
    rule,
    signal_rule,
)

HARSH = [
    rule("bad", "priority >= 300000", hold="priority >= 200000"),
    rule("look", "priority >= 100000 && in_force_rule != 'bad'", "INVESTIGATE"),
]


def lived(path: Path, clock: str = "data") -> World:
    """Return a world in which most things happened that an audit has a rule for."""
    world = World(path, clock=clock)
    policy = policy_text(rules=HARSH, cool_down="24h", max_priority_step=0.4)
    world.begin("alpha", "beta", "gamma", policy=policy)
    world.see("alpha", 0.5, START + HOUR)
    world.settle()
    for day in range(1, 6):
        world.see("alpha", 0.5 + day * 0.2, START + day * DAY)
        world.see("beta", 0.41, START + day * DAY + HOUR, caller=request(f"b{day}", "x"))
        world.see("alpha", 0.3, START + day * DAY, version="v0")  # a shadow
        world.settle()
    world.see("alpha", 0.9, START + 2 * DAY)  # late
    world.settle()
    world.plan(5_000_000)
    world.override("beta", "INVESTIGATE", 2 * DAY)
    world.evaluate("beta")
    world.evaluate("alpha", at=START + 3 * DAY)
    world.deploy("alpha", "v2", at=START + 5 * DAY + 2 * HOUR, baseline="0.45")
    world.see("alpha", 1.3, START + 6 * DAY)
    world.settle()
    own = policy_text(signals=[signal_rule(), signal_rule("drift", sources_needed=1)])
    world.activate(own, policy="own", scope=ScopePart(kind="model", model="beta", labels={}))
    world.draft(policy.replace('"Test"', '"Test, named otherwise"'))
    world.see("beta", 0.6, START + 7 * DAY, signal="drift")
    world.see("gamma", 0.8, START + 15 * DAY)
    world.settle()
    world.update("gamma", tier="low")
    world.ledger.commands.retire_model(ANA, "gamma", "gone")
    world.deploy("alpha", "v1", at=START + 15 * DAY, through=START, baseline="0.4")
    world.see("alpha", 1.0, START + 23 * DAY)
    world.settle()
    world.plan(5_000_000)
    return world


def lived_on(path: Path) -> World:
    """Return the same world later: a policy ran in shadow, and another one asked people."""
    world = lived(path)
    run_in_shadow(world)
    ask_people(world)
    work(world)
    spend_money(world)
    put_back(world)
    return world


def run_in_shadow(world: World) -> None:
    """Have a policy decide about a model in shadow, until a person ends that."""
    world.register("omega")
    world.deploy("omega", "v1", at=START + 23 * DAY)
    keen = policy_text(rules=[rule("bad", "priority >= 100000")], max_priority_step=0.4)
    scope = ScopePart(kind="model", model="omega", labels={})
    position = shadow(world, keen, scope=scope)
    for hour, value in enumerate((0.4, 0.9), 2):
        world.see("omega", value, START + 23 * DAY + hour * HOUR)
        world.settle()
        if value == 0.4:
            world.plan(5_000_000)
    world.ledger.shadowing.end(ANA, position, "enough was seen")


def ask_people(world: World) -> None:
    """Have a model decided about by a policy that asks people, who answer late."""
    rules = [
        rule("bad", "priority >= 500000"),
        rule("look", "priority >= 50000", "INVESTIGATE"),
    ]
    asking = governed(policy_text(rules=rules), investigate_within="3d", adjust_within="1h")
    world.register("delta")
    world.deploy("delta", "v1", at=START + 23 * DAY)
    scope = ScopePart(kind="model", model="delta", labels={})
    world.activate(asking, policy="asking", scope=scope)
    world.see("delta", 0.6, START + 24 * DAY)
    world.settle()
    world.see("delta", 0.6, START + 26 * DAY)
    world.settle()
    world.govern()
    cases = world.ledger.cases
    asked = cases.open()["delta"]
    assert asked.escalation is not None
    cases.acknowledge(ANA, "delta", asked.escalation.escalation, "late, but seen")
    [task] = asked.tasks.values()
    cases.take(ANA, "delta", task.task)
    world.see("delta", 0.6, START + 28 * DAY)
    world.settle()
    world.govern()
    cases.close(ANA, "delta", task.task, "cause_found", "a broken feed")
    cases.resolve(ANA, "delta", asked.escalation.escalation, "the feed is mended")
    world.see("delta", 9.0, START + 29 * DAY, size=100_000)
    world.settle()


def work(world: World) -> None:
    """Have jobs succeed, go back, be lost to a lease that ran out, and be open in the end."""
    begin = START + 29 * DAY + HOUR
    for model in ("jay", "kay", "ell"):
        world.register(model)
        world.deploy(model, "v1", at=begin)
    working = Working.of(world, RECIPE.replace("max_uses: 3", "max_uses: 9"))
    working.propose("lost", "kay")
    working.approve("lost")
    working.lease("lost")
    token = working.observing("v2", "good", model="jay", at=begin)
    until(world, begin + HOUR)
    working.report("observation", token, "good")
    until(world, begin + 3 * HOUR)
    token = working.observing("v3", "bad", model="jay", at=begin + 3 * HOUR)
    working.report("observation", token, "bad", loss=500)
    until(world, begin + 6 * HOUR)
    token = working.lease("bad", by=TWO)
    working.take_back(token, "bad", by=TWO, at=begin + 6 * HOUR)
    watch(world, begin + 6 * HOUR)
    working.propose("open", "ell")
    working.approve("open")
    token = working.lease("open", by=TWO)
    world.ledger.jobs.give_up(TWO, "open", token, "its disk is full")
    token = working.lease("open")
    working.record_environment("data_integrity", token, "open")
    working.report("data_integrity", token, "open")


def watch(world: World, begin: int) -> None:
    """Have versions judged by what is observed of them and of the ones before: one stays.

    Another one is replaced by hand.
    """
    minute = HOUR // 60
    working = Working.of(world, WATCHING, "watching")
    for model in ("vee", "wye"):
        world.register(model)
        world.deploy(model, "v1", at=begin - DAY)
        working.observing("v2", f"of-{model}", model=model, at=begin)
    working.observing("v4", "gone", model="jay", at=begin)
    world.deploy("jay", "v5", at=begin)
    world.ledger.due_jobs.run()
    for model, loss in (("vee", "0.4"), ("wye", "0.45")):
        for minutes in (1, 9):
            at = begin + minutes * minute
            world.observe(
                (model, "loss", "v2", loss, at, 100), (model, "loss", "v1", "0.43", at, 100)
            )
    until(world, begin + 10 * minute)


def until(world: World, time: int) -> None:
    """Let a ledger's time come, and what is due of jobs by then; nothing is scored."""
    world.see("jay", 0.4, time)
    world.ledger.due_jobs.run()


def spend_money(world: World) -> None:
    """Have a budget pay for jobs: one above its reservation, one cancelled, two that are open.

    And one whose candidate was refused by a test that was paid out of its own envelope.
    """
    for model in ("pam", "quin", "rue", "sam", "tess"):
        world.register(model)
        world.deploy(model, "v1", at=START + 29 * DAY)
    working, jobs = Working(world), world.ledger.jobs
    set_budget(world, **in_euros(opening={"jobs": 20, "tests": 5}))
    working.propose("job-2", "quin")
    jobs.cancel(ANA, "job-2", "its feed is gone")
    refuse_a_candidate(Working.testing(world, "3", "2"), "job-5", "tess")
    working.propose("job-3", "rue")
    working.propose("job-1", "pam")
    working.approve("job-1")
    token = working.lease("job-1")
    working.report("data_integrity", token, "job-1", cost=7 * EURO)
    working.report("candidate", token, "job-1")
    allow(world, "job-1", 15)
    working.report("holdout", token, "job-1", loss=500, cost=25 * EURO)
    set_budget(world, **in_euros(reserve_micros=1))
    allow(world, "job-4", 3)
    working.propose("job-4", "sam")


def refuse_a_candidate(working: Working, job: str, model: str) -> None:
    """Have a candidate fail its test, which cost half of what was set aside for it.

    It is given up once, when it has cost some of that.
    """
    working.propose(job, model)
    working.approve(job)
    token = working.lease(job)
    working.report("data_integrity", token, job, cost=0)
    working.world.ledger.jobs.give_up(ONE, job, token, "its disk is full", 3 * EURO // 10)
    token = working.lease(job)
    working.report("candidate", token, job, loss=500, cost=EURO)


def allow(world: World, job: str, euros: int) -> None:
    """Have a person approve that a job costs more."""
    wanted = Overspending("main", job, "jobs", euros * EURO, "worth it")
    world.ledger.budgets.approve_overspending(ANA, wanted)


def put_back(world: World) -> None:
    """Have an earlier version serve again, and a plan propose the other one a period later.

    And a person ask for that one.
    """
    period = HOUR // 6
    begin = START + 29 * DAY + 7 * HOUR + 3 * period
    planning = {"planner": "excess/2", "period": "10m", "common": "0%", "min_models": 1}
    planning |= {"steps": {"concurrency": 4}, "ranking": "priority"}
    world.register("zed")
    world.deploy("zed", "v1", at=begin)
    scope = ScopePart(kind="model", model="zed", labels={})
    world.deploy("zed", "v2", at=begin + period, through=begin + period - 1)
    jobs = {"jobs": {"budget": "required", "deployments": "gated"}}
    asking = json.dumps(json.loads(policy_text(planning=planning)) | jobs)
    world.activate(governed(asking), policy="reusing", scope=scope)
    for number, losses in ((1, {"v1": "0.4", "v2": "0.6"}), (2, {"v1": "0.6", "v2": "0.4"})):
        at = begin + number * period + period // 2
        world.observe(*(("zed", "loss", name, loss, at, 100) for name, loss in losses.items()))
        if number == 1:
            world.ledger.plans.propose_reuse(ANA, "reusing")
            world.deploy("zed", "v1", at=at, through=begin)
        world.plan(5_000_000, policy="reusing")
    world.ledger.roll_backs.ask(ANA, RollBackSpec("zed", "", "It was better at night."))


@pytest.fixture(scope="session")
def lived_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a ledger that has lived."""
    path = tmp_path_factory.mktemp("lived") / "ledger.db"
    lived(path).close()
    return path


@pytest.fixture(scope="session")
def copied(lived_database: Path) -> Paper:
    """The same ledger on paper."""
    return Paper.copied(lived_database, ORIGIN)


@pytest.fixture
def paper(copied: Paper) -> Paper:
    """The same ledger on paper, for one test to change."""
    return deepcopy(copied)


@pytest.fixture(scope="session")
def lived_on_paper(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    """The ledger on paper in which everything happened that a rule is about."""
    path = tmp_path_factory.mktemp("lived_on") / "ledger.db"
    lived_on(path).close()
    return Paper.copied(path, ORIGIN)


@pytest.fixture
def long_paper(lived_on_paper: Paper) -> Paper:
    """The same, for one test to change."""
    return deepcopy(lived_on_paper)
