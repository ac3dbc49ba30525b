"""The parts of events of jobs: forecasts, evidence, verdicts, what was observed and realised."""

from typing import Annotated, Literal

from pydantic import Field

from ledger.events.base import BigInt, Count, Hex32, Part, Ppm, SafeInt, Segment, Text
from ledger.limits import LABEL_CHARS_MAX, LINK_CHARS_MAX, RECIPE_NAMES_MAX, TEXT_CHARS_MAX

Numbers = Annotated[dict[Segment, SafeInt], Field(max_length=RECIPE_NAMES_MAX)]
Token = Annotated[int, Field(ge=1, le=1_000_000)]
"""Names one lease of a job; each has the next higher one."""
Link = Annotated[str, Field(max_length=LINK_CHARS_MAX, pattern=r"^[!-~]+\z")]


MarginVerdict = Literal["none", "met", "not_judged"]
"""The policy asks for no margin; the forecast benefit exceeds the cost by it; or no plan states a
benefit, so that it could not be judged."""


class ForecastPart(Part):
    """The forecast cost and benefit of a job, by the jobs that had come to their ends then."""

    jobs: Count
    """How many jobs it rests on, and how many of the same model."""
    jobs_of_model: Count
    cost_micros: BigInt
    cost_low_micros: BigInt
    cost_high_micros: BigInt
    success_ppm: Ppm
    """How likely its version stays in service."""
    planned_micros: BigInt | None
    """The benefit in its plan, if its version stays; null: no plan says it in this unit."""
    gains: Count
    """How many of the jobs had a benefit in their plan, stayed, and were observed to bring one."""
    gain_ppm: Count
    """The share of the benefit in their plans that such jobs bring, in parts per million: learned
    like the cost."""
    benefit_micros: BigInt | None
    """The benefit in its plan, by what plans have held, so far as it is likely; null with it."""
    benefit_low_micros: BigInt | None
    benefit_high_micros: BigInt | None


class ArtifactPart(Part):
    """A file that an executor left, by its digest."""

    name: Annotated[str, Field(min_length=1, max_length=LABEL_CHARS_MAX)]
    sha256: Hex32


class JudgedCriterionPart(Part):
    """A criterion with the values that it read, and whether it is met."""

    name: Segment
    when: Text
    is_met: bool
    values: dict[str, BigInt]
    sentence: Annotated[str, Field(max_length=4 * TEXT_CHARS_MAX)]


class ObservedSignalPart(Part):
    """The observations of one signal in a version's window, as the ledger holds them.

    Means are by sample size, in millionths of the signal's unit, rounded down. Observations
    by an executor that ever leased the job do not count, nor corrected ones.
    """

    signal: Segment
    observations: Count
    """How many there are of the version that the job deployed."""
    rows: BigInt
    """The sum of their sample sizes."""
    mean_micros: BigInt | None
    """Their mean; null where there are none."""
    compared_rows: BigInt
    """The rows of those of which the version before was observed too: at the same time, on as many
    rows, by the same source."""
    compared_mean_micros: BigInt | None
    """The mean of the version over those; null where there are none."""
    replaced_mean_micros: BigInt | None
    """The mean of the version before, over those."""
    rests_on_sha256: Hex32
    """SHA-256 over all that it rests on, in order of position: of each observation a line with time
    in microseconds, version, source, sample size and value in nano, spaces between them."""


class RealisedPart(Part):
    """The benefit of a version in its window, by the ledger's own observations of it.

    Those of the first signal that its gate names, as a loss of which less is better, on the rows of
    which the version before was observed too.
    """

    signal: Segment
    rows: BigInt
    change_micros: BigInt
    """The mean of the version, less that of the one before, in millionths of the signal's unit."""
    benefit_micros: BigInt
    """The loss that was avoided on these rows, at the value that the job was proposed with, rounded
    down; below 0 where the version did worse."""
