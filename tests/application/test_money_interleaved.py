"""Nothing is paid twice, or beyond what is there, whatever the service is asked in whatever order.

Method: a generator of a seed asks a ledger in one process for anything of jobs, budgets, models and
erasures, and moves its clock. What is refused has left no event; after each step the balance of
every budget adds up; in the end the audit, which reckons all of it a second time, finds nothing.
"""

from collections import Counter
from pathlib import Path
from random import Random  # noqa: TID251 - of a seed
from typing import Final

import pytest

from ledger.application.commands import Caller
from ledger.errors import LedgerError
from ledger.events.budgets import BUDGET_TYPES, BudgetReleased, BudgetSpent
from ledger.events.values import SECOND
from ledger.jobs.budgets import ENVELOPES
from ledger.jobs.machine import Job
from tests.support.budget_stories import EVERYWHERE
from tests.support.budgeted import EURO, in_euros, set_budget
from tests.support.job_worlds import BOB, LEASE_SECONDS, ONE, RECIPE, TWO, WINDOW_SECONDS, Working
from tests.support.paid_jobs import NORTH, allow, paid_jobs
from tests.support.world import DAY, ORIGIN

MODELS: Final = ("alpha", "beta")
STEPS: Final = 120
TESTED: Final = RECIPE.replace("{cost: 5,", "{cost: 6, test: 2,").replace("uses: 3", "uses: 900")


class Asker:
    """Asks one ledger for anything, by a generator; `done` counts what was taken."""

    def __init__(self, working: Working, seed: int) -> None:
        self.working, self.world = working, working.world
        self.random = Random(seed)
        self.jobs: list[str] = []
        self.done: Counter[str] = Counter()

    def run(self) -> None:
        acts = [
            *[self.propose] * 3, *[self.carry_on] * 8, *[self.give_up] * 3, *[self.wait] * 3,
            *[self.overspend] * 2, self.set_again, self.set_again, self.cancel, self.replace,
            self.relabel, self.erase,
        ]  # fmt: skip
        self.propose()
        for _ in range(STEPS):
            act = self.random.choice(acts)
            before = self.world.head
            try:
                act()
            except LedgerError:
                assert self.world.head == before, "what is refused leaves nothing"
            else:
                self.done[act.__name__] += self.world.head > before
            self.adds_up()

    def adds_up(self) -> None:
        """Require that what was given is free, set aside, spent, approved or lapsed."""
        for budget in self.world.ledger.budgets.known()[1].values():
            if budget.is_gone:
                continue
            for name in ENVELOPES:
                one, reserved = budget.envelopes[name], budget.reserved_micros(name)
                approved = sum(more for (_, of), more in budget.approved.items() if of == name)
                told = one.free_micros + one.lapsed_micros + approved
                assert reserved + one.spent_micros + told == one.granted_micros
                assert reserved + one.spent_micros <= one.granted_micros
                assert 0 <= one.free_micros <= one.cap_micros

    # ---- what is asked for -----------------------------------------------------------------------

    def propose(self) -> None:
        name = f"j{len(self.jobs)}"
        self.jobs.append(name)
        self.working.propose(name, self.random.choice(MODELS))

    def open(self) -> Job:
        """Return a job that is not over, if there is one."""
        jobs = [self.working.job(name) for name in self.jobs if self.knows(name)]
        return self.random.choice([one for one in jobs if not one.is_over] or jobs)

    def knows(self, name: str) -> bool:
        try:
            self.working.job(name)
        except LedgerError:
            return False
        return True

    def cost(self, job: Job) -> int:
        return job.cost_micros + self.random.choice([0, 0, 1, 2, 5, 30]) * EURO // 2

    def carry_on(self) -> None:
        """Do what takes a job on, with a result that mostly passes."""
        job, loss = self.open(), self.random.choice([1, 1, 1, 500])
        token, now = job.token, self.world.clock.now_micros()
        if job.state in {"proposed", "awaiting_approval"}:
            self.working.approve(job.name)
        elif job.lease is None and job.state != "observing":
            self.working.lease(job.name, by=self.random.choice([ONE, TWO]))
        elif job.is_rolling_back:
            assert job.lease is not None
            by = ONE if job.lease.executor == ONE.actor else TWO
            self.working.take_back(token, job.name, by=by, at=now)
        elif job.state == "observing":
            self.working.report("observation", token, job.name, loss=loss, cost=self.cost(job))
        elif job.gate is not None and job.gate["gate"] == "deployment":
            version = f"of-{job.name}"
            self.working.deploy(token, version, job.name, by=self.holder(job), at=now)
        elif job.gate is not None:
            gate, cost = job.gate["gate"], self.cost(job)
            by = self.holder(job)
            self.working.report(gate, token, job.name, by=by, loss=loss, cost=cost)

    def holder(self, job: Job) -> Caller:
        return ONE if job.lease is None or job.lease.executor == ONE.actor else TWO

    def give_up(self) -> None:
        job = self.open()
        jobs, by = self.world.ledger.jobs, self.holder(job)
        jobs.give_up(by, job.name, max(1, job.token), "its disk is full", self.cost(job))

    def cancel(self) -> None:
        self.world.ledger.jobs.cancel(BOB, self.open().name, "too dear")

    def replace(self) -> None:
        """Put a version by hand in the place of that of a job, which lapses if it was observed."""
        version = f"by-hand-{self.world.head}"
        at = self.world.clock.now_micros()
        self.world.deploy(self.random.choice(MODELS), version, at=at)
        self.world.govern()

    def wait(self) -> None:
        seconds = self.random.choice([60, LEASE_SECONDS, WINDOW_SECONDS, *[2 * DAY // SECOND] * 3])
        self.world.govern()
        self.world.clock.advance(seconds * SECOND)
        self.world.govern()

    def overspend(self) -> None:
        name = self.random.choice([*self.jobs, f"j{len(self.jobs)}"])
        allow(self.working, name, self.random.choice([1, 20]), self.random.choice(ENVELOPES))

    def set_again(self) -> None:
        """Set a budget with other terms: lower caps, no refills, another scope."""
        flows = [
            {"refill_micros": self.random.choice([0, 10, 10]), "cap_micros": cap}
            for cap in (self.random.choice([0, 6, 40, 40]), self.random.choice([0, 3, 10, 10]))
        ]
        name = self.random.choice(["main", "main", "north"])
        scope = EVERYWHERE if name == "main" else NORTH
        kept = min(self.random.choice([0, 3]), flows[0]["cap_micros"])
        terms = in_euros(jobs=flows[0], tests=flows[1], reserve_micros=kept)
        set_budget(self.world, name, **terms, scope=scope)

    def relabel(self) -> None:
        region = self.random.choice(["north", "south"])
        self.world.update(self.random.choice(MODELS), labels={"region": region})

    def erase(self) -> None:
        """Erase an event of a budget, rarely: it pays nothing any more until it is set again."""
        if self.random.random() < 0.2:
            [*events] = self.world.store.events.of_types(ORIGIN, BUDGET_TYPES)
            self.world.erase(self.random.choice(events).position)

    # ---- in the end ------------------------------------------------------------------------------

    def end(self) -> None:
        """End every job, and require that each was paid what it has cost, once in an envelope."""
        for job in map(self.working.job, filter(self.knows, self.jobs)):
            if not job.is_over and not job.is_rolling_back:
                self.world.ledger.jobs.cancel(BOB, job.name, "enough")
        self.adds_up()
        spent, ends = Counter[str](), Counter[tuple[str, str]]()
        for event in self.world.events(BudgetSpent.TYPE, BudgetReleased.TYPE):
            if event.body_bytes is not None:
                spent[event.data["job"]] += int(event.data.get("spent_micros", 0))
                ends[event.data["job"], event.data["envelope"]] += 1
        assert set(ends.values()) <= {1}
        for job in map(self.working.job, filter(self.knows, self.jobs)):
            if job.is_over and job.proposed["budget"] is not None and not self.done["erase"]:
                assert spent[job.name] == job.cost_micros


def asked(database_url: str, seed: int) -> Counter[str]:
    """Have a ledger asked for anything; return what was taken how often."""
    with paid_jobs(database_url) as made:
        asker = Asker(Working.of(made.world, TESTED, "tested"), seed)
        asker.run()
        asker.end()
        return asker.done


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_asked_for_in_whatever_order_the_money_adds_up(
    database_url: str, seed: int
) -> None:
    done = asked(database_url, seed)
    assert done["carry_on"] > 0


@pytest.mark.slow
def test_in_a_hundred_orders_the_money_adds_up(tmp_path: Path) -> None:
    taken = Counter[str]()
    for seed in range(100, 200):
        taken += asked(f"sqlite:///{tmp_path}/{seed}.db", seed)
    acts = {"propose", "carry_on", "give_up", "cancel", "replace", "wait", "overspend"}
    assert taken.keys() >= acts | {"set_again", "relabel", "erase"}
