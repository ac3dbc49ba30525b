"""A plan that takes long: answered as an operation, followed, broken off, never made twice.

Method: a prepared ledger behind a real server; a plan is held where it ranks until the test lets it
go on. Nothing sleeps: tests wait for the end of the operation itself.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ledger.api import priorities
from ledger.application.planning.operations import PlanOperations
from ledger.application.planning.progress import PlanProgress
from ledger.client import LedgerClient
from ledger.client.errors import LedgerRefusedError
from ledger.client.ranking import MadePlan, PlanOperation
from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.events.plans import PLAN_TYPES
from ledger.limits import PLANS_MAX
from ledger.operations.plans import made_plan
from tests.support.served import DAY, START, TIMEOUT, Fleets, Served, serving_fleet

BUDGET = 100_000_000


@pytest.fixture
def served(tmp_path: Path, fleets: Fleets) -> Iterator[Served]:
    with serving_fleet(fleets, tmp_path, "fares", "hotels") as server:
        yield server


@pytest.fixture
def ledger(served: Served) -> Iterator[LedgerClient]:
    with LedgerClient(served.server.address, actor="users/ana") as client:
        at = (START + DAY) * 1_000_000
        client.submit([(name, "log-loss", 0.5, at) for name in ("fares", "hotels")])
        yield client


class Held:
    """Plans that wait where they rank."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self._go_on = threading.Semaphore(0), threading.Event()
        ranked = PlanProgress.each_ranked

        def each_ranked(progress: PlanProgress, rows: Iterable[Any]) -> Iterator[Any]:
            self.reached.release()
            assert self._go_on.wait(TIMEOUT)
            yield from ranked(progress, rows)

        monkeypatch.setattr(PlanProgress, "each_ranked", each_ranked)
        monkeypatch.setattr(priorities, "QUICK_SECONDS", 0.0)

    def reach(self) -> None:
        """Wait until a plan is held."""
        assert self.reached.acquire(timeout=TIMEOUT)

    def let_go(self) -> None:
        self._go_on.set()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    one = Held(monkeypatch)
    yield one
    one.let_go()


@contextmanager
def refused(reason: Reason) -> Iterator[None]:
    """Expect a refusal for a reason."""
    with pytest.raises(LedgerRefusedError) as error:
        yield
    assert error.value.reason is reason


def plans(served: Served) -> int:
    return len(served.service.ledger().log.events(types=PLAN_TYPES, after=0, limit=100))


def wait(served: Served, one: PlanOperation) -> None:
    operation = served.service.ledger().plan_operations.get(one.name.partition("/")[2])
    assert operation.ended.wait(TIMEOUT)


def test_a_quick_plan_is_answered_by_the_call_that_begins_it(
    served: Served, ledger: LedgerClient
) -> None:
    begun = ledger.begin_plan(BUDGET, plan="week-1", request_id="once")
    assert begun.done
    assert (begun.models, begun.models_read, begun.models_ranked) == (2, 2, 2)
    assert begun.made.plan == ledger.get_plan("week-1")
    plain = ledger.make_plan(BUDGET, plan="week-1", request_id="once")
    assert plain.appended.position == begun.made.appended.position
    assert (begun.made.appended.repeated_request, plain.appended.repeated_request) == (False, True)
    with refused(Reason.REQUEST_ID_REUSED):
        ledger.make_plan(BUDGET + 1, plan="week-1", request_id="once")
    with refused(Reason.REQUEST_ID_REUSED):
        ledger.begin_plan(BUDGET + 1, plan="week-1", request_id="once")
    assert plans(served) == 1


def test_a_long_plan_tells_how_far_it_is_and_goes_on_by_itself(
    served: Served, ledger: LedgerClient, held: Held
) -> None:
    begun = ledger.begin_plan(BUDGET, request_id="once")
    held.reach()
    half = ledger.get_plan_operation(begun.name)
    assert (half.done, half.models, half.models_read, half.models_ranked) == (False, 2, 2, 0)
    assert (half.plan, plans(served)) == (None, 0)
    assert ledger.begin_plan(BUDGET, request_id="once").name == begun.name
    held.let_go()
    wait(served, begun)
    whole = ledger.get_plan_operation(begun.name)
    assert (whole.done, whole.models_ranked) == (True, 2)
    assert whole.made.plan == ledger.get_plan(whole.made.plan.plan)
    assert ledger.begin_plan(BUDGET, request_id="once") == whole
    assert plans(served) == 1


def test_a_server_that_stops_breaks_it_off_and_the_same_request_makes_one_plan(
    served: Served, ledger: LedgerClient, held: Held
) -> None:
    begun = ledger.begin_plan(BUDGET, request_id="once")
    held.reach()
    operations = served.service.ledger().plan_operations
    stopping = threading.Thread(target=operations.stop)
    stopping.start()
    while not operations.get(begun.name.partition("/")[2]).progress.is_unwanted:
        pass
    held.let_go()
    stopping.join(TIMEOUT)
    with pytest.raises(LedgerError, match="shutting down"):
        operations.get(begun.name.partition("/")[2]).result()
    assert plans(served) == 0
    application = served.service.ledger()
    application.plan_operations = PlanOperations(SystemClock())  # as of one that is started again
    with refused(Reason.PLAN_UNKNOWN):
        ledger.get_plan_operation(begun.name)
    again = ledger.begin_plan(BUDGET, request_id="once")
    wait(served, again)
    assert plans(served) == 1


def test_it_fails_with_what_the_plan_fails_with(ledger: LedgerClient) -> None:
    with refused(Reason.POLICY_UNKNOWN):
        ledger.begin_plan(BUDGET, policy="nowhere")
    with refused(Reason.FIELD_INVALID):
        ledger.begin_plan(-1)


def test_as_many_are_made_at_once_as_may_be(ledger: LedgerClient, held: Held) -> None:
    for _ in range(PLANS_MAX):
        ledger.begin_plan(BUDGET)
        held.reach()
    with refused(Reason.LIMIT_REACHED):
        ledger.begin_plan(BUDGET)


def test_one_that_the_server_has_forgotten_is_begun_again(
    served: Served, ledger: LedgerClient, held: Held
) -> None:
    told: list[tuple[int, int]] = []
    application = served.service.ledger()

    def pause(_: float) -> None:
        if len(told) == 1:  # as a server that was started again has
            held.reach()
            held.let_go()
            application.plan_operations.stop()
            application.plan_operations = PlanOperations(SystemClock())

    made: MadePlan = made_plan(
        ledger, BUDGET, budget_cap_micros=None, policy="", plan="week-1", second_to="",
        clock=SystemClock(), wait=pause, move=lambda *one: told.append(one),
    )  # fmt: skip
    assert made.plan == ledger.get_plan("week-1")
    assert plans(served) == 1
    assert told
