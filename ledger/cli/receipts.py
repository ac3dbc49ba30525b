"""`decision-ledger decision receipt`: one small file for one decision."""

from pathlib import Path
from typing import Annotated

import typer

from ledger.cli.session import session
from ledger.cli.trust import Keys, PolicyFile, given_or_own
from ledger.cli.verification import told
from ledger.operations.failures import MisuseError
from ledger.private import make_folder, open_file


def receipt(
    decision: Annotated[
        str,
        typer.Argument(
            help="models/MODEL/decisions/POSITION, a position, or MODEL (the one in force)."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="The file to write.")],
    vkey: Keys = None,
    policy: PolicyFile = None,
) -> None:
    """Write a receipt of one decision: the event, what it rests on, and proofs of all of it.

    It verifies anywhere, without this service: `decision-ledger verify`.
    """
    from ledger.cli.decisions import resolved
    from ledger.operations.receipt import fetch_receipt
    from ledger.operations.trust import trusted
    from ledger.operations.verification.receipt import check_receipt

    if out.exists():
        raise MisuseError(f"{out} is there already.", "Name another file, or move it away.")
    chosen, given = session(), trusted(vkey, policy)
    data = fetch_receipt(chosen.client, resolved(decision))
    given = given_or_own(given)
    make_folder(out.parent)
    with open_file(out) as file:  # it holds bodies, as a bundle does
        file.write(data)
    found = check_receipt(out, given)
    chosen.show(found, f"Wrote {out} ({len(data):,} bytes), and verified it.\n{told(found)}")
