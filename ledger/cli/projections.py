"""`decision-ledger projection …`."""

from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.session import session
from ledger.events import notation

if TYPE_CHECKING:
    from ledger.client.ranking import RebuiltProjection


def status() -> None:
    """Show how far each projection is."""
    chosen = session()
    found = list(chosen.client.list_projections())
    rows = [
        (
            one.projection,
            one.state,
            one.tracking_position,
            one.head_position - one.tracking_position,
            one.rows,
            one.quarantined,
            one.state_digest.hex()[:16],
            one.problem,
        )
        for one in found
    ]
    headings = (
        "PROJECTION",
        "STATE",
        ">APPLIED",
        ">BEHIND",
        ">ROWS",
        ">SET ASIDE",
        "DIGEST",
        "PROBLEM",
    )
    chosen.show({"projections": found}, output.table(headings, rows))


def rebuild(
    projection: Annotated[str, typer.Argument(help="Its id, such as `priorities`.")],
    keep_previous: Annotated[
        bool, typer.Option("--keep-previous", help="Keep the old rows even if they are equal.")
    ] = False,
) -> None:
    """Build a projection from scratch beside the live one, compare both, and switch over.

    Reads go on meanwhile. Exits with 4 if the live state differs from the rebuilt one, which means
    that something other than the ledger had changed it.
    """
    from ledger.client.enums import RebuildOutcome
    from ledger.operations.failures import IntegrityFailure

    chosen = session()
    done = _rebuilt(projection, keep_previous=keep_previous)
    what = done.rebuild
    events = notation.counted(what.events, "event")
    chosen.show(
        done,
        f"{projection}: {what.outcome} at position {what.position}, {events} in "
        f"{what.duration_seconds:.1f} s.{' ' + what.problem if what.problem else ''}",
    )
    if what.outcome == RebuildOutcome.DIFFERENT:
        raise IntegrityFailure(
            f"The live {projection} was not what the ledger's events give.",
            "The rebuilt rows serve now; the old ones are kept to look at.",
        )
    if what.outcome in {RebuildOutcome.STOPPED, RebuildOutcome.INTERRUPTED}:
        raise typer.Exit(1)


def _rebuilt(projection: str, *, keep_previous: bool) -> "RebuiltProjection":
    """Rebuild, with a progress bar that a second thread moves."""
    import threading

    from ledger.client import ClientError

    client = session().client
    over = threading.Event()
    with output.progress(f"Rebuilding {projection}") as move:

        def follow() -> None:
            while not over.wait(0.5):
                try:
                    now = client.get_projection(projection)
                except ClientError:
                    return  # the rebuild itself tells what is wrong
                move(now.rebuilt_position, now.head_position)

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            return client.rebuild_projection(projection, keep_previous=keep_previous)
        finally:
            over.set()
            follower.join()
