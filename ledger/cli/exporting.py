"""`decision-ledger export …`: bundles that anybody can verify without this service."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.cli import output
from ledger.cli.exits import IntegrityFailure, MisuseError
from ledger.cli.session import session

if TYPE_CHECKING:
    from ledger.chain.keys import VerifierKey
    from ledger.chain.policy import Policy
    from ledger.export.verify import Verified

_REMEDY = "Keep it as evidence, and ask the issuer for another."

_Key = Annotated[
    list[str] | None,
    typer.Option("--vkey", help="A verifier key of the ledger, obtained elsewhere."),
]
_PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="A tlog-policy file: logs, witnesses and a quorum.")
]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a bundle was found to be."""

    path: str
    origin: str
    kind: str
    stream: str
    first_position: int
    last_position: int
    events: int
    checkpoint_size: int
    root: bytes
    signed_by: tuple[str, ...]
    witnesses: tuple[str, ...]
    erased_proven: int
    erased_stated: int
    withheld: int
    withheld_reasons: Mapping[str, int]
    unknown_types: Mapping[str, int]
    manifest_digest: bytes


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
        str, typer.Option(help="What it is for; recorded for good, so no personal data.")
    ] = "",
    vkey: _Key = None,
    policy: _PolicyFile = None,
) -> None:
    """Have a bundle written, fetch it, verify it, and put it in its place.

    The bundle verifies without this service: events, signed checkpoint, proofs, and a report for
    people. The same command again goes on where an earlier one was interrupted. Exits with 4 if
    what came does not verify.
    """
    import time

    from ledger.cli.fetching import Fetch
    from ledger.cli.vouching import keys_of, policy_of

    chosen = session()
    asked = _asked(full, first, last, stream) | {
        "withhold_types": withhold_type or [],
        "withhold_streams": withhold_stream or [],
        "withhold_reason": withhold_reason,
        "purpose": purpose,
    }
    quorum, keys = policy_of(policy), keys_of(vkey or [])
    fetch = Fetch(chosen.client, out, time.sleep)
    export = fetch.ask(asked, chosen.clock)
    with output.progress("Writing", export.events_total) as move:
        export = fetch.follow(export, move)
    with output.progress("Fetching", export.archive_bytes) as move:
        fetch.fetch(export, move)
    if not keys and quorum is None:
        keys = keys_of([chosen.client.get_checkpoint().verifier_key])
        output.say("Its key came from the ledger itself: compare it with one obtained elsewhere.")
    found = checked(fetch.archive, keys, quorum, out)
    fetch.keep()
    chosen.show(found, f"Wrote {out}, and verified it.\n{_told(found)}")


def _asked(full: bool, first: str | None, last: str | None, stream: str) -> dict[str, Any]:
    """Return what kind of export was asked for, as the client takes it."""
    from ledger.cli.moments import now_of, parse_moment

    is_range = first is not None or last is not None
    if full + is_range + bool(stream) > 1:
        raise MisuseError(
            "--full, --from or --to, and --stream exclude each other.", "Choose one of them."
        )
    if stream:
        return {"kind": "STREAM", "stream": stream}
    if not is_range:
        return {"kind": "FULL"}

    def now() -> Any:  # noqa: ANN401 - a datetime
        ledger = session().client.get_ledger()
        return now_of(ledger.clock, ledger.head_recorded_at, session().clock.now_micros())

    asked: dict[str, Any] = {"kind": "RANGE"}
    for text, option, position, time in (
        (first, "--from", "first_position", "from_time"),
        (last, "--to", "last_position", "until_time"),
    ):
        if text is not None:
            moment = parse_moment(text, option, now)
            asked |= {time: moment.time} if moment.time else {position: moment.position}
    return asked


def verify(
    path: Annotated[Path, typer.Argument(help="The bundle: a folder, or a tar archive of it.")],
    vkey: _Key = None,
    policy: _PolicyFile = None,
) -> None:
    """Verify a bundle to the byte, without any server.

    Exits with 4 and names file and line if anything does not hold. A key that came with the bundle
    proves nothing: obtain it elsewhere.
    """
    from ledger.cli.vouching import keys_of, policy_of

    keys, quorum = keys_of(vkey or []), policy_of(policy)
    if not keys and quorum is None:
        raise MisuseError(
            "A bundle is verified with a key that did not come with it.",
            "Give it with --vkey, or a --policy with `log` lines.",
        )
    if not path.exists():
        raise MisuseError(f"There is no {path}.", "Check the path.")
    found = checked(path, keys, quorum, path)
    session().show(found, _told(found))


def checked(path: Path, keys: "list[VerifierKey]", policy: "Policy | None", shown: Path) -> Checked:
    """Return what a bundle is; IntegrityFailure where it does not verify."""
    from ledger.export.faults import BundleError
    from ledger.export.verify import verify_bundle

    with output.progress("Verifying") as move:
        try:
            found = verify_bundle(path, keys, policy, move)
        except BundleError as error:
            raise IntegrityFailure(f"The bundle does not verify: {error}.", _REMEDY) from error
    return _as_checked(found, str(shown))


def _as_checked(found: "Verified", path: str) -> Checked:
    scope, missing = found.scope, found.missing
    return Checked(
        path,
        found.origin,
        scope.kind,
        scope.stream or "",
        scope.first_position,
        scope.last_position,
        found.events,
        found.checkpoint_size,
        found.root,
        found.signed_by,
        found.witnesses,
        missing.erased_proven,
        missing.erased_stated,
        missing.withheld,
        {reason: ranges.count() for reason, ranges in scope.withheld},
        found.unknown_types,
        found.manifest_digest,
    )


def _told(found: Checked) -> str:
    events = output.counted(found.events, "event") + (f" of {found.stream}" if found.stream else "")
    covers = f"positions {found.first_position} to {found.last_position}"
    lines = [
        f"{found.origin}: {events} verified, {covers}.",
        f"checkpoint over {output.counted(found.checkpoint_size, 'event')}",
        f"root {found.root.hex()}",
        *(f"signed by {key}" for key in found.signed_by),
    ]
    if found.witnesses:
        lines.append(f"cosigned by {', '.join(found.witnesses)}")
    lines.append(
        f"bodies missing: {found.erased_proven} erased (proven), {found.erased_stated} erased "
        f"(as stated), {found.withheld} withheld"
    )
    lines += [f"  {count}: {reason}" for reason, count in found.withheld_reasons.items()]
    lines += [
        f"unknown to this release, hashed and counted: {count} of {type_}"
        for type_, count in found.unknown_types.items()
    ]
    return "\n".join(lines)


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
