"""The reservations of one request and their ends, reckoned on budgets as of one head."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from ledger.application.commands import (
    model_stream,
    no_erasure_after,
    none_after,
    while_unobserved,
)
from ledger.application.fleet.fleet import Fleet
from ledger.application.names import did_you_mean
from ledger.errors import LedgerError, Reason
from ledger.events import notation
from ledger.events.budgets import (
    BUDGET_TYPES,
    BudgetData,
    BudgetReleased,
    BudgetReserved,
    BudgetSet,
    BudgetSpent,
    Envelope,
)
from ledger.events.models import DESCRIBING
from ledger.jobs.budget_scopes import governing
from ledger.jobs.budgets import Budget, BudgetError, made
from ledger.jobs.envelopes import Reservation
from ledger.storage.records import Guard, Head

T = TypeVar("T", bound=BudgetData)

_EXHAUSTED_REMEDY: Final = (
    "Wait for the next refill (`decision-ledger budget show {name}`){cheaper}, or have a person "
    "let this job cost more: `decision-ledger budget overspend {name} {job} {missing}{tests} "
    '--reason "…"`'
    ". Then {again}."
)
_CHEAPER: Final = ", choose a recipe that costs less"
_PROPOSE: Final = "propose it under the same id, `--id {job}`"
_REPORT: Final = "report it again; nothing was written"


class BudgetBook:
    """Budgets as of a head, and what one request adds to them.

    Each call returns an event to append, and the next call sees it; nothing is appended here.
    The use case that appends them takes `guards` along. Not for several threads.
    """

    def __init__(self, budgets: Mapping[str, Budget], fleet: Fleet, head: Head, now: int) -> None:
        self._as_read = budgets
        self._budgets = dict(budgets)
        self._fleet = fleet
        self._head = head
        self._now = now
        self._added: list[BudgetData] = []
        self._models: set[str] = set()

    @property
    def guards(self) -> list[Guard]:
        """The conditions of the append: nothing that the events rest on has changed."""
        at = self._head.position
        paying = [none_after(at, model_stream(name), *DESCRIBING) for name in sorted(self._models)]
        if paying:
            paying.append(none_after(at, None, BudgetSet.TYPE))
        return [*paying, *book_guards(self._added, self._as_read, self._head)]

    def budget_of(self, model: str) -> Budget | None:
        """Return the budget that pays for a model's jobs, as of the events so far; None for none.

        None too where the description of the model was erased, so that its team is not known.
        """
        found = self._fleet.model(model)
        if found is None:
            raise self._fleet.model_unknown(model)
        self._models.add(model)
        described = found.model.described
        if described is None:
            return None
        return governing(self._budgets.values(), described.owner, described.labels)

    def holding(self, budget: str, job: str, envelope: Envelope) -> Reservation | None:
        """Return what is set aside for a job; None for nothing, also where it was erased."""
        found = self._budgets.get(budget)
        is_known = found is not None and not found.is_gone
        return found.reservations.get((job, envelope)) if found and is_known else None

    def reserve(
        self, model: str, job: str, amount_micros: int, *, envelope: Envelope, is_top_tier: bool
    ) -> BudgetReserved:
        """Set money aside for a job: BUDGET_UNKNOWN, BUDGET_EXHAUSTED or BUDGET_REFUSED."""
        budget = self.budget_of(model)
        if budget is None:
            raise LedgerError(
                Reason.BUDGET_UNKNOWN,
                f"No budget pays for jobs of model {model}.",
                remedy="Set one for its labels, its team or the ledger: `decision-ledger budget "
                "set`.",
                metadata={"model": model},
            )
        return self._make(
            budget, BudgetReserved, job, model=model, envelope=envelope,
            amount_micros=str(amount_micros), is_top_tier=is_top_tier, adds_to=None,
        )  # fmt: skip

    def add(self, budget: str, job: str, more_micros: int, *, envelope: Envelope) -> BudgetReserved:
        """Set more aside for a job that costs more; BUDGET_EXHAUSTED where that is not there."""
        held = self._held(budget, job, envelope)
        return self._make(
            self._budgets[budget], BudgetReserved, job, model=held.model, envelope=envelope,
            amount_micros=str(more_micros), is_top_tier=held.is_top_tier, adds_to=held.position,
        )  # fmt: skip

    def spend(self, budget: str, job: str, spent_micros: int, *, envelope: Envelope) -> BudgetSpent:
        """End a reservation by what the job has cost; BUDGET_EXHAUSTED where that is not there."""
        held = self._held(budget, job, envelope)
        return self._make(
            self._budgets[budget], BudgetSpent, job, envelope=envelope,
            reservation=held.position, spent_micros=str(spent_micros),
        )  # fmt: skip

    def release(self, budget: str, job: str, reason: str, *, envelope: Envelope) -> BudgetReleased:
        """End a reservation of a job that has cost nothing."""
        held = self._held(budget, job, envelope)
        return self._make(
            self._budgets[budget], BudgetReleased, job, envelope=envelope,
            reservation=held.position, reason=reason,
        )  # fmt: skip

    def _held(self, budget: str, job: str, envelope: Envelope) -> Reservation:
        held = self.holding(budget, job, envelope)
        if held is None:
            if budget not in self._budgets:
                raise unknown(budget, self._budgets)
            why = f"nothing is reserved for job {job} in the envelope of {envelope}"
            raise refused(self._budgets[budget], why)
        return held

    def _make(self, budget: Budget, cls: type[T], job: str, **members: object) -> T:
        try:
            data, after = made(budget, cls, self._now, job=job, **members)
        except BudgetError as error:
            if error.short_micros:
                is_new = cls is BudgetReserved and members["adds_to"] is None
                is_test = members["envelope"] == "tests"
                raise _exhausted(budget, job, error, is_new=is_new, is_test=is_test) from error
            raise refused(budget, error.fault) from error
        self._budgets[budget.name] = after
        self._added.append(data)
        return data


def book_guards(
    added: Sequence[BudgetData], budgets: Mapping[str, Budget], head: Head
) -> list[Guard]:
    """Return the guards of events that were reckoned from budgets as of a head."""
    streams = {data.budget: data.stream_name for data in added}
    counted = [
        Guard(stream, BUDGET_TYPES, expected_count=budgets[name].events if name in budgets else 0)
        for name, stream in sorted(streams.items())
    ]
    return [*counted, no_erasure_after(head.position), *while_unobserved(head)]


def unknown(name: str, known: Iterable[str]) -> LedgerError:
    """Return the refusal of a budget that was never set, with the nearest one that was."""
    return LedgerError(
        Reason.BUDGET_UNKNOWN,
        f"No budget was set under {name!r}.",
        remedy=f"{did_you_mean(name, list(known))}List them: `decision-ledger budget list`.",
        metadata={"budget": name},
    )


def refused(budget: Budget | None, why: str, name: str = "") -> LedgerError:
    """Return the refusal of an event that a budget cannot have."""
    named = name if budget is None else budget.name
    return LedgerError(
        Reason.BUDGET_REFUSED,
        f"Budget {named} refuses this: {why}.",
        remedy="Look at the budgets first: `decision-ledger budget list`, `decision-ledger budget "
        "show`.",
        metadata={"budget": named, "why": why},
    )


def _exhausted(
    budget: Budget, job: str, error: BudgetError, *, is_new: bool, is_test: bool
) -> LedgerError:
    missing = notation.money(error.short_micros, budget.unit)
    how = {
        "missing": notation.money(error.short_micros),
        "cheaper": _CHEAPER if is_new else "",
        "tests": " --tests" if is_test else "",
        "again": _PROPOSE.format(job=job) if is_new else _REPORT,
    }
    return LedgerError(
        Reason.BUDGET_EXHAUSTED,
        f"Budget {budget.name} lacks {missing} for {'the test of ' if is_test else ''}job {job}.",
        remedy=_EXHAUSTED_REMEDY.format(name=budget.name, job=job, **how),
        metadata={
            "budget": budget.name,
            "job": job,
            "envelope": "tests" if is_test else "jobs",
            "missing_micros": str(error.short_micros),
            "unit": budget.unit,
        },
    )
