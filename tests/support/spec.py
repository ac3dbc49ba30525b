"""Reads the pages of the specification: their text, and the examples in them."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

SPEC = Path(__file__).resolve().parents[2] / "ledger" / "docs" / "spec"


@cache
def text_of(page: str) -> str:
    """Return the text of a page."""
    return (SPEC / page).read_text(encoding="utf-8")


def block(page: str, kind: str = "example") -> str:
    """Return the content of the one code block of a page that has this word."""
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    return str(found)


def example(page: str) -> Any:  # noqa: ANN401 - each page's is its own
    """Return the worked example of a page that is one JSON value."""
    return json.loads(block(page))
