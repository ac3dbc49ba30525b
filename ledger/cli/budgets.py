"""`decision-ledger budget …`."""

from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output, values
from ledger.cli.session import session
from ledger.events import notation
from ledger.limits import BUDGET_FORECAST_PERIODS_MAX
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client.budgets import EnvelopeFigures, PaidModels, RetrainingBudget

_Budget = Annotated[str, typer.Argument(metavar="BUDGET", help="Id of the budget.")]


def set_(
    budget: _Budget,
    every: Annotated[
        str, typer.Option(metavar="SPAN", help="From one refill to the next: 7d, 24h or 30d.")
    ],
    refill: Annotated[str, typer.Option(metavar="AMOUNT", help="Added for jobs in each period.")],
    cap: Annotated[
        str | None, typer.Option(help="Banked for jobs up to this; one refill if not given.")
    ] = None,
    reserve: Annotated[
        str, typer.Option(help="Kept for jobs whose decision reached the top tier.")
    ] = "0",
    tests: Annotated[str, typer.Option(help="Added for tests of candidates in each period.")] = "0",
    tests_cap: Annotated[
        str | None, typer.Option(help="Banked for tests up to this; one refill if not given.")
    ] = None,
    opening: Annotated[
        str | None, typer.Option(help="Balance of a new budget; one refill if not given.")
    ] = None,
    tests_opening: Annotated[str | None, typer.Option(help="The same, for tests.")] = None,
    unit: Annotated[
        str, typer.Option(help="Its unit, such as EUR or `GPU hours`; the ledger's if not given.")
    ] = "",
    label: Annotated[
        list[str] | None,
        typer.Option(help="Pays for models with this KEY=VALUE; may be given several times."),
    ] = None,
    team: Annotated[str, typer.Option(help="Pays for models of this owner.")] = "",
    reason: Annotated[str, typer.Option(help="Why; recorded for good.")] = "",
) -> None:
    """Set a budget, or set it again: its balance goes on within the new caps."""
    chosen = session()
    if label and team:
        raise MisuseError("--label and --team exclude each other: a budget has one scope.")
    named = unit or chosen.unit_of_cost
    if not named:
        raise MisuseError("--unit: the ledger has no unit of cost.", "Name one, such as EUR.")
    appended = chosen.client.set_budget(
        budget,
        unit=named,
        period=values.seconds(every, "--every"),
        refill_micros=values.money(refill, "--refill"),
        cap_micros=_money(cap, "--cap"),
        reserve_micros=values.money(reserve, "--reserve"),
        tests_refill_micros=values.money(tests, "--tests"),
        tests_cap_micros=_money(tests_cap, "--tests-cap"),
        opening_micros=_money(opening, "--opening"),
        tests_opening_micros=_money(tests_opening, "--tests-opening"),
        labels=values.labels(label),
        team=team,
        reason=reason,
    )
    found = chosen.client.get_budget(budget, min_position=appended.position).budget
    chosen.show(
        appended,
        f"Set budget {budget} at position {appended.position}: for jobs "
        f"{notation.money(found.jobs.free_micros, named)} free, for tests "
        f"{notation.money(found.tests.free_micros, named)}.",
    )


def show(budget: _Budget) -> None:
    """Show what a budget has, what is set aside, and when it runs out."""
    chosen = session()
    told = chosen.client.get_budget(budget)
    one = told.budget
    if one.is_erased:
        chosen.show(told, _ERASED.format(name=budget))
        return
    facts = [
        ("budget", one.name.removeprefix("budgets/")),
        ("pays for", _scope(one.scope)),
        ("refilled", f"every {notation.duration(one.period_seconds)}"),
        ("kept for the top tier", notation.money(one.reserve_micros, one.unit)),
        ("set", f"at position {one.set_position}{one.reason and ': ' + one.reason}"),
    ]
    parts = [output.table(("", ""), facts), _figures(one)]
    if one.reservations:
        parts.append(
            output.table(
                ("JOB", "MODEL", "ENVELOPE", ">RESERVED", ">POSITION"),
                [
                    (held.job, held.model, held.envelope.lower(),
                     notation.money(held.amount_micros, one.unit), held.position)
                    for held in one.reservations
                ],
            )
        )  # fmt: skip
    chosen.show(told, "\n\n".join(parts))


def list_() -> None:
    """List all budgets with what is free."""
    chosen = session()
    told = chosen.client.list_budgets()
    rows = [
        (
            one.name.removeprefix("budgets/"),
            "erased" if one.is_erased else _scope(one.scope),
            "" if one.is_erased else notation.duration(one.period_seconds),
            notation.money(one.jobs.free_micros, one.unit),
            notation.money(one.jobs.reserved_micros, one.unit),
            notation.money(one.jobs.spent_micros, one.unit),
            notation.money(one.tests.free_micros, one.unit),
        )
        for one in told.budgets
    ]
    headings = ("BUDGET", "PAYS FOR", "EVERY", ">FREE", ">RESERVED", ">SPENT", ">FREE FOR TESTS")
    nothing = "No budget was set."
    chosen.show(told, output.table(headings, rows) if rows else nothing)


def forecast(budget: _Budget) -> None:
    """Say when a budget runs out if jobs go on taking as they did."""
    chosen = session()
    told = chosen.client.get_budget(budget)
    one = told.budget
    if one.is_erased:
        chosen.show(told, _ERASED.format(name=budget))
        return
    span = notation.duration(one.period_seconds)
    sentences = [
        f"For {name}: {_forecast(figures, one.unit, span)}"
        for name, figures in (("jobs", one.jobs), ("tests", one.tests))
    ]
    chosen.show(told, "\n".join(sentences))


def overspend(
    budget: _Budget,
    job: Annotated[str, typer.Argument(help="Id of the job.")],
    amount: Annotated[str, typer.Argument(help="How much more it may cost.")],
    reason: Annotated[str, typer.Option(help="Why; recorded for good.")],
    tests: Annotated[
        bool, typer.Option("--tests", help="For the test of its candidate, not for the job.")
    ] = False,
) -> None:
    """Let one job cost more than its budget has, as the person who approves it."""
    chosen = session()
    micros = values.price(amount, "AMOUNT")
    appended = chosen.client.approve_overspending(
        budget, job, micros, reason, envelope="TESTS" if tests else "JOBS"
    )
    unit = chosen.client.get_budget(budget, min_position=appended.position).budget.unit
    what = f"The test of job {job}" if tests else f"Job {job}"
    has = f"budget {budget} has for tests" if tests else f"budget {budget} has"
    chosen.show(
        appended,
        f"{what} may cost {notation.money(micros, unit)} more than {has}, by the approval at "
        f"position {appended.position}; what it does not need lapses.",
    )


_ERASED = (
    "Nothing of the amounts of budget {name} is known: the body of one of its events was erased. "
    "Set it again: `decision-ledger budget set {name} …`."
)


def _money(text: str | None, option: str) -> int | None:
    return None if text is None else values.money(text, option)


def _scope(scope: "PaidModels") -> str:
    if scope.labels:
        return "models with " + ", ".join(f"{k}={v}" for k, v in sorted(scope.labels.items()))
    return f"models of {scope.team}" if scope.team else "all models"


def _figures(one: "RetrainingBudget") -> str:
    rows = [
        (
            name,
            *(
                notation.money(micros, one.unit)
                for micros in (
                    figures.free_micros,
                    figures.reserved_micros,
                    figures.spent_micros,
                    figures.refill_micros,
                    figures.cap_micros,
                )
            ),
            output.when(figures.runs_out_at) if figures.runs_out_at else "-",
        )
        for name, figures in (("jobs", one.jobs), ("tests", one.tests))
    ]
    headings = ("FOR", ">FREE", ">RESERVED", ">SPENT", ">REFILL", ">CAP", "RUNS OUT")
    return output.table(headings, rows)


def _forecast(figures: "EnvelopeFigures", unit: str, span: str) -> str:
    rate = notation.money(figures.rate_micros, unit)
    free = notation.money(figures.free_micros, unit)
    if not figures.rate_micros:
        return f"{free} free; nothing was taken lately, so it does not run out."
    taken = f"{free} free; {rate} is taken in {span}, and {span} brings "
    taken += f"{notation.money(figures.refill_micros, unit)}: "
    if figures.runs_out_at is None:
        return f"{taken}it does not run out within {BUDGET_FORECAST_PERIODS_MAX} periods."
    return f"{taken}it runs out {output.when(figures.runs_out_at)}."
