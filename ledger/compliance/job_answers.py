"""Answers about retraining work: gates, comparisons, approvals, how versions were made.

Each is told of one model, where the question names one, else of all.
"""

from collections.abc import Iterator
from typing import Any, Final

from ledger.compliance.deployments import recorded_deployments
from ledger.compliance.facts import FactSource
from ledger.compliance.governance_answers import say_approvals
from ledger.compliance.inquiry import Answer, Inquiry
from ledger.compliance.job_approvals import job_approvals_table, stages_table
from ledger.compliance.jobs import (
    RecordedJob,
    RecordedVerdict,
    jobs_in,
    numbers,
    verdicts_table,
)
from ledger.compliance.tables import Table, as_records
from ledger.events.notation import counted
from ledger.events.values import PPM
from ledger.jobs.confidence import change_interval, is_error, sample_of
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
        *_live(source, inquiry, jobs),
    )
    answer.tables.append(table)
    answer.how = [_COMMAND, "decision-ledger audit run"]


def _live(source: FactSource, inquiry: Inquiry, jobs: list[RecordedJob]) -> Iterator[str]:
    """Yield how many versions went live with gates of data behind them."""
    passed = {
        name: sum(
            verdict.data["gate"] == name and verdict.data["is_passed"]
            for one in jobs
            if one.job.deployed is not None
            for verdict in one.verdicts
        )
        for name in _DATA_GATES
    }
    live = sum(one.job.deployed is not None for one in jobs)
    yield (
        f"Versions that jobs brought into service: {live}; {passed['data_integrity']} of them "
        f"passed a gate of data integrity, {passed['representativeness']} one of "
        f"representativeness. Deployments by no job, so without gates: "
        f"{_stated(source, inquiry)}."
    )
    yield "That the numbers behind a verdict are true is the word of the executor that reported."


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
    answer.say(
        f"On record: {counted(len(records), 'comparison')} of a candidate with the version in "
        f"service, in {counted(len(jobs), 'job')}.",
        *_accepted(jobs),
        f"Deployments by no job, so without a comparison that the ledger judged: "
        f"{_stated(source, inquiry)}; the actor of each answers for it.",
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
            ("report", "integer", "where the evidence is recorded"),
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


def _accepted(jobs: list[RecordedJob]) -> Iterator[str]:
    """Yield how many versions went live that had passed a comparison, and who accepted the risk."""
    live = [one for one in jobs if one.job.deployed is not None]
    tested = sum(
        any(
            verdict.data["gate"] in _COMPARISONS and verdict.data["is_passed"]
            for verdict in one.verdicts
        )
        for one in live
    )
    asked = sum(_accepting(one) != "" for one in live)
    alone = "" if asked == len(live) else "; for the others the criteria alone decided"
    yield (
        f"Versions that went live by a job: {len(live)}; {tested} of them had passed a comparison, "
        f"and for {asked} a person accepted what was left of the risk{alone}."
    )


def _stated(source: FactSource, inquiry: Inquiry) -> int:
    """Return how many versions went into service by no job."""
    return sum(
        one.job is None and inquiry.scope.has_model(one.data["model"])
        for one in recorded_deployments(source)
    )


def _compared(one: RecordedJob, verdict: RecordedVerdict) -> Iterator[dict[str, Any]]:
    """Yield a record for each number that was reported of both versions."""
    gate, evidence = one.gate(verdict.data["gate"]) or {"metrics": []}, verdict.evidence
    metrics = {metric["name"]: metric for metric in gate["metrics"]}
    _, size = sample_of(evidence.get("samples", {}))
    champion, candidate = evidence.get("champion", {}), evidence.get("candidate", {})
    for name in sorted({*champion} & {*candidate}):
        if is_error(name, list(metrics)):
            continue
        before, after = champion[name], candidate[name]
        metric = metrics.get(name)
        method, interval = (
            (None, None) if metric is None else change_interval(metric, evidence, size)
        )
        yield {
            "position": verdict.fact.position,
            "report": verdict.data["report"],
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
    approved = [given.fact for given in one.approvals]
    given = [fact for fact in approved if (fact.data or {}).get("stage") == "deployment"]
    return ", ".join(
        f"{fact.actor} as {role}" if (role := (fact.data or {})["role"]) else fact.actor
        for fact in given
    )


def approvals(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:
    """Say of each approval, of a job or a policy, what was approved and beside whom."""
    table = job_approvals_table(source, inquiry.scope)
    rows, jobs = as_records(table), jobs_in(source, inquiry.scope)
    others = sum(row["is_other"] is True for row in rows)
    known = [row for row in rows if row["is_other_person"] is not None]
    persons = sum(row["is_other_person"] is True for row in known)
    newest = sum(row["is_newest"] is True for row in rows)
    answer.say(
        f"On record: {counted(len(rows), 'approval')} of jobs, {others} by another account than "
        "that which proposed the job."
    )
    if known:
        answer.say(
            f"For {len(known)} of them the persons behind both accounts are on record, and "
            f"{persons} of these are by another person."
        )
    if rows:
        answer.say(
            f"For exactly the newest evidence of then, by its position and hash: {newest} of "
            f"{len(rows)}. An approval counts for that alone: it ends with newer evidence, not "
            "with time."
        )
    answer.say(*_quorums(jobs))
    answer.tables += [stages_table(jobs), table]
    say_approvals(source, answer)
    answer.how = [_COMMAND, *answer.how]


def _quorums(jobs: list[RecordedJob]) -> Iterator[str]:
    """Yield how often all approvals that were asked for came, and how often none was."""
    stages = [stage for one in jobs for stage in one.stages]
    states = [stage.state for stage in stages]
    ends = {state: states.count(state) for state in sorted({*states} - {"met", "open"})}
    ended = "".join(f"; {state}: {count}" for state, count in ends.items())
    yield (
        f"Times at which a job waited for people: {len(stages)}; all that was asked for came: "
        f"{states.count('met')}; open: {states.count('open')}{ended}."
    )
    unasked = [one for one in jobs if not any(stage.stage == "start" for stage in one.stages)]
    by_plan = sum(one.data["plan"] is not None for one in unasked)
    if unasked:
        yield (
            f"Jobs that asked no person before they began: {len(unasked)}, of which a plan "
            f"admitted {by_plan}."
        )


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
