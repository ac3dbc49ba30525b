"""A recipe's text: whatever is written is a document or a refusal with places, and reads back.

Method: documents with drawn values are written out and read again; the recipe of the golden ledger
is spoilt at random; the committed JSON Schema takes what the reader takes.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from ledger.application.recipes import text as texts
from ledger.application.recipes.text import parse_recipe, read_recipe, recipe_schema, recipe_text
from ledger.errors import LedgerError, Reason
from ledger.events.recipe_document import RecipeDocument
from tests.application.bad_recipes import OF_VALUES
from tools.golden_recipes import RECIPE

SCHEMA = Path(texts.__file__).with_name("recipe_schema.json")
DOCUMENT = parse_recipe(RECIPE)
WRITTEN = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40
)


def with_values(**parts: Any) -> RecipeDocument:  # noqa: ANN401 - of any part
    """Return the recipe with other values of its stored form."""
    return RecipeDocument.model_validate(DOCUMENT.model_dump() | parts)


@given(argv=st.lists(WRITTEN, min_size=1, max_size=4), value=WRITTEN, image=st.booleans())
def test_any_text_of_a_recipe_written_out_reads_back_to_the_same_document(
    argv: list[str], value: str, *, image: bool
) -> None:
    run = DOCUMENT.run.model_dump() | {"argv": argv} | ({} if image else {"image": None})
    parameter = {"name": "p", "value": value, "meaning": value}
    document = with_values(run=run, parameters=[parameter], title=value, rationale=value)
    assert parse_recipe(recipe_text(document)) == document


@given(
    mib=st.integers(1, 2**24),
    micros=st.integers(0, 10**20),
    seconds=st.integers(2_701, 366 * 86_400),
)
def test_any_amount_of_a_recipe_written_out_reads_back_to_the_same_number(
    mib: int, micros: int, seconds: int
) -> None:
    limits = DOCUMENT.limits.model_dump() | {"memory_mib": mib, "time_seconds": seconds}
    expected = DOCUMENT.expected.model_dump() | {
        "cost_micros": str(micros), "test_micros": str(micros // 3),
    }  # fmt: skip
    document = with_values(limits=limits, expected=expected)
    assert parse_recipe(recipe_text(document)) == document


@given(st.data())
def test_a_spoilt_recipe_is_refused_or_read_never_broken(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(RECIPE)))
    cut = data.draw(st.integers(0, 6))
    inserted = data.draw(st.sampled_from(["", ":", "\n", "- ", "{", "'", '"', "|", "*a", "\t"]))
    reading = read_recipe(RECIPE[:at] + inserted + RECIPE[at + cut :])
    assert (reading.document is None) == bool(reading.problems)
    assert all(each.line >= 1 and each.column >= 1 and each.remedy for each in reading.problems)


@given(st.text(max_size=200))
def test_no_text_whatever_gets_another_answer_than_a_document_or_a_refusal(text: str) -> None:
    reading = read_recipe(text)
    assert (reading.document is None) == bool(reading.problems)


def test_an_argument_with_a_null_character_is_refused_at_its_place() -> None:
    text = RECIPE.replace("[python, -m,", '[python, "\\0", -m,')
    (problem,) = read_recipe(text).problems
    assert (problem.path, problem.line, problem.column) == ("run.argv[1]", 6, 18)


def test_a_refusal_names_every_fault_of_a_text() -> None:
    with pytest.raises(LedgerError, match="and 1 more") as caught:
        parse_recipe(RECIPE.replace("8 GiB", "8 GB").replace("cost: 40", "cost: x"))
    assert caught.value.reason is Reason.RECIPE_INVALID
    assert [one.field for one in caught.value.violations] == ["expected.cost", "limits.memory"]


# ---- the JSON Schema -----------------------------------------------------------------------------


def test_the_committed_schema_is_current_takes_the_recipe_and_refuses_bad_values() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == recipe_schema()
    schema = yaml.safe_load(recipe_schema())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for text in (RECIPE, recipe_text(DOCUMENT)):
        assert list(validator.iter_errors(yaml.safe_load(text))) == []
    forms = {"WORD_UNKNOWN", "KEY_UNKNOWN", "VALUE_MISSING", "NAME_INVALID", "SPAN_INVALID"}
    bad = [one for one in OF_VALUES if one.code in forms]
    assert len(bad) >= 10
    for one in bad:
        assert list(validator.iter_errors(yaml.safe_load(one.text))), one.name
