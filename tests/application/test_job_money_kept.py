"""No race, repeat, crash or erasure parts a job from its money, or moves that twice.

Method: as in `test_job_money.py`; another request comes in between, the server dies around an
append or within it, bodies are erased.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ledger.errors import LedgerError, Reason
from tests.support.budgeted import EURO, in_euros, set_budget
from tests.support.hooks import database_of
from tests.support.job_worlds import Working
from tests.support.paid_jobs import NORTH, begun, budget, euros, paid_jobs, types
from tests.support.world import ANA, World, reason_of, request


@pytest.fixture
def working(database_url: str) -> Iterator[Working]:
    with paid_jobs(database_url) as made:
        yield made


def test_two_servers_that_propose_at_once_do_not_reserve_the_same_money(working: Working) -> None:
    world = working.world
    other = Working(World(world.path, shared=world))
    world.before_append(lambda: other.propose("j2", "beta"))
    with pytest.raises(LedgerError) as refused:
        working.propose()
    assert reason_of(refused) is Reason.BUDGET_EXHAUSTED
    assert euros(working) == (5, 5, 0)


def test_a_job_and_a_budget_that_change_at_once_are_decided_again(working: Working) -> None:
    token = begun(working)
    working.world.before_append(lambda: set_budget(working.world, **in_euros(reserve_micros=5)))
    with pytest.raises(LedgerError, match=r"lacks 2\.00 EUR"):
        working.report("data_integrity", token, cost=7 * EURO)
    set_budget(working.world, **in_euros(reserve_micros=0))
    working.world.before_append(lambda: set_budget(working.world, **in_euros(reserve_micros=1)))
    working.report("data_integrity", token, cost=7 * EURO)
    assert euros(working) == (3, 7, 0)


def test_a_budget_that_is_set_while_a_job_is_proposed_pays_for_it(working: Working) -> None:
    working.world.update("alpha", labels={"region": "north"})
    terms = in_euros()
    working.world.before_append(lambda: set_budget(working.world, "north", **terms, scope=NORTH))
    assert working.propose().proposed["budget"] == "north"


def test_a_repeated_proposal_gets_its_first_answer_and_reserves_once(working: Working) -> None:
    caller = request("once", "x")
    first = working.propose("", caller=caller)
    again = working.propose("", caller=caller)
    assert first.name == again.name
    assert euros(working) == (5, 5, 0)


class GoneError(BaseException):
    """The server is gone."""


@pytest.mark.parametrize("place", ["before", "within", "after"])
@pytest.mark.parametrize("step", ["proposal", "cost", "end"])
def test_a_server_that_dies_around_an_append_leaves_job_and_money_or_neither(
    working: Working, monkeypatch: pytest.MonkeyPatch, place: str, step: str
) -> None:
    world = working.world
    acts: dict[str, Callable[[], object]] = {
        "proposal": working.propose,
        "cost": lambda: working.report("data_integrity", 1, cost=7 * EURO),
        "end": lambda: working.report("data_integrity", 1, loss=500, cost=7 * EURO),
    }
    if step != "proposal":
        begun(working)
    before, money = world.head, euros(working)
    with monkeypatch.context() as patched:
        die(world, patched, place)
        with pytest.raises((GoneError, LedgerError)):
            acts[step]()
    world.restart()
    if place != "after":
        assert (world.head, euros(working)) == (before, money)
        acts[step]()
    assert euros(working) == {"proposal": (5, 5, 0), "cost": (3, 7, 0), "end": (3, 0, 7)}[step]
    kinds = [one.partition(".")[0] for one in types(working, before)]
    assert kinds.count("budget") == 1
    assert kinds[-1] == "budget"


def die(world: World, patched: pytest.MonkeyPatch, place: str) -> None:
    """Have the server die before its next append, as its first row is written, or behind it."""
    requests: Any = world.store.requests
    usual = requests.append

    def dead(asked: Any) -> None:  # noqa: ANN401
        if place == "after":
            usual(asked)
        raise GoneError

    if place == "within":
        database = database_of(world.store)
        insert = database.insert_events

        def half(connection: Any, values: Any) -> None:  # noqa: ANN401
            insert(connection, values)
            raise GoneError

        patched.setattr(database, "insert_events", half)
    else:
        patched.setattr(requests, "append", dead)


def test_a_job_whose_reservation_was_erased_ends_without_money(working: Working) -> None:
    world = working.world
    token = begun(working)
    [reserved] = world.events("budget.reserved.v1")
    world.erase(reserved.position)
    before = world.head
    working.report("data_integrity", token, cost=90 * EURO)
    set_budget(world, **in_euros())
    working.report("candidate", token, loss=500, cost=91 * EURO)
    assert [one for one in types(working, before) if one.startswith("budget")] == ["budget.set"]
    assert euros(working) == (10, 0, 0)


def test_a_budget_whose_first_terms_were_erased_pays_for_nothing_until_it_is_set_again(
    working: Working,
) -> None:
    world = working.world
    token = begun(working)
    working.report("data_integrity", token, cost=7 * EURO)
    world.erase(world.events("budget.set.v1")[0].position)
    for name in ("j2", "j3"):
        with pytest.raises(LedgerError, match="was erased; set it again"):
            budget(working)
        assert world.ledger.budgets.known()[1]["main"].is_gone
        assert working.propose(name, "beta").proposed["budget"] is None
        world.ledger.jobs.cancel(ANA, name, "not yet")
        world.restart()
    world.ledger.jobs.cancel(ANA, "j1", "enough")
    set_budget(world, **in_euros(), unit="EUR")
    assert euros(working) == (10, 0, 0)
    assert working.propose("j4", "beta").proposed["budget"] == "main"
    assert euros(working) == (5, 5, 0)
