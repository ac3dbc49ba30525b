"""A name means one thing: no two public classes share one, and pages name modules that are there.

Method: modules are parsed, without generated stubs; pages and prose are searched for names.
"""

import ast
import re
from collections import defaultdict

from tests.project.test_tidy import GENERATED, ROOT, written
from tests.support.pages import files_of_project

# Each name that may be defined twice, with the reason. The list may only become shorter.
SHARED = {
    "Projection": "the read model itself, and what the API and its client tell of one",
}
# Where the word *purse* is: the page of the planner and what follows it to the letter, among it the
# reasons that plans record and show; and three places that say what it is.
PURSES = {
    "ledger/CHANGELOG.md",
    "ledger/application/planning/reasons.py",
    "ledger/audit/plan_reasons.py",
    "ledger/docs/concepts.md",
    "ledger/docs/plans.md",
    "ledger/docs/spec/planner_v1.md",
    "ledger/docs/spec/planner_v2.md",
    "ledger/events/CATALOG.md",
    "ledger/events/notation.py",
    "ledger/kernel/excess.py",
}


def defined_names() -> dict[str, list[str]]:
    """Return where each public class is defined."""
    found = defaultdict(list)
    for path in files_of_project():
        if path.suffix != ".py" or path.parts[0] not in {"ledger", "projections"}:
            continue
        if path.as_posix().startswith(GENERATED):
            continue
        for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(f"{path}:{node.lineno}")
    return found


def test_a_public_class_name_means_one_thing() -> None:
    twice = {name: places for name, places in defined_names().items() if len(places) > 1}
    new = {name: places for name, places in twice.items() if name not in SHARED}
    assert not new, "give one of them the name of what it really is; do not add to SHARED"
    assert set(twice) == set(SHARED), "a name that is no longer shared leaves the list"


def test_a_purse_is_what_the_planner_and_recorded_sentences_alone_call_a_budget() -> None:
    named = {
        path.as_posix()
        for path, text in written(".py", ".md", ".proto", ".jinja")
        if path.parts[0] != "tests" and re.search(r"\bpurses?\b(?!_|`)", text, re.IGNORECASE)
    }
    assert named == PURSES


def test_pages_name_modules_that_exist() -> None:
    files = [path.as_posix() for path in files_of_project()]
    lost = [
        f"{page}: {named}"
        for page, text in written(".md")
        for named in re.findall(r"`((?:\w+/)*\w+\.py)`", text)
        if not any(f"/{file}".endswith(f"/{named}") for file in files)
        and named != "data/verify_bundle.py"  # within an export bundle
    ]
    assert lost == []
