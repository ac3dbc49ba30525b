"""The entry point: the tree of commands, and the options that all of them share.

Commands are imported when they are named, and import what they need when they run, so that
`--help` answers at once.
"""

import gc
import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from ledger import __version__
from ledger.cli.completion import IDS, VARIABLE, completed
from ledger.cli.exits import MEANING
from ledger.cli.session import Root, Session, begin
from ledger.cli.tree import TREE, Group
from ledger.operations.failures import MisuseError

_EXITS = "\n\n".join(f"{code.value}: {meaning}" for code, meaning in MEANING.items())
_EVERYWHERE = (
    "Options for every command, anywhere on the line: --config, --server, --ledger, --actor, "
    "--deadline, --max-age, --max-future, --tls-ca, --tls-certificate, --tls-key, --token-file, "
    "--json."
)
_PYTHONS_OWN: Final = frozenset({"list", "set", "try"})
"""Names of commands whose functions end in an underscore, since Python means something by them."""


class Commands(Mapping[str, Any]):
    """Commands by name, each imported when it is asked for: `--help` and one command stay quick."""

    def __init__(self, entries: Mapping[str, str | Group]) -> None:
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


def _made(name: str, entry: str | Group) -> Any:  # noqa: ANN401 - as above
    if isinstance(entry, Group):
        return _Group(
            name=name,
            help=entry.meaning,
            no_args_is_help=True,
            rich_markup_mode=None,
            commands=Commands(dict.fromkeys(entry.names, entry.module) | dict(entry.elsewhere)),  # type: ignore[arg-type]
        )
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    function = f"{name}_" if name in _PYTHONS_OWN else name.replace("-", "_")
    alone.command(name, cls=_Command, epilog=_EVERYWHERE)(
        getattr(import_module(f"ledger.cli.{entry}"), function)
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


def _whole_span(text: str) -> int:
    """Return the whole seconds of a span of time."""
    from ledger.events.notation import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from error


_TlsCa = Annotated[
    Path | None, typer.Option(help="File with the CA of the server; the system's if left out.")
]
_TlsCertificate = Annotated[Path | None, typer.Option(help="File with the caller's certificate.")]
_TlsKey = Annotated[Path | None, typer.Option(help="File with that certificate's key.")]
_TokenFile = Annotated[Path | None, typer.Option(help="File with the caller's bearer token.")]


@app.callback()
def shared(
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings; or LEDGER_CONFIG.")
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            help="HOST:PORT of the server, ledgers://HOST:PORT for TLS, or unix:/path; or "
            "LEDGER_SERVER__ADDRESS."
        ),
    ] = None,
    ledger: Annotated[
        str | None, typer.Option(help="Origin of the ledger; the server's first one if left out.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option(help="The actor that calls: users/NAME or services/NAME.")
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(
            metavar="SPAN", parser=_span, help="How long a call may take, retries included: 30s."
        ),
    ] = None,
    max_age: Annotated[
        int | None,
        typer.Option(
            metavar="SPAN",
            parser=_whole_span,
            help="How old a witness's cosignature may be to count, such as 7d; any age if left "
            "out.",
        ),
    ] = None,
    max_future: Annotated[
        int | None,
        typer.Option(
            metavar="SPAN",
            parser=_whole_span,
            help="How far ahead of this machine's clock its time may be; 5m if left out.",
        ),
    ] = None,
    tls_ca: _TlsCa = None,
    tls_certificate: _TlsCertificate = None,
    tls_key: _TlsKey = None,
    token_file: _TokenFile = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON on standard output, for any command.")
    ] = False,
    _show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep a ledger of model degradation, decisions and plans that proves itself."""
    made = Session(config, server, ledger, actor, deadline, as_json, max_age, max_future)
    made.tls_ca, made.tls_certificate, made.tls_key = tls_ca, tls_certificate, tls_key
    made.token_file = token_file
    begin(made)


def run() -> None:
    """Run the command line of this process, or complete one for a shell."""
    if VARIABLE in os.environ:
        from typer._completion_classes import completion_init

        completion_init()
    # Imported objects stay to the end of a command: as Python comes, looking through them for
    # garbage again and again was an eighth of the start of a server.
    gc.set_threshold(100_000, 20, 50)
    app()
