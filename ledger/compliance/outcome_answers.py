"""Answers about what came of retraining work: roll-backs, gains, waste, money.

Each is told of one model, where the question names one, else of all.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from ledger.compliance.budgets import spending_table
from ledger.compliance.conduct import refusals_table
from ledger.compliance.deployments import deployments_table
from ledger.compliance.drills import drills_table
from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.fleet_answers import plan_bounds, plan_budgets
from ledger.compliance.forecasts import forecasts_table
from ledger.compliance.inquiry import Answer, Inquiry, need_model
from ledger.compliance.jobs import (
    RecordedJob,
    jobs_in,
    jobs_table,
    money,
    verdicts_table,
)
from ledger.compliance.management_answers import say_false_alarms
from ledger.compliance.tables import Table, as_records
from ledger.errors import Reason
from ledger.events import notation
from ledger.events.budgets import BudgetOverspendingApproved
from ledger.events.drills import DrillRecorded
from ledger.events.facts import Fact, readable
from ledger.events.notation import counted
from ledger.events.values import SECOND

_COMPARISONS: Final = ("candidate", "training", "holdout", "observation")
_COMMAND: Final = "decision-ledger job list"


def roll_back(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Say which version could be put back, when that was last done, and how long it took."""
    model = need_model(inquiry)
    deployed = deployments_table(source, FactFilter(model=model))
    rows = as_records(deployed)
    if rows:
        before = rows[-1]["replaces"] or "nothing"
        answer.say(f"{rows[-1]['model_version']} serves; before it: {before}.")
    else:
        answer.say("Nothing was ever deployed.")
    records = [_return(one) for one in jobs_in(source, inquiry.scope) if one.went_back]
    answer.say(*_return_sentences(records))
    reinstated = [row for row in rows if row["kind"] == "reinstated"]
    answer.say(f"Versions of it that served before were {_times(len(reinstated), 'put back')}.")
    answer.show(
        "returns",
        "Jobs whose version was taken back",
        (
            ("job", "text", "which job"),
            ("model", "text", "of which model"),
            ("called_for_at", "time", "when it was called for"),
            ("called_for", "text", "by a verdict, or by a person"),
            ("overdue_at", "time", "when it was on record that no executor had taken it up"),
            ("returned_at", "time", "when the version before served again, or nothing was left"),
            ("seconds", "span", "how long that took"),
            ("by", "text", "what took it out of service; empty while that is open"),
            ("from_version", "text", "the version that was taken back"),
            ("to_version", "text", "the one that serves again"),
        ),
        records,
    )
    answer.tables.append(deployed)
    exercises = [
        data
        for _, data in readable(source.facts((DrillRecorded.TYPE,)))
        if data["drill"] == "rollback"
    ]
    answer.say(
        f"Drills of a roll-back on record: {len(exercises)}"
        + (
            f", the newest held {notation.shown_time(exercises[-1]['held_at'])}."
            if exercises
            else "."
        )
    )
    answer.tables.append(drills_table(source, FactFilter()))
    answer.how = [f"decision-ledger model show {model}", "decision-ledger drill run rollback"]


def _return_sentences(records: list[dict[str, Any]]) -> Iterator[str]:
    """Yield which version was put back last, what waits, and where nothing was left to do."""
    done = [row for row in records if row["by"] == _EXECUTOR]
    if done:
        newest = done[-1]
        yield (
            f"A version was last put back by job {newest['job']}, "
            f"{notation.duration(newest['seconds'])} after that was called for."
        )
    waiting = [row for row in records if row["by"] is None and row["overdue_at"] is not None]
    if waiting:
        yield (
            f"{counted(len(waiting), 'return')} of jobs {'wait' if len(waiting) > 1 else 'waits'} "
            "for an executor, and longer than a lease lasts."
        )
    if lapsed := [row for row in records if row["by"] not in {None, _EXECUTOR}]:
        yield (
            f"In {counted(len(lapsed), 'job')} nothing was left to put back: another version "
            "served already, or the model was retired."
        )


def _times(count: int, what: str) -> str:
    return f"{what} {counted(count, 'time')}" if count else f"never {what}"


def _return(one: RecordedJob) -> dict[str, Any]:
    called, back, version = one.went_back, one.returned or one.lapsed, one.job.deployed
    assert called is not None, "asked of jobs that were to go back"
    return {
        "job": one.data["job"],
        "model": one.data["model"],
        "called_for_at": called.recorded_at,
        "called_for": called.actor if called.actor.startswith("users/") else "a verdict",
        "overdue_at": None if one.overdue is None else one.overdue.recorded_at,
        "returned_at": None if back is None else back.recorded_at,
        "seconds": None if back is None else (back.recorded_at - called.recorded_at) // SECOND,
        "by": None if back is None else _EXECUTOR if back is one.returned else _lapse(back),
        "from_version": None if version is None else version.model_version,
        "to_version": (back.data or {}).get("model_version")
        if back is not None
        else next(iter(one.job.returns_to), None),
    }


_EXECUTOR: Final = "its executor"


def _lapse(fact: Fact) -> str:
    """Return what left nothing to do of a job."""
    data = fact.data or {}
    by = f" by {data['by']}" if data.get("by") else ""
    what = "the retirement of the model" if data.get("model_version") is None else "a deployment"
    return f"{what}{by}, at position {data.get('ended_by')}"


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
    answer.say(*_calibration(forecasts))
    answer.tables.append(forecasts)
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
    are = "is" if len(over) == 1 else "are"
    answer.say(
        f"Of {counted(len(over), 'job')} that {are} over, {len(lost)} left no version in service.",
        *_lost_sentences(lost),
    )
    answer.show(
        "wasted",
        "Work that left no version in service",
        (
            ("job", "text", "which job"),
            ("model", "text", "of which model"),
            ("outcome", "text", "how it ended"),
            ("reason", "prose", "why"),
            ("cost", "text", "what it cost"),
            ("rule_decision", "integer", "the decision that was in force for it"),
            ("plan", "integer", "the plan that admitted it"),
        ),
        [
            {
                "job": one.data["job"],
                "model": one.data["model"],
                "outcome": one.job.outcome.replace("_", " "),
                "reason": one.job.why,
                "cost": money(one, one.cost_micros),
                "rule_decision": one.data["decision"],
                "plan": one.data["plan"],
            }
            for one in lost
        ],
    )


def _lost_sentences(jobs: Iterable[RecordedJob]) -> Iterator[str]:
    sums: dict[str, int] = {}
    for one in jobs:
        sums[one.unit] = sums.get(one.unit, 0) + one.cost_micros
    for unit, cost in sorted(sums.items()):
        yield f"They cost {notation.money(cost, unit)}."


def budgets(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Say what budgets paid, who approved more, what was refused, and which bounds were hit."""
    spent = spending_table(source, inquiry.scope)
    approved = [
        (fact, data)
        for fact, data in readable(source.facts((BudgetOverspendingApproved.TYPE,)))
        if inquiry.at is None or fact.recorded_at < inquiry.at
    ]
    persons = sorted({fact.actor for fact, _ in approved})
    job = [column.name for column in spent.columns].index("job")
    paid = {row[job] for row in spent.rows}  # a job and its test have a row each
    by = f", by {', '.join(persons)}" if persons else ""
    answer.say(
        f"Jobs that a budget paid or pays: {len(paid)}; overspending was "
        f"{_times(len(approved), 'approved')}{by}."
    )
    refused = refusals_table(source, FactFilter(until=inquiry.at))
    at = [column.name for column in refused.columns].index("reason")
    short = [row for row in refused.rows if row[at] == Reason.BUDGET_EXHAUSTED]
    answer.say(f"Callers who were told that a budget is exhausted: {counted(len(short), 'row')}.")
    jobs = jobs_in(source, inquiry.scope)
    hit = [one for one in jobs if one.job.outcome == "failed" and one.job.lost]
    answer.say(
        f"Jobs that ended because the last of their attempts was lost: {len(hit)} of {len(jobs)}."
    )
    answer.tables += [spent, refused]
    plan_budgets(source, inquiry, answer)
    plan_bounds(source, inquiry, answer)
    answer.how = ["decision-ledger budget list"]
