"""Answers about what came of retraining work: roll-backs, gains, waste, money.

Each is told of one model, where the question names one, else of all.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from ledger.compliance.budgets import (
    RecordedBudgets,
    budget_terms_table,
    envelopes_table,
    recorded_budgets,
    spending_table,
)
from ledger.compliance.conduct import refusals_table
from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.fleet_answers import plan_bounds, plan_budgets
from ledger.compliance.forecasts import calibration_table, forecast_jobs, forecasts_table
from ledger.compliance.inquiry import Answer, Inquiry
from ledger.compliance.jobs import (
    RecordedJob,
    jobs_in,
    jobs_table,
    money,
    recorded_jobs,
    verdicts_table,
)
from ledger.compliance.management_answers import say_false_alarms
from ledger.compliance.tables import Table, as_records
from ledger.errors import Reason
from ledger.events import notation
from ledger.events.notation import counted

_COMPARISONS: Final = ("candidate", "training", "holdout", "observation")
_COMMAND: Final = "decision-ledger job list"


def gains(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Say of each job that is over what was expected of it and what came of it."""
    over = [one for one in jobs_in(source, inquiry.scope) if one.closed is not None]
    live = [one for one in over if one.job.outcome == "succeeded"]
    answer.say(
        f"Jobs that are over: {len(over)}; {len(live)} of them brought a version into service "
        "that stayed.",
        *_cost_sentences(over),
    )
    forecasts = forecasts_table(source, inquiry.scope)
    calibration = calibration_table(forecast_jobs(source, inquiry.scope))
    answer.say(*_calibration(forecasts), *_newest(calibration))
    answer.tables += [calibration, forecasts]
    answer.tables.append(jobs_table(source, inquiry.scope))
    answer.tables.append(verdicts_table(source, inquiry.scope, *_COMPARISONS))
    answer.how = [_COMMAND]


def _calibration(forecasts: Table) -> Iterator[str]:
    """Yield how often costs lay in the interval of their forecast, and versions stayed."""
    rows = as_records(forecasts)
    if not rows:
        return
    within = sum(row["is_within"] is True for row in rows)
    stayed = sum(row["is_success"] is True for row in rows)
    likely = sum(int(str(row["success_ppm"])) for row in rows) // len(rows)
    yield (
        f"The cost lay in the interval of its forecast for {within} of {len(rows)}; versions "
        f"stayed in service for {stayed} of {len(rows)}, where {notation.percent(likely)} were "
        "forecast to."
    )
    seen = sum(row["realised"] is not None for row in rows)
    if not seen:
        return
    both = [str(row["benefit_error"]) for row in rows if row["benefit_error"] is not None]
    less = sum(one.startswith("-") for one in both)
    held = sum(row["is_benefit_within"] is True for row in rows)
    yield (
        f"The benefit was observed for {seen} of {len(rows)}; for {len(both)} of them a plan had "
        f"forecast one, {less} of these brought less, and {held} lay in the interval."
    )


def _newest(calibration: Table) -> Iterator[str]:
    """Yield the same of the newest jobs, where there are more than those."""
    for row in as_records(calibration):
        if str(row["jobs"]).startswith("the "):
            yield (
                f"Of {row['jobs']}, the cost of {row['cost_within']} lay in its interval, and "
                f"{notation.percent(int(str(row['stayed_ppm'])))} of the versions stayed, where "
                f"{notation.percent(int(str(row['likely_ppm'])))} were forecast to."
            )


def _cost_sentences(jobs: Iterable[RecordedJob]) -> Iterator[str]:
    """Yield for each unit of cost what jobs cost together, and what was expected."""
    sums: dict[str, list[int]] = {}
    for one in jobs:
        found = sums.setdefault(one.unit, [0, 0, 0])
        found[0] += one.cost_micros
        found[1] += int(one.data["expected"]["cost_micros"])
        found[2] += one.cost_micros > int(one.data["expected"]["cost_micros"])
    for unit, (cost, expected, dearer) in sorted(sums.items()):
        yield (
            f"They cost {notation.money(cost, unit)}, where {notation.money(expected, unit)} were "
            f"expected; {dearer} cost more than expected."
        )


def wasted(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Say which alerts were false, and which retraining work was for nothing, at what cost."""
    say_false_alarms(source, inquiry, answer)
    over = [one for one in jobs_in(source, inquiry.scope) if one.closed is not None]
    lost = [one for one in over if one.job.outcome != "succeeded"]
    stayed = [one for one in over if one.job.outcome == "succeeded"]
    seen = [one for one in stayed if _benefit(one) is not None]
    less = [one for one in seen if (_benefit(one) or 0) < one.cost_micros]
    are = "is" if len(over) == 1 else "are"
    answer.say(
        f"Of {counted(len(over), 'job')} that {are} over, {len(lost)} left no version in service.",
        *_sums(lost),
    )
    if stayed:
        answer.say(
            f"Of the {len(stayed)} that left one, the ledger observed for {len(seen)} what it "
            f"brought in its window; {len(less)} of these brought less there than they cost.",
            *_sums(less),
        )
    answer.show(
        "wasted",
        "Work that left no version in service, or brought less than it cost",
        (
            ("job", "text", "which job"),
            ("model", "text", "of which model"),
            ("outcome", "text", "how it ended"),
            ("reason", "prose", "why"),
            ("ended_position", "integer", "where its end is recorded"),
            ("cost", "text", "what it cost"),
            ("realised", "text", "what it brought in the window of its observation; empty if none"),
            ("rule_decision", "integer", "the decision that was in force for it"),
            ("plan", "integer", "the plan that admitted it"),
        ),
        [
            {
                "job": one.data["job"],
                "model": one.data["model"],
                "outcome": one.job.outcome.replace("_", " "),
                "reason": one.job.why,
                "ended_position": None if one.closed is None else one.closed.position,
                "cost": money(one, one.cost_micros),
                "realised": None
                if (benefit := _benefit(one)) is None
                else notation.rounded_money(benefit, one.unit),
                "rule_decision": one.data["decision"],
                "plan": one.data["plan"],
            }
            for one in sorted([*lost, *less], key=lambda one: one.proposed.position)
        ],
    )


def _benefit(one: RecordedJob) -> int | None:
    """Return the benefit that a job's end states; None where the ledger observed none."""
    end = (one.closed.data if one.closed is not None else None) or {}
    realised = end.get("realised")
    return None if realised is None else int(realised["benefit_micros"])


def _sums(jobs: Iterable[RecordedJob]) -> Iterator[str]:
    sums: dict[str, int] = {}
    for one in jobs:
        sums[one.unit] = sums.get(one.unit, 0) + one.cost_micros
    for unit, cost in sorted(sums.items()):
        yield f"They cost {notation.money(cost, unit)}."


def budgets(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Say what budgets paid, who approved more, what was refused, and which bounds were hit."""
    found = recorded_budgets(source, inquiry.at)
    spent = spending_table(source, inquiry.scope)
    envelopes = envelopes_table(found)
    paid = {row["job"] for row in as_records(spent)}  # a job and its test have a row each
    over = sum(row["is_exceeded"] is True for row in as_records(envelopes))
    answer.say(
        f"More was spent and set aside than was granted in {over} of "
        f"{counted(len(envelopes.rows), 'envelope')} of {counted(len(found.budgets), 'budget')}.",
        f"Jobs that a budget paid or pays: {len(paid)}; {_overspending(found)}.",
        *_raised(found),
    )
    if found.impossible:
        answer.say(f"Events that no budget could have: {found.impossible}; `audit run` says which.")
    if gone := sum(one.is_gone for one in found.budgets.values()):
        answer.missing = (
            f"Of {counted(gone, 'budget')} the body of an event was erased, so what it has is not "
            "known."
        )
    refused = refusals_table(source, FactFilter(until=inquiry.at))
    short = [row for row in as_records(refused) if row["reason"] == Reason.BUDGET_EXHAUSTED]
    answer.say(f"Callers who were told that a budget is exhausted: {counted(len(short), 'row')}.")
    _say_loops(source, inquiry, answer)
    answer.tables += [envelopes, budget_terms_table(found), spent, refused]
    plan_budgets(source, inquiry, answer)
    plan_bounds(source, inquiry, answer)
    answer.how = ["decision-ledger budget list"]


def _overspending(found: RecordedBudgets) -> str:
    """Return how often persons let jobs cost more than their budgets had, and how much."""
    if not found.approved:
        return "overspending was never approved"
    sums: dict[str, int] = {}
    for _, data in found.approved:
        unit = found.budgets[data["budget"]].unit
        sums[unit] = sums.get(unit, 0) + int(data["amount_micros"])
    amounts = " and ".join(notation.money(micros, unit) for unit, micros in sorted(sums.items()))
    persons = ", ".join(sorted({fact.actor for fact, _ in found.approved}))
    times = counted(len(found.approved), "time")
    return f"overspending was approved {times}, {amounts} together, by {persons}"


def _raised(found: RecordedBudgets) -> Iterator[str]:
    """Yield how often budgets were set again, and by whom they were raised."""
    again = [one for one in found.terms if not one["is_first"]]
    if not again:
        yield "No budget was set again."
        return
    raised = [one for one in again if one["raised"]]
    by = f", by {', '.join(sorted({one['actor'] for one in raised}))}" if raised else ""
    yield (
        f"Budgets were set again {counted(len(again), 'time')}, and raised in {len(raised)} of "
        f"these{by}."
    )


def _say_loops(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Say how often the bounds of single jobs and of holdouts were reached."""
    jobs = jobs_in(source, inquiry.scope)
    hit = [
        one
        for one in jobs
        if one.job.outcome == "failed" and one.job.lost >= one.data["limits"]["attempts"]
    ]
    answer.say(
        f"Jobs that ended because the last of their attempts was lost: {len(hit)} of {len(jobs)}."
    )
    uses: dict[str, tuple[int, int]] = {}
    for use in recorded_jobs(source).uses:
        count, _ = uses.get(use.holdout, (0, 0))
        uses[use.holdout] = count + 1, use.bound
    used_up = [name for name, (count, bound) in sorted(uses.items()) if count >= bound]
    named = f": {', '.join(used_up)}" if used_up else ""
    answer.say(
        f"Holdouts that were used as often as is allowed: {len(used_up)} of {len(uses)}{named}."
    )
