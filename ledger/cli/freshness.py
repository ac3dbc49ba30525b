"""Reading projections up to date: a command shows what the commands before it wrote.

Projections follow the log by themselves, commonly within milliseconds. A command waits that long
and no longer: where one lags or has stopped, what it has is shown, and that is said.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from ledger.cli import output
from ledger.cli.session import session

if TYPE_CHECKING:
    from ledger.client import LedgerClient

T = TypeVar("T")
_WAIT_SECONDS = 2.0


def fresh(ask: "Callable[[LedgerClient, int], T]") -> T:
    """Return the answer for a minimum position of the ledger's head, or the best there is."""
    from ledger.client import BusyError, DeadlineError

    client = session().client
    head = client.get_ledger().head_position
    try:
        return ask(client.using(deadline_seconds=_WAIT_SECONDS), head)
    except (BusyError, DeadlineError):
        output.say(
            f"The projection has not applied position {head} yet, so this shows an earlier one. "
            "See `decision-ledger projection status`."
        )
        return ask(client, 0)
