"""Prose names who acts and says what is: words that leave a reader guessing are counted.

Method: every page, docstring, comment, message and contract is read, without generated files and
tests. Each kind has a budget that is exactly what is there: it may be lowered, never raised.
"""

import re
from collections import Counter

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
BUDGET = {
    "anybody": 12,
    "for ever": 10,
    "headless": 369,
    "hence": 4,
    "so long": 2,
    "somebody": 32,
    "stands for is": 14,
    "whatever": 97,
}


def riddles(text: str) -> Counter[str]:
    """Count each kind of riddle in a text."""
    found: Counter[str] = Counter()
    for name, pattern in RIDDLES.items():
        flags = re.MULTILINE if name == "headless" else re.MULTILINE | re.IGNORECASE
        found[name] = len(re.findall(pattern, text, flags))
    return found


def test_riddles_are_recognised() -> None:
    assert riddles("Whoever lost is told.") == Counter(whoever=1)
    assert riddles("What is kept was read.") == Counter(headless=1)
    assert riddles("What is kept?") == Counter()
    assert riddles("The caller is told; it holds as so long as a lease.") == Counter()


def test_prose_has_no_more_riddles_than_its_budget_which_only_falls() -> None:
    found: Counter[str] = Counter()
    for path, text in written(".py", ".md", ".proto"):
        if path.parts[0] != "tests" and "blocking" not in path.parts:
            found += riddles(text)
    assert +(found - Counter(BUDGET)) == Counter(), "write plainer prose; never raise the budget"
