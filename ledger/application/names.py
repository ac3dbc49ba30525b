"""Names that were nearly right: the known one that a caller probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Final

_LENGTH_APART: Final = 3
_COMPARED_MAX: Final = 1_000  # a misspelt name must not cost more than the call that carried it
_CHARS_MAX: Final = 128


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the nearest known name, or an empty text where none is near."""
    if len(name) > _CHARS_MAX:
        return ""
    alike = (one for one in known if abs(len(one) - len(name)) <= _LENGTH_APART)
    close = get_close_matches(name.lower(), list(islice(alike, _COMPARED_MAX)), n=1, cutoff=0.6)
    return close[0] if close else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the question that begins a remedy, a space behind it; empty without a near name."""
    found = nearest(name, known)
    return f"Did you mean {found!r}? " if found else ""
