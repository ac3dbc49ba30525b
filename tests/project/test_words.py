"""Prose names who acts and says what is: words that leave a reader guessing are refused.

Method: every page, docstring, comment, message and contract is read, without generated files and
tests. Each word had a budget that fell with the rewriting until nothing was left of it.
"""

import re
from collections.abc import Iterator

from tests.project.test_tidy import written

RIDDLES = {
    "whoever": r"\bwhoever\b",
    "nobody": r"\bnobody\b",
    "somebody": r"\bsomebody\b",
    "anybody": r"\banybody\b",
    "whatever": r"\bwhatever\b",
    "anew": r"\banew\b",
    "stands for is": r"\b(?:stands|stood)\b",
    "for ever": r"\bfor ever\b",
    "so long": r"\b(?<!as )so long\b(?! as)",
    "hence": r"\bhence\b",
    # A sentence that is no question and begins with Who or What hides its subject.
    "headless": r"(?:^|[.:;>|\"#(] ?)(?:Who|What|Whose|Whom|Whichever) [a-z][^.?!\n]*(?:[.!\n]|$)",
}


def riddles(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and kind of each riddle in a text."""
    for name, pattern in RIDDLES.items():
        flags = re.MULTILINE if name == "headless" else re.MULTILINE | re.IGNORECASE
        for found in re.finditer(pattern, text, flags):
            yield text.count("\n", 0, found.start()) + 1, name


def test_riddles_are_recognised() -> None:
    assert list(riddles("Whoever lost is told.")) == [(1, "whoever")]
    assert list(riddles("It is kept.\nWhat is kept was read.")) == [(2, "headless")]
    assert list(riddles("What is kept?")) == []
    assert list(riddles("The caller is told; it holds as so long as a lease.")) == []


def test_prose_has_no_riddles() -> None:
    found = [
        f"{path}:{line}: {name}"
        for path, text in written(".py", ".md", ".proto")
        if path.parts[0] != "tests" and "blocking" not in path.parts
        for line, name in riddles(text)
    ]
    assert found == [], "name the role (client, operator, caller, reader) or the thing itself"
