"""Recipes that must be refused: malformed ones, and dangerous ones that read well.

Each row changes the recipe below in one way, or is a text by itself (`old` is empty). It names the
code that must be found, and the line and column of the text that must be blamed.
"""

from typing import Final, NamedTuple

from tools.golden_recipes import RECIPE

ROLES: Final[dict[str, frozenset[str]]] = {
    "auditor": frozenset(),
    "model-owner": frozenset({"staff-1", "staff-2"}),
}
"""The persons who can approve jobs in each role."""
DIGEST: Final = "ab" * 32
CONDITION: Final = 'metrics["missing"] <= 20000 && samples["rows"] >= 500'


class BadRecipe(NamedTuple):
    """One text and what is wrong with it, at the place of `mark` in it, or of `^` within that."""

    name: str
    code: str
    old: str
    new: str
    mark: str

    @property
    def text(self) -> str:
        """The whole text."""
        if not self.old:
            return self.new
        assert RECIPE.count(self.old) >= 1, self.name
        return RECIPE.replace(self.old, self.new, 1)

    @property
    def place(self) -> tuple[int, int]:
        """The line and column that must be blamed, both from 1."""
        if not self.mark:
            return 1, 1
        at = self.text.index(self.mark.replace("^", "")) + max(0, self.mark.find("^"))
        return self.text.count("\n", 0, at) + 1, at - self.text.rfind("\n", 0, at)


OF_VALUES: Final = (
    # ---- the text
    BadRecipe("empty", "DOCUMENT_EMPTY", "", "", ""),
    BadRecipe("a word", "VALUE_TYPE", "", "retrain", ""),
    BadRecipe(
        "no YAML", "DOCUMENT_UNREADABLE", "title: Retrain", "title: [Retrain", "rationale^: Small"
    ),
    BadRecipe("two documents", "DOCUMENTS_SEVERAL", "run:\n", "---\nrun:\n", "---"),
    BadRecipe("an alias", "ALIAS_REFUSED", "unit: EUR", "unit: &u EUR", "&u"),
    BadRecipe("a tag", "TAG_REFUSED", "attempts: 2", "attempts: !!int 2", "!!int"),
    BadRecipe("a key twice", "KEY_TWICE", "  time: 2h\n", "  time: 2h\n  time: 3h\n", "time: 3h"),
    BadRecipe("a key of another script", "KEY_FORM", "  time: 2h", "  tíme: 2h", "tíme"),
    BadRecipe("too large", "DOCUMENT_TOO_LARGE", "", "a: " + "b" * 600_000, ""),
    # ---- single values
    BadRecipe("another format", "WORD_UNKNOWN", "recipe/1", "recipe/2", "recipe/2"),
    BadRecipe("a misspelt key", "KEY_UNKNOWN", "  memory:", "  memroy:", "memroy"),
    BadRecipe("no title", "VALUE_MISSING", "title: Retrain on recent data\n", "", ""),
    BadRecipe("an empty title", "TEXT_LENGTH", "Retrain on recent data", '""', '""'),
    BadRecipe("no command", "ENTRIES_COUNT", '[python, -m, retrain, --weeks, "8"]', "[]", "[]"),
    BadRecipe(
        "a command line",
        "VALUE_TYPE",
        '[python, -m, retrain, --weeks, "8"]',
        "python -m x",
        "python -m x",
    ),
    BadRecipe(
        "an argument that is a list",
        "VALUE_TYPE",
        "[python, -m, retrain",
        "[python, [-m], retrain",
        "[-m]",
    ),
    BadRecipe(
        "an image by its tag", "NAME_INVALID", f"retrain@sha256:{DIGEST}", "retrain:1", "registry"
    ),
    BadRecipe("a short digest of an image", "NAME_INVALID", DIGEST, "ab" * 31, "registry"),
    BadRecipe("no variable", "NAME_INVALID", "[MODEL_STORE]", "[MODEL-STORE]", "MODEL-STORE"),
    BadRecipe("a name in capitals", "NAME_INVALID", "name: learning-rate", "name: Rate", "Rate"),
    BadRecipe("no amount", "NUMBER_INVALID", "cost: 40", "cost: forty", "forty"),
    BadRecipe("an amount with its unit", "NUMBER_INVALID", "cost: 40", "cost: 40 EUR", "40 EUR"),
    BadRecipe("a debt", "NUMBER_INVALID", "cost: 40", "cost: -40", "-40"),
    BadRecipe("too fine an amount", "NUMBER_INVALID", "cost: 40", "cost: 0.1234567", "0.1234567"),
    BadRecipe("a fortune", "NUMBER_INVALID", "cost: 40", "cost: 9000000000000000", "9000"),
    BadRecipe("no unit of cost", "NAME_INVALID", "unit: EUR", "unit: €", "€"),
    BadRecipe("a bare number of minutes", "SPAN_INVALID", "duration: 45m", "duration: 45", "45\n"),
    BadRecipe("no time at all", "VALUE_OUT_OF_RANGE", "time: 2h", "time: 0s", "0s"),
    BadRecipe("memory without a unit", "NUMBER_INVALID", "8 GiB", "8000", "8000"),
    BadRecipe("memory in decimal units", "NUMBER_INVALID", "8 GiB", "8 GB", "8 GB"),
    BadRecipe("an attempt of years", "VALUE_OUT_OF_RANGE", "time: 2h", "time: 367d", "367d"),
    BadRecipe(
        "a duration of years", "VALUE_OUT_OF_RANGE", "duration: 45m", "duration: 367d", "367d"
    ),
    BadRecipe(
        "a lease of a month", "VALUE_OUT_OF_RANGE", "time: 2h", "time: 2h\n  lease: 30d", "30d"
    ),
    BadRecipe("years of observation", "VALUE_OUT_OF_RANGE", "window: 7d", "window: 367d", "367d"),
    BadRecipe("no memory", "VALUE_OUT_OF_RANGE", "8 GiB", "0 MiB", "0 MiB"),
    BadRecipe("no attempt", "VALUE_OUT_OF_RANGE", "attempts: 2", "attempts: 0", "0\ngates"),
    BadRecipe("eleven attempts", "VALUE_OUT_OF_RANGE", "attempts: 2", "attempts: 11", "11"),
    BadRecipe("half an attempt", "NUMBER_INVALID", "attempts: 2", "attempts: 1.5", "1.5"),
    BadRecipe(
        "a short digest of an input",
        "NAME_INVALID",
        "labelled rows.\n",
        "labelled rows.\n    sha256: abc\n",
        "abc\n",
    ),
    BadRecipe("no gates", "ENTRIES_COUNT", RECIPE[RECIPE.index("gates:") :], "gates: []\n", "[]"),
    BadRecipe("an unknown gate", "WORD_UNKNOWN", "gate: data_integrity", "gate: luck", "luck"),
    BadRecipe(
        "a metric without its unit", "VALUE_MISSING", "        unit: ppm\n", "", "name: missing"
    ),
    BadRecipe(
        "a metric of nothing", "WORD_UNKNOWN", "        of: versions", "        of: both", "both"
    ),
    BadRecipe(
        "a name twice",
        "NAME_TWICE",
        "    samples:\n      - name: rows\n        meaning: Rows of",
        "    samples:\n      - {name: rows}\n      - name: rows\n        meaning: Rows of",
        "rows\n        meaning: Rows of",
    ),
    BadRecipe(
        "uses without end", "VALUE_OUT_OF_RANGE", "max_uses: 20", "max_uses: 100000", "100000"
    ),
    BadRecipe("an empty criterion", "TEXT_LENGTH", CONDITION, '""', '""'),
)
