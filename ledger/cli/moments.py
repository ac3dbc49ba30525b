"""The option `--as-of`: a past moment to show."""

from typing import Annotated

import typer

from ledger.cli.session import session
from ledger.cli.values import PositionOrTime, parse_moment

AsOf = Annotated[
    str | None,
    typer.Option(
        help="Show a past moment: a position, a time, `yesterday`, or how long ago as 12h or 7d."
    ),
]


def moment_of(as_of: str | None) -> PositionOrTime:
    """Return the moment that `--as-of` names."""
    return parse_moment(as_of, "--as-of", session().now) if as_of else PositionOrTime()
