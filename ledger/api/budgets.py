"""BudgetService: what retraining may cost, and what of it is free."""

from typing import Any, Final

import grpc

from ledger.api.checks import Checks
from ledger.api.convert import budgets as convert
from ledger.api.convert.basics import appended, timestamp
from ledger.api.paging import cut, page_of
from ledger.api.server_context import Servicer
from ledger.application.budgets.budgets import Overspending
from ledger.events.budgets import MICROS_MAX, Envelope
from ledger.events.values import UNIT_OF_COST_FORM, is_unit_of_cost
from ledger.limits import (
    BUDGET_PERIOD_SECONDS_MAX,
    BUDGET_PERIOD_SECONDS_MIN,
    LABEL_CHARS_MAX,
    TEXT_CHARS_MAX,
)
from ledger.storage.records import Head
from ledger.v1 import budget_pb2, budget_service_pb2_grpc
from ledger.v1 import budget_service_pb2 as pb

_BUDGETS: Final = "budgets"


class BudgetServicer(Servicer, budget_service_pb2_grpc.BudgetServiceServicer):
    """Serves BudgetService."""

    def SetBudget(
        self, request: pb.SetBudgetRequest, context: grpc.ServicerContext
    ) -> pb.SetBudgetResponse:
        """Set a budget, or set it again."""
        checks = Checks()
        terms = _terms(checks, request)
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.budgets.set(caller, terms)
        return pb.SetBudgetResponse(appended=appended(written))

    def GetBudget(
        self, request: pb.GetBudgetRequest, context: grpc.ServicerContext
    ) -> pb.GetBudgetResponse:
        """Return a budget as of the head."""
        checks = Checks()
        name = checks.name("name", request.name, _BUDGETS)
        ledger = self._server.read(request, context, checks)
        head, budget = ledger.budgets.budget(name)
        return pb.GetBudgetResponse(budget=convert.budget(budget, head.recorded_at), **_place(head))

    def ListBudgets(
        self, request: pb.ListBudgetsRequest, context: grpc.ServicerContext
    ) -> pb.ListBudgetsResponse:
        """List all budgets as of the head."""
        page = page_of(request)
        ledger = self._server.read(request, context, Checks())
        head, known = ledger.budgets.known()
        shown, token = cut(page, [known[name] for name in sorted(known)], lambda one: one.name)
        return pb.ListBudgetsResponse(
            budgets=[convert.budget(one, head.recorded_at) for one in shown],
            next_page_token=token,
            **_place(head),
        )

    def ApproveOverspending(
        self, request: pb.ApproveOverspendingRequest, context: grpc.ServicerContext
    ) -> pb.ApproveOverspendingResponse:
        """Let one job cost more than its budget has."""
        checks = Checks()
        name = checks.name("name", request.name, _BUDGETS)
        job = checks.identifier("job", request.job)
        _amount(checks, "amount_micros", request.amount_micros, minimum=1)
        checks.text("reason", request.reason)
        known: dict[int, Envelope] = convert.ENVELOPES
        envelope = known.get(request.envelope)
        if envelope is None:
            checks.refuse("envelope", "must be JOBS or TESTS")
        ledger, caller = self._server.append(request, context, checks)
        assert envelope is not None, "the checks have refused that"
        wanted = Overspending(name, job, envelope, request.amount_micros, request.reason)
        written = ledger.budgets.approve_overspending(caller, wanted)
        return pb.ApproveOverspendingResponse(appended=appended(written))


def _terms(checks: Checks, request: pb.SetBudgetRequest) -> dict[str, Any]:
    """Return the terms of a budget as its event has them; what is refused is in `checks`."""
    name = checks.name("name", request.name, _BUDGETS)
    if not is_unit_of_cost(request.unit):
        checks.refuse("unit", UNIT_OF_COST_FORM)
    low, high = BUDGET_PERIOD_SECONDS_MIN, BUDGET_PERIOD_SECONDS_MAX
    if not low <= request.period_seconds <= high:
        checks.refuse("period_seconds", f"must be {low} to {high}: an hour to 366 days")
    scope = _scope(checks, request.scope)
    refill = _amounts(checks, "refill", request.refill)
    cap = _amounts(checks, "cap", request.cap if request.HasField("cap") else request.refill)
    opening = _amounts(checks, "opening", request.opening)
    for one, amount in opening.items():
        if amount > cap[one]:
            checks.refuse(f"opening.{one}_micros", "is more than can be banked")
    _amount(checks, "reserve_micros", request.reserve_micros)
    if request.reserve_micros > cap["jobs"]:
        checks.refuse("reserve_micros", "is more than can be banked for jobs")
    if len(request.reason) > TEXT_CHARS_MAX:
        checks.refuse("reason", f"is longer than {TEXT_CHARS_MAX} characters")
    return {
        "budget": name,
        "unit": request.unit,
        "scope": scope,
        "period_seconds": request.period_seconds,
        **{
            one: {"refill_micros": str(refill[one]), "cap_micros": str(cap[one])}
            for one in ("jobs", "tests")
        },
        "reserve_micros": str(request.reserve_micros),
        "opening": {one: str(amount) for one, amount in opening.items()}
        if request.HasField("opening")
        else None,
        "reason": request.reason,
    }


def _scope(checks: Checks, scope: budget_pb2.BudgetScope) -> dict[str, Any]:
    labels = dict(scope.labels)
    if labels and scope.team:
        checks.refuse("scope.team", "is not taken together with labels: name one of them")
    if len(scope.team) > LABEL_CHARS_MAX:
        checks.refuse("scope.team", f"is longer than {LABEL_CHARS_MAX} characters")
    kind = "labels" if labels else "team" if scope.team else "ledger"
    return {"kind": kind, "labels": labels, "team": scope.team}


def _amounts(checks: Checks, field: str, given: budget_pb2.EnvelopeAmounts) -> dict[str, int]:
    amounts = {"jobs": given.jobs_micros, "tests": given.tests_micros}
    for name, amount in amounts.items():
        _amount(checks, f"{field}.{name}_micros", amount)
    return amounts


def _amount(checks: Checks, field: str, amount: int, *, minimum: int = 0) -> None:
    if not minimum <= amount <= MICROS_MAX:
        checks.refuse(field, f"must be {minimum} to {MICROS_MAX}: less than a billion units")


def _place(head: Head) -> dict[str, Any]:
    """Return what an answer says of the moment that it shows."""
    return {
        "position": head.position,
        "recorded_at": timestamp(head.recorded_at) if head.position else None,
    }
