"""Jobs, as frozen dataclasses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ledger.client.enums import JobGate, JobOutcome, JobState
from ledger.client.hashes import hex_repr
from ledger.client.records import Appended


@dataclass(frozen=True, slots=True)
class JobLease:
    """The right of one executor to work on a job."""

    executor: str
    token: int
    """Only the newest one counts."""
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class JobDeployment:
    """The deployment of a job's version."""

    model_version: str
    replaces: str
    """The version that serves again if it is taken back; empty for none."""
    observed_until: datetime | None


@dataclass(frozen=True, slots=True)
class MissingApprovals:
    """Approvals that a job still takes."""

    role: str
    """Empty where any person may approve."""
    count: int


@dataclass(frozen=True, slots=True)
class JobForecast:
    """The forecast cost and benefit of a job, by the jobs that were over at its proposal.

    Amounts are in millionths of the job's unit; the benefit is None where no plan says it so.
    """

    jobs: int
    """How many jobs it rests on, and how many of the same model."""
    jobs_of_model: int
    cost_micros: int
    cost_low_micros: int
    cost_high_micros: int
    success_ppm: int
    """How likely its version stays in service."""
    benefit_micros: int | None
    benefit_low_micros: int | None
    benefit_high_micros: int | None
    planned_micros: int | None
    """The benefit in its plan, if its version stays."""
    gains: int
    """How many of the jobs had a benefit in their plan, stayed, and were observed to bring one."""
    gain_ppm: int
    """The share of the benefit in their plans that such jobs bring."""


@dataclass(frozen=True, slots=True)
class JobForecastError:
    """How the cost of a job that is over compares with its forecast."""

    error_micros: int
    """The cost, less what was forecast."""
    is_within: bool
    """Whether the cost lies in the interval of the forecast."""


@dataclass(frozen=True, slots=True)
class JobBenefit:
    """The benefit of a job's version in its window, by the ledger's own observations of both."""

    signal: str
    rows: int
    change_micros: int
    """The mean of the version, less that of the one before, in millionths of the signal's unit."""
    benefit_micros: int
    """The loss that was avoided, in millionths of the job's unit."""


@dataclass(frozen=True, slots=True)
class RetrainingJob:
    """A job: a model is retrained by a recipe, through gates that the ledger judges."""

    name: str
    job: str
    model: str
    recipe: str
    recipe_version: int
    recipe_digest: str
    state: JobState | None
    """None where the body of an event of it is gone."""
    outcome: JobOutcome | None
    reason: str
    proposer: str
    position: int
    changed_position: int
    run_id: str
    plan_position: int
    gates: tuple[JobGate, ...]
    gates_passed: int
    attempt: int
    attempts: int
    lease: JobLease | None
    deployment: JobDeployment | None
    missing_approvals: tuple[MissingApprovals, ...]
    cost_micros: int
    expected_micros: int
    unit: str
    budget: str
    """The budget that pays for it; empty where none covers its model."""
    reserved_micros: int
    """How much the budget keeps for it in its envelope for jobs; 0 once it is over."""
    policy: str
    """The policy in force for the model when it was proposed; empty for none."""
    policy_version: int
    forecast: JobForecast
    forecast_error: JobForecastError | None
    """None until it is over, where no executor worked on it, and if it was cancelled or lapsed."""
    evidence_position: int
    """The position of what people approve it by: its proposal, or the newest report or verdict."""
    returns_to: tuple[str, ...]
    """The versions that may serve in the place of the one that it deployed, first choice first."""
    return_due_at: datetime | None
    """Until when an executor is to lease the return of its version; None where none waits."""
    is_return_overdue: bool
    """Whether it is on record that none has."""
    realised: JobBenefit | None
    """None until it is over, and where the ledger did not observe both versions."""
    expected_test_micros: int
    """The part of the expected cost that is for the test of its candidate."""
    test_cost_micros: int | None
    """The part of its cost that came while the test was next; None until any was reported."""
    reserved_test_micros: int
    """How much the budget keeps for that in its envelope for tests; 0 once it was reported."""
    is_margin_unjudged: bool
    """Whether its policy asks for a margin that could not be judged: no plan states a benefit."""


@dataclass(frozen=True, slots=True)
class CriterionJudgement:
    """One criterion, judged."""

    name: str
    when: str
    is_met: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class ObservedSignal:
    """The ledger's own observations of one signal while a version was observed.

    Means are by sample size, in millionths of the signal's unit; None where there are no rows.
    """

    signal: str
    observations: int
    rows: int
    mean_micros: int | None
    compared_rows: int
    """The rows on which the version before was observed too."""
    compared_mean_micros: int | None
    replaced_mean_micros: int | None
    rests_on_sha256: str
    """Over all that it rests on, a line of each observation."""


@dataclass(frozen=True, slots=True)
class GateJudgement:
    """The ledger's verdict on a gate."""

    gate: JobGate
    is_passed: bool
    criteria: tuple[CriterionJudgement, ...]
    observed: tuple[ObservedSignal, ...]
    """The ledger's own observations that it rests on; empty where its gate names no signal."""


@dataclass(frozen=True, slots=True)
class DataSnapshot:
    """Data as they were read: SHA-256 in hex, and how many rows."""

    name: str
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True)
class JobEnvironment:
    """The environment in which a step ran; `ledger.environment` collects it.

    Empty texts and None are for what there is not. All digests are SHA-256 in hex.
    """

    code_sha256: str
    code_commit: str = ""
    code_changed: bool = False
    image: str = ""
    interpreter: str = ""
    platform: str = ""
    packages: int = 0
    packages_sha256: str = ""
    snapshots: tuple[DataSnapshot, ...] = ()
    schema_version: str = ""
    features_version: str = ""
    architecture: str = ""
    seed: int | None = None
    shuffle_sha256: str = ""


@dataclass(frozen=True, slots=True)
class JobReport:
    """A report of an executor on a gate, and in which environment its step ran."""

    gate: JobGate
    attempt: int
    executor: str
    position: int
    metrics: Mapping[str, int]
    samples: Mapping[str, int]
    champion: Mapping[str, int]
    candidate: Mapping[str, int]
    cost_micros: int
    artifacts: Mapping[str, str]
    """SHA-256 in hex by name."""
    links: tuple[str, ...]
    log_sha256: str
    environment: JobEnvironment | None
    window_ppm: int | None
    """Of an observation: how much of its window was over by the ledger's time."""


@dataclass(frozen=True, slots=True)
class JudgedJob:
    """A job with the reports and the verdicts on its gates so far."""

    job: RetrainingJob
    verdicts: tuple[GateJudgement, ...]
    reports: tuple[JobReport, ...]
    observation_evidence: str
    """In words: the report that its observation rests on, and what the others had said."""


@dataclass(frozen=True, slots=True)
class PutBack:
    """A version that is to serve again, as proposed or asked for: an executor may put it back."""

    name: str
    model: str
    put_back: str
    in_service: str
    """The version that serves, in whose place."""
    reason: str
    recipe: str
    """The recipe of the job that deployed it, or of the newest one that deployed any version of the
    model; empty for none."""
    recipe_version: int
    recipe_digest: str
    position: int
    asked_by: str
    """The person who asked for it; empty where the ledger proposed it."""


@hex_repr
@dataclass(frozen=True, slots=True)
class AskedRollBack(Appended):
    """Where it is recorded that a person asked for a version; both are empty if withdrawn."""

    in_service: str = ""
    """The version that serves, in whose place."""
    put_back: str = ""
    """The version that is to serve again."""


@dataclass(frozen=True, slots=True)
class ChangedJob:
    """A step of a job as recorded, and the job as it is now."""

    appended: Appended
    job: RetrainingJob


@dataclass(frozen=True, slots=True)
class ReportedGate:
    """A report as recorded, the verdict on it, and the job as it is now."""

    appended: Appended
    verdict: GateJudgement | None
    """None for an observation, which is judged when it is over."""
    job: RetrainingJob


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that an executor left, by its SHA-256 in hex."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ReportedEvidence:
    """An executor's evidence for a gate: whole numbers and digests, never a verdict."""

    metrics: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, int] = field(default_factory=dict)
    champion: Mapping[str, int] = field(default_factory=dict)
    candidate: Mapping[str, int] = field(default_factory=dict)
    cost_micros: int | None = None
    """The cost of the job so far; None for what it was before."""
    artifacts: tuple[Artifact, ...] = ()
    links: tuple[str, ...] = ()
    log_sha256: str = ""
