"""What a command prints with `--json` has the fields that the README lists, no more and no fewer.

Method: run every command there is against a prepared server and compare the top-level fields, in
their order. The README's table is made from the same list and held to it by another test, so a
field that comes, goes or changes its name shows there.
"""

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Ran, Run
from tests.cli.test_authority import CHANGES
from tests.support.every_command import ELSEWHERE, LINES, stdin_of, words_of
from tools import reference
from tools.shapes import ITEMS, SHAPES, fields_of


def test_every_command_has_a_shape_and_is_run() -> None:
    names = {name for name, _ in reference.commands()}
    assert {re.split(" (?=--|[A-Z])", name)[0] for name in SHAPES} == names
    assert set(LINES) | ELSEWHERE | set(CHANGES) == set(SHAPES)


@pytest.mark.parametrize("name", LINES)
def test_json_has_the_fields_that_are_documented(told: Run, folder: Path, name: str) -> None:
    assert told("plan", "make", "--budget", "5", "--plan", "week-1").code == 0
    key, size = "", 0
    if name in {"log consistency", "key revoke", "key pin"}:
        signed = told("log", "checkpoint", "--json").json
        key, size = signed["verifier_key"], signed["size"]
    ran = told(*words_of(name, folder, key, size), "--json", stdin=stdin_of(name))
    assert ran.code == 0, ran.err
    document = printed(ran, name)
    assert tuple(document) == fields_of(SHAPES[name])
    for field in document.keys() & ITEMS.keys():
        found = document[field]
        if isinstance(found, list) and found:
            assert tuple(found[0]) == fields_of(ITEMS[field])


def printed(ran: Ran, name: str) -> "dict[str, object]":
    """Return the document, or the last line of JSON lines."""
    is_lines = name in {"log tail", "decision replay --all"}
    document = json.loads(ran.out.splitlines()[-1] if is_lines else ran.out)
    assert isinstance(document, dict)
    return document
