"""The entry point: the tree of commands, and the options that all of them share.

Commands import what they need when they run, so that `--help` answers at once.
"""

from pathlib import Path
from typing import Annotated

import typer

from ledger import __version__
from ledger.cli import (
    answering,
    auditing,
    compliance,
    decisions,
    doctor,
    erasing,
    exporting,
    keys,
    ledgers,
    log,
    models,
    policies,
    projections,
    proofs,
    publishing,
    ranking,
    receipts,
    serve,
    signals,
    witnessing,
)
from ledger.cli.exits import MEANING
from ledger.cli.session import Root, Session, begin

_EXITS = "\n\n".join(f"{code.value}: {meaning}" for code, meaning in MEANING.items())
_EVERYWHERE = (
    "Options for every command, anywhere on the line: --config, --server, --ledger, --actor, "
    "--deadline, --json."
)

app = typer.Typer(
    name="decision-ledger",
    cls=Root,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"Exit codes.\n\n{_EXITS}\n\nSettings: LEDGER_* variables over a TOML file; see "
    "ledger/cli/README.md.",
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
        str | None, typer.Option(help="Origin of the ledger; needed if the server holds several.")
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


def _command(to: typer.Typer, name: str, function: object) -> None:
    assert callable(function)
    to.command(name, epilog=_EVERYWHERE)(function)


def _group(name: str, meaning: str, commands: dict[str, object]) -> None:
    group = typer.Typer(help=meaning, no_args_is_help=True, rich_markup_mode=None)
    for command, function in commands.items():
        _command(group, command, function)
    app.add_typer(group, name=name)


_command(app, "serve", serve.serve)
_command(app, "doctor", doctor.doctor)
_command(app, "why", ranking.why)
_command(app, "priorities", ranking.priorities)
_command(app, "evaluate", decisions.evaluate)
_command(app, "vkey", ledgers.vkey)
_command(app, "erase", erasing.erase)
_group(
    "signal",
    "What is measured, and what was observed.",
    {
        "define": signals.define,
        "list": signals.list_,
        "states": signals.states,
        "submit": signals.submit,
    },
)
_group(
    "model",
    "The fleet and its deployments.",
    {
        "register": models.register,
        "update": models.update,
        "deploy": models.deploy,
        "retire": models.retire,
        "show": models.show,
        "list": models.list_,
    },
)
_group(
    "policy",
    "The rules in force, every version of them.",
    {
        "init": policies.init,
        "lint": policies.lint,
        "draft": policies.draft,
        "activate": policies.activate,
        "show": policies.show,
        "list": policies.list_,
    },
)
_group(
    "plan",
    "Which models to retrain under a purse.",
    {"make": ranking.make, "show": ranking.show, "list": ranking.list_},
)
_group(
    "decision",
    "Decisions made, explained and replayed.",
    {
        "list": decisions.list_,
        "show": decisions.show,
        "explain": decisions.explain,
        "replay": decisions.replay,
        "receipt": receipts.receipt,
    },
)
_group(
    "log",
    "The events themselves, and whether they hold.",
    {
        "tail": log.tail,
        "verify": log.verify,
        "checkpoint": log.checkpoint,
        "prove": proofs.prove,
        "consistency": proofs.consistency,
        "check-proof": proofs.check_proof,
        "seal": keys.seal,
        "publish": publishing.publish,
    },
)
_group(
    "key",
    "The keys that sign checkpoints, and those that are trusted.",
    {"list": keys.list_, "rotate": keys.rotate, "revoke": keys.revoke, "pin": keys.pin},
)
_group(
    "audit",
    "The ledger examined by somebody who trusts nobody.",
    {"run": auditing.run, "answer": answering.answer},
)
_group(
    "compliance",
    "Tables for auditors and regulators.",
    {"export": compliance.export},
)
_group(
    "witness",
    "A witness, for any log: it cosigns what is consistent.",
    {"serve": witnessing.serve, "key": witnessing.key},
)
_group(
    "export",
    "Bundles that anybody can verify without this service.",
    {
        "create": exporting.create,
        "verify": exporting.verify,
        "list": exporting.list_,
        "delete": exporting.delete,
        "verify-receipt": receipts.verify_receipt,
    },
)
_group(
    "projection",
    "The read models, and building them anew.",
    {"status": projections.status, "rebuild": projections.rebuild},
)
_group(
    "ledger",
    "The ledgers of a server.",
    {"create": ledgers.create, "list": ledgers.list_, "show": ledgers.show},
)


def run() -> None:
    """Run the command line of this process."""
    app()
