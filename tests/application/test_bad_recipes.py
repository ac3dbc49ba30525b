"""At least 40 malformed or dangerous recipes are refused, each with place, reason and remedy.

Method: tables of one fault each (`bad_recipes`, `bad_gates`), run through the linter as a ledger
with two roles runs it. Every code there is has a row, so that none is without a case.
"""

import pytest

from ledger.application.recipes.lint import RecipeLint, lint_recipe
from ledger.application.recipes.problems import RECIPE_MEANING
from ledger.events.recipe_document import HoldoutPart
from ledger.governance.requirements import AbleToApprove
from tests.application.bad_gates import OF_GATES
from tests.application.bad_recipes import DIGEST, OF_VALUES, ROLES, BadRecipe
from tools.golden_recipes import RECIPE

ABLE = AbleToApprove({}, ROLES)
SPRING = HoldoutPart(name="spring", max_uses=20)
BAD_RECIPES = (*OF_VALUES, *OF_GATES)


def found(text: str) -> RecipeLint:
    holdouts = [("version 1 of weekly", SPRING)]
    return lint_recipe(text, lambda: ABLE, lambda: holdouts, lambda: {"log-loss"})


@pytest.mark.parametrize("bad", BAD_RECIPES, ids=lambda bad: bad.name)
def test_a_bad_recipe_is_refused_with_line_column_reason_and_remedy(bad: BadRecipe) -> None:
    result = found(bad.text)
    places = [(each.line, each.column) for each in result.problems if each.code == bad.code]
    assert places == [bad.place], result.problems
    assert all(each.message and each.remedy for each in result.problems)
    if result.document is not None:  # it reads well: --strict refuses it
        assert {each.severity for each in result.problems} == {"warning"}


def test_the_recipe_that_the_table_spoils_is_clean() -> None:
    assert found(RECIPE).problems == ()


def test_a_standard_error_is_for_the_report_and_needs_no_criterion() -> None:
    named = "      - name: log-loss\n        unit: micro-nats\n"
    assert RECIPE.count(named)
    error = "      - {name: log-loss-error, unit: micro-nats, meaning: Its standard error.}\n"
    assert found(RECIPE.replace(named, error + named)).problems == ()
    other = error.replace("log-loss-error", "share-error")
    assert "METRIC_UNUSED" in {
        one.code for one in found(RECIPE.replace(named, other + named)).problems
    }


def test_a_training_puts_on_record_what_an_image_does_not() -> None:
    bare = RECIPE.replace(f"  image: registry.example.com/retrain@sha256:{DIGEST}\n", "")
    training = "  - gate: training\n    metrics:\n      - {name: loss, unit: nats, meaning: x}\n"
    training += "    criteria:\n      - {name: c, when: 'metrics[\"loss\"] < 1', rationale: x}\n"
    known = bare.replace("  - gate: holdout\n", training + "  - gate: holdout\n")
    assert [one.code for one in found(bare).problems] == ["IMAGE_MISSING", "ENVIRONMENT_UNRECORDED"]
    assert [one.code for one in found(known).problems] == ["IMAGE_MISSING"]


def test_the_table_has_40_texts_that_differ_and_a_row_for_each_code() -> None:
    names = {bad.name for bad in BAD_RECIPES}
    assert len({bad.text for bad in BAD_RECIPES}) == len(names) == len(BAD_RECIPES) >= 40
    assert {bad.code for bad in BAD_RECIPES} == set(RECIPE_MEANING)
