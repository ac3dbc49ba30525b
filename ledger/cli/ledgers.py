"""`decision-ledger ledger …` and `vkey`."""

from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import identities, output, values
from ledger.cli.identities import (
    AdministratorCertificate,
    AdministratorName,
    AdministratorPerson,
    Jwt,
)
from ledger.cli.session import session
from ledger.cli.trust import Keys, PolicyFile
from ledger.events import notation
from ledger.limits import LEAP_SECONDS_MAX, SKEW_SECONDS_MAX
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.cli.session import Session
    from ledger.client.proofs import SigningKey


def create(
    origin: Annotated[str, typer.Argument(help="Its name, such as ledger.example.org/fraud.")],
    clock: Annotated[
        str, typer.Option(help="How it tells time, for good: `wall` or `data`.")
    ] = "wall",
    skew: Annotated[
        str | None, typer.Option(help="How far a source's clock may run ahead: 5m, at most 1d.")
    ] = None,
    leap: Annotated[
        str, typer.Option(help="How far the data may leap ahead unasked; 31d if not, 0s: no bound.")
    ] = "",
    currency: Annotated[
        str, typer.Option(help="The unit of cost and value: EUR, kWh, GPU hours.")
    ] = "",
    administrator: AdministratorName = None,
    person: AdministratorPerson = None,
    certificate: AdministratorCertificate = None,
    jwt: Jwt = None,
) -> None:
    """Create a ledger with its own chain, clock, unit of cost and signing key.

    With --administrator each call needs a grant from the start; without it callers are believed.
    """
    chosen = session()
    named = identities.administrator(administrator, person, certificate, jwt)
    ahead = None if skew is None else values.seconds(skew, "--skew", SKEW_SECONDS_MAX)
    made = chosen.client.create_ledger(
        origin,
        clock=clock,
        skew_seconds=ahead,
        unit_of_cost=currency,
        leap_seconds=values.seconds(leap, "--leap", LEAP_SECONDS_MAX) if leap else None,
        administrator=named,
    )
    if named and (warning := identities.unbound(named)):
        output.say(warning)
    chosen.show(made, f"Created {made.origin}. Its verifier key: {made.verifier_key}")


def list_() -> None:
    """List the ledgers of the server."""
    chosen = session()
    found = list(chosen.client.list_ledgers())
    rows = [
        (one.origin, one.clock, one.head_position, output.when(one.head_recorded_at))
        for one in found
    ]
    headings = ("LEDGER", "CLOCK", ">HEAD", "RECORDED")
    chosen.show({"ledgers": found}, output.table(headings, rows))


def show() -> None:
    """Show a ledger and where its head is."""
    chosen = session()
    one = chosen.client.get_ledger()
    keys = [("verifier key", f"{key.verifier_key} ({_span(key)})") for key in _counting(chosen)]
    rows = (
        ("ledger", one.origin),
        ("clock", one.clock),
        ("skew", notation.duration(one.skew_seconds)),
        ("leap", notation.duration(one.leap_seconds) if one.leap_seconds else "no bound"),
        ("unit of cost", one.unit_of_cost or "-"),
        *keys,
        ("head", one.head_position),
        ("head hash", one.head_hash.hex()),
        ("recorded", output.when(one.head_recorded_at)),
        ("newest observation", output.when(one.newest_observed_at)),
    )
    chosen.show(one, output.table(("FIELD", "VALUE"), rows))


def confirm_clock(
    reason: Annotated[
        str,
        typer.Option(help="Why it is right; recorded for good, so it must hold no personal data."),
    ],
) -> None:
    """Confirm the server's clock, although it is not where it was expected.

    What is recorded from then on is dated by it, for good: look at `date` on the server first. It
    takes the action `clock.confirm`; without an administrator, a name in `operators.actors`.
    """
    chosen = session()
    appended = chosen.client.confirm_clock(reason)
    chosen.show(
        appended, f"The server's clock counts again, by the event at position {appended.position}."
    )


def adopt(
    database: Annotated[str, typer.Argument(help="The database that no server serves now.")],
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Audit a database whole, then seal its heads with the master key, so that it is served.

    For a database that an earlier release wrote, or that was repaired on purpose. Each commit
    seals the head it leaves; a head without a seal was written by a program without the key.
    """
    from ledger.operations.master_key import adopt_heads
    from ledger.operations.trust import trusted

    chosen = session()
    given = trusted(vkey, policy, chosen.times)
    with output.audit_progress() as tell:
        adopted = adopt_heads(database, chosen.settings.keys, given, tell)
    lines = [
        f"{one.origin}: {one.position} events verified, head sealed.\n"
        f"head {one.event_hash.hex()}\nroot {one.root.hex()}"
        for one in adopted
    ]
    chosen.show({"adopted": adopted}, "\n".join(lines))


def vkey() -> None:
    """Print the key that verifies checkpoints signed now; two while a rotation's overlap lasts."""
    chosen = session()
    keys = _counting(chosen)
    if not keys:
        raise MisuseError("No key of this ledger counts at present.", "`key list` shows them all.")
    for key in keys if len(keys) > 1 or keys[0].from_position > 1 else ():
        output.say(f"{key.verifier_key.split('+')[1]} {_span(key)}.")
    document = {"verifier_key": keys[-1].verifier_key, "keys": keys}
    chosen.show(document, "\n".join(key.verifier_key for key in keys))


def _counting(chosen: "Session") -> "list[SigningKey]":
    """Return the keys that sign the next checkpoint, by their first size."""
    return [key for key in chosen.client.list_keys().keys if key.state == "ACTIVE"]


def _span(key: "SigningKey") -> str:
    """Return over which sizes a key signs, in words."""
    until = f" to {key.until_position}" if key.until_position else " on"
    return f"signs from size {key.from_position}{until}"
