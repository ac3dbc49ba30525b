"""Every command that the product prints can be run as printed.

Method: ask all the auditors' questions and run what the answers name, with capitals filled in; and
read every command that a text of the sources names, with its options, as the program would.
"""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import ledger
from ledger.cli.exits import Exit
from ledger.cli.main import app
from ledger.cli.session import hoisted
from ledger.cli.tree import TREE
from ledger.compliance.questions import QUESTIONS
from tests.cli.conftest import Run
from tests.support.pages import ROOT

SOURCES = Path(ledger.__path__[0])
QUOTED = re.compile(r"(?<!`)`([^`\s][^`]*)`(?!`)")
PLAIN = re.compile(r"(?<![`\w-])decision-ledger ([a-z][^`)\n]*)")


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
    filled = {
        "KEY": key,
        "BUNDLE": str(bundle),
        "SIZE_OF_X": size,
        "POSITION": "7",
        "POLICY": "default",
    }
    lines = {line for named in answered.values() for line in named}
    assert len(lines) > 8
    for number, line in enumerate(sorted(lines)):
        program, *words = shlex.split(line)
        if program != "decision-ledger":
            continue  # the stand-alone verifier, which has tests of its own
        folder = str(tmp_path / f"out-{number}")
        places = filled | {"FOLDER": folder, "FILE": f"{folder}.html"}
        words = [places.get(word, word) for word in words]
        assert not any(word.isupper() and word.isalpha() for word in words), line
        ran = told(*words)
        assert ran.code != Exit.MISUSE, f"{line}: {ran.err}"


def texts_of(path: Path) -> Iterator[str]:
    """Yield the texts of a source, each whole however it is written; X for what is filled in."""
    tree = ast.parse(path.read_text("utf-8"))
    within = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            within |= {id(part) for part in ast.walk(node)}
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values
            )
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and id(node) not in within:
            yield text


def commands_in(text: str) -> Iterator[str]:
    """Yield the lines that a text names: in backticks, or after the program's name.

    Without the program's name a line may end in an option alone, as the name of a use.
    """
    for span in QUOTED.findall(text):
        words = span.partition(" | ")[0].split()
        entry = TREE.get(words[0])
        is_command = isinstance(entry, str) or (entry and words[1:] and words[1] in entry[1])
        if words[0] == "decision-ledger" and words[1:]:
            yield " ".join(words[1:])
        elif is_command and words[-1] != "…":
            yield " ".join([*words, *(["X"] if words[-1].startswith("--") else [])])
    for line in PLAIN.findall(text):
        if line.split()[0] in TREE:
            yield line.partition(" | ")[0]


def fault_of(line: str) -> str:
    """Return what is wrong with the options of a line; empty if it can be typed so."""
    root = typer.main.get_command(app)
    try:
        words = shlex.split(line)
        _, words, _ = root.make_parser(root.context_class(root)).parse_args(hoisted(words))
    except Exception as error:  # noqa: BLE001 - typer does not export the class of its own
        return str(error) or type(error).__name__
    if not words:
        return "" if line in {"--help", "--version"} else "no command"
    command: Any = root
    while words and hasattr(command, "commands") and words[0] != "…":
        if words[0] not in command.commands:
            return "no such command"
        command = command.commands[words.pop(0)]
    try:
        command.make_parser(command.context_class(command)).parse_args(words)
    except Exception as error:  # noqa: BLE001 - as above
        return str(error) or type(error).__name__
    return ""


def test_every_command_in_a_text_of_the_sources_exists_with_its_options() -> None:
    bad, seen, optional = [], 0, 0
    for path in sorted([*SOURCES.rglob("*.py"), *SOURCES.rglob("*.md"), ROOT / "README.md"]):
        page = path.read_text("utf-8").replace("\\\n", "")
        texts = texts_of(path) if path.suffix == ".py" else [page]
        for text in texts:
            for line in commands_in(text):
                seen += 1
                optional += "--" in line
                if fault := fault_of(line):
                    bad.append(f"{path.name}: {line}: {fault}")
    assert seen > 100
    assert optional > 20
    assert not bad, "\n".join(bad)


@pytest.mark.parametrize(
    "line", ["log publish --db", "policy init --sinal x", "log tale", "nonsense", "why --deadline"]
)
def test_a_line_that_cannot_be_typed_so_is_found(line: str) -> None:
    assert fault_of(line)
