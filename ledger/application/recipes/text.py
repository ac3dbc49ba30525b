"""The human form of a recipe: YAML or JSON in human units, to the stored form and back.

`authoring` has the names, units and defaults; `recipe_schema.json` is the same as JSON Schema.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from ledger.application.documents import reading as documents
from ledger.application.documents.problems import Problem
from ledger.application.documents.reading import DocumentReading, path_of, read_into
from ledger.application.documents.render import written
from ledger.application.documents.schema import json_schema_of
from ledger.application.documents.source import place_within
from ledger.application.recipes.authoring import AuthoredRecipe
from ledger.errors import LedgerError, Reason
from ledger.events.canonical import encode
from ledger.events.recipe_document import RecipeDocument
from ledger.rules.expressions import offset_of
from ledger.rules.recipe_soundness import Unsound, unsound

_FORM: Final = "`ledger/docs/recipes.md` has a whole recipe to begin from."

RecipeReading = DocumentReading[RecipeDocument]
"""The result of reading a recipe's text."""


def parse_recipe(text: str) -> RecipeDocument:
    """Return the stored form of a recipe's text; RECIPE_INVALID names every fault and its place."""
    reading = read_recipe(text)
    if reading.document is None:
        raise recipe_refusal(reading.problems)
    return reading.document


def recipe_refusal(problems: Sequence[Problem]) -> LedgerError:
    """Return RECIPE_INVALID for what is wrong with a text; there must be an error among it."""
    return documents.refusal(problems, noun="recipe", reason=Reason.RECIPE_INVALID)


def recipe_text(document: RecipeDocument) -> str:
    """Return the recipe as YAML with every value stated; reading it gives an equal document."""
    return written(AuthoredRecipe, document.model_dump(mode="json"))


def recipe_digest(document: RecipeDocument) -> str:
    """Return the SHA-256 of the document's canonical JSON, in hex: the recipe's identity."""
    return hashlib.sha256(encode(document.model_dump(mode="json"))).hexdigest()


def recipe_schema() -> str:
    """Return the text of `recipe_schema.json`."""
    schema = json_schema_of(AuthoredRecipe, "Retraining recipe, format recipe/1")
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def read_recipe(text: str) -> RecipeReading:
    """Read a recipe's text as far as possible and collect all that is wrong with it."""
    reading = RecipeReading()
    recipe = read_into(reading, text, AuthoredRecipe, _FORM)
    if recipe is not None:
        try:
            document = recipe.document()
        except ValidationError as error:  # such as a null character in an argument
            for fault in error.errors(include_url=False):
                remedy = "Correct the value, or leave it out."
                reading.report(path_of(fault["loc"]), "VALUE_TYPE", fault["msg"], remedy)
        else:
            for found in unsound(document):
                _report(reading, found, text)
            if not reading.problems:
                reading.document = document
    reading.problems.sort(key=lambda each: each.order)
    return reading


def _report(reading: RecipeReading, found: Unsound, text: str) -> None:
    """Report what does not fit; a fault of an expression at its place within that."""
    scalar = reading.scalars.get(found.path)
    if found.code != "EXPRESSION_INVALID" or scalar is None:
        reading.report(found.path, found.code, found.message, found.remedy)
        return
    place = place_within(text, scalar, offset_of(scalar.text, *found.offset))
    reading.problems.append(
        Problem(found.path, *place, "error", found.code, found.message, found.remedy)
    )
