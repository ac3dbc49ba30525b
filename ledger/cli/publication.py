"""`decision-ledger log publish`: the log as static tiles."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output
from ledger.cli.session import session
from ledger.cli.trust import Keys, PolicyFile, believing, first_use_said

if TYPE_CHECKING:
    from ledger.operations.publication import PublishableLog


def publish(
    folder: Annotated[Path, typer.Argument(help="The folder to publish into.")],
    database: Annotated[
        str | None,
        typer.Option("--db", help="Publish from this database, read only, without a server."),
    ] = None,
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Publish the ledger as static tiles (C2SP tlog-tiles), for mirrors, CDNs and any follower.

    Writes what is new since the last run; the checkpoint comes last. Entries are the canonical
    headers: bodies never leave this way. With --witness-policy only a checkpoint that has its
    quorum. Exits with 4, and changes nothing that is served, if the ledger does not extend what was
    published.
    """
    from ledger.operations import publication

    log = _served(vkey, policy) if database is None else _stored(database, vkey, policy)
    with log as found, output.progress(f"Publishing into {folder}", found.size) as move:
        done = publication.publish(folder, found, move)
    session().show(
        done,
        f"{done.origin}: {output.counted(done.size, 'event')} published in {folder}, "
        f"{done.size - done.previous_size} of them new.",
    )


@contextmanager
def _served(vkey: list[str] | None, policy: Path | None) -> "Iterator[PublishableLog]":
    """Yield the log of the server, under a checkpoint that it signs now."""
    from ledger.operations.publication import served_log

    with believing(vkey, policy) as client:
        signed = client.verified_checkpoint()
        first_use_said(signed)
        yield served_log(client, signed)


@contextmanager
def _stored(
    database: str, vkey: list[str] | None, policy: Path | None
) -> "Iterator[PublishableLog]":
    from ledger.operations.publication import stored_log
    from ledger.operations.trust import trusted

    chosen = session()
    origin = chosen.ledger or chosen.settings.client.ledger
    with stored_log(database, origin, trusted(vkey, policy)) as log:
        if log.is_taken_at_its_word:
            output.say(
                f"The key came from {log.origin} itself: compare it with one obtained elsewhere."
            )
        yield log
