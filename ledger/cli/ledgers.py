"""`decision-ledger ledger …` and `vkey`."""

from typing import Annotated

import typer

from ledger.cli import output
from ledger.cli.session import session


def create(
    origin: Annotated[str, typer.Argument(help="Its name, such as ledger.example.org/fraud.")],
    clock: Annotated[
        str, typer.Option(help="How it tells time, for good: `wall` or `data`.")
    ] = "wall",
    skew: Annotated[
        int | None, typer.Option(help="Seconds a source's clock may run ahead, 0 to 86400.")
    ] = None,
    currency: Annotated[
        str, typer.Option(help="What cost and value are counted in: EUR, kWh, GPU hours.")
    ] = "",
) -> None:
    """Create a ledger with its own chain, clock, unit of cost and signing key."""
    chosen = session()
    made = chosen.client.create_ledger(
        origin, clock=clock, skew_seconds=skew, unit_of_cost=currency
    )
    chosen.show(made, f"Created {made.origin}. Its verifier key: {made.verifier_key}")


def list_() -> None:
    """List the ledgers of the server."""
    chosen = session()
    found = list(chosen.client.list_ledgers())
    rows = [
        (one.origin, one.clock, one.head_position, output.iso_short(one.head_recorded_at))
        for one in found
    ]
    headings = ("LEDGER", "CLOCK", ">HEAD", "RECORDED")
    chosen.show({"ledgers": found}, output.table(headings, rows))


def show() -> None:
    """Show a ledger and where its head stands."""
    chosen = session()
    one = chosen.client.get_ledger()
    rows = (
        ("ledger", one.origin),
        ("clock", one.clock),
        ("skew", f"{one.skew_seconds} s"),
        ("unit of cost", one.unit_of_cost or "-"),
        ("verifier key", one.verifier_key),
        ("head", one.head_position),
        ("head hash", one.head_hash.hex()),
        ("recorded", output.iso(one.head_recorded_at)),
        ("newest observation", output.iso(one.newest_observed_at)),
    )
    chosen.show(one, output.table(("FIELD", "VALUE"), rows))


def vkey() -> None:
    """Print the key that verifies the ledger's checkpoints."""
    chosen = session()
    key = chosen.client.get_ledger().verifier_key
    chosen.show({"verifier_key": key}, key)
