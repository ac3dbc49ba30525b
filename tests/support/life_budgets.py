"""Budgets in an honest life: set again and again, and moved for jobs that are only names here."""

from ledger.application.budgets.budgets import Overspending
from tests.support.budget_stories import EVERYWHERE
from tests.support.budgeted import moved, release, reserve, set_budget, spend
from tests.support.lives import Life, Steps
from tests.support.world import ANA

EAST = {"kind": "labels", "labels": {"region": "east"}, "team": ""}
TEAM = {"kind": "team", "labels": {}, "team": "team-a"}


def begin_budgets(life: Life) -> None:
    """Set a budget, and have three jobs paid in the three ways that there are; nothing is drawn."""
    set_budget(life.world)
    for job in ("first", "second", "third"):
        moved(life.world, reserve(job, 10, "m1"))
    moved(life.world, release("first"))
    wanted = Overspending("main", "second", "jobs", 80, "it is worth it")
    life.world.ledger.budgets.approve_overspending(ANA, wanted)
    moved(life.world, spend("second", 110))


def set_a_budget(life: Life) -> None:
    """Set one of three budgets, or set it again with other terms."""
    name, scope = life.any_of((("main", EVERYWHERE), ("east", EAST), ("team", TEAM)))
    flow = {
        "refill_micros": str(life.any_of((0, 40, 90))),
        "cap_micros": str(life.any_of((60, 300))),
    }
    period = life.any_of((3_600, 86_400, 7 * 86_400))
    set_budget(life.world, name, scope=scope, jobs=flow, period_seconds=period)


def reserve_money(life: Life) -> None:
    """Reserve for one job, or for two in one request; under authority no call does that alone."""
    if life.world.ledger.authority.state.began_at:
        return
    jobs = [f"j{life.chance.getrandbits(16)}" for _ in range(life.any_of((1, 1, 2)))]
    moves = [
        reserve(
            job, life.any_of((0, 15, 45)), life.a_model(), top=life.happens(0.3),
            envelope=life.any_of(("jobs", "jobs", "tests")),
        )
        for job in jobs
    ]  # fmt: skip
    moved(life.world, *moves)


def end_a_reservation(life: Life) -> None:
    """Spend or release what is set aside for a job; approve what it lacks in some cases."""
    budgets = life.world.ledger.budgets
    held = [
        (one, place)
        for _, one in sorted(budgets.known()[1].items())
        for place in one.reservations.values()
    ]
    if not held:
        return
    budget, place = life.any_of(held)
    if place.envelope == "jobs" and life.happens(0.3):
        moved(life.world, release(place.job, budget.name))
        return
    cost = life.any_of((0, place.micros, place.micros + 30))
    if cost > place.micros and life.happens(0.5):
        wanted = Overspending(budget.name, place.job, place.envelope, 25, "it is worth it")
        budgets.approve_overspending(life.caller("users/ana"), wanted)
    moved(life.world, spend(place.job, cost, budget.name, envelope=place.envelope))


BUDGET_STEPS: Steps = {
    "set_a_budget": (1.5, set_a_budget),
    "reserve_money": (3, reserve_money),
    "end_a_reservation": (2, end_a_reservation),
}
