"""`decision-ledger export …`: bundles that anyone can verify without this service."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.cli import output
from ledger.cli.session import session
from ledger.cli.trust import Keys, PolicyFile, given_or_own
from ledger.cli.verification import show_verdict
from ledger.operations.failures import MisuseError


def create(
    out: Annotated[Path, typer.Argument(help="Where to: a file that ends in .tar, or a folder.")],
    full: Annotated[bool, typer.Option("--full", help="Everything; this is the default.")] = False,
    first: Annotated[
        str | None, typer.Option("--from", metavar="WHEN", help="First position, or a time.")
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--to", metavar="WHEN", help="Last position, or the time before which."),
    ] = None,
    stream: Annotated[str, typer.Option(help="One stream, as models/fares: its whole story.")] = "",
    withhold_type: Annotated[
        list[str] | None, typer.Option(help="Leave out bodies of this type.")
    ] = None,
    withhold_stream: Annotated[
        list[str] | None, typer.Option(help="Leave out bodies of this stream.")
    ] = None,
    withhold_reason: Annotated[
        str, typer.Option(help="Why they are left out; it is in the bundle.")
    ] = "",
    purpose: Annotated[
        str, typer.Option(help="Its purpose; recorded for good, so no personal data.")
    ] = "",
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Have a bundle written, fetch it, verify it, and put it in its place.

    The bundle verifies without this service: events, signed checkpoint, proofs, and a report for
    people. The same command again goes on where an earlier one was interrupted. Exits with 4 if
    what came does not verify.
    """
    import time

    from ledger.operations.bundle_fetch import BundleDownload
    from ledger.operations.trust import trusted
    from ledger.operations.verification.files import check_bundle
    from ledger.operations.verification.verdict import required

    chosen = session()
    asked = _asked(full, first, last, stream) | {
        "withhold_types": withhold_type or [],
        "withhold_streams": withhold_stream or [],
        "withhold_reason": withhold_reason,
        "purpose": purpose,
    }
    given = trusted(vkey, policy, chosen.times)
    fetch = BundleDownload(chosen.client, out, time.sleep)
    export = fetch.ask(asked, chosen.clock)
    with output.progress("Writing", export.events_total) as move:
        export = fetch.follow(export, move)
    with output.progress("Fetching", export.archive_bytes) as move:
        fetch.fetch(export, move)
    given = given_or_own(given)
    with output.progress("Verifying") as move:
        verdict = required(check_bundle(fetch.archive, given, move))
    fetch.check_issued(export, verdict)
    fetch.keep()
    show_verdict(verdict.model_copy(update={"place": str(out)}), f"Wrote {out}, and verified it.")


def _asked(full: bool, first: str | None, last: str | None, stream: str) -> dict[str, Any]:
    """Return what kind of export was asked for, as the client takes it."""
    from ledger.cli.values import parse_moment

    is_range = first is not None or last is not None
    if full + is_range + bool(stream) > 1:
        raise MisuseError(
            "--full, --from or --to, and --stream exclude each other.", "Choose one of them."
        )
    if stream:
        return {"kind": "STREAM", "stream": stream}
    if not is_range:
        return {"kind": "FULL"}

    asked: dict[str, Any] = {"kind": "RANGE"}
    for text, option, position, time in (
        (first, "--from", "first_position", "from_time"),
        (last, "--to", "last_position", "until_time"),
    ):
        if text is not None:
            moment = parse_moment(text, option, session().now)
            asked |= {time: moment.time} if moment.time else {position: moment.position}
    return asked


def list_() -> None:
    """List the exports that the server holds, newest first."""
    chosen = session()
    exports = list(chosen.client.list_exports())
    rows = [
        (
            export.name,
            export.kind,
            export.stream or f"{export.first_position} to {export.last_position}",
            export.state,
            output.when(export.requested_at),
            export.requested_by,
        )
        for export in exports
    ]
    headings = ("export", "kind", "covers", "state", "requested", "by")
    chosen.show({"exports": exports}, output.table(headings, rows))


def delete(
    export: Annotated[str, typer.Argument(help="Its name, as `export list` shows it.")],
) -> None:
    """Delete a bundle that the server holds; that it was issued stays on record."""
    chosen = session()
    gone = chosen.client.delete_export(export)
    chosen.show(gone, f"Deleted {gone.name}.")
