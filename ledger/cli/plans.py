"""`decision-ledger plan …`."""

import time
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output, values
from ledger.cli.moments import AsOf, moment_of
from ledger.cli.session import session
from ledger.events import notation
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client.ranking import Plan, PlanBudget, PlanJob, PlanRow, PlanStep

_OUTCOMES_SHOWN = 200
_CHANGES_SHOWN = 20


def make(
    budget: Annotated[
        str,
        typer.Option(
            metavar="AMOUNT", help="The most to spend, in the ledger's unit of cost: 250 or 99.50."
        ),
    ] = "",
    budget_cap: Annotated[
        str | None, typer.Option(help="The most that may ever be saved up; --budget if not given.")
    ] = None,
    policy: Annotated[str, typer.Option(help="Policy to plan by; the ledger's if not given.")] = "",
    plan: Annotated[str, typer.Option(help="Id for the plan; one is made if not given.")] = "",
    second_to: Annotated[
        str,
        typer.Option(
            metavar="PLAN",
            help="First plan of this period, to be made again for what tests of its jobs left.",
        ),
    ] = "",
) -> None:
    """Rank the fleet under a budget and record the whole backlog."""
    if bool(budget) == bool(second_to):
        raise MisuseError("Name --budget AMOUNT, or --second-to PLAN for what its tests left.")
    from ledger.operations.plans import made_plan

    chosen = session()
    held, cap = _purse(budget, budget_cap)
    with output.progress("Planning") as move:
        made = made_plan(
            chosen.client,
            held,
            budget_cap_micros=cap,
            policy=policy,
            plan=plan,
            second_to=second_to,
            clock=chosen.clock,
            wait=time.sleep,
            move=move,
        )
    chosen.show(made, told_plan(made.plan, chosen.unit_of_cost))


def schedule(
    policy: Annotated[str, typer.Argument(help="Policy to plan by.")],
    every: Annotated[
        str, typer.Option(metavar="SPAN", help="From one plan to the next, such as 7d or 24h.")
    ] = "",
    budget: Annotated[
        str,
        typer.Option(metavar="AMOUNT", help="Each period of the policy adds it; the first has it."),
    ] = "",
    budget_cap: Annotated[
        str | None, typer.Option(help="The most that may ever be saved up; --budget if not given.")
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(help="Approved recipe by which the service proposes the jobs of its plans."),
    ] = "",
    end: Annotated[bool, typer.Option("--end", help="Have no more plans made.")] = False,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Have plans made by the clock, under a budget that is saved up.

    They are made at whole spans, counted from 1970-01-01. A new schedule takes the place of the one
    that runs for the policy, and begins with its own budget.
    """
    if end == bool(every) or end == bool(budget):
        raise MisuseError("Name --every SPAN and --budget AMOUNT, or --end alone.")
    chosen = session()
    span = values.seconds(every, "--every") if every else 0
    money, cap = _purse(budget, budget_cap)
    written = chosen.client.schedule_plans(
        policy, span, money, budget_cap_micros=cap, recipe=recipe, reason=reason
    )
    told = f"No more plans by {policy} are made by the clock"
    if every:
        begins, most = (notation.money(one, chosen.unit_of_cost) for one in (money, cap or money))
        told = (
            f"A plan by {policy} is made each {every}: the first has {begins}, each period of the "
            f"policy adds {begins} to what is left, and at most {most} are saved up"
        )
        told += f"; their jobs are proposed by recipe {recipe}" if recipe else ""
    chosen.show(written, f"{told}, recorded at position {written.position}.")


def _purse(budget: str, budget_cap: str | None) -> tuple[int, int | None]:
    """Return what --budget and --budget-cap say, in millionths; no cap is None."""
    held = values.money(budget or "0", "--budget")
    cap = values.money(budget_cap, "--budget-cap") if budget_cap else None
    if cap is not None and held > cap:
        raise MisuseError(
            f"--budget: {budget} is more than --budget-cap, {budget_cap}.",
            "Raise the cap, or plan under less.",
        )
    return held, cap


def schedules(as_of: AsOf = None) -> None:
    """List the schedules of plans that run: under what money, what is next, what was newest."""
    chosen, then = session(), moment_of(as_of)
    found = chosen.client.list_plan_schedules(as_of=then.time, as_of_position=then.position)
    unit = chosen.unit_of_cost
    rows = [
        (
            one.policy,
            notation.duration(one.every_seconds),
            notation.money(one.budget_micros, unit),
            notation.money(one.budget_cap_micros, unit),
            one.recipe or "none",
            output.when(one.next_at),
            one.newest_plan or "none",
            one.position,
        )
        for one in found
    ]
    headings = ("POLICY", "EVERY", ">BUDGET", ">CAP", "RECIPE", "NEXT", "NEWEST PLAN", ">POSITION")
    nothing = "No plan is made by the clock."
    chosen.show({"plan_schedules": found}, output.table(headings, rows) if rows else nothing)


def reuse(
    policy: Annotated[
        str, typer.Option(help="Policy to compare by; the ledger's if not given.")
    ] = "",
) -> None:
    """Propose which earlier versions are to serve again, as they did better lately.

    Workers put each into service, or you do: then `decision-ledger model deploy MODEL VERSION`.
    """
    chosen = session()
    found = chosen.client.propose_reuse(policy=policy)
    rows = [
        (one.model, one.in_service, one.put_back, one.position, one.reason)
        for one in found.proposals
    ]
    headings = ("MODEL", "SERVES", "TO SERVE", ">POSITION", "REASON")
    nothing = "No earlier version did so much better lately; nothing is proposed."
    chosen.show(found, output.table(headings, rows) if rows else nothing)


def put_backs() -> None:
    """List the versions that are to serve again: what workers put back, or you.

    Each is over once any version of its model is recorded as deployed, or a newer one comes. A
    proposal of the ledger counts for one period of its policy, while that is in force for the
    model; one that a person asked for (`decision-ledger model roll-back`) until it is withdrawn.
    """
    chosen = session()
    found = chosen.client.list_put_backs()
    rows = [
        (
            one.model,
            one.in_service,
            one.put_back,
            one.recipe or "-",
            one.position,
            one.asked_by or "the ledger",
            one.reason,
        )
        for one in found
    ]
    headings = ("MODEL", "SERVES", "TO SERVE", "RECIPE", ">POSITION", "BY", "REASON")
    nothing = "Nothing is to be put back."
    chosen.show({"put_backs": found}, output.table(headings, rows) if rows else nothing)


def show(plan: Annotated[str, typer.Argument(help="Id of the plan.")]) -> None:
    """Show a plan with its whole backlog, and the jobs that came of it so far."""
    chosen = session()
    found = chosen.client.get_plan(plan)
    chosen.show(found, told_plan(found, chosen.unit_of_cost))


def list_(
    limit: Annotated[int, typer.Option(min=1, max=output.COUNT_MAX, help="At most so many.")] = 20,
) -> None:
    """List plans, newest first."""
    chosen = session()
    found = list(islice(chosen.client.list_plans(), limit))
    unit = chosen.unit_of_cost
    rows = [
        (
            one.plan,
            output.when(one.made_at),
            one.admitted,
            notation.money(one.budget_micros, unit),
            notation.money(one.budget_left_micros, unit),
            one.position,
        )
        for one in found
    ]
    headings = ("PLAN", "MADE", ">ADMITTED", ">BUDGET", ">LEFT", ">POSITION")
    chosen.show({"plans": found}, output.table(headings, rows))


def told_plan(plan: "Plan", unit: str) -> str:
    """Return a plan as it is printed: a heading, its backlog, and what bounded it."""
    given = notation.money(plan.budget_micros, unit)
    left = notation.money(plan.budget_left_micros, unit)
    planner = plan.planner
    if plan.ranking != "excess":
        planner += f" ranked by {_spaced(plan.ranking)}"
    heading = (
        f"{plan.name}: {plan.admitted} of {len(plan.backlog)} admitted under {given}, {left} left; "
        f"{planner}, policy {plan.policy} version {plan.policy_version}, as of position "
        f"{plan.as_of_position}."
    )
    if unit and any(row.reason for row in plan.backlog):
        heading += f" Amounts in its reasons are in {unit}."
    rows = [
        (
            row.place,
            row.model,
            row.outcome,
            notation.rounded_money(row.benefit_micros, unit),
            notation.rounded_money(row.cost_micros, unit),
            notation.budget_name(row.reason),
        )
        for row in plan.backlog[:_OUTCOMES_SHOWN]
    ]
    left_out = len(plan.backlog) - len(rows)
    more = f"\n… and {left_out} more; --json shows all." if left_out else ""
    body = output.table((">#", "MODEL", "OUTCOME", ">BENEFIT", ">COST", "REASON"), rows)
    budgets = [_budget_told(one, unit) for one in plan.budgets]
    worse = _worse_left_out(plan) if plan.ranking == "excess" else []
    told = [*budgets, *map(_step_told, plan.steps), *worse]
    steps, jobs = "\n".join(told), "\n".join(_jobs_told(plan))
    return "\n\n".join(one for one in (heading, f"{body}{more}", steps, jobs) if one)


def _jobs_told(plan: "Plan") -> list[str]:
    """Return which job came of each model that was admitted, in the order of the backlog."""
    jobs = {one.model: one for one in plan.jobs}
    admitted = [row.model for row in plan.backlog if row.outcome == "ADMITTED"]
    told = [
        f"{model}: {_job_told(jobs[model])}" if model in jobs else f"{model}: no job yet"
        for model in admitted[:_OUTCOMES_SHOWN]
    ]
    left_out = len(admitted) - len(told)
    return [*told, *([f"… and {left_out} more; --json shows all."] if left_out else [])]


def _job_told(one: "PlanJob") -> str:
    now = one.outcome or one.state
    return f"job {one.job}, {'unknown' if now is None else _spaced(now)}"


def _worse_left_out(plan: "Plan") -> list[str]:
    """Return why models were left out whose error is worse than that of an admitted one."""
    seen = [(row, row.error_ppm) for row in plan.backlog if row.error_ppm is not None]
    taken = [(error, row) for row, error in seen if row.outcome == "ADMITTED"]
    if not taken:
        return []
    least, admitted = min(taken, key=lambda one: (one[0], one[1].model))
    worse = [(row, error) for row, error in seen if row.outcome != "ADMITTED" and error > least]
    told = [
        f"{row.model} is left out with an error {notation.percent(error)} above its training, "
        f"{admitted.model} admitted with {notation.percent(least)}: " + _compared(row, admitted)
        for row, error in worse[:_CHANGES_SHOWN]
    ]
    more = len(worse) - len(told)
    return [*told, *([f"So are {more} more."] if more else [])]


def _compared(row: "PlanRow", admitted: "PlanRow") -> str:
    """Return the ground on which a model stays behind an admitted one."""
    if row.outcome != "BELOW_PRICE" or row.rank_ppm >= admitted.rank_ppm:
        return notation.budget_name(row.reason)
    rank, other = notation.percent(row.rank_ppm), notation.percent(admitted.rank_ppm)
    return f"what its excess costs is {rank} of a retraining, that of {admitted.model} {other}."


def _budget_told(budget: "PlanBudget", unit: str) -> str:
    """Return what a budget of the plan's models had, in a line."""
    amounts = (budget.free_micros, budget.kept_micros, budget.tests_free_micros)
    free, kept, tests = (notation.money(one, unit) for one in amounts)
    return (
        f"Budget {budget.budget} had {free} free, {kept} of it kept for the top tier, and {tests} "
        "for tests."
    )


def _step_told(step: "PlanStep") -> str:
    """Return what a step around the planner changed, in a line."""
    changed = [
        f"{one.model} from {_spaced(one.before)} to {_spaced(one.after)}"
        for one in step.changed[:_CHANGES_SHOWN]
    ]
    if left_out := len(step.changed) - len(changed):
        changed.append(f"{left_out} more")
    return f"Step {step.step} changed {notation.listed(changed) if changed else 'nothing'}."


def _spaced(word: str) -> str:
    return word.lower().replace("_", " ")
