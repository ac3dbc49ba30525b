"""`decision-ledger compliance …`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.moments import parse_time
from ledger.cli.session import session
from ledger.cli.trust import Keys, PolicyFile
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.compliance.explaining import Explainer
    from ledger.compliance.facts import Source
    from ledger.compliance.scope import Scope


@dataclass(frozen=True, slots=True)
class Written:
    """What a compliance export wrote."""

    origin: str
    files: tuple[str, ...]
    rows: dict[str, int]
    """Table → how many rows it has."""


def export(
    folder: Annotated[Path, typer.Argument(help="Folder for the files; made if need be.")],
    model: Annotated[str, typer.Option(help="Only what is about this model.")] = "",
    by: Annotated[
        str, typer.Option("--by", metavar="ACTOR", help="Only what this person or service did.")
    ] = "",
    since: Annotated[
        str | None, typer.Option("--from", help="Only what was recorded at or after this time.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Only what was recorded before this time.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="`csv` or `parquet` (a file a table), or `html`.")
    ] = "csv",
    bundle: Annotated[
        Path | None, typer.Option(help="Read this export bundle instead of asking a server.")
    ] = None,
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Write decisions with reasons, policy changes, silences and refusals as tables for people.

    Text that a spreadsheet would take for a formula is guarded in CSV. Parquet needs the extra
    `parquet`. What is not recorded by this release is said, not left out. With --vkey or
    --witness-policy a bundle is verified first: nothing is written, and the exit code is 4, if it
    does not hold.
    """
    from ledger.compliance.facts import unit_of_cost
    from ledger.compliance.files import FORMS, ParquetMissingError, write_tables
    from ledger.compliance.report import MISSING, tables_of

    chosen = session()
    if form not in FORMS:
        raise MisuseError(f"--format: {form!r} is none of {', '.join(FORMS)}.")
    scope = _scope(model, by, since, until)
    source = source_of(bundle, vkey, policy)
    tables = tables_of(source, scope, _explainer(bundle))
    unit = unit_of_cost(source)
    facts = [("Ledger", source.origin), *_described(scope, since, until), ("Not recorded", MISSING)]
    try:
        paths = write_tables(
            tables,
            folder,
            form,
            title=f"Compliance export of {source.origin}",
            facts=facts,
            unit=unit,
        )
    except ParquetMissingError as error:
        raise MisuseError(
            str(error), "Install the extra: pip install 'decision-ledger[parquet]'."
        ) from error
    except OSError as error:
        raise MisuseError(f"{folder} cannot be written: {error.strerror}.") from error
    rows = {table.name: len(table.rows) for table in tables}
    written = Written(source.origin, tuple(str(path) for path in paths), rows)
    lines = [f"{table.title}: {output.counted(len(table.rows), 'row')}" for table in tables]
    chosen.show(written, "\n".join([*lines, "", *written.files, "", MISSING]))


def _explainer(bundle: Path | None) -> "Explainer":
    """Return what tells why decisions came out as they did: the server, or the bundle's events."""
    from ledger.cli.explanations import BundleExplainer, ServerExplainer
    from ledger.compliance.explaining import UNEXPLAINED

    if bundle is None:
        return ServerExplainer(session().client)
    try:
        import ledger.application.decisions.decisions  # noqa: F401 - with all that it needs
    except ModuleNotFoundError:
        output.say(
            "Reasons are told in the policy's own words: explaining decisions from a bundle needs "
            "the extra `server`: pip install 'decision-ledger[server]'."
        )
        return UNEXPLAINED
    return BundleExplainer()


def source_of(bundle: Path | None, vkeys: list[str] | None, policy: Path | None) -> "Source":
    """Return what to read: a bundle on disk, verified if that was asked for, or the server."""
    from ledger.cli.facts import ServerFacts, verified_facts

    if bundle is not None:
        return verified_facts(bundle, vkeys or (), policy)
    if vkeys or policy is not None:
        raise MisuseError(
            "--vkey and --witness-policy verify a bundle here.",
            "Name it with --bundle; a server is audited with `decision-ledger audit run`.",
        )
    return ServerFacts(session().client)


def _scope(model: str, by: str, since: str | None, until: str | None) -> "Scope":
    from ledger.cli.facts import micros_of
    from ledger.compliance.scope import Scope
    from ledger.events.values import ACTOR, SEGMENT

    if model and SEGMENT.fullmatch(model.removeprefix("models/")) is None:
        raise MisuseError(f"--model: {model[:160]!r} is no model's name.")
    if by and ACTOR.fullmatch(by) is None:
        raise MisuseError(
            f"--by: {by[:160]!r} is no actor.", "Write users/NAME, services/NAME or system/NAME."
        )
    begin = micros_of(parse_time(since, "--from")) if since else None
    end = micros_of(parse_time(until, "--until")) if until else None
    if begin is not None and end is not None and end <= begin:
        raise MisuseError("--until does not lie after --from.")
    return Scope(model.removeprefix("models/"), by, begin, end)


def _described(scope: "Scope", since: str | None, until: str | None) -> list[tuple[str, str]]:
    return [
        ("Model", scope.model or "all"),
        ("Person or service", scope.actor or "all"),
        ("Recorded from", since or "the beginning"),
        ("Recorded before", until or "the head"),
    ]
