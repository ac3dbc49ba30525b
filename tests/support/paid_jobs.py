"""Jobs that a budget pays: 10 EUR a day, of which 3 are kept; a job is expected to cost 5."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ledger.application.budgets.budgets import Overspending
from ledger.audit.database import DatabaseSource
from ledger.events.budgets import BUDGET_TYPES, Envelope
from ledger.events.jobs import JOB_TYPES
from ledger.jobs.budgets import Budget
from tests.support.audits import audited
from tests.support.budgeted import EURO, in_euros, set_budget
from tests.support.job_worlds import Working
from tests.support.stores import VAULT
from tests.support.world import ANA, ORIGIN, World

NORTH = {"kind": "labels", "labels": {"region": "north"}, "team": ""}
_SEEN = JOB_TYPES | BUDGET_TYPES


@contextmanager
def paid_jobs(database_url: str) -> Iterator[Working]:
    """Make a ledger with two models, a recipe and a budget; in the end its audit finds nothing."""
    world = World(database_url, clock="wall", vault=VAULT)
    made = Working.of(world.begin("alpha", "beta"))
    set_budget(world, **in_euros())
    yield made
    world.close()
    report = audited(DatabaseSource(database_url, ORIGIN))
    assert report.passed, report.text()


def types(working: Working, after: int) -> list[str]:
    events = working.world.store.events.of_types(ORIGIN, _SEEN, after=after)
    return [one.type.removesuffix(".v1") for one in events]


def budget(working: Working, name: str = "main") -> Budget:
    return working.world.ledger.budgets.budget(name)[1]


def euros(
    working: Working, name: str = "main", envelope: Envelope = "jobs"
) -> tuple[int, int, int]:
    """Return what is free, set aside and spent in an envelope of a budget."""
    known = budget(working, name)
    one = known.envelopes[envelope]
    amounts = one.free_micros, known.reserved_micros(envelope), one.spent_micros
    assert not any(amount % EURO for amount in amounts)
    free, reserved, spent = (amount // EURO for amount in amounts)
    return free, reserved, spent


def allow(working: Working, job: str, amount: int, envelope: Envelope = "jobs") -> None:
    wanted = Overspending("main", job, envelope, amount * EURO, "it is worth it")
    working.world.ledger.budgets.approve_overspending(ANA, wanted)


def begun(working: Working, name: str = "j1", **more: Any) -> int:  # noqa: ANN401
    working.propose(name, **more)
    working.approve(name)
    return working.lease(name)
