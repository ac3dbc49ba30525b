"""Versions of recipes, and benchmark models."""

from typing import Final

from ledger.api.convert.basics import inverse, message_of, numbers, timestamp, timestamp_of
from ledger.application.recipes.shelf import RecordedRecipe
from ledger.application.recipes.text import recipe_text
from ledger.events.canonical import encode
from ledger.events.recipes import BenchmarkKind
from ledger.jobs.benchmarks import BenchmarkEntry
from ledger.v1 import recipe_pb2

KINDS: Final[dict[int, BenchmarkKind]] = inverse(numbers(recipe_pb2.BenchmarkKind, BenchmarkKind))


def recipe_version(found: RecordedRecipe, *, is_whole: bool = True) -> recipe_pb2.RecipeVersion:
    """Return a version, with its document as stored and in human units where it is whole."""
    one, document = found.version, found.drafted.document
    return message_of(
        recipe_pb2.RecipeVersion,
        one,
        name=f"recipes/{one.recipe}/versions/{one.number}",
        version=one.number,
        changed_position=one.changed_at,
        title=document.title,
        rationale=found.drafted.rationale,
        drafted_at=timestamp(found.drafted_at),
        canonical_json=encode(document.model_dump(mode="json")).decode() if is_whole else "",
        document=recipe_text(document) if is_whole else "",
    )


def benchmark(one: BenchmarkEntry) -> recipe_pb2.Benchmark:
    """Return what is registered."""
    trained = one.trained_through
    return message_of(
        recipe_pb2.Benchmark,
        one,
        trained_through=None if trained is None else timestamp_of(trained),
        baseline_loss=one.baseline_loss or "",
    )
