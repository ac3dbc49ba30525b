"""Events of jobs: retraining work, from its proposal through its gates to its end.

An executor reports what it measured, and the ledger judges it: the verdict of a gate is recorded
with the report, by the criteria that the job was proposed with. A lease has a token that grows, and
only the newest one counts. The governor records what time brings. Their bodies are kept: what was
deployed rests on them.
"""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from ledger.events.base import (
    Actor,
    BigInt,
    EventData,
    Hex32,
    Position,
    Ppm,
    Segment,
    ShortText,
    Text,
    Time,
)
from ledger.events.cases import GOVERNOR
from ledger.events.environment import EnvironmentPart
from ledger.events.gate_names import GateName
from ledger.events.job_parts import (
    ArtifactPart,
    ForecastPart,
    JudgedCriterionPart,
    Link,
    MarginVerdict,
    Numbers,
    ObservedSignalPart,
    RealisedPart,
    Token,
)
from ledger.events.policy_document import ApprovalPart
from ledger.events.recipe_document import ExpectedPart, GatePart, RecipeLimitsPart
from ledger.limits import (
    APPROVALS_MAX,
    CRITERIA_MAX,
    FALL_BACKS_MAX,
    JOB_LINKS_MAX,
    RECIPE_NAMES_MAX,
    TEXT_CHARS_MAX,
)

JobStage = Literal["start", "deployment"]
"""Where a job waits for people: before its first lease, and at its gate `approval`."""
JobOutcome = Literal["succeeded", "failed", "denied", "cancelled", "rolled_back", "lapsed"]

_WITH_REPORT: Final = "the ledger, with the report that it judges"


class JobData(EventData):
    """An event about a job."""

    STREAM: ClassVar[str] = "jobs/{job}"
    KEEPS_BODY: ClassVar[bool] = True

    job: Segment


class JobProposed(JobData):
    """A model is to be retrained by a recipe; its gates and limits are what they are here."""

    TYPE: ClassVar[str] = "job.proposed.v1"
    CAUSE: ClassVar[str] = "the caller of ProposeJob, or system/governor by a schedule"
    METHOD: ClassVar[str] = "ProposeJob"

    model: Segment
    recipe: Segment
    recipe_version: int = Field(ge=1, le=1_000_000)
    recipe_digest: Hex32
    plan: Position | None
    """The plan that admitted it; null where a person proposes it."""
    decision: Position | None
    """The decision in force for the model; null where there is none."""
    serving: Segment | None
    """The version that is stated to serve last, which it would replace; null where none serves."""
    policy: Segment | None
    """The policy in force for the model; null where there is none."""
    policy_version: int | None = Field(ge=1, le=1_000_000)
    budget: Segment | None
    reserved_micros: BigInt
    """The amount that is kept for it in its budget, in both envelopes together."""
    expected: ExpectedPart
    forecast: ForecastPart
    margin: MarginVerdict
    """Whether the forecast meets the margin that the policy asks for."""
    unit_value_micros: BigInt | None
    """The value of one unit of the model's loss on one row, as it is described then; null where the
    recipe's cost is in another unit than the ledger's."""
    limits: RecipeLimitsPart
    gates: list[GatePart] = Field(min_length=1, max_length=8)
    approvals: int = Field(ge=0, le=APPROVALS_MAX)
    """Persons other than its proposer who are to approve it before it may be leased."""
    roles: list[ApprovalPart] = Field(max_length=APPROVALS_MAX)
    """The persons in roles whom the policy wants beside them."""
    fall_back: list[Segment] = Field(max_length=FALL_BACKS_MAX)
    """The versions that were registered then, and may serve in the place of its own if that has to
    go: those known to be good, then benchmarks, the newest first."""
    reason: Text


class JobApproved(JobData):
    """A person approved a job: that it begins, or that its version is deployed."""

    TYPE: ClassVar[str] = "job.approved.v1"
    CAUSE: ClassVar[str] = "the caller of ApproveJob, a person"
    METHOD: ClassVar[str] = "ApproveJob"

    stage: JobStage
    role: ShortText
    """The role as which the person approves; empty where none is asked for."""
    seen_position: Position
    """The position of the newest evidence that the person saw; it counts only for that."""
    note: Text


class JobDenied(JobData):
    """A person denied a job, which ends it."""

    TYPE: ClassVar[str] = "job.denied.v1"
    CAUSE: ClassVar[str] = "the caller of DenyJob, a person"
    METHOD: ClassVar[str] = "DenyJob"

    stage: JobStage
    reason: Text = Field(min_length=1)


class JobCancelled(JobData):
    """A job was cancelled: it ends, or what it deployed is to be taken back."""

    TYPE: ClassVar[str] = "job.cancelled.v1"
    CAUSE: ClassVar[str] = "the caller of CancelJob"
    METHOD: ClassVar[str] = "CancelJob"

    reason: Text = Field(min_length=1)


class JobLeased(JobData):
    """An executor took a job, until a time."""

    TYPE: ClassVar[str] = "job.leased.v1"
    CAUSE: ClassVar[str] = "the caller of LeaseJob, the executor"
    METHOD: ClassVar[str] = "LeaseJob"

    attempt: int = Field(ge=1, le=1_000_000)
    token: Token
    expires_at: Time


class JobLeaseExtended(JobData):
    """An executor has a job for longer."""

    TYPE: ClassVar[str] = "job.lease_extended.v1"
    CAUSE: ClassVar[str] = "the caller of HeartbeatJob, the executor"
    METHOD: ClassVar[str] = "HeartbeatJob"

    token: Token
    expires_at: Time


class JobLeaseExpired(JobData):
    """An executor was not heard of in its time: another one may take the job."""

    TYPE: ClassVar[str] = "job.lease_expired.v1"
    CAUSE: ClassVar[str] = GOVERNOR

    token: Token


class JobGivenUp(JobData):
    """An executor gave its lease back before it was over: another one may take the job."""

    TYPE: ClassVar[str] = "job.given_up.v1"
    CAUSE: ClassVar[str] = "the caller of GiveUpJob, the executor"
    METHOD: ClassVar[str] = "GiveUpJob"

    token: Token
    reason: Text = Field(min_length=1)
    """Why the executor cannot go on."""
    cost_micros: BigInt
    """The cost of the job so far, with what the attempt has spent on the step that failed."""


class JobEnvironmentRecorded(JobData):
    """An executor recorded in which environment the step of the next gate has run."""

    TYPE: ClassVar[str] = "job.environment_recorded.v1"
    CAUSE: ClassVar[str] = "the caller of RecordEnvironment, the executor"
    METHOD: ClassVar[str] = "RecordEnvironment"

    attempt: int = Field(ge=1, le=1_000_000)
    token: Token
    gate: GateName
    environment: EnvironmentPart


class GateReported(JobData):
    """An executor's evidence for one gate: numbers, never a verdict."""

    TYPE: ClassVar[str] = "gate.reported.v1"
    CAUSE: ClassVar[str] = "the caller of ReportGate or DeployJobVersion, the executor"
    METHOD: ClassVar[str] = "ReportGate"

    attempt: int = Field(ge=1, le=1_000_000)
    token: Token
    gate: GateName
    metrics: Numbers
    samples: Numbers
    champion: Numbers
    """Numbers about the version in service."""
    candidate: Numbers
    cost_micros: BigInt
    """The cost of the job so far."""
    artifacts: list[ArtifactPart] = Field(max_length=RECIPE_NAMES_MAX)
    links: list[Link] = Field(max_length=JOB_LINKS_MAX)
    log_sha256: Hex32 | None
    window_ppm: Ppm | None
    """How much of its window was over by the ledger's time; null unless it is of an observation."""


class GateJudged(JobData):
    """The ledger's verdict on a gate, by the criteria that the job was proposed with."""

    TYPE: ClassVar[str] = "gate.judged.v1"
    CAUSE: ClassVar[str] = f"{_WITH_REPORT}; of an observation {GOVERNOR}"

    gate: GateName
    report: Position | None
    """The position of the evidence; null where none that counts came while the version was
    observed."""
    observed: list[ObservedSignalPart] = Field(max_length=RECIPE_NAMES_MAX)
    """The ledger's own observations, of each signal that the gate names; empty where it names
    none."""
    is_passed: bool
    """Whether every criterion is met, and all that the gate asks for was reported."""
    criteria: list[JudgedCriterionPart] = Field(max_length=CRITERIA_MAX)
    others: int = Field(ge=0, le=2**31)
    """How many other reports came of an observation; 0 of any other gate."""
    others_unmet: int = Field(ge=0, le=2**31)
    """How many of those did not meet the criteria."""


class JobDeployed(JobData):
    """The version of a job went into service; the deployment is right before it."""

    TYPE: ClassVar[str] = "job.deployed.v1"
    CAUSE: ClassVar[str] = "the caller of DeployJobVersion, the executor"

    token: Token
    model_version: Segment
    replaces: Segment | None
    """The version that served until now, to which the job is rolled back."""
    in_service_at: Time
    observed_until: Time | None
    """When the observation ends; null where the recipe asks for none."""


class JobRolledBack(JobData):
    """Another version serves in the place of a job's; the deployment is right before it."""

    TYPE: ClassVar[str] = "job.rolled_back.v1"
    CAUSE: ClassVar[str] = "the caller of RollBackJob, the executor"
    METHOD: ClassVar[str] = "RollBackJob"

    token: Token
    model_version: Segment
    """The version that serves again: the one before, or one that the job may fall back to."""
    replaces: Segment
    """The version that the job had deployed."""


class JobLapsed(JobData):
    """Nothing is left to do of a job: another version serves, or its model was retired.

    Another than the one that it has deployed; before that, than the one it was tested against.
    """

    TYPE: ClassVar[str] = "job.lapsed.v1"
    CAUSE: ClassVar[str] = GOVERNOR

    ended_by: Position
    """The deployment of the version that serves in the place of its own, or the retirement."""
    by: Actor | None
    """The actor of that event; null where its body was erased."""
    model_version: Segment | None
    """The version that serves; null where the model was retired."""
    tested_against: Segment | None
    """The version in service that the job's own was tested against, where it was not deployed yet;
    null also where none served then, or none is known to have."""


class JobReturnOverdue(JobData):
    """No executor has taken up the return of a job's version in the time of a lease."""

    TYPE: ClassVar[str] = "job.return_overdue.v1"
    CAUSE: ClassVar[str] = GOVERNOR

    due_at: Time
    """Until when one was to have leased it."""


class JobClosed(JobData):
    """A job ended, right behind the event that ended it."""

    TYPE: ClassVar[str] = "job.closed.v1"
    CAUSE: ClassVar[str] = "the ledger, with the event that ends the job"

    outcome: JobOutcome
    cost_micros: BigInt
    """The cost as it was reported last."""
    expected_micros: BigInt
    forecast_error_micros: BigInt | None
    """The cost, less what was forecast; null where that says nothing: no executor worked on it, or
    it was cancelled or lapsed."""
    is_within_forecast: bool | None
    """Whether the cost lies in the interval of the forecast; null likewise."""
    realised: RealisedPart | None
    """Null where the ledger did not observe its version beside the one before."""
    reason: Annotated[str, Field(max_length=4 * TEXT_CHARS_MAX)]


JOB_CLASSES: Final[tuple[type[JobData], ...]] = (
    JobProposed,
    JobApproved,
    JobDenied,
    JobCancelled,
    JobLeased,
    JobLeaseExtended,
    JobLeaseExpired,
    JobGivenUp,
    JobEnvironmentRecorded,
    GateReported,
    GateJudged,
    JobDeployed,
    JobRolledBack,
    JobClosed,
    JobLapsed,
    JobReturnOverdue,
)
JOB_TYPES: Final = frozenset(cls.TYPE for cls in JOB_CLASSES)
"""The types of events about jobs."""
FOLLOWING_TYPES: Final = frozenset({GateJudged.TYPE, JobDeployed.TYPE, JobClosed.TYPE})
"""Types that are recorded with the event that they follow from, and by its right."""
