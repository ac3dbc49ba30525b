"""Forgeries of recipes and benchmark models: unsound documents, and steps that may not be taken."""

from collections.abc import Callable
from typing import Any, Final

from ledger.application.recipes.lint import lint_recipe
from ledger.audit.parameters import digest_of
from tests.audit.paper import Paper
from tools.golden_recipes import RECIPE

AUTHOR: Final = "users/ana"
OTHER: Final = "users/bo"


def draft(paper: Paper, version: int = 1, **changes: object) -> int:
    """Draft the recipe, with changes of what the event says."""
    data = lint_recipe(RECIPE).draft("weekly", version, "x").to_data() | changes
    return paper.append("recipes/weekly", "recipe.drafted.v1", data, actor=AUTHOR)


def step(paper: Paper, name: str, actor: str = OTHER, **members: object) -> int:
    """Take a step in the life of the recipe."""
    data = {"recipe": "weekly", "version": 1} | members
    return paper.append("recipes/weekly", f"recipe.{name}.v1", data, actor=actor)


def approve(paper: Paper, actor: str = OTHER, **changes: object) -> int:
    """Approve the first version."""
    digest = paper.at(paper.find("recipe.drafted.v1", recipe="weekly")[0]).data["digest"]
    members: dict[str, Any] = {"digest": digest, "meaning": "reviewed_and_approved", "comment": ""}
    return step(paper, "approved", actor, **members | changes)


def mark(paper: Paper, name: str, kind: str, version: str, **members: object) -> int:
    """Register or retire a version of a model."""
    data = {"model": "beta", "model_version": version, "kind": kind} | members
    return paper.append("benchmarks/beta", f"benchmark.{name}.v1", data)


def register(paper: Paper, kind: str = "benchmark", version: str = "v1") -> int:
    """Register a version of a model."""
    said = {"artifact": "ab" * 32, "trained_through": None, "baseline_loss": None, "note": ""}
    return mark(paper, "registered", kind, version, **said)


def draft_again_what_was_not_there(paper: Paper) -> int:
    return draft(paper, 2)


def draft_under_another_digest(paper: Paper) -> int:
    return draft(paper, digest="ab" * 32)


def let_everything_pass(paper: Paper) -> int:
    document = lint_recipe(RECIPE).draft("weekly", 1, "x").to_data()["document"]
    document["gates"][0]["criteria"] = []
    return draft(paper, document=document, digest=digest_of(document))


def put_the_deployment_first(paper: Paper) -> int:
    document = lint_recipe(RECIPE).draft("weekly", 1, "x").to_data()["document"]
    document["gates"].reverse()
    return draft(paper, document=document, digest=digest_of(document))


def pass_a_gate_twice(paper: Paper) -> int:
    document = lint_recipe(RECIPE).draft("weekly", 1, "x").to_data()["document"]
    document["gates"].insert(0, document["gates"][0])
    return draft(paper, document=document, digest=digest_of(document))


def draft_by_machine(paper: Paper) -> int:
    position = draft(paper)
    body = paper.at(position).body
    assert isinstance(body, dict)
    body["actor"] = "system/governor"
    return position


def approve_their_own(paper: Paper) -> int:
    draft(paper)
    return approve(paper, AUTHOR)


def approve_another_document(paper: Paper) -> int:
    draft(paper)
    return approve(paper, digest="ab" * 32)


def approve_by_machine(paper: Paper) -> int:
    draft(paper)
    return approve(paper, "services/pipeline")


def approve_the_rejected(paper: Paper) -> int:
    draft(paper)
    digest = paper.at(paper.find("recipe.drafted.v1", recipe="weekly")[0]).data["digest"]
    step(paper, "rejected", digest=digest, reason="no")
    return approve(paper)


def approve_the_undrafted(paper: Paper) -> int:
    draft(paper)
    return approve(paper, version=2)


def retire_twice(paper: Paper) -> int:
    draft(paper)
    step(paper, "retired", version=None, reason="old")
    return step(paper, "retired", reason="old")


def retire_by_machine(paper: Paper) -> int:
    draft(paper)
    return step(paper, "retired", "system/governor", reason="old")


def retire_the_undrafted(paper: Paper) -> int:
    draft(paper)
    return step(paper, "retired", version=2, reason="old")


def retire_what_never_was(paper: Paper) -> int:
    return step(paper, "retired", version=None, reason="old")


def register_by_machine(paper: Paper) -> int:
    position = register(paper)
    body = paper.at(position).body
    assert isinstance(body, dict)
    body["actor"] = "system/governor"
    return position


def fall_back_to_what_never_served(paper: Paper) -> int:
    return register(paper, "known_good", "v9")


def measure_by_a_ghost(paper: Paper) -> int:
    position = register(paper)
    paper.at(position).data["model"] = "ghost"
    paper.at(position).stream = "benchmarks/ghost"
    return position


def register_for_the_retired(paper: Paper) -> int:
    position = register(paper)
    paper.at(position).data["model"] = "gamma"
    paper.at(position).stream = "benchmarks/gamma"
    return position


def register_twice(paper: Paper) -> int:
    register(paper, "known_good")
    return register(paper, "known_good")


def retire_what_was_not_registered(paper: Paper) -> int:
    register(paper, "benchmark")
    return mark(paper, "retired", "known_good", "v1", reason="x")


UNAPPROVED: Final[dict[str, Callable[[Paper], int]]] = {
    "recipes.drafted": draft_under_another_digest,
    "recipes.steps": approve_their_own,
    "benchmarks": fall_back_to_what_never_served,
}
MORE_UNAPPROVED: Final[dict[Callable[[Paper], int], str]] = {
    draft_again_what_was_not_there: "recipes.drafted",
    let_everything_pass: "recipes.drafted",
    put_the_deployment_first: "recipes.drafted",
    pass_a_gate_twice: "recipes.drafted",
    draft_by_machine: "recipes.drafted",
    approve_another_document: "recipes.steps",
    approve_by_machine: "recipes.steps",
    approve_the_rejected: "recipes.steps",
    approve_the_undrafted: "recipes.steps",
    retire_twice: "recipes.steps",
    retire_by_machine: "recipes.steps",
    retire_the_undrafted: "recipes.steps",
    retire_what_never_was: "recipes.steps",
    register_by_machine: "benchmarks",
    measure_by_a_ghost: "benchmarks",
    register_for_the_retired: "benchmarks",
    register_twice: "benchmarks",
    retire_what_was_not_registered: "benchmarks",
}
