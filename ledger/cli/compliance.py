"""`decision-ledger compliance …`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.session import session
from ledger.cli.trust import Bundle, Keys, PolicyFile
from ledger.cli.values import parse_time
from ledger.events import notation
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.compliance.decisions import Explainer
    from ledger.compliance.facts import FactFilter, FactSource

Since = Annotated[
    str | None, typer.Option("--from", help="Only what was recorded at or after this time.")
]
Until = Annotated[str | None, typer.Option(help="Only what was recorded before this time.")]
"""The bounds of `scoped`, as options of every command that has them."""


def export(
    folder: Annotated[Path, typer.Argument(help="Folder for the files; made if need be.")],
    model: Annotated[str, typer.Option(help="Only what is about this model.")] = "",
    by: Annotated[
        str, typer.Option("--by", metavar="ACTOR", help="Only what this person or service did.")
    ] = "",
    since: Since = None,
    until: Until = None,
    answers: Annotated[
        bool, typer.Option("--answers", help="Write `answers.html` too: `audit answer --all`.")
    ] = False,
    form: Annotated[
        str, typer.Option("--format", help="`csv` or `parquet` (a file a table), or `html`.")
    ] = "csv",
    bundle: Bundle = None,
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Write decisions with reasons, policy changes, silences, refusals and reads as tables.

    Text that a spreadsheet would take for a formula is guarded in CSV. Parquet needs the extra
    `parquet`. Facts that this release does not record are named, not left out. With --vkey or
    --witness-policy a bundle is verified first: nothing is written, and the exit code is 4, if it
    does not hold.
    """
    from ledger.compliance.files import FORMS
    from ledger.compliance.inquiry import Inquiry
    from ledger.operations.compliance import ServerLive, write_answers, write_compliance

    chosen = session("compliance tables")
    chosen_form = next((one for one in FORMS if one == form), None)
    if chosen_form is None:
        raise MisuseError(f"--format: {form!r} is not one of {', '.join(FORMS)}.")
    scope = scoped(model, by, since, until)
    source = source_of(bundle, vkey, policy)
    written, tables = write_compliance(source, _explainer(bundle), scope, folder, chosen_form)
    if answers:
        live = ServerLive(session().client) if bundle is None else None
        page = folder / "answers.html"
        write_answers(source, Inquiry(model=scope.model, live=live), page)
        written = replace(written, files=(*written.files, str(page)))
    lines = [f"{table.title}: {notation.counted(len(table.rows), 'row')}" for table in tables]
    said = ["", *written.callers] if written.callers else []
    chosen.show(written, "\n".join([*lines, "", *written.files, *said]))


def _explainer(bundle: Path | None) -> "Explainer":
    """Return what tells why decisions came out as they did: the server, or the bundle's events."""
    from ledger.compliance.decisions import UNEXPLAINED
    from ledger.operations.compliance import BundleExplainer, ServerExplainer

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


def source_of(bundle: Path | None, vkeys: list[str] | None, policy: Path | None) -> "FactSource":
    """Return what to read: a bundle on disk, verified if that was asked for, or the server."""
    from ledger.operations.compliance import BundleFacts, ServerFacts
    from ledger.operations.trust import trusted
    from ledger.operations.verification.files import check_bundle
    from ledger.operations.verification.verdict import required

    if bundle is None and (vkeys or policy is not None):
        raise MisuseError(
            "--vkey and --witness-policy verify a bundle here.",
            "Name it with --bundle; a server is audited with `decision-ledger audit run`.",
        )
    if bundle is None:
        return ServerFacts(session().client)
    given, facts = trusted(vkeys, policy, session().times), BundleFacts(bundle)
    if given.is_empty:
        output.say(f"{bundle} was read unverified: verify it with --vkey or --witness-policy.")
        return facts
    with output.progress("Verifying") as move:
        required(check_bundle(bundle, given, move))
    return facts


def scoped(model: str, by: str, since: str | None, until: str | None) -> "FactFilter":
    """Return the part of a ledger that options ask for; MisuseError where they cannot be."""
    from ledger.client.inputs import micros_of_datetime
    from ledger.compliance.facts import FactFilter
    from ledger.events.values import ACTOR, SEGMENT

    if model and SEGMENT.fullmatch(model.removeprefix("models/")) is None:
        raise MisuseError(f"--model: {model[:160]!r} is not a model's name.")
    if by and ACTOR.fullmatch(by) is None:
        raise MisuseError(
            f"--by: {by[:160]!r} is not an actor.",
            "Write users/NAME, services/NAME or system/NAME.",
        )
    begin = micros_of_datetime(parse_time(since, "--from")) if since else None
    end = micros_of_datetime(parse_time(until, "--until")) if until else None
    if begin is not None and end is not None and end <= begin:
        raise MisuseError("--until must be later than --from.")
    return FactFilter(model.removeprefix("models/"), by, begin, end)
