"""The entry point: the tree of commands, and the options that all of them share.

Commands are imported when they are named, and import what they need when they run, so that
`--help` answers at once.
"""

import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer
from typer.core import TyperCommand, TyperGroup

from ledger import __version__
from ledger.cli.completion import IDS, VARIABLE, completed
from ledger.cli.exits import MEANING
from ledger.cli.session import Root, Session, begin
from ledger.operations.failures import MisuseError

_EXITS = "\n\n".join(f"{code.value}: {meaning}" for code, meaning in MEANING.items())
_EVERYWHERE = (
    "Options for every command, anywhere on the line: --config, --server, --ledger, --actor, "
    "--deadline, --json."
)

_Entry: TypeAlias = "str | tuple[str, dict[str, str]]"

# A command is `module:function` of this package; a group is its meaning and its commands.
TREE: Final[dict[str, _Entry]] = {
    "serve": "serve:serve",
    "doctor": "doctor:doctor",
    "verify": "verification:verify",
    "why": "priorities:why",
    "priorities": "priorities:priorities",
    "evaluate": "decisions:evaluate",
    "vkey": "ledgers:vkey",
    "erase": "erasure:erase",
    "completion": "completion:completion",
    "signal": (
        "What is measured, and what was observed.",
        {
            "define": "signals:define",
            "list": "signals:list_",
            "states": "signals:states",
            "submit": "signals:submit",
        },
    ),
    "model": (
        "The fleet and its deployments.",
        {
            "register": "models:register",
            "update": "models:update",
            "deploy": "models:deploy",
            "retire": "models:retire",
            "show": "models:show",
            "list": "models:list_",
        },
    ),
    "policy": (
        "The rules in force, every version of them.",
        {
            "init": "policies:init",
            "lint": "policies:lint",
            "draft": "policies:draft",
            "activate": "policies:activate",
            "show": "policies:show",
            "list": "policies:list_",
        },
    ),
    "plan": (
        "Which models to retrain under a purse.",
        {
            "make": "plans:make",
            "show": "plans:show",
            "list": "plans:list_",
        },
    ),
    "decision": (
        "Decisions made, explained and replayed.",
        {
            "list": "decisions:list_",
            "show": "decisions:show",
            "explain": "decisions:explain",
            "override": "decisions:override",
            "replay": "decisions:replay",
            "receipt": "receipts:receipt",
        },
    ),
    "log": (
        "The events themselves, their proofs and their publication.",
        {
            "tail": "log:tail",
            "checkpoint": "log:checkpoint",
            "prove": "proofs:prove",
            "consistency": "proofs:consistency",
            "seal": "keys:seal",
            "publish": "publication:publish",
        },
    ),
    "key": (
        "The keys that sign checkpoints, and those that are trusted.",
        {
            "list": "keys:list_",
            "rotate": "keys:rotate",
            "revoke": "keys:revoke",
            "pin": "keys:pin",
        },
    ),
    "audit": (
        "The ledger examined by somebody who trusts none of its parts.",
        {
            "run": "audits:run",
            "answer": "answers:answer",
        },
    ),
    "compliance": (
        "Tables for auditors and regulators.",
        {
            "export": "compliance:export",
        },
    ),
    "witness": (
        "A witness, for any log: it cosigns what is consistent.",
        {
            "serve": "witness:serve",
            "key": "witness:key",
        },
    ),
    "export": (
        "Bundles that anybody can verify without this service.",
        {
            "create": "exports:create",
            "list": "exports:list_",
            "delete": "exports:delete",
        },
    ),
    "projection": (
        "The read models, and building them again.",
        {
            "status": "projections:status",
            "rebuild": "projections:rebuild",
        },
    ),
    "ledger": (
        "The ledgers of a server.",
        {
            "create": "ledgers:create",
            "list": "ledgers:list_",
            "show": "ledgers:show",
            "confirm-clock": "ledgers:confirm_clock",
        },
    ),
}


class Commands(Mapping[str, Any]):
    """Commands by name, each imported when it is asked for: `--help` and one command stay quick."""

    def __init__(self, entries: Mapping[str, _Entry]) -> None:
        self._entries = entries
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a command of typer
        """Return a command or group; KeyError for other names."""
        if name not in self._made:
            self._made[name] = _made(name, self._entries[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names in the order of `--help`."""
        return iter(self._entries)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._entries)


class _Group(TyperGroup):
    """Commands under one noun."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 - the signature is typer's
        """Return the names; importing nothing."""
        return list(self.commands)


# Options that a command needs though it can be parsed without: each may be stated by another one.
_NEEDED: Final[dict[str, dict[str, str | None]]] = {
    "model register": {
        "owner": None,
        "unit_value": "unit_value_micros",
        "cost": "cost_micros",
    }
}


class _Command(TyperCommand):
    """One command; what is missing of its line is named all at once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own
        """Parse a line; MisuseError names every required part that it lacks."""
        given = list(args)
        try:
            rest = super().parse_args(ctx, args)
            if ctx.resilient_parsing or not self._lacking(ctx):
                return rest
        except Exception as error:
            if type(error).__name__ != "MissingParameter":  # which typer does not export
                raise
            ctx.resilient_parsing = True  # what is missing is None
            super().parse_args(ctx, given)
        named = ", ".join(self._lacking(ctx))
        raise MisuseError(f"Missing: {named}.", f"See `{ctx.command_path} --help`.")

    def _lacking(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer's own
        """Return what a parsed line lacks, as it is written."""
        path = " ".join(ctx.command_path.split()[-2:])
        stated_by = _NEEDED.get(path, {})
        return [
            one.opts[0] if one.param_type_name == "option" else one.metavar or one.name.upper()
            for one in self.params
            if (one.required or one.name in stated_by)
            and ctx.params[one.name] in (None, (), [])
            and ctx.params.get(stated_by.get(one.name)) is None
        ]


class _Root(_Group, Root):
    """The command line as a whole, with every command below it."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - what typer states
        super().__init__(**attributes | {"commands": Commands(TREE)})
        _complete_ids(self)


def _made(name: str, entry: _Entry) -> Any:  # noqa: ANN401 - as above
    if not isinstance(entry, str):
        meaning, members = entry
        return _Group(
            name=name,
            help=meaning,
            no_args_is_help=True,
            rich_markup_mode=None,
            commands=Commands(members),  # type: ignore[arg-type]
        )
    module, _, function = entry.partition(":")
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name, cls=_Command, epilog=_EVERYWHERE)(
        getattr(import_module(f"ledger.cli.{module}"), function)
    )
    made: Any = typer.main.get_command(alone)
    _complete_ids(made)
    return made


def _complete_ids(command: Any) -> None:  # noqa: ANN401 - as above
    for parameter in command.params:
        names_file = {"--policy", "--witness-policy"} & set(parameter.opts)
        if parameter.name in IDS and not names_file:
            parameter._custom_shell_complete = completed  # noqa: SLF001 - for all commands at once


app = typer.Typer(
    name="decision-ledger",
    cls=_Root,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"Exit codes.\n\n{_EXITS}\n\nSettings: LEDGER_* variables over a TOML file; see "
    "ledger/docs/configuration.md.",
)


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


def _span(text: str) -> float:
    """Return the seconds of a span of time, or of a plain number of seconds."""
    from ledger.events.notation import parse_duration

    try:
        seconds = float(text) if text[-1:].isdigit() else float(parse_duration(text))
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from error
    if not seconds >= 0.001:
        raise typer.BadParameter(f"{text[:40]!r} is less than a thousandth of a second.")
    return seconds


@app.callback()
def shared(
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings; or LEDGER_CONFIG.")
    ] = None,
    server: Annotated[
        str | None, typer.Option(help="HOST:PORT of the server; or LEDGER_SERVER__ADDRESS.")
    ] = None,
    ledger: Annotated[
        str | None, typer.Option(help="Origin of the ledger; the server's first one if left out.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option(help="Who calls: users/NAME or services/NAME.")
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(
            metavar="SPAN", parser=_span, help="How long a call may take, retries included: 30s."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON on standard output, whatever the command.")
    ] = False,
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep a ledger of model degradation, decisions and plans that proves itself."""
    begin(Session(config, server, ledger, actor, deadline, as_json))


def run() -> None:
    """Run the command line of this process, or complete one for a shell."""
    if VARIABLE in os.environ:
        from typer._completion_classes import completion_init

        completion_init()
    app()
