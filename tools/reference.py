"""The tables of the pages, from the code and the contract: `python -m tools.reference` renews them.

A table is found in its page by its heading. A test holds every page to what this writes.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, get_args

from typer.main import get_command

import ledger.audit.rules  # noqa: F401 - registers the rules
from ledger.application.policies.problems import MEANING as MEANING_OF_CODE
from ledger.application.policies.problems import AdviceCode
from ledger.application.recipes.problems import RECIPE_MEANING, RecipeAdvice
from ledger.audit.registry import all_meanings
from ledger.cli.exits import MEANING
from ledger.cli.main import app
from ledger.rules.policy_findings import REFUSED_SINCE_2
from ledger.settings import documented
from tools.shapes import ITEMS, SHAPES, fields_of

ROOT: Final = Path(__file__).resolve().parent.parent
_REASON: Final = re.compile(r"((?:^  // .*\n)+)  ERROR_REASON_(\w+) = [1-9]\d*;$", re.MULTILINE)


def settings_table() -> str:
    """Return every setting: variable, place in the file, default, meaning."""
    lines = ["| variable | in the file | default | meaning |", "| --- | --- | --- | --- |"]
    for variable, path, field in documented():
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        shown = f"`{default}`" if default not in {"", ()} else "empty"
        lines.append(f"| `{variable}` | `{path}` | {shown} | {field.description} |")
    return "\n".join(lines)


def exits_table() -> str:
    """Return every exit code and what it means."""
    lines = ["| code | meaning |", "| --- | --- |"]
    lines += [f"| {code.value} | {meaning} |" for code, meaning in MEANING.items()]
    return "\n".join(lines)


def commands_table() -> str:
    """Return every command and what it does, in the order of `--help`."""
    lines = ["| command | what it does |", "| --- | --- |"]
    lines += [f"| `{name}` | {first_sentence(command)} |" for name, command in commands()]
    return "\n".join(lines)


def json_table() -> str:
    """Return the top-level fields of what every command prints with `--json`."""
    return _fields_table("command", {name: fields_of(shape) for name, shape in SHAPES.items()})


def items_table() -> str:
    """Return the fields of the items of the lists among them."""
    return _fields_table("items of", {name: fields_of(item) for name, item in ITEMS.items()})


def _fields_table(heading: str, rows: dict[str, tuple[str, ...]]) -> str:
    lines = [f"| {heading} | fields |", "| --- | --- |"]
    for name, fields in rows.items():
        lines.append(f"| `{name}` | {', '.join(f'`{field}`' for field in fields)} |")
    return "\n".join(lines)


def commands() -> Iterator[tuple[str, Any]]:
    """Yield (name with its group, command) of every command there is."""
    root: Any = get_command(app)
    for name, command in root.commands.items():
        members = getattr(command, "commands", None)
        if members is None:
            yield name, command
        else:
            yield from ((f"{name} {member}", inner) for member, inner in members.items())


def first_sentence(command: Any) -> str:  # noqa: ANN401 - a command of typer
    """Return the line of a command's help that lists show."""
    return str(command.help or "").split("\n\n", maxsplit=1)[0].replace("\n", " ").strip()


def rules_table() -> str:
    """Return every check of the auditor and what it means, in the order of reports."""
    lines = ["| check | what holds |", "| --- | --- |"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in all_meanings().items()]
    return "\n".join(lines)


def errors_table() -> str:
    """Return every reason as the contract's comments have it: status, meaning, remedy."""
    lines = ["| reason | status | what happened | do |", "| --- | --- | --- | --- |"]
    contract = (ROOT / "proto" / "ledger" / "v1" / "errors.proto").read_text("utf-8")
    for comment, reason in _REASON.findall(contract):
        said = " ".join(comment.replace("  // ", "").split())
        status, _, rest = said.partition(". ")
        meaning, _, remedy = rest.partition(" Do: ")
        lines.append(f"| `{reason}` | {status} | {meaning} | {remedy} |")
    return "\n".join(lines)


def problems_table() -> str:
    """Return every code of the policy linter, its weight and what it says."""
    lines = ["| code | weight | what is wrong |", "| --- | --- | --- |"]
    for code, meaning in MEANING_OF_CODE.items():
        weight = "warning" if code in get_args(AdviceCode) else "error"
        if code in REFUSED_SINCE_2:
            weight = "warning; under policy/2 error"
        lines.append(f"| `{code}` | {weight} | {meaning} |")
    return "\n".join(lines)


def recipe_problems_table() -> str:
    """Return every code of the recipe linter, its weight and what it says."""
    lines = ["| code | weight | what is wrong |", "| --- | --- | --- |"]
    for code, meaning in RECIPE_MEANING.items():
        weight = "warning" if code in get_args(RecipeAdvice) else "error"
        lines.append(f"| `{code}` | {weight} | {meaning} |")
    return "\n".join(lines)


TABLES: Final[dict[str, tuple[Callable[[], str], ...]]] = {
    "ledger/audit/README.md": (rules_table,),
    "ledger/cli/README.md": (exits_table, commands_table, json_table, items_table),
    "ledger/docs/configuration.md": (settings_table,),
    "ledger/docs/errors.md": (errors_table,),
    "ledger/docs/policies.md": (problems_table,),
    "ledger/docs/recipes.md": (recipe_problems_table,),
}


def renewed(page: str) -> str:
    """Return a page as it is to be, with each of its tables in place of the one it has."""
    text = (ROOT / page).read_text("utf-8")
    for table in TABLES[page]:
        rows = table()
        heading = rows.partition("\n")[0]
        places = list(re.finditer(rf"^{re.escape(heading)}\n(?:\|.*\n)*", text, re.MULTILINE))
        assert len(places) == 1, f"{page} has {len(places)} tables {heading}"
        text = f"{text[: places[0].start()]}{rows}\n{text[places[0].end() :]}"
    return text


if __name__ == "__main__":
    for page in TABLES:
        (ROOT / page).write_text(renewed(page), encoding="utf-8")
