"""The tables of the CLI's README and of `ledger/docs/configuration.md`, from the code itself.

`python -m ledger.cli.reference` prints them, to be pasted there; tests hold them equal.
"""

from collections.abc import Iterator
from typing import Any

from ledger.cli.exits import MEANING
from ledger.settings import documented


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
    from ledger.cli.shapes import SHAPES, fields_of

    return _fields_table("command", {name: fields_of(shape) for name, shape in SHAPES.items()})


def items_table() -> str:
    """Return the fields of the items of the lists among them."""
    from ledger.cli.shapes import ITEMS, fields_of

    return _fields_table("items of", {name: fields_of(item) for name, item in ITEMS.items()})


def _fields_table(heading: str, rows: dict[str, tuple[str, ...]]) -> str:
    lines = [f"| {heading} | fields |", "| --- | --- |"]
    for name, fields in rows.items():
        lines.append(f"| `{name}` | {', '.join(f'`{field}`' for field in fields)} |")
    return "\n".join(lines)


def commands() -> Iterator[tuple[str, Any]]:
    """Yield (name with its group, command) of every command there is."""
    from typer.main import get_command

    from ledger.cli.main import app

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


if __name__ == "__main__":
    tables = (settings_table, exits_table, commands_table, json_table, items_table)
    print(*(table() for table in tables), sep="\n\n")  # noqa: T201
