"""Budgets over the API: set, told with what is set aside and when they run out, and overspent.

Method: a served ledger with one model; money moves as a use case of jobs would move it.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.message import Message

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller
from ledger.v1 import budget_pb2
from ledger.v1 import budget_service_pb2 as pb
from ledger.v1.budget_service_pb2_grpc import BudgetServiceStub as Stub
from tests.support.audits import holds_but_for
from tests.support.live_fleet import furnish
from tests.support.served import TIMEOUT, Served, refused, serving

ANA = (("ledger-actor", "users/ana"),)
ROBOT = (("ledger-actor", "services/robot"),)
DAY_SECONDS = 86_400
AMOUNTS = budget_pb2.EnvelopeAmounts


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as found:
        found.create()
        with found.client() as client:
            furnish(client, ("fares",))
        yield found
    holds_but_for(tmp_path / "ledger.sqlite", "budgets.moved")  # no job is behind it


@pytest.fixture
def budgets(served: Served) -> Stub:
    stub = Stub(served.channel)
    stub.SetBudget(terms(), timeout=TIMEOUT, metadata=ANA)
    return stub


def terms(**changes: object) -> pb.SetBudgetRequest:
    stated: dict[str, object] = {
        "name": "budgets/main",
        "unit": "EUR",
        "period_seconds": DAY_SECONDS,
        "refill": AMOUNTS(jobs_micros=100, tests_micros=10),
        "cap": AMOUNTS(jobs_micros=400, tests_micros=10),
        "reserve_micros": 20,
        "reason": "A day's work.",
    }
    return pb.SetBudgetRequest(**stated | changes)  # type: ignore[arg-type]


def reserve(served: Served, job: str, micros: int) -> None:
    ledger = served.service.ledger()

    def decide() -> Proposal:
        book = ledger.budgets.book()
        data = book.reserve("fares", job, micros, envelope="jobs", is_top_tier=False)
        return Proposal([Addition.of(data)], book.guards)

    appender = Appender(served.service.store, ledger.info.origin)
    appender.append(Caller("services/scheduler"), "MoveMoney", decide)


def test_a_budget_is_told_with_what_is_free_and_set_aside(served: Served, budgets: Stub) -> None:
    reserve(served, "fares-1", 30)
    answer = budgets.GetBudget(pb.GetBudgetRequest(name="budgets/main"), timeout=TIMEOUT)
    one = answer.budget
    assert answer.position == served.head()
    assert (one.unit, one.period_seconds, one.reserve_micros) == ("EUR", DAY_SECONDS, 20)
    assert (one.jobs.free_micros, one.jobs.reserved_micros) == (70, 30)
    assert (one.tests.free_micros, one.reason) == (10, "A day's work.")
    [held] = one.reservations
    assert (held.job, held.model, held.amount_micros) == ("fares-1", "fares", 30)
    assert held.envelope == budget_pb2.BUDGET_ENVELOPE_JOBS
    assert one.jobs.rate_micros == 30
    assert not one.jobs.HasField("runs_out_at")


def test_budgets_are_listed_in_pages_in_order_of_name(budgets: Stub) -> None:
    for team in ("zoe", "ann"):
        scope = budget_pb2.BudgetScope(team=team)
        request = terms(name=f"budgets/{team}", scope=scope)
        budgets.SetBudget(request, timeout=TIMEOUT, metadata=ANA)
    first = budgets.ListBudgets(pb.ListBudgetsRequest(page_size=2), timeout=TIMEOUT)
    assert [one.name for one in first.budgets] == ["budgets/ann", "budgets/main"]
    second = budgets.ListBudgets(
        pb.ListBudgetsRequest(page_size=2, page_token=first.next_page_token), timeout=TIMEOUT
    )
    assert [one.scope.team for one in second.budgets] == ["zoe"]
    assert not second.next_page_token


def test_a_person_approves_overspending_and_a_service_does_not(budgets: Stub) -> None:
    request = pb.ApproveOverspendingRequest(
        name="budgets/main", job="fares-1", amount_micros=40, reason="Worth it.", request_id="once"
    )
    refusal = refused(lambda: budgets.ApproveOverspending(request, timeout=TIMEOUT, metadata=ROBOT))
    assert refusal.reason == "ACTOR_NOT_AUTHORISED"
    done = budgets.ApproveOverspending(request, timeout=TIMEOUT, metadata=ANA)
    again = budgets.ApproveOverspending(request, timeout=TIMEOUT, metadata=ANA)
    assert again.appended.position == done.appended.position
    told = budgets.GetBudget(pb.GetBudgetRequest(name="budgets/main"), timeout=TIMEOUT)
    assert told.budget.jobs.granted_micros == 140


def test_the_terms_of_a_budget_that_is_set_again_replace_those_before(budgets: Stub) -> None:
    request = terms(reserve_micros=0, cap=AMOUNTS(jobs_micros=60, tests_micros=0))
    budgets.SetBudget(request, timeout=TIMEOUT, metadata=ANA)
    told = budgets.GetBudget(pb.GetBudgetRequest(name="budgets/main"), timeout=TIMEOUT)
    assert (told.budget.jobs.free_micros, told.budget.tests.free_micros) == (60, 0)
    request = terms(name="budgets/second")
    refusal = refused(lambda: budgets.SetBudget(request, timeout=TIMEOUT, metadata=ANA))
    assert (refusal.reason, "budget main" in refusal.message) == ("BUDGET_REFUSED", True)


def test_a_cap_that_is_not_given_is_the_refill_of_one_period(budgets: Stub) -> None:
    request = terms(reserve_micros=0)
    request.ClearField("cap")
    budgets.SetBudget(request, timeout=TIMEOUT, metadata=ANA)
    told = budgets.GetBudget(pb.GetBudgetRequest(name="budgets/main"), timeout=TIMEOUT)
    assert (told.budget.jobs.cap_micros, told.budget.tests.cap_micros) == (100, 10)


BAD: list[tuple[str, Message, str]] = [
    ("SetBudget", terms(name="models/main"), "name"),
    ("SetBudget", terms(unit="€"), "unit"),
    ("SetBudget", terms(period_seconds=60), "period_seconds"),
    ("SetBudget", terms(refill=AMOUNTS(jobs_micros=-1)), "refill.jobs_micros"),
    ("SetBudget", terms(cap=AMOUNTS(tests_micros=10**15)), "cap.tests_micros"),
    ("SetBudget", terms(opening=AMOUNTS(jobs_micros=401)), "opening.jobs_micros"),
    ("SetBudget", terms(reserve_micros=401), "reserve_micros"),
    ("SetBudget", terms(reason="x" * 2_001), "reason"),
    (
        "SetBudget",
        terms(scope=budget_pb2.BudgetScope(labels={"a": "b"}, team="ann")),
        "scope.team",
    ),
    ("SetBudget", terms(scope=budget_pb2.BudgetScope(labels={"A": "b"})), "scope.labels.A.[key]"),
    ("GetBudget", pb.GetBudgetRequest(name="main"), "name"),
    ("ApproveOverspending", pb.ApproveOverspendingRequest(name="budgets/main"), "job"),
]


@pytest.mark.parametrize(("method", "request_", "field"), BAD)
def test_a_request_that_cannot_be_is_refused_and_names_the_field(
    budgets: Stub, method: str, request_: Message, field: str
) -> None:
    call = getattr(budgets, method)
    refusal = refused(lambda: call(request_, timeout=TIMEOUT, metadata=ANA))
    assert (refusal.reason, field in refusal.fields) == ("FIELD_INVALID", True), refusal.fields


def test_a_budget_that_was_never_set_is_unknown(budgets: Stub) -> None:
    request = pb.GetBudgetRequest(name="budgets/mian")
    refusal = refused(lambda: budgets.GetBudget(request, timeout=TIMEOUT))
    assert (refusal.reason, "mian" in refusal.message) == ("BUDGET_UNKNOWN", True)
