"""Events of recipes and of benchmark models.

A recipe changes only by a new version, and a version never changes. Their bodies are kept: every
job is judged by the recipe that it names, and returns to the versions that are known as good.
"""

from typing import ClassVar, Final, Literal

from pydantic import Field

from ledger.events.base import Decimal, EventData, Hex32, Segment, Text, Time
from ledger.events.recipe_document import RecipeDocument

BenchmarkKind = Literal["benchmark", "known_good"]


class RecipeData(EventData):
    """An event in the life of a recipe."""

    STREAM: ClassVar[str] = "recipes/{recipe}"
    KEEPS_BODY: ClassVar[bool] = True

    recipe: Segment


class RecipeDrafted(RecipeData):
    """A new version of a recipe was written down, complete, with its digest."""

    TYPE: ClassVar[str] = "recipe.drafted.v1"
    CAUSE: ClassVar[str] = "the caller of DraftRecipe: its author"
    METHOD: ClassVar[str] = "DraftRecipe"

    version: int = Field(ge=1, le=1_000_000)
    digest: Hex32
    """SHA-256 of the document's canonical JSON."""
    document: RecipeDocument
    rationale: Text


class RecipeApproved(RecipeData):
    """A person other than the author approved a version: jobs may be made by it."""

    TYPE: ClassVar[str] = "recipe.approved.v1"
    CAUSE: ClassVar[str] = "the caller of ApproveRecipe: a person who is not its author"
    METHOD: ClassVar[str] = "ApproveRecipe"

    version: int = Field(ge=1, le=1_000_000)
    digest: Hex32
    meaning: Literal["reviewed_and_approved"]
    """The meaning of the signature: 21 CFR 11.50."""
    comment: Text


class RecipeRejected(RecipeData):
    """A version was rejected: it is never approved, and a better one is drafted."""

    TYPE: ClassVar[str] = "recipe.rejected.v1"
    CAUSE: ClassVar[str] = "the caller of RejectRecipe"
    METHOD: ClassVar[str] = "RejectRecipe"

    version: int = Field(ge=1, le=1_000_000)
    digest: Hex32
    reason: Text


class RecipeRetired(RecipeData):
    """A version, or every version so far, was retired: no job is made by it any more."""

    TYPE: ClassVar[str] = "recipe.retired.v1"
    CAUSE: ClassVar[str] = "the caller of RetireRecipe"
    METHOD: ClassVar[str] = "RetireRecipe"

    version: int | None = Field(ge=1, le=1_000_000)
    """Null for every version so far."""
    reason: Text


class BenchmarkData(EventData):
    """An event about a version that others are measured by, or that is fallen back to."""

    STREAM: ClassVar[str] = "benchmarks/{model}"
    KEEPS_BODY: ClassVar[bool] = True

    model: Segment
    model_version: Segment
    kind: BenchmarkKind
    """`benchmark`: candidates are measured by it. `known_good`: it served, and may serve again."""


class BenchmarkRegistered(BenchmarkData):
    """A version was registered as a benchmark, or as known to be good, with its artifact."""

    TYPE: ClassVar[str] = "benchmark.registered.v1"
    CAUSE: ClassVar[str] = "the caller of RegisterBenchmark"
    METHOD: ClassVar[str] = "RegisterBenchmark"

    artifact: Hex32
    """SHA-256 of the artifact."""
    trained_through: Time | None
    """Of a benchmark, time of the newest data that it was trained on; null where it is only to
    measure by, and of a version known to be good, whose deployment says it."""
    baseline_loss: Decimal | None
    """Its loss as seen in training, above 0; null as that."""
    note: Text


class BenchmarkRetired(BenchmarkData):
    """A version is no benchmark any more, or not known to be good any more."""

    TYPE: ClassVar[str] = "benchmark.retired.v1"
    CAUSE: ClassVar[str] = "the caller of RetireBenchmark"
    METHOD: ClassVar[str] = "RetireBenchmark"

    reason: Text


RECIPE_CLASSES: Final[tuple[type[EventData], ...]] = (
    RecipeDrafted,
    RecipeApproved,
    RecipeRejected,
    RecipeRetired,
    BenchmarkRegistered,
    BenchmarkRetired,
)
RECIPE_TYPES: Final = frozenset(
    cls.TYPE for cls in (RecipeDrafted, RecipeApproved, RecipeRejected, RecipeRetired)
)
BENCHMARK_TYPES: Final = frozenset(cls.TYPE for cls in (BenchmarkRegistered, BenchmarkRetired))
