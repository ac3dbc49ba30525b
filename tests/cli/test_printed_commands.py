"""Every command that the product prints can be run as printed.

Method: ask all the auditors' questions and run what the answers name, with capitals filled in; and
read every command named in a text of the sources against the tree of commands.
"""

import re
import shlex
from pathlib import Path

import pytest

import ledger
from ledger.cli.exits import Exit
from ledger.cli.main import TREE
from ledger.compliance.questions import QUESTIONS
from tests.cli.conftest import Run

SOURCES = Path(ledger.__path__[0])
# A command in a text: the program, then words until something that is no plain word.
NAMED = re.compile(r"`decision-ledger((?: [a-z][a-z-]*)+)")


@pytest.fixture
def answered(told: Run) -> dict[str, list[str]]:
    """The commands that each question's answer names."""
    position = told("decision", "list", "fares", "--json").json["decisions"][0]["position"]
    found = {}
    for name in QUESTIONS:
        stated = ["--model", "fares", "--at", "2026-02-09T00:00:00Z", "--position", str(position)]
        ran = told("audit", "answer", name, *stated, "--json")
        assert ran.code == 0, f"{name}: {ran.err}"
        found[name] = ran.json["how"]
    return found


def test_what_the_answers_to_auditors_name_runs(
    told: Run, answered: dict[str, list[str]], tmp_path: Path
) -> None:
    key = str(told("vkey", "--json").json["verifier_key"])
    bundle = tmp_path / "bundle"
    assert told("export", "create", str(bundle), "--vkey", key).code == 0
    size = str(told("log", "checkpoint", "--json").json["size"])
    filled = {"KEY": key, "BUNDLE": str(bundle), "SIZE_OF_X": size, "POSITION": "7"}
    lines = {line for named in answered.values() for line in named}
    assert len(lines) > 8
    for number, line in enumerate(sorted(lines)):
        program, *words = shlex.split(line)
        if program != "decision-ledger":
            continue  # the stand-alone verifier, which has tests of its own
        folder = str(tmp_path / f"out-{number}")
        words = [folder if word == "FOLDER" else filled.get(word, word) for word in words]
        assert not any(word.isupper() and word.isalpha() for word in words), line
        ran = told(*words)
        assert ran.code != Exit.MISUSE, f"{line}: {ran.err}"


def test_every_command_in_a_text_of_the_sources_exists() -> None:
    bad, seen = [], 0
    for path in sorted(SOURCES.rglob("*.py")):
        for match in NAMED.finditer(path.read_text("utf-8")):
            seen += 1
            first, *rest = match[1].split()
            entry = TREE.get(first)
            is_known = isinstance(entry, str) or (
                entry is not None and (not rest or rest[0] in entry[1])
            )
            if not is_known:
                bad.append(f"{path.name}: decision-ledger{match[1]}")
    assert seen > 40
    assert bad == []
