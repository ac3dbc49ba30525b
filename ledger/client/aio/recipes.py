"""Recipes and benchmark models, for asyncio."""

from collections.abc import AsyncIterator

from ledger.client.aio.connection import AsyncServiceCalls
from ledger.client.call import Call
from ledger.client.decode import one, paged, whole
from ledger.client.enums import BenchmarkKind
from ledger.client.inputs import (
    Time,
    Value,
    decimal_text,
    in_collection,
    number_of,
    timestamp_of,
    version_name,
)
from ledger.client.recipes import Benchmark, DraftedRecipe, RecipeFindings, RecipeVersion
from ledger.client.records import Appended
from ledger.v1 import recipe_pb2
from ledger.v1 import recipe_service_pb2 as pb

_RECIPES = "recipes"


class AsyncRecipeCalls(AsyncServiceCalls):
    """How models are retrained, and the versions that they are measured by and fall back to."""

    async def lint_recipe(self, document: str) -> RecipeFindings:
        """Check a document as drafting would; problems are the answer, not an error."""
        call = Call(pb.LintRecipeRequest(document=document), whole(RecipeFindings))
        return await self._connection.run(call)

    async def draft_recipe(
        self, recipe: str, document: str, rationale: str, *, request_id: str | None = None
    ) -> DraftedRecipe:
        """Record the next version of a recipe; no job is made by it until it is approved."""
        name = in_collection(_RECIPES, recipe)
        request = pb.DraftRecipeRequest(name=name, document=document, rationale=rationale)
        return await self._connection.run(Call(request, whole(DraftedRecipe), request_id))

    async def approve_recipe(
        self,
        recipe: str,
        version: int,
        digest: str,
        *,
        comment: str = "",
        request_id: str | None = None,
    ) -> Appended:
        """Approve a version, as a person who is not its author; `digest` is of what was read."""
        request = pb.ApproveRecipeRequest(
            name=version_name(recipe, version, _RECIPES), digest=digest, comment=comment
        )
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def reject_recipe(
        self, recipe: str, version: int, reason: str, *, request_id: str | None = None
    ) -> Appended:
        """Reject a version: it is never approved."""
        request = pb.RejectRecipeRequest(
            name=version_name(recipe, version, _RECIPES), reason=reason
        )
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def retire_recipe(
        self, recipe: str, reason: str, *, version: int = 0, request_id: str | None = None
    ) -> Appended:
        """Retire a version, or with 0 every one so far: no job is made by it any more."""
        request = pb.RetireRecipeRequest(name=_named(recipe, version), reason=reason)
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def get_recipe(
        self, recipe: str, version: int = 0, *, min_position: int = 0
    ) -> RecipeVersion:
        """Return a version, the newest for 0, with its document."""
        request = pb.GetRecipeRequest(name=_named(recipe, version), min_position=min_position)
        return await self._connection.run(Call(request, one(RecipeVersion, "version")))

    def list_recipes(
        self, recipe: str = "", *, min_position: int = 0
    ) -> AsyncIterator[RecipeVersion]:
        """Yield every version of every recipe, or of one, by recipe and number."""
        request = pb.ListRecipesRequest(
            parent=in_collection(_RECIPES, recipe) if recipe else "", min_position=min_position
        )
        return self._connection.items(paged(request, RecipeVersion, "versions"))

    async def register_benchmark(
        self,
        model: str,
        model_version: str,
        kind: BenchmarkKind | str,
        artifact: str,
        *,
        note: str = "",
        trained_through: Time | None = None,
        baseline_loss: Value | None = None,
        request_id: str | None = None,
    ) -> Appended:
        """Register a version as a benchmark, or as known to be good; `artifact` is its SHA-256.

        A benchmark may be fallen back to if both is said of its training.
        """
        request = pb.RegisterBenchmarkRequest(
            model=model,
            model_version=model_version,
            kind=number_of(kind, BenchmarkKind, recipe_pb2.BenchmarkKind, "kind"),
            artifact=artifact,
            note=note,
        )
        if trained_through is not None:
            trained = timestamp_of(trained_through, "trained_through")
            request.trained_through.CopyFrom(trained)
        if baseline_loss is not None:
            request.baseline_loss = decimal_text(baseline_loss, "baseline_loss")
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def retire_benchmark(
        self,
        model: str,
        model_version: str,
        kind: BenchmarkKind | str,
        reason: str,
        *,
        request_id: str | None = None,
    ) -> Appended:
        """Record that a version is no benchmark any more, or not known to be good any more."""
        request = pb.RetireBenchmarkRequest(
            model=model,
            model_version=model_version,
            kind=number_of(kind, BenchmarkKind, recipe_pb2.BenchmarkKind, "kind"),
            reason=reason,
        )
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    def list_benchmarks(
        self, model: str = "", *, min_position: int = 0
    ) -> AsyncIterator[Benchmark]:
        """Yield what is registered, for every model or for one, by model, version and kind."""
        request = pb.ListBenchmarksRequest(
            parent=in_collection("models", model) if model else "", min_position=min_position
        )
        return self._connection.items(paged(request, Benchmark, "benchmarks"))


def _named(recipe: str, version: int) -> str:
    """Return the resource name of a version, or of the recipe for 0."""
    return version_name(recipe, version, _RECIPES) if version else in_collection(_RECIPES, recipe)
