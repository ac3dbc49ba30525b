"""A recipe as it is stored: what runs, within which limits, and the gates that judge what comes.

People write recipes in YAML or JSON with human units; `ledger.application.recipes` turns those into
this form. An auditor reads this form alone. Every number is a whole one.
"""

from typing import Annotated, Literal

from pydantic import Field

from ledger.events.base import BigInt, Hex32, Part, Segment, ShortText, Text, UnitOfCost
from ledger.events.gate_names import GATES, GateName
from ledger.events.policy_document import ApprovalPart, Expression
from ledger.limits import (
    APPROVALS_MAX,
    ARGUMENTS_MAX,
    ATTEMPTS_MAX,
    CRITERIA_MAX,
    HOLDOUT_USES_MAX,
    LABEL_CHARS_MAX,
    RECIPE_NAMES_MAX,
    TEXT_CHARS_MAX,
)

RecipeFormat = Literal["recipe/1"]
Subject = Literal["run", "versions"]
Argument = Annotated[str, Field(max_length=TEXT_CHARS_MAX, pattern=r"^[^\x00]*\z")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}\z")]
Unit = Annotated[str, Field(min_length=1, max_length=LABEL_CHARS_MAX)]
Image = Annotated[str, Field(max_length=512, pattern=r"^[!-?A-~]{1,440}@sha256:[0-9a-f]{64}\z")]
"""A container image by its digest, so that the same name always runs the same bytes."""
Attempts = Annotated[int, Field(ge=1, le=ATTEMPTS_MAX)]
HoldoutUses = Annotated[int, Field(ge=1, le=HOLDOUT_USES_MAX)]
AttemptSeconds = Annotated[int, Field(ge=1, le=366 * 86_400)]
EvidenceShare = Annotated[int, Field(ge=10_000, le=990_000)]
LeaseSeconds = Annotated[int, Field(ge=1, le=7 * 86_400)]
Mebibytes = Annotated[int, Field(ge=1, le=2**24)]


class RecipeRunPart(Part):
    """The program: arguments without a shell, in an image where one is named."""

    image: Image | None
    argv: list[Argument] = Field(min_length=1, max_length=ARGUMENTS_MAX)


class ParameterPart(Part):
    """A value that the program is given by name."""

    name: Segment
    value: Text
    meaning: Text


class InputPart(Part):
    """Something that the program reads; with a digest, nothing else will do."""

    name: Segment
    meaning: Text
    sha256: Hex32 | None


class OutputPart(Part):
    """An artifact that the program leaves."""

    name: Segment
    meaning: Text


class ExpectedPart(Part):
    """The cost and time that one job is expected to take."""

    cost_micros: BigInt
    test_micros: BigInt
    """The part of that cost that the test of the candidate takes, up to its verdict; 0 where the
    whole is paid as one."""
    unit: UnitOfCost
    duration_seconds: AttemptSeconds


class RecipeLimitsPart(Part):
    """The bounds of one attempt, and of how many there are."""

    time_seconds: AttemptSeconds
    memory_mib: Mebibytes
    attempts: Attempts
    lease_seconds: LeaseSeconds
    """How long an executor holds a job without a heartbeat; a week at most."""
    heartbeat_seconds: LeaseSeconds


class MetricPart(Part):
    """A whole number that must be reported at a gate."""

    name: Segment
    unit: Unit
    meaning: Text
    of: Subject
    """`run`: one value, in `metrics`. `versions`: one in `champion`, one in `candidate`."""


class SamplePart(Part):
    """A sample size that must be reported at a gate."""

    name: Segment
    meaning: Text


class CriterionPart(Part):
    """A condition over what is reported; the ledger judges it in the environment `gates/1`."""

    name: Segment
    when: Expression
    rationale: Text


class HoldoutPart(Part):
    """Data kept apart for the last test, and how often it may be used by all jobs together."""

    name: Segment
    max_uses: HoldoutUses


class GatePart(Part):
    """One gate: what must be reported there, and what must be true of it."""

    gate: GateName
    metrics: list[MetricPart] = Field(max_length=RECIPE_NAMES_MAX)
    samples: list[SamplePart] = Field(max_length=RECIPE_NAMES_MAX)
    criteria: list[CriterionPart] = Field(max_length=CRITERIA_MAX)
    holdout: HoldoutPart | None
    """Null unless the gate is `holdout`."""
    approvals: list[ApprovalPart] = Field(max_length=APPROVALS_MAX)
    """Empty unless the gate is `approval`."""
    signals: list[Segment] = Field(max_length=RECIPE_NAMES_MAX)
    """The signals that the ledger reads of the version in its window, by its own observations;
    empty unless the gate is `observation`."""
    window_seconds: AttemptSeconds | None
    """How long a new version is observed; null unless the gate is `observation`."""
    evidence_after_ppm: EvidenceShare | None
    """The part of the window that has to be over for a report to count; null where any does, and
    unless the gate is `observation`."""


class RecipeDocument(Part):
    """One version of one recipe, whole."""

    format: RecipeFormat
    title: ShortText
    rationale: Text
    run: RecipeRunPart
    parameters: list[ParameterPart] = Field(max_length=RECIPE_NAMES_MAX)
    environment: list[Variable] = Field(max_length=RECIPE_NAMES_MAX)
    """The variables that the program sees of its executor's environment, and no others."""
    inputs: list[InputPart] = Field(max_length=RECIPE_NAMES_MAX)
    outputs: list[OutputPart] = Field(max_length=RECIPE_NAMES_MAX)
    expected: ExpectedPart
    limits: RecipeLimitsPart
    gates: list[GatePart] = Field(min_length=1, max_length=len(GATES))
