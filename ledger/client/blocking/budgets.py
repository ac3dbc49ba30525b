# Generated from ledger/client/aio/budgets.py by `tools/dev.py proto`; do not edit.
"""Budgets, for threads."""

from collections.abc import Mapping
from datetime import timedelta

from ledger.client.blocking.connection import ServiceCalls
from ledger.client.budgets import RetrainingBudget, ToldBudget, ToldBudgets
from ledger.client.call import Call
from ledger.client.decode import moment, one, paged, whole
from ledger.client.enums import BudgetEnvelope
from ledger.client.inputs import in_collection, number_of, seconds_of
from ledger.client.records import Appended
from ledger.v1 import budget_pb2
from ledger.v1 import budget_service_pb2 as pb


class BudgetCalls(ServiceCalls):
    """Budgets of retraining, and what of them is free."""

    def set_budget(
        self,
        budget: str,
        *,
        unit: str,
        period: timedelta | int,
        refill_micros: int,
        cap_micros: int | None = None,
        reserve_micros: int = 0,
        tests_refill_micros: int = 0,
        tests_cap_micros: int | None = None,
        opening_micros: int | None = None,
        tests_opening_micros: int | None = None,
        labels: Mapping[str, str] | None = None,
        team: str = "",
        reason: str = "",
        request_id: str | None = None,
    ) -> Appended:
        """Set a budget, or set it again: its balance goes on within the new caps.

        A cap that is not given is the refill, and so is the opening balance of a new budget. With
        neither labels nor a team it pays for every model that no other budget pays for.
        """
        caps = (
            refill_micros if cap_micros is None else cap_micros,
            tests_refill_micros if tests_cap_micros is None else tests_cap_micros,
        )
        request = pb.SetBudgetRequest(
            name=in_collection("budgets", budget),
            unit=unit,
            scope=budget_pb2.BudgetScope(labels=labels or {}, team=team),
            period_seconds=seconds_of(period, "period"),
            refill=_amounts(refill_micros, tests_refill_micros),
            cap=_amounts(*caps),
            reserve_micros=reserve_micros,
            reason=reason,
        )
        if (opening_micros, tests_opening_micros) != (None, None):
            stated = (opening_micros, tests_opening_micros)
            flows = zip(stated, (refill_micros, tests_refill_micros), caps, strict=True)
            opening = [min(flow, cap) if begun is None else begun for begun, flow, cap in flows]
            request.opening.CopyFrom(_amounts(*opening))
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def get_budget(self, budget: str, *, min_position: int = 0) -> ToldBudget:
        """Return a budget with what is set aside and when it runs out."""
        name = in_collection("budgets", budget)
        request = pb.GetBudgetRequest(name=name, min_position=min_position)
        return self._connection.run(Call(request, whole(ToldBudget)))

    def list_budgets(self, *, min_position: int = 0) -> ToldBudgets:
        """Return all budgets, in order of name."""
        request = pb.ListBudgetsRequest(min_position=min_position)
        pages = self._connection.all_pages(paged(request, RetrainingBudget, "budgets"))
        found = tuple(item for page in pages for item in page.items)
        return ToldBudgets(found, *moment(pages[0].answer))

    def approve_overspending(
        self,
        budget: str,
        job: str,
        amount_micros: int,
        reason: str,
        *,
        envelope: BudgetEnvelope | str = BudgetEnvelope.JOBS,
        request_id: str | None = None,
    ) -> Appended:
        """Let one job cost more than its budget has; what it does not need lapses."""
        request = pb.ApproveOverspendingRequest(
            name=in_collection("budgets", budget),
            job=job,
            amount_micros=amount_micros,
            reason=reason,
            envelope=number_of(envelope, BudgetEnvelope, budget_pb2.BudgetEnvelope, "envelope"),
        )
        return self._connection.run(Call(request, one(Appended, "appended"), request_id))


def _amounts(jobs: int, tests: int) -> budget_pb2.EnvelopeAmounts:
    return budget_pb2.EnvelopeAmounts(jobs_micros=jobs, tests_micros=tests)
