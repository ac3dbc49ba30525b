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
    RecordedJobs,
    RecordedVerdict,
    job_approvals_table,
    jobs_in,
    numbers,
    recorded_jobs,
    verdicts_table,
)
from ledger.compliance.tables import Table, as_records
from ledger.events.jobs import GateReported
from ledger.events.notation import counted
from ledger.events.values import PPM
from ledger.jobs.confidence import change_interval, sample_of
from ledger.jobs.environments import environment_words

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
    """List every use of a holdout, over all jobs, beside its bound."""
    records = _uses(recorded_jobs(source))
    used = {row["holdout"]: row["use"] for row in records}
    beyond = sum(row["use"] > row["max_uses"] for row in records)
    answer.say(
        f"On record: {counted(len(records), 'use')} of {counted(len(used), 'holdout')}; "
        f"{beyond} beyond the bound.",
        *(
            f"The first use of {name} was untouched by any job before it; since then it was used "
            f"{counted(count - 1, 'time')} more."
            for name, count in sorted(used.items())
        ),
    )
    known = [row for row in records if row["is_untouched"] is not None]
    if records:
        untouched = sum(row["is_untouched"] is True for row in known)
        answer.say(
            f"Of {counted(len(known), 'use')} the digests of the data are recorded, and of what "
            f"was read to make the candidate: {untouched} of them were of data that no step before "
            "had read."
        )
    if len(known) < len(records):
        answer.missing = (
            f"Of {counted(len(records) - len(known), 'use')} it is not recorded which data was "
            "read, at the holdout or for the candidate: RecordEnvironment with its snapshots says "
            "it."
        )
    answer.show(
        "holdouts",
        "Uses of holdouts",
        (
            ("position", "integer", "where its report, or the end of an attempt without one, is"),
            ("used_at", "time", "when, by the ledger's clock"),
            ("holdout", "text", "which data kept apart"),
            ("use", "integer", "the number of this use, from 1, over all jobs"),
            ("max_uses", "integer", "how many are allowed, by the strictest recipe used by then"),
            ("job", "text", "by which job"),
            ("model", "text", "of which model"),
            (
                "is_reported",
                "boolean",
                "whether it reported; else it ended with the gate before it",
            ),
            ("is_passed", "boolean", "whether the gate was passed"),
            ("is_untouched", "boolean", "whether no step before read it, but for holdouts"),
            ("read_by", "text", "the steps that did"),
            ("data_sha256", "text", "the data, by SHA-256"),
            ("model_version", "text", "the version that went into service after it"),
        ),
        [row for row in records if not inquiry.model or row["model"] == inquiry.model],
    )
    answer.how = [_COMMAND]


def _uses(found: RecordedJobs) -> list[dict[str, Any]]:
    """Return a record of each use of a holdout, in order."""
    records: list[dict[str, Any]] = []
    used: dict[str, int] = {}
    for name, bound, one, report in found.uses:
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
                "max_uses": bound,
                "job": one.data["job"],
                "model": one.data["model"],
                "is_reported": report.type == GateReported.TYPE,
                "is_passed": passed[0] if passed else None,
                **_untouched(found, one, report.position),
                "model_version": None
                if one.job.deployed is None
                else one.job.deployed.model_version,
            }
        )
    return records


def _untouched(found: RecordedJobs, one: RecordedJob, report: int) -> dict[str, Any]:
    """Say whether the data of a holdout were read before to make a candidate, of any job.

    Not known where the job did not record what it read at its holdout, or to make its candidate.
    """
    before = [each for each in one.data_read if each.position < report]
    kept = sorted({each.sha256 for each in before if each.gate == "holdout"})
    made = [name for name in ("candidate", "training") if one.gate(name) is not None]
    is_known = bool(kept) and all(any(each.gate == name for each in before) for name in made)
    read = sorted(
        f"{job.data['job']} {each.gate.replace('_', ' ')}"
        for job in found.jobs.values()
        for each in job.data_read
        if each.position < report and each.gate != "holdout" and each.sha256 in kept
    )
    return {
        "is_untouched": False if read else True if is_known else None,
        "read_by": ", ".join(dict.fromkeys(read)) or None,
        "data_sha256": ", ".join(kept) or None,
    }


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
    bare = sum(row["method"] is None for row in records)
    if bare:
        answer.missing = (
            f"For {bare} of {counted(len(records), 'comparison')} no interval can be made: the "
            "metric is no share (ppm) of a sample whose size was reported, and no standard error "
            "is beside it."
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
            ("low", "integer", "of the change, from: 95% of such intervals hold the true one"),
            ("high", "integer", "to"),
            ("method", "text", "how the interval was made; empty where it cannot be"),
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
    metrics = {metric["name"]: metric for metric in gate["metrics"]}
    _, size = sample_of(evidence.get("samples", {}))
    champion, candidate = evidence.get("champion", {}), evidence.get("candidate", {})
    for name in sorted({*champion} & {*candidate}):
        before, after = champion[name], candidate[name]
        metric = metrics.get(name)
        method, interval = (
            (None, None) if metric is None else change_interval(metric, evidence, size)
        )
        yield {
            "position": verdict.fact.position,
            "job": one.data["job"],
            "model": one.data["model"],
            "gate": verdict.data["gate"],
            "metric": name,
            "unit": None if metric is None else metric["unit"],
            "champion": before,
            "candidate": after,
            "change_ppm": (after - before) * PPM // before if before > 0 else None,
            "low": None if interval is None else interval.low,
            "high": None if interval is None else interval.high,
            "method": method,
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
        "Each names the newest evidence that its giver saw, the bytes of which are under its hash; "
        "where newer evidence was there, the service and the auditor refuse it.",
    )
    answer.tables.append(table)
    say_approvals(source, answer)
    answer.how = [_COMMAND, *answer.how]


def say_made(source: FactSource, inquiry: Inquiry, deployments: Table, answer: Answer) -> None:
    """Say by which job each version came, in which environments it was made, and as what bytes."""
    jobs = [one for one in jobs_in(source, inquiry.scope) if one.job.deployed is not None]
    records = [record for one in jobs for record in _made(one)]
    versions = {(row["model"], row["model_version"]) for row in as_records(deployments)}
    told = versions & {
        (row["model"], row["model_version"]) for row in records if row["environment"] is not None
    }
    answer.say(
        f"Brought into service by jobs: {counted(len(jobs), 'version')}; of {len(told)} the "
        "environment that a step ran in is on record."
    )
    if len(told) < len(versions):
        answer.missing = (
            f"Of {counted(len(versions) - len(told), 'version')} it is not recorded which data, "
            "code, packages and seed made it: jobs whose executor records its environment say it."
        )
    answer.show(
        "made",
        "How versions were made",
        (
            ("position", "integer", "where the environment is recorded; empty where none is"),
            ("job", "text", "by which job"),
            ("model", "text", "of which model"),
            ("model_version", "text", "the version that it brought into service"),
            ("gate", "text", "of which gate's step"),
            ("attempt", "integer", "in which attempt"),
            ("environment", "prose", "code, packages, data with rows, versions, seed and order"),
            ("artifacts", "text", "what the job's reports handed in, by name and SHA-256"),
        ),
        records,
    )


def _made(one: RecordedJob) -> Iterator[dict[str, Any]]:
    """Yield a record for each environment of a job that deployed; one without where none is."""
    assert one.job.deployed is not None
    handed_in = {
        each["name"]: each["sha256"]
        for verdict in one.verdicts
        for each in verdict.evidence.get("artifacts", ())
    }
    common = {
        "job": one.data["job"],
        "model": one.data["model"],
        "model_version": one.job.deployed.model_version,
        "artifacts": ", ".join(f"{name} {sha256}" for name, sha256 in handed_in.items()) or None,
    }
    for fact in one.environments:
        data = fact.data or {}
        yield common | {
            "position": fact.position,
            "gate": data["gate"],
            "attempt": data["attempt"],
            "environment": environment_words(data["environment"]),
        }
    if not one.environments:
        yield common | dict.fromkeys(("position", "gate", "attempt", "environment"))
