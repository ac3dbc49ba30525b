"""`decision-ledger token …`: tokens that the ledger issues to services."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output, values
from ledger.cli.exits import Exit
from ledger.cli.identities import Reason
from ledger.cli.session import session
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from datetime import datetime

    from ledger.client.authority import ListedToken


def issue(
    actor: Annotated[str, typer.Argument(metavar="SERVICE", help="Its actor: services/NAME.")],
    reason: Reason,
    expires: Annotated[
        str | None,
        typer.Option(help="For how long, such as 90d, or until when; without end if left out."),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(help="Write it to this new file, for its owner only, and do not show it."),
    ] = None,
) -> None:
    """Issue a token to a service; it is shown this once.

    Standard output has the token alone, of which the ledger keeps a hash. A caller who presents it
    is the service, until it expires or `token revoke` revokes it.
    """
    from dataclasses import replace

    chosen = session()
    until = values.end(expires, "--expires", chosen.clock.now_micros())
    with _kept(to) as keep:
        made = chosen.client.issue_token(actor, reason, expires_at=until)
        if made.secret:
            keep(made.secret)
    span = f"until {output.when(until)}" if until else "without end"
    place = f"token {made.token} of {actor}, {span}, at position {made.position}"
    if not made.secret:
        output.say(
            f"The answer with the secret was lost on its way, and it is in no other: {place}. "
            f"Revoke it with `token revoke {made.token}` and issue another."
        )
        raise typer.Exit(Exit.UNREACHABLE)
    where = f"It is in {to}, and is shown nowhere." if to else "It is shown this once."
    if to:
        made = replace(made, secret="")
    output.say(f"Issued {place}. {where}")
    if chosen.as_json or not to:
        chosen.show(made, made.secret)


@contextmanager
def _kept(to: Path | None) -> "Iterator[Callable[[str], None]]":
    """Give what keeps a secret in a new file; the file is made first, so that none is lost."""
    if to is None:
        yield lambda _: None
        return
    from ledger.private import open_file

    try:
        file = open_file(to, "x")
    except FileExistsError as error:
        raise MisuseError(f"{to} is there already.", "Name another file.") from error

    def keep(secret: str) -> None:
        file.write(f"{secret}\n")
        file.flush()
        os.fsync(file.fileno())

    try:
        with file:
            yield keep
    except BaseException:
        to.unlink(missing_ok=True)
        raise
    if not to.stat().st_size:
        to.unlink()


def list_() -> None:
    """List the tokens of services: until when each holds, and when it was used last."""
    chosen = session()
    found = chosen.client.get_authority().tokens
    now = values.time_of(chosen.clock.now_micros())
    chosen.show({"tokens": found}, tokens_table(found, now))


def tokens_table(found: "tuple[ListedToken, ...]", now: "datetime") -> str:
    """Return tokens as a table."""
    rows = [
        (
            one.token,
            one.actor,
            _state(one, now),
            output.when(one.expires_at),
            output.when(one.last_used_at),
            one.position,
        )
        for one in found
    ]
    return output.table(("TOKEN", "ACTOR", "STATE", "EXPIRES", "LAST USE", ">POSITION"), rows)


def _state(one: "ListedToken", now: "datetime") -> str:
    if one.revoked:
        return "revoked"
    return "expired" if one.expires_at is not None and one.expires_at <= now else "in force"


def revoke(
    token: Annotated[
        str, typer.Argument(metavar="TOKEN", help="Its name, 16 hex digits: see `token list`.")
    ],
    reason: Reason,
) -> None:
    """Revoke a token, at once."""
    chosen = session()
    appended = chosen.client.revoke_token(token, reason)
    chosen.show(appended, f"Revoked token {token}, by the event at position {appended.position}.")
