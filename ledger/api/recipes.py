"""RecipeService: how models are retrained, and what they are measured by and fall back to."""

import grpc

from ledger.api.checks import Checks
from ledger.api.convert import recipes as convert
from ledger.api.convert.basics import appended
from ledger.api.convert.policies import problems
from ledger.api.paging import cut, page_of
from ledger.api.server_context import Servicer
from ledger.application.recipes.benchmarks import Training
from ledger.application.recipes.shelf import ChosenRecipe
from ledger.events.canonical import encode
from ledger.events.recipes import BenchmarkKind
from ledger.events.values import HASH_HEX, format_time
from ledger.v1 import recipe_service_pb2 as pb
from ledger.v1 import recipe_service_pb2_grpc

_RECIPES = "recipes"


class RecipeServicer(Servicer, recipe_service_pb2_grpc.RecipeServiceServicer):
    """Serves RecipeService."""

    def LintRecipe(
        self, request: pb.LintRecipeRequest, context: grpc.ServicerContext
    ) -> pb.LintRecipeResponse:
        """Check a document and write nothing."""
        checks = Checks()
        checks.document("document", request.document)
        checks.done()
        result = self._server.backend.ledger(request.ledger).recipes.lint(request.document)
        response = pb.LintRecipeResponse(
            valid=result.document is not None, problems=problems(result.problems)
        )
        if result.document is not None:
            response.digest = result.digest or ""
            response.canonical_json = encode(result.document.model_dump(mode="json")).decode()
        return response

    def DraftRecipe(
        self, request: pb.DraftRecipeRequest, context: grpc.ServicerContext
    ) -> pb.DraftRecipeResponse:
        """Record the next version."""
        checks = Checks()
        name = checks.name("name", request.name, _RECIPES)
        checks.document("document", request.document)
        rationale = checks.text("rationale", request.rationale)
        ledger, caller = self._server.append(request, context, checks)
        drafted = ledger.recipes.draft(caller, name, request.document, rationale)
        return pb.DraftRecipeResponse(
            appended=appended(drafted.written),
            version=convert.recipe_version(ledger.recipes.recorded(name, drafted.version)),
            warnings=problems(drafted.lint.problems),
        )

    def ApproveRecipe(
        self, request: pb.ApproveRecipeRequest, context: grpc.ServicerContext
    ) -> pb.ApproveRecipeResponse:
        """Approve a version."""
        checks = Checks()
        name, number = checks.version_name("name", request.name, collection=_RECIPES)
        _digest("digest", request.digest, checks)
        if request.comment:
            checks.text("comment", request.comment)
        ledger, caller = self._server.append(request, context, checks)
        chosen = ChosenRecipe(name, number, request.digest)
        written = ledger.recipes.approve(caller, chosen, request.comment)
        return pb.ApproveRecipeResponse(appended=appended(written))

    def RejectRecipe(
        self, request: pb.RejectRecipeRequest, context: grpc.ServicerContext
    ) -> pb.RejectRecipeResponse:
        """Reject a version."""
        checks = Checks()
        chosen = ChosenRecipe(*checks.version_name("name", request.name, collection=_RECIPES))
        reason = checks.text("reason", request.reason)
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.recipes.reject(caller, chosen, reason)
        return pb.RejectRecipeResponse(appended=appended(written))

    def RetireRecipe(
        self, request: pb.RetireRecipeRequest, context: grpc.ServicerContext
    ) -> pb.RetireRecipeResponse:
        """Retire a version, or every one."""
        checks = Checks()
        name, number = checks.version_name(
            "name", request.name, collection=_RECIPES, version_optional=True
        )
        reason = checks.text("reason", request.reason)
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.recipes.retire(caller, name, number, reason)
        return pb.RetireRecipeResponse(appended=appended(written))

    def GetRecipe(
        self, request: pb.GetRecipeRequest, context: grpc.ServicerContext
    ) -> pb.GetRecipeResponse:
        """Return one version."""
        checks = Checks()
        name, number = checks.version_name(
            "name", request.name, collection=_RECIPES, version_optional=True
        )
        ledger = self._server.read(request, context, checks)
        return pb.GetRecipeResponse(
            version=convert.recipe_version(ledger.recipes.recorded(name, number))
        )

    def ListRecipes(
        self, request: pb.ListRecipesRequest, context: grpc.ServicerContext
    ) -> pb.ListRecipesResponse:
        """List the versions by recipe and number."""
        checks = Checks()
        name = checks.name("parent", request.parent, _RECIPES, optional=True)
        page = page_of(request)
        ledger = self._server.read(request, context, checks)
        every = [
            one for one in ledger.recipes.shelf().versions.values() if name in ("", one.recipe)
        ]
        shown, token = cut(page, sorted(every), lambda one: f"{one.recipe}/{one.number:07d}")
        return pb.ListRecipesResponse(
            versions=[
                convert.recipe_version(
                    ledger.recipes.recorded(one.recipe, one.number), is_whole=False
                )
                for one in shown
            ],
            next_page_token=token,
        )

    # ---- benchmark models ------------------------------------------------------------------------

    def RegisterBenchmark(
        self, request: pb.RegisterBenchmarkRequest, context: grpc.ServicerContext
    ) -> pb.RegisterBenchmarkResponse:
        """Register a version of a model."""
        checks = Checks()
        kind = _kind(request, checks)
        _digest("artifact", request.artifact, checks)
        if request.note:
            checks.text("note", request.note)
        training = _training(request, checks)
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.benchmarks.register(
            caller,
            request.model,
            request.model_version,
            kind,
            request.artifact,
            request.note,
            training,
        )
        return pb.RegisterBenchmarkResponse(appended=appended(written))

    def RetireBenchmark(
        self, request: pb.RetireBenchmarkRequest, context: grpc.ServicerContext
    ) -> pb.RetireBenchmarkResponse:
        """Retire what is registered."""
        checks = Checks()
        kind = _kind(request, checks)
        reason = checks.text("reason", request.reason)
        ledger, caller = self._server.append(request, context, checks)
        written = ledger.benchmarks.retire(
            caller, request.model, request.model_version, kind, reason
        )
        return pb.RetireBenchmarkResponse(appended=appended(written))

    def ListBenchmarks(
        self, request: pb.ListBenchmarksRequest, context: grpc.ServicerContext
    ) -> pb.ListBenchmarksResponse:
        """List what is registered."""
        checks = Checks()
        model = checks.name("parent", request.parent, "models", optional=True)
        page = page_of(request)
        ledger = self._server.read(request, context, checks)
        every = [
            one
            for one in ledger.benchmarks.registered().registered.values()
            if model in ("", one.model)
        ]
        shown, token = cut(
            page, sorted(every), lambda one: f"{one.model}/{one.model_version}/{one.kind}"
        )
        return pb.ListBenchmarksResponse(
            benchmarks=[convert.benchmark(one) for one in shown], next_page_token=token
        )


def _kind(
    request: pb.RegisterBenchmarkRequest | pb.RetireBenchmarkRequest, checks: Checks
) -> BenchmarkKind:
    """Require model, version and kind, and return the kind."""
    checks.identifier("model", request.model)
    checks.identifier("model_version", request.model_version)
    kind = convert.KINDS.get(request.kind)
    if kind is None:
        checks.refuse("kind", "is required: BENCHMARK or KNOWN_GOOD")
        return "benchmark"
    return kind


def _training(request: pb.RegisterBenchmarkRequest, checks: Checks) -> Training:
    """Return how a benchmark was trained, as far as that is said."""
    trained = baseline = None
    if request.HasField("trained_through"):
        trained = format_time(checks.time("trained_through", request.trained_through, given=True))
    if request.baseline_loss:
        baseline, _ = checks.decimal("baseline_loss", request.baseline_loss)
    return Training(trained, baseline)


def _digest(field: str, digest: str, checks: Checks) -> None:
    if checks.present(field, digest) and HASH_HEX.fullmatch(digest) is None:
        checks.refuse(field, "must be 64 of 0-9 and a-f")
