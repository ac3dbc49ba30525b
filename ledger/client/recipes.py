"""Recipes and benchmark models, as frozen dataclasses."""

from dataclasses import dataclass
from datetime import datetime

from ledger.client.enums import BenchmarkKind, RecipeState
from ledger.client.records import Appended, PolicyProblem


@dataclass(frozen=True, slots=True)
class RecipeVersion:
    """One version of a recipe, whose document never changes; in a list without its document."""

    name: str
    recipe: str
    version: int
    digest: str
    state: RecipeState
    changed_position: int
    """Where the event is that made its state so; 0 for a draft."""
    title: str
    author: str
    drafted_at: datetime
    position: int
    rationale: str
    canonical_json: str
    document: str
    """The same document in YAML with human units."""


@dataclass(frozen=True, slots=True)
class RecipeFindings:
    """Everything the linter found, and what would be stored if nothing of it is an error."""

    valid: bool
    problems: tuple[PolicyProblem, ...]
    digest: str
    canonical_json: str


@dataclass(frozen=True, slots=True)
class DraftedRecipe:
    """A version as recorded, and what the linter thought worth a look."""

    appended: Appended
    version: RecipeVersion
    warnings: tuple[PolicyProblem, ...]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A version of a model that is registered as a benchmark, or as known to be good."""

    model: str
    model_version: str
    kind: BenchmarkKind
    artifact: str
    """SHA-256 of its artifact."""
    note: str
    position: int
    trained_through: datetime | None
    """Of a benchmark that may be fallen back to, time of its newest training data."""
    baseline_loss: str
    """Its loss as seen in training, a decimal; empty where it is not stated."""
