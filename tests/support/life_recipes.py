"""Recipes and benchmark models in an honest life: each step of theirs, once."""

from ledger.application.commands import Caller
from ledger.application.recipes.shelf import ChosenRecipe
from tests.support.lives import Life
from tests.support.world import ANA
from tools.golden_recipes import RECIPE


def begin_recipes(life: Life) -> None:
    """Have a recipe approved and retired, the next one rejected, and a benchmark come and go."""
    recipes, benchmarks = life.world.ledger.recipes, life.world.ledger.benchmarks
    auditor = Caller("users/auditor")
    for _ in range(2):
        recipes.draft(ANA, "weekly", RECIPE, "needed")
    recipes.approve(auditor, ChosenRecipe("weekly", 1), "fits")
    recipes.reject(auditor, ChosenRecipe("weekly", 2), "too few attempts")
    recipes.retire(ANA, "weekly", 1, "old")
    benchmarks.register(ANA, "m1", "v1", "known_good", "ab" * 32, "calm")
    benchmarks.retire(ANA, "m1", "v1", "known_good", "it drifted")
