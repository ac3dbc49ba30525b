"""A recipe as people write it: each field with its unit, its default and, under it, its meaning.

`ledger.events.recipe_document` has the stored form and its ranges.
"""

from typing import Annotated

from pydantic import Field

from ledger.application.documents.authored import Authored
from ledger.application.documents.units import (
    Choice,
    Count,
    Duration,
    Entries,
    FreeText,
    Name,
    Share,
    bounds,
)
from ledger.application.recipes.units import (
    CostUnit,
    Digest,
    ImageName,
    Memory,
    Money,
    VariableName,
)
from ledger.events.gate_names import GATES, GateName
from ledger.events.policy_document import Approvers
from ledger.events.recipe_document import (
    Attempts,
    AttemptSeconds,
    EvidenceShare,
    HoldoutUses,
    LeaseSeconds,
    Mebibytes,
    RecipeDocument,
    RecipeFormat,
    Subject,
)
from ledger.limits import (
    APPROVALS_MAX,
    ARGUMENTS_MAX,
    CRITERIA_MAX,
    EXPRESSION_CHARS_MAX,
    LABEL_CHARS_MAX,
    RECIPE_NAMES_MAX,
    TEXT_CHARS_MAX,
)

_Text = Annotated[str, FreeText(TEXT_CHARS_MAX)]
_ShortText = Annotated[str, FreeText(LABEL_CHARS_MAX)]
_Segment = Annotated[str, Name()]
_Span = Annotated[int, Duration(1, *bounds(AttemptSeconds))]
_LeaseSpan = Annotated[int, Duration(1, *bounds(LeaseSeconds))]
_Names = Entries("name", 0, RECIPE_NAMES_MAX)


class AuthoredRun(Authored):
    """The program that a job runs."""

    image: Annotated[str | None, ImageName()] = None
    """A container image by its digest, `NAME@sha256:…`; left out: the executor's own machine."""
    argv: Annotated[list[Annotated[str, FreeText(TEXT_CHARS_MAX)]], Entries("", 1, ARGUMENTS_MAX)]
    """The command and its arguments, one a line. No shell reads them."""


class AuthoredParameter(Authored):
    """One parameter of the program."""

    name: _Segment
    """The name of the parameter."""
    value: _Text
    """Its value, as text."""
    meaning: _Text = ""
    """The effect of it."""


class AuthoredInput(Authored):
    """Something that the program reads."""

    name: _Segment
    """The name of the input."""
    meaning: _Text
    """A description of the data, and where it is from."""
    sha256: Annotated[str | None, Digest()] = None
    """The digest of the one file that will do; left out: what is newest."""


class AuthoredOutput(Authored):
    """An artifact that the program leaves."""

    name: _Segment
    """The name of the output."""
    meaning: _Text = ""
    """A description of the artifact."""


class AuthoredExpected(Authored):
    """The cost and time that one job is expected to take."""

    cost: Annotated[str, Money()] = Field(serialization_alias="cost_micros")
    """The cost of one job, such as `12.50`, that of its test included."""
    test: Annotated[str, Money()] = Field("0", serialization_alias="test_micros")
    """The part of it that the test at the gate `candidate` costs; a budget pays it out of its
    envelope for tests. Left out: the whole is paid out of that for jobs."""
    unit: Annotated[str, CostUnit()]
    """The unit of cost, such as `EUR` or `gpu-hours`; that of the budget it is paid from."""
    duration: _Span = Field(serialization_alias="duration_seconds")
    """How long one job takes; at most `366d`."""


class AuthoredLimits(Authored):
    """The bounds of an attempt."""

    time: _Span = Field(serialization_alias="time_seconds")
    """An attempt that takes longer is stopped; at most `366d`."""
    memory: Annotated[int, Memory(*bounds(Mebibytes))] = Field(
        4_096, serialization_alias="memory_mib"
    )
    """The most memory that the program may take, such as `8 GiB`."""
    attempts: Annotated[int, Count(*bounds(Attempts))] = 1
    """How often the job is tried."""
    lease: _LeaseSpan = Field(600, serialization_alias="lease_seconds")
    """How long an executor holds the job without a sign of life; at most `7d`."""
    heartbeat: _LeaseSpan = Field(60, serialization_alias="heartbeat_seconds")
    """How often the executor gives one."""


class AuthoredMetric(Authored):
    """A whole number that must be reported at a gate."""

    name: _Segment
    """The name of the metric, as criteria use it."""
    unit: Annotated[str, FreeText(LABEL_CHARS_MAX, minimum=1)]
    """The unit of the whole number, such as `ppm` or `micro-nats`."""
    meaning: _Text = ""
    """A description of what is measured, and how."""
    of: Annotated[Subject, Choice(Subject)] = "run"
    """`run`: one number, `metrics["name"]`. `versions`: the version in service and the candidate on
    the same data, `champion["name"]` and `candidate["name"]`."""


class AuthoredSample(Authored):
    """A sample size that must be reported at a gate."""

    name: _Segment
    """The name of the sample, as criteria use it: `samples["name"]`."""
    meaning: _Text = ""
    """A description of what is counted."""


class AuthoredCriterion(Authored):
    """A condition that must be true for the gate to be passed."""

    name: _Segment
    """The name of the criterion, for verdicts."""
    when: Annotated[str, FreeText(EXPRESSION_CHARS_MAX, minimum=1)]
    """CEL expression over whole numbers: metrics, samples, champion, candidate, cost_micros and
    attempt."""
    rationale: _Text = ""
    """Why this limit."""


class AuthoredHoldout(Authored):
    """Data kept apart for the last test."""

    name: _Segment
    """The name of the data; jobs that name the same one share its uses."""
    max_uses: Annotated[int, Count(*bounds(HoldoutUses))]
    """How often it may be used by all jobs together: each use tells a little of it."""


class AuthoredGateApproval(Authored):
    """Approvals in one role, before the new version goes into service."""

    role: _Segment
    """The role in which they approve."""
    count: Annotated[int, Count(*bounds(Approvers))] = 1
    """How many persons."""


class AuthoredGate(Authored):
    """One gate."""

    gate: Annotated[GateName, Choice(GateName)]
    """The gate: each at most once, in the order of the list of words."""
    metrics: Annotated[list[AuthoredMetric], _Names] = Field(default_factory=list)
    """The numbers that must be reported."""
    samples: Annotated[list[AuthoredSample], _Names] = Field(default_factory=list)
    """The sample sizes that must be reported."""
    criteria: Annotated[list[AuthoredCriterion], Entries("name", 0, CRITERIA_MAX)] = Field(
        default_factory=list
    )
    """The conditions; the ledger judges each, and all must be true."""
    holdout: AuthoredHoldout | None = None
    """The data kept apart; for the gate `holdout`, and no other."""
    approvals: Annotated[list[AuthoredGateApproval], Entries("role", 0, APPROVALS_MAX)] = Field(
        default_factory=list
    )
    """The people who approve; for the gate `approval`, and no other."""
    signals: Annotated[list[_Segment], Entries("", 0, RECIPE_NAMES_MAX)] = Field(
        default_factory=list
    )
    """The signals of which the ledger reads its own observations, for criteria over `observed`,
    `rows`, `compared` and `replaced`; for the gate `observation`, and no other."""
    window: Annotated[int | None, Duration(1, *bounds(AttemptSeconds))] = Field(
        None, serialization_alias="window_seconds"
    )
    """How long the new version is observed, at most `366d`; for the gate `observation`, and no
    other."""
    evidence_after: Annotated[int | None, Share(*bounds(EvidenceShare))] = Field(
        None, serialization_alias="evidence_after_ppm"
    )
    """The part of the window that has to be over for a report to count, such as `90%`, at most
    `99%`; left out: whenever its executor reports. For the gate `observation`, and no other."""


class AuthoredRecipe(Authored):
    """A recipe: how a model is retrained, and the gates that judge the result."""

    format: Annotated[RecipeFormat, Choice(RecipeFormat)]
    """The form of this document: `recipe/1`."""
    title: Annotated[str, FreeText(LABEL_CHARS_MAX, minimum=1)]
    """The name of the recipe for people."""
    rationale: _Text = ""
    """Why the recipe is as it is."""
    run: AuthoredRun
    """The program."""
    parameters: Annotated[list[AuthoredParameter], _Names] = Field(default_factory=list)
    """The values that the program is given by name."""
    environment: Annotated[
        list[Annotated[str, VariableName()]], Entries("", 0, RECIPE_NAMES_MAX)
    ] = Field(default_factory=list)
    """The variables of the executor's environment that the program sees; none if left out."""
    inputs: Annotated[list[AuthoredInput], _Names] = Field(default_factory=list)
    """The data that the program reads."""
    outputs: Annotated[list[AuthoredOutput], _Names] = Field(default_factory=list)
    """The artifacts that it leaves."""
    expected: AuthoredExpected
    """The cost and time that one job is expected to take."""
    limits: AuthoredLimits
    """The bounds of an attempt."""
    gates: Annotated[list[AuthoredGate], Entries("gate", 1, len(GATES))]
    """The gates that a job must pass, in the fixed order; some of them."""

    def document(self) -> RecipeDocument:
        """Return the stored form; pydantic's ValidationError where it cannot hold a value."""
        return RecipeDocument.model_validate(self.model_dump(by_alias=True))
