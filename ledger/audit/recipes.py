"""Recipes and benchmark models, as the audit folds them."""

from ledger.audit.event import AuditedEvent
from ledger.events.recipes import BENCHMARK_TYPES, RECIPE_TYPES
from ledger.jobs.benchmarks import Benchmarks
from ledger.jobs.recipes import RecipeShelf


class AuditedRecipes:
    """Recipes and benchmark models as of the events applied so far."""

    def __init__(self) -> None:
        self.shelf = RecipeShelf()
        self.benchmarks = Benchmarks()

    def apply(self, event: AuditedEvent) -> None:
        """Take in the next event."""
        if event.type in RECIPE_TYPES:
            self.shelf = self.shelf.applied(
                event.position, event.stream, event.type, event.actor, event.data
            )
        elif event.type in BENCHMARK_TYPES:
            self.benchmarks = self.benchmarks.applied(event.position, event.type, event.data)
