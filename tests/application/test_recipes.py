"""The life of recipes and of benchmark models in a ledger, and what jobs may use of them.

Method: a whole ledger in one process; each refusal is provoked once, and leaves nothing behind.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller
from ledger.application.recipes.benchmarks import Training
from ledger.application.recipes.lint import lint_recipe
from ledger.application.recipes.shelf import ChosenRecipe
from ledger.application.recipes.text import parse_recipe, recipe_digest, recipe_text
from ledger.errors import LedgerError, Reason
from ledger.events.recipes import BenchmarkRegistered
from tests.support.staffed import AUTHOR, KIM, PAT, Governed
from tests.support.world import ANA, ORIGIN, World, request
from tools.golden_recipes import RECIPE

BO = Caller("users/bo")
SERVICE = Caller("services/pipeline")
FIRST = ChosenRecipe("weekly", 1)
ARTIFACT = "ab" * 32


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A ledger with a model whose first version serves."""
    made = World(tmp_path / "ledger.db")
    made.begin("fares")
    yield made
    made.close()


def draft(world: World, text: str = RECIPE) -> int:
    return world.ledger.recipes.draft(ANA, "weekly", text, "needed").version


def refused(world: World, reason: Reason, says: str, act: Callable[[], object]) -> None:
    """Hold that a call is refused with these words, and that nothing was written."""
    head = world.head
    with pytest.raises(LedgerError) as caught:
        act()
    assert caught.value.reason is reason
    assert says in caught.value.message
    assert caught.value.remedy
    assert world.head == head


# ---- the text ------------------------------------------------------------------------------------


def test_a_recipe_written_out_reads_back_to_the_same_digest_and_lints_as_clean() -> None:
    document = parse_recipe(RECIPE)
    again = recipe_text(document)
    assert parse_recipe(again) == document
    assert recipe_digest(parse_recipe(again)) == recipe_digest(document)
    assert lint_recipe(again).problems == ()


def test_units_of_people_become_whole_numbers() -> None:
    document = parse_recipe(RECIPE)
    assert document.expected.cost_micros == "40000000"
    assert document.expected.test_micros == "4000000"
    assert document.expected.duration_seconds == 2_700
    assert document.limits.memory_mib == 8_192
    assert document.limits.lease_seconds == 600
    assert document.gates[-1].window_seconds == 7 * 86_400
    for written, stored in (("40", "40000000"), ("0.000001", "1"), ("12.5", "12500000")):
        spelled = RECIPE.replace("cost: 40\n  test: 4\n", f"cost: {written}\n")
        assert parse_recipe(spelled).expected.cost_micros == stored
        assert parse_recipe(spelled).expected.test_micros == "0"
        assert parse_recipe(recipe_text(parse_recipe(spelled))) == parse_recipe(spelled)


# ---- its life ------------------------------------------------------------------------------------


def test_only_an_approved_version_is_for_jobs_and_only_until_it_is_retired(world: World) -> None:
    recipes = world.ledger.recipes
    assert draft(world) == 1
    refused(world, Reason.RECIPE_REFUSED, "not approved", lambda: recipes.approved("weekly", 1))
    recipes.approve(BO, FIRST, "fits")
    found, guards = recipes.approved("weekly")
    assert (found.version, found.digest) == (1, recipe_digest(parse_recipe(RECIPE)))
    assert found.document == parse_recipe(RECIPE)
    assert guards
    recipes.retire(ANA, "weekly", 1, "old")
    refused(world, Reason.RECIPE_REFUSED, "was retired", lambda: recipes.approved("weekly", 1))


def test_the_newest_approved_version_is_taken_where_none_is_named(world: World) -> None:
    recipes = world.ledger.recipes
    for _ in range(3):
        draft(world)
    recipes.approve(BO, ChosenRecipe("weekly", 1), "")
    recipes.approve(BO, ChosenRecipe("weekly", 2), "")
    assert recipes.approved("weekly")[0].version == 2
    recipes.retire(ANA, "weekly", 0, "all of them")
    states = {one.number: one.state for one in recipes.shelf().versions.values()}
    assert states == {1: "retired", 2: "retired", 3: "retired"}
    assert draft(world) == 4
    recipes.approve(BO, ChosenRecipe("weekly", 4), "")
    assert recipes.approved("weekly")[0].version == 4


def test_an_author_a_service_and_a_reader_of_another_digest_approve_nothing(world: World) -> None:
    recipes = world.ledger.recipes
    draft(world)
    other = ChosenRecipe("weekly", 1, "cd" * 32)
    for caller, chosen, says in (
        (ANA, FIRST, "is its author"),
        (SERVICE, FIRST, "is not a person"),
        (BO, other, "has the digest"),
    ):
        refused(
            world,
            Reason.RECIPE_REFUSED,
            says,
            lambda caller=caller, chosen=chosen: recipes.approve(caller, chosen, ""),  # type: ignore[misc]
        )


def test_a_version_whose_approvals_no_person_could_give_is_warned_of_and_not_approved(
    tmp_path: Path,
) -> None:
    world = Governed(tmp_path / "governed.db").staff()
    world.grant(KIM.actor, "auditor")  # which lacks the right to approve jobs
    text = RECIPE.replace("role: model-owner", "role: auditor")
    recipes = world.ledger.recipes
    drafted = recipes.draft(AUTHOR, "weekly", text, "needed")
    assert [one.code for one in drafted.lint.problems] == ["APPROVERS_TOO_FEW"]
    says = "0 persons can approve as auditor"
    refused(world, Reason.RECIPE_REFUSED, says, lambda: recipes.approve(PAT, FIRST, ""))
    recipes.draft(AUTHOR, "weekly", RECIPE, "needed")
    second = ChosenRecipe("weekly", 2)
    refused(world, Reason.RECIPE_REFUSED, "model-owner", lambda: recipes.approve(PAT, second, ""))
    world.grant(KIM.actor, "model-owner")
    recipes.approve(PAT, second, "")
    assert recipes.approved("weekly")[0].version == 2
    world.close()


def test_what_was_decided_about_a_version_is_decided_once(world: World) -> None:
    recipes = world.ledger.recipes
    draft(world)
    recipes.reject(BO, FIRST, "too few attempts")
    refused(
        world,
        Reason.RECIPE_REFUSED,
        "was rejected",
        lambda: recipes.approve(BO, FIRST, "after all"),
    )
    draft(world)
    second = ChosenRecipe("weekly", 2)
    recipes.approve(BO, second, "")
    refused(world, Reason.RECIPE_REFUSED, "was approved", lambda: recipes.reject(BO, second, "x"))
    recipes.retire(BO, "weekly", 2, "x")
    refused(
        world, Reason.RECIPE_REFUSED, "was retired", lambda: recipes.retire(BO, "weekly", 2, "x")
    )


def test_a_recipe_with_errors_and_one_that_is_not_there_are_refused(world: World) -> None:
    recipes = world.ledger.recipes
    refused(
        world,
        Reason.RECIPE_INVALID,
        "line 25",
        lambda: draft(world, RECIPE.replace("8 GiB", "8 GB")),
    )
    refused(world, Reason.RECIPE_UNKNOWN, "no recipe", lambda: recipes.approve(BO, FIRST, ""))
    draft(world)
    refused(world, Reason.RECIPE_UNKNOWN, "no version 7", lambda: recipes.recorded("weekly", 7))
    with pytest.raises(LedgerError, match="Did you mean 'weekly'"):
        recipes.recorded("weeky")


def test_a_bound_on_a_holdout_that_an_approved_version_has_otherwise_is_warned_of(
    world: World,
) -> None:
    recipes = world.ledger.recipes
    more = RECIPE.replace("max_uses: 20", "max_uses: 40")
    draft(world)
    assert recipes.lint(more).problems == ()
    recipes.approve(BO, FIRST, "")
    (problem,) = recipes.lint(more).problems
    assert problem.code == "HOLDOUT_BOUND_DIFFERS"
    assert problem.message == "version 1 of weekly lets 'spring' be used 20 times"
    recipes.retire(BO, "weekly", 1, "old")
    assert recipes.lint(more).problems == ()


def test_a_repeated_draft_is_answered_and_not_recorded_again(world: World) -> None:
    recipes = world.ledger.recipes
    caller = request("draft-1", "the same")
    first = recipes.draft(caller, "weekly", RECIPE, "needed")
    head = world.head
    again = recipes.draft(caller, "weekly", RECIPE, "needed")
    assert (again.version, again.written.repeated, world.head) == (first.version, True, head)


def test_recipes_and_benchmarks_are_the_same_after_a_restart(world: World) -> None:
    draft(world)
    world.ledger.recipes.approve(BO, FIRST, "")
    world.ledger.benchmarks.register(ANA, "fares", "v1", "known_good", ARTIFACT, "")
    shelf, known = world.ledger.recipes.shelf(), world.ledger.benchmarks.registered()
    world.restart()
    assert world.ledger.recipes.shelf() == shelf
    assert world.ledger.benchmarks.registered() == known


# ---- benchmark models ----------------------------------------------------------------------------


def test_only_a_version_that_served_is_known_to_be_good_and_any_is_a_benchmark(
    world: World,
) -> None:
    benchmarks = world.ledger.benchmarks
    benchmarks.register(ANA, "fares", "v1", "known_good", ARTIFACT, "calm")
    training = Training("2026-02-01T00:00:00.000000Z", "0.5")
    benchmarks.register(ANA, "fares", "logistic", "benchmark", ARTIFACT, "", training)
    refused(
        world,
        Reason.BENCHMARK_REFUSED,
        "never served",
        lambda: benchmarks.register(ANA, "fares", "v9", "known_good", ARTIFACT, ""),
    )
    found = benchmarks.registered()
    assert found.fall_back("fares") == ["v1", "logistic"]
    assert [key[2] for key in found.registered] == ["known_good", "benchmark"]


def test_a_benchmark_is_registered_once_until_it_is_retired(world: World) -> None:
    benchmarks = world.ledger.benchmarks

    def register() -> object:
        return benchmarks.register(ANA, "fares", "v1", "known_good", ARTIFACT, "")

    refused(
        world,
        Reason.BENCHMARK_REFUSED,
        "is not registered",
        lambda: benchmarks.retire(ANA, "fares", "v1", "known_good", "x"),
    )
    register()
    refused(world, Reason.BENCHMARK_REFUSED, "registered already", register)
    benchmarks.retire(ANA, "fares", "v1", "known_good", "it drifted")
    assert benchmarks.registered().fall_back("fares") == []
    register()


def test_a_model_that_is_not_in_the_fleet_has_no_new_benchmark(world: World) -> None:
    benchmarks = world.ledger.benchmarks
    refused(
        world,
        Reason.MODEL_UNKNOWN,
        "fare",
        lambda: benchmarks.register(ANA, "fare", "v1", "benchmark", ARTIFACT, ""),
    )
    benchmarks.register(ANA, "fares", "v1", "benchmark", ARTIFACT, "")
    world.ledger.commands.retire_model(ANA, "fares", "gone")
    refused(
        world,
        Reason.MODEL_RETIRED,
        "retired",
        lambda: benchmarks.register(ANA, "fares", "v1", "known_good", ARTIFACT, ""),
    )
    benchmarks.retire(ANA, "fares", "v1", "benchmark", "its model is gone")


# ---- several servers -----------------------------------------------------------------------------


def test_two_servers_that_draft_at_once_count_on_and_lose_nothing(world: World) -> None:
    other = World(world.path, shared=world)
    world.ledger.recipes.shelf()
    other.ledger.recipes.shelf()
    assert draft(world) == 1
    assert draft(other) == 2
    assert draft(world) == 3
    assert world.ledger.recipes.shelf() == other.ledger.recipes.shelf()
    other.close()


def test_a_version_that_is_retired_meanwhile_is_not_taken_for_a_job(world: World) -> None:
    other = World(world.path, shared=world)
    draft(world)
    world.ledger.recipes.approve(BO, FIRST, "")
    _, guards = world.ledger.recipes.approved("weekly", 1)
    other.ledger.recipes.retire(BO, "weekly", 1, "a moment before")
    late = Appender(world.store, ORIGIN)
    cited = BenchmarkRegistered(
        model="fares",
        model_version="v1",
        kind="benchmark",
        artifact=ARTIFACT,
        trained_through=None,
        baseline_loss=None,
        note="any event",
    )
    refused(
        world,
        Reason.VERSION_CONFLICT,
        "",
        lambda: late.append(ANA, "ProposeJob", lambda: Proposal([Addition.of(cited)], guards)),
    )
    other.close()
