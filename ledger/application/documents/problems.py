"""The findings about a document's text: each has a place, a code, a message and a remedy."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from ledger.application.documents.source import SourceCode

Severity = Literal["error", "warning"]
ValueCode = Literal[
    "ENTRIES_COUNT",
    "EXPRESSION_INVALID",
    "KEY_UNKNOWN",
    "NAME_INVALID",
    "NAME_TWICE",
    "NUMBER_INVALID",
    "SPAN_INVALID",
    "TEXT_LENGTH",
    "VALUE_MISSING",
    "VALUE_OUT_OF_RANGE",
    "VALUE_TYPE",
    "WORD_UNKNOWN",
]
"""The reasons for which a single value can be refused, in a document of any kind."""
SharedCode = SourceCode | ValueCode

SHARED_MEANING: Final[dict[str, str]] = {
    # The text.
    "ALIAS_REFUSED": "an anchor or alias of YAML: a value is not where it counts",
    "DOCUMENT_EMPTY": "nothing is written",
    "DOCUMENT_TOO_LARGE": "too many bytes, values or levels",
    "DOCUMENT_UNREADABLE": "neither YAML nor JSON",
    "DOCUMENTS_SEVERAL": "a second document after the first",
    "KEY_FORM": "a key that is no word, or has characters outside ASCII",
    "KEY_TWICE": "the same key twice in a mapping",
    "TAG_REFUSED": "a tag of YAML: it would change what a value is",
    # One value.
    "ENTRIES_COUNT": "too few or too many entries in a list",
    "EXPRESSION_INVALID": "a condition that CEL or the rules' environment refuses",
    "KEY_UNKNOWN": "a key that the format does not have",
    "NAME_INVALID": "a name of another form than names have",
    "NAME_TWICE": "two entries of a list have one name",
    "NUMBER_INVALID": "no number, or one that the stored form cannot hold: not finite, too long",
    "SPAN_INVALID": "a span of time without its unit, or no span",
    "TEXT_LENGTH": "a text that is empty or too long",
    "VALUE_MISSING": "a value that must be written is not",
    "VALUE_OUT_OF_RANGE": "a number or span beyond its bounds",
    "VALUE_TYPE": "a list, mapping or single value in another's place",
    "WORD_UNKNOWN": "none of the words that the value may be",
}
"""Every code that a document of any kind can have, and what it says of a text."""
assert set(SHARED_MEANING) == {one for part in get_args(SharedCode) for one in get_args(part)}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct or consider, at a path such as `scoring.signals[0].weight`."""

    path: str
    line: int
    column: int
    severity: Severity
    code: str
    message: str
    remedy: str

    @property
    def order(self) -> tuple[int, int, str]:
        """The sort key of problems: their order in the text."""
        return self.line, self.column, self.path
