"""Answers about retraining work: gates, holdouts, comparisons, approvals.

Each is told of one model, where the question names one, else of all.
"""

from collections.abc import Iterator
from typing import Any, Final

from ledger.compliance.facts import FactSource
from ledger.compliance.governance_answers import say_approvals
from ledger.compliance.inquiry import Answer, Inquiry
from ledger.compliance.jobs import (
    RecordedJob,
    RecordedVerdict,
    job_approvals_table,
    jobs_in,
    numbers,
    recorded_jobs,
    verdicts_table,
)
from ledger.compliance.tables import as_records
from ledger.events.notation import counted
from ledger.events.values import PPM

_DATA_GATES: Final = ("data_integrity", "representativeness")
_COMPARISONS: Final = ("candidate", "training", "holdout")
_COMMAND: Final = "decision-ledger job list"


def gates(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Say which gates of data were passed, and whether by criteria from before the run."""
    table = verdicts_table(source, inquiry.scope, *_DATA_GATES)
    rows = as_records(table)
    passed = sum(row["is_passed"] is True for row in rows)
    fixed = sum(row["is_by_them"] is True for row in rows)
    jobs = jobs_in(source, inquiry.scope)
    asked = {name: sum(one.gate(name) is not None for one in jobs) for name in _DATA_GATES}
    answer.say(
        f"Gates of data on record: {counted(len(rows), 'verdict')}, {passed} of them passed.",
        f"By exactly the criteria that the job was proposed with, before any lease: {fixed} of "
        f"{len(rows)}.",
        f"Jobs whose recipe has a gate of data integrity: {asked['data_integrity']}; of "
        f"representativeness: {asked['representativeness']}.",
    )
    answer.tables.append(table)
    answer.how = [_COMMAND, "decision-ledger audit run"]


def holdouts(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """List every use of a holdout, over all jobs, beside the bound of its recipe."""
    found = recorded_jobs(source)
    records: list[dict[str, Any]] = []
    used: dict[str, int] = {}
    for name, one, report in found.uses:
        gate = one.gate("holdout")
        assert gate is not None, "a use is counted for a gate that has one"
        used[name] = used.get(name, 0) + 1
        passed = [
            verdict.data["is_passed"]
            for verdict in one.verdicts
            if verdict.report is not None and verdict.report.position == report.position
        ]
        records.append(
            {
                "position": report.position,
                "used_at": report.recorded_at,
                "holdout": name,
                "use": used[name],
                "max_uses": gate["holdout"]["max_uses"],
                "job": one.data["job"],
                "model": one.data["model"],
                "is_passed": passed[0] if passed else None,
                "model_version": None
                if one.job.deployed is None
                else one.job.deployed.model_version,
            }
        )
    beyond = sum(row["use"] > row["max_uses"] for row in records)
    answer.say(
        f"On record: {counted(len(records), 'use')} of {counted(len(used), 'holdout')}; "
        f"{beyond} beyond the bound of the recipe.",
        *(
            f"The first use of {name} was untouched by any job before it; since then it was used "
            f"{counted(count - 1, 'time')} more."
            for name, count in sorted(used.items())
        ),
    )
    answer.show(
        "holdouts",
        "Uses of holdouts",
        (
            ("position", "integer", "where the report is recorded"),
            ("used_at", "time", "when, by the ledger's clock"),
            ("holdout", "text", "which data kept apart"),
            ("use", "integer", "the number of this use, from 1, over all jobs"),
            ("max_uses", "integer", "how many the recipe allows"),
            ("job", "text", "by which job"),
            ("model", "text", "of which model"),
            ("is_passed", "boolean", "whether the gate was passed"),
            ("model_version", "text", "the version that went into service after it"),
        ),
        [row for row in records if not inquiry.model or row["model"] == inquiry.model],
    )
    answer.how = [_COMMAND]


def comparisons(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Compare each candidate with the version in service, and say who let it go live."""
    jobs = jobs_in(source, inquiry.scope)
    records = [
        record
        for one in jobs
        for verdict in one.verdicts
        if verdict.data["gate"] in _COMPARISONS
        for record in _compared(one, verdict)
    ]
    live = [one for one in jobs if one.job.deployed is not None]
    tested = sum(
        any(
            verdict.data["gate"] in _COMPARISONS and verdict.data["is_passed"]
            for verdict in one.verdicts
        )
        for one in live
    )
    asked = sum(_accepting(one) != "" for one in live)
    answer.say(
        f"On record: {counted(len(records), 'comparison')} of a candidate with the version in "
        f"service, in {counted(len(jobs), 'job')}.",
        f"Versions that went live by a job: {len(live)}; {tested} of them had passed a comparison, "
        f"and for {asked} a person accepted what was left of the risk.",
    )
    answer.show(
        "comparisons",
        "Candidates beside the versions in service",
        (
            ("position", "integer", "where the verdict is recorded"),
            ("job", "text", "which job"),
            ("model", "text", "of which model"),
            ("gate", "text", "at which gate"),
            ("metric", "text", "which number; one for each slice that the recipe names"),
            ("unit", "text", "its unit"),
            ("champion", "integer", "of the version in service"),
            ("candidate", "integer", "of the candidate"),
            ("change_ppm", "share", "how much more the candidate has"),
            ("samples", "text", "how many rows were behind it"),
            ("is_passed", "boolean", "whether the gate was passed"),
            ("criteria", "prose", "each criterion with the values that it read"),
            ("accepted_by", "text", "who approved that it goes live, in which role"),
        ),
        records,
        "A change above 0 is more of the metric, which is better or worse as the metric has it.",
    )
    answer.tables.append(job_approvals_table(source, inquiry.scope))
    answer.how = [_COMMAND]


def _compared(one: RecordedJob, verdict: RecordedVerdict) -> Iterator[dict[str, Any]]:
    """Yield a record for each number that was reported of both versions."""
    gate, evidence = one.gate(verdict.data["gate"]) or {"metrics": []}, verdict.evidence
    units = {metric["name"]: metric["unit"] for metric in gate["metrics"]}
    champion, candidate = evidence.get("champion", {}), evidence.get("candidate", {})
    for name in sorted({*champion} & {*candidate}):
        before, after = champion[name], candidate[name]
        yield {
            "position": verdict.fact.position,
            "job": one.data["job"],
            "model": one.data["model"],
            "gate": verdict.data["gate"],
            "metric": name,
            "unit": units.get(name),
            "champion": before,
            "candidate": after,
            "change_ppm": (after - before) * PPM // before if before > 0 else None,
            "samples": numbers(evidence.get("samples", {})),
            "is_passed": verdict.data["is_passed"],
            "criteria": " ".join(each["sentence"] for each in verdict.data["criteria"]) or None,
            "accepted_by": _accepting(one) or None,
        }


def _accepting(one: RecordedJob) -> str:
    """Return who approved that a job's version goes live; empty where no one was asked."""
    given = [fact for fact, _ in one.approvals if (fact.data or {}).get("stage") == "deployment"]
    return ", ".join(
        f"{fact.actor} as {role}" if (role := (fact.data or {})["role"]) else fact.actor
        for fact in given
    )


def approvals(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Say of each approval, of a job or a policy, what was approved and beside whom."""
    table = job_approvals_table(source, inquiry.scope)
    rows = as_records(table)
    others = sum(row["is_other"] is True for row in rows)
    answer.say(
        f"On record: {counted(len(rows), 'approval')} of jobs, {others} by another account than "
        "that which proposed the job; the service and the auditor refuse one natural person twice.",
        "An approval lies behind the verdicts that it rests on: their bytes are under its hash.",
    )
    answer.tables.append(table)
    say_approvals(source, answer)
    answer.how = [_COMMAND, *answer.how]
