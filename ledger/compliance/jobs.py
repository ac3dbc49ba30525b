"""Jobs: what each was made by, which gates it passed on which evidence, and how it ended.

`ledger.jobs.machine` folds the events of a job, as it does for the service and the auditor. A body
that is gone leaves a job whose end is not known.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.job_stages import WaitingStage, take_stage
from ledger.compliance.tables import Table, table_of
from ledger.events import notation
from ledger.events.facts import Fact
from ledger.events.jobs import (
    JOB_TYPES,
    GateJudged,
    GateReported,
    JobApproved,
    JobClosed,
    JobEnvironmentRecorded,
    JobLapsed,
    JobLeased,
    JobReturnOverdue,
    JobRolledBack,
)
from ledger.jobs.machine import Job, Jobs

_EVIDENCE: Final = (GateReported.TYPE, GateJudged.TYPE)


@dataclass(frozen=True, slots=True)
class RecordedVerdict:
    """The verdict on a gate, with the evidence that it is about; None where none came in time."""

    fact: Fact
    data: dict[str, Any]
    report: Fact | None

    @property
    def evidence(self) -> dict[str, Any]:
        """The report's members; empty where there is no report, or its body is gone."""
        return (self.report.data if self.report is not None else None) or {}


class RecordedApproval(NamedTuple):
    """The approval of a person, with the newest verdict and the newest evidence before it."""

    fact: Fact
    verdict: int | None
    evidence: int


class ReadData(NamedTuple):
    """Data that the step of a gate read."""

    position: int
    gate: str
    sha256: str


@dataclass(slots=True)
class RecordedJob:
    """A job from its proposal to its newest event."""

    proposed: Fact
    data: dict[str, Any]
    job: Job
    verdicts: list[RecordedVerdict] = field(default_factory=list)
    approvals: list[RecordedApproval] = field(default_factory=list)
    stages: list[WaitingStage] = field(default_factory=list)
    """Those at which it waited for people."""
    hashes: dict[int, str] = field(default_factory=dict)
    """The hashes of the events that people approve by, by position."""
    executors: list[str] = field(default_factory=list)
    went_back: Fact | None = None
    """The verdict or the word of a person by which its version is to be taken back."""
    returned: Fact | None = None
    """The record that the version before serves again."""
    overdue: Fact | None = None
    """The newest record that no executor has taken up its return."""
    lapsed: Fact | None = None
    """The record that nothing was left to do of it."""
    closed: Fact | None = None
    environments: list[Fact] = field(default_factory=list)
    """Those that its steps ran in, so far as they were recorded and can be read."""

    @property
    def data_read(self) -> list[ReadData]:
        """The data that its steps read, so far as that was recorded."""
        return [
            ReadData(fact.position, fact.data["gate"], one["sha256"])
            for fact in self.environments
            if fact.data is not None
            for one in fact.data["environment"]["snapshots"]
        ]

    @property
    def unit(self) -> str:
        """The unit of its cost."""
        return str(self.data["expected"]["unit"])

    @property
    def cost_micros(self) -> int:
        """Its cost by the newest report."""
        return self.job.cost_micros

    def gate(self, name: str) -> dict[str, Any] | None:
        """Return what its recipe asks for at a gate."""
        found = self.job.gate_of(name)
        return None if found is None else dict(found)

    def concerns(self, scope: FactFilter) -> bool:
        """Whether it was proposed in a scope: a person asked for proposed it or approved it."""
        actors = {self.proposed.actor, *(one.fact.actor for one in self.approvals)}
        return (
            scope.has_time(self.proposed)
            and scope.has_model(self.data["model"])
            and (not scope.actor or scope.actor in actors)
        )


class HoldoutUse(NamedTuple):
    """A use of a holdout, and how many were allowed when it began.

    The event: its report, or where there is none what began it.
    """

    holdout: str
    bound: int
    job: RecordedJob
    fact: Fact


@dataclass(slots=True)
class RecordedJobs:
    """Every job by the facts so far; facts come in order of position."""

    jobs: dict[str, RecordedJob] = field(default_factory=dict)
    lost: int = 0
    """How many events cannot be read."""
    _fold: Jobs = field(default_factory=Jobs)
    _reports: dict[int, Fact] = field(default_factory=dict)
    _facts: dict[int, Fact] = field(default_factory=dict)
    _held: dict[tuple[str, int], Fact] = field(default_factory=dict)
    """The report on a holdout of each job and attempt."""

    def apply(self, fact: Fact) -> None:
        """Fold one event of a job."""
        self.lost += fact.data is None
        data = fact.data
        made = self._fold.apply(
            fact.position, fact.stream, fact.type, fact.actor, data, fact.run_id,
            recorded_at=fact.recorded_at,
        )  # fmt: skip
        if made is None:
            return
        self._facts[fact.position] = fact
        known = self.jobs.get(made.name)
        if known is None:
            assert data is not None, "the fold begins a job with a proposal that can be read"
            known = self.jobs[made.name] = RecordedJob(fact, data, made)
            known.hashes[fact.position] = fact.event_hash
            take_stage(known.stages, None, made, fact)
            return
        was, known.job = known.job, made
        take_stage(known.stages, was, made, fact)
        if data is not None:
            self._add(known, fact, data)
        if made.is_rolling_back and not was.is_rolling_back:
            known.went_back = fact

    @property
    def uses(self) -> list[HoldoutUse]:
        """The uses of holdouts, in the order in which they began."""
        found = [
            (use, name, by)
            for name, each in self._fold.holdouts.uses.items()
            for by, use in each.items()
        ]
        return [
            HoldoutUse(
                name, use.most, self.jobs[by[0]], self._held.get(by, self._facts[use.position])
            )
            for use, name, by in sorted(found)
        ]

    def _add(self, known: RecordedJob, fact: Fact, data: dict[str, Any]) -> None:
        if fact.type in _EVIDENCE:
            known.hashes[fact.position] = fact.event_hash
        newest = known.verdicts[-1].fact.position if known.verdicts else None
        if fact.type == GateReported.TYPE:
            self._reports[fact.position] = fact
            if data["gate"] == "holdout":
                self._held[known.job.name, data["attempt"]] = fact
        elif fact.type == GateJudged.TYPE:
            report = self._reports.pop(data["report"] or 0, None)
            known.verdicts.append(RecordedVerdict(fact, data, report))
        elif fact.type == JobApproved.TYPE:
            known.approvals.append(RecordedApproval(fact, newest, known.job.evidence_at))
        elif fact.type == JobLeased.TYPE and fact.actor not in known.executors:
            known.executors.append(fact.actor)
        elif fact.type == JobEnvironmentRecorded.TYPE:
            known.environments.append(fact)
        elif fact.type == JobRolledBack.TYPE:
            known.returned = fact
        elif fact.type == JobReturnOverdue.TYPE:
            known.overdue = fact
        elif fact.type == JobLapsed.TYPE:
            known.lapsed = fact
        elif fact.type == JobClosed.TYPE:
            known.closed = fact


def recorded_jobs(source: FactSource) -> RecordedJobs:
    """Return every job that a source tells of."""
    found = RecordedJobs()
    for fact in source.facts(tuple(sorted(JOB_TYPES))):
        found.apply(fact)
    return found


def jobs_in(source: FactSource, scope: FactFilter) -> list[RecordedJob]:
    """Return the jobs of a scope, in order of their proposals."""
    return [one for one in recorded_jobs(source).jobs.values() if one.concerns(scope)]


def jobs_table(source: FactSource, scope: FactFilter) -> Table:
    """Return the jobs that were proposed in the period, and how each ended."""
    found = recorded_jobs(source)
    return table_of(
        "jobs",
        "Retraining jobs",
        (
            ("position", "integer", "where it is recorded"),
            ("proposed_at", "time", "when it was proposed, by the ledger's clock"),
            ("job", "text", "which job"),
            ("model", "text", "of which model"),
            ("proposed_by", "text", "who proposed it"),
            ("plan", "integer", "the plan that admitted it; empty where a person wants it"),
            ("decision", "integer", "the decision in force then"),
            ("recipe", "text", "by which recipe"),
            ("recipe_version", "integer", "and which version of it"),
            ("recipe_digest", "text", "SHA-256 of that document"),
            ("approved_by", "text", "the persons who approved it"),
            ("executors", "text", "who leased it"),
            ("attempts", "integer", "how often an executor began it"),
            ("gates_passed", "integer", "how many gates it passed"),
            ("gates", "integer", "of how many"),
            ("model_version", "text", "the version that it brought into service"),
            ("replaces", "text", "the version before that"),
            ("state", "text", "how it ended, or what it waits for"),
            ("reason", "prose", "why it ended so"),
            ("ended_at", "time", "when"),
            ("expected", "text", "what it was expected to cost"),
            ("cost", "text", "what it cost by the newest report"),
            ("run_id", "text", "the run it belongs to"),
        ),
        [_job_row(one) for one in found.jobs.values() if one.concerns(scope)],
        f"Events of jobs without a readable body: {found.lost}." if found.lost else "",
        page=(
            ("Proposed", ("proposed_at", "position", "proposed_by", "approved_by")),
            ("Job", ("job", "model", "plan", "decision", "run_id")),
            ("Recipe", ("recipe", "recipe_version", "recipe_digest")),
            ("Work", ("executors", "attempts", "gates_passed", "gates")),
            ("Version", ("model_version", "replaces")),
            ("State", ("state", "reason", "ended_at")),
            ("Cost", ("cost", "expected")),
        ),
    )


def _job_row(one: RecordedJob) -> dict[str, Any]:
    data, job = one.data, one.job
    deployed = job.deployed
    return {
        "position": one.proposed.position,
        "proposed_at": one.proposed.recorded_at,
        "proposed_by": one.proposed.actor,
        "approved_by": ", ".join(sorted({given.fact.actor for given in one.approvals})) or None,
        "executors": ", ".join(one.executors) or None,
        "attempts": job.attempt if one.executors else 0,
        "gates_passed": job.passed,
        "gates": len(data["gates"]),
        "model_version": None if deployed is None else deployed.model_version,
        "replaces": None if deployed is None else deployed.replaces,
        "state": (job.outcome if job.is_over else job.state).replace("_", " "),
        "reason": job.why or None,
        "ended_at": None if one.closed is None else one.closed.recorded_at,
        "expected": money(one, int(data["expected"]["cost_micros"])),
        "cost": money(one, one.cost_micros),
        "run_id": one.proposed.run_id,
        **{
            name: data[name]
            for name in ("job", "model", "plan", "decision", "recipe", "recipe_version")
        },
        "recipe_digest": data["recipe_digest"],
    }


def money(one: RecordedJob, micros: int) -> str:
    """Return an amount in the unit of a job's cost."""
    return notation.money(micros, one.unit)


_VERDICT_COLUMNS: Final = (
    ("position", "integer", "where the verdict is recorded"),
    ("judged_at", "time", "when, by the ledger's clock"),
    ("job", "text", "of which job"),
    ("model", "text", "of which model"),
    ("gate", "text", "which gate"),
    ("is_passed", "boolean", "whether it was passed"),
    ("criteria", "prose", "each criterion with the values that it read"),
    ("criteria_fixed_at", "integer", "the proposal, which fixed the criteria"),
    ("is_by_them", "boolean", "whether the verdict is by exactly these criteria"),
    ("report", "integer", "where the evidence is recorded; empty where none came"),
    ("reported_by", "text", "who reported it"),
    ("metrics", "text", "the numbers about the run"),
    ("champion", "text", "the numbers of the version in service"),
    ("candidate", "text", "the numbers of the candidate"),
    ("samples", "text", "how many rows were behind them"),
    ("artifacts", "text", "files that were left, by SHA-256"),
)


def verdicts_table(source: FactSource, scope: FactFilter, *gates: str) -> Table:
    """Return the verdicts of the scope's jobs, of some gates or of all, with their evidence."""
    return table_of(
        "gates",
        "Verdicts on gates",
        _VERDICT_COLUMNS,
        list(_verdict_rows(jobs_in(source, scope), gates)),
        page=(
            ("Judged", ("judged_at", "position")),
            ("Job", ("job", "model")),
            ("Gate", ("gate", "is_passed")),
            ("Criteria", ("criteria", "criteria_fixed_at", "is_by_them")),
            ("Evidence", ("metrics", "champion", "candidate", "samples")),
            ("Report", ("report", "reported_by", "artifacts")),
        ),
    )


def _verdict_rows(jobs: list[RecordedJob], gates: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for one in jobs:
        for verdict in one.verdicts:
            data, evidence = verdict.data, verdict.evidence
            if gates and data["gate"] not in gates:
                continue
            yield {
                "position": verdict.fact.position,
                "judged_at": verdict.fact.recorded_at,
                "job": data["job"],
                "model": one.data["model"],
                "gate": data["gate"].replace("_", " "),
                "is_passed": data["is_passed"],
                "criteria": " ".join(each["sentence"] for each in data["criteria"]) or None,
                "criteria_fixed_at": one.proposed.position,
                "is_by_them": is_by_its_criteria(one, data),
                "report": data["report"],
                "reported_by": None if verdict.report is None else verdict.report.actor,
                "artifacts": ", ".join(
                    f"{each['name']} {each['sha256']}" for each in evidence.get("artifacts", ())
                )
                or None,
                **{
                    name: numbers(evidence.get(name, {}))
                    for name in ("metrics", "champion", "candidate", "samples")
                },
            }


def is_by_its_criteria(one: RecordedJob, judged: dict[str, Any]) -> bool:
    """Whether a verdict names exactly the criteria that the job was proposed with."""
    gate = one.gate(judged["gate"]) or {"criteria": []}
    asked = [(each["name"], each["when"]) for each in gate["criteria"]]
    named = [(each["name"], each["when"]) for each in judged["criteria"]]
    return named == asked or (judged["report"] is None and not named)


def numbers(reported: dict[str, int]) -> str | None:
    """Return reported numbers in one line."""
    return ", ".join(f"{name} {value}" for name, value in sorted(reported.items())) or None
