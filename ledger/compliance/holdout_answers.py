"""The answer about holdouts: every use of each, and whether its data were untouched before."""

from typing import Any, Final

from ledger.compliance.facts import FactSource
from ledger.compliance.inquiry import Answer, Inquiry
from ledger.compliance.jobs import RecordedJob, RecordedJobs, recorded_jobs
from ledger.events.jobs import GateReported
from ledger.events.notation import counted

_COMMAND: Final = "decision-ledger job list"


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
    if known:
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
            ("position", "integer", "where its report is, or what began one without"),
            ("used_at", "time", "when, by the ledger's clock"),
            ("holdout", "text", "which data kept apart"),
            ("use", "integer", "the number of this use, from 1, over all jobs"),
            ("max_uses", "integer", "how many are allowed, by the strictest recipe used by then"),
            ("job", "text", "by which job"),
            ("model", "text", "of which model"),
            (
                "is_reported",
                "boolean",
                "whether it reported; else it has the gate before it, or ended so",
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
