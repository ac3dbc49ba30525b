"""The authority that a ledger's own events made, and the credentials on record, before an event."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ledger.audit.event import AuditedEvent
from ledger.authority.believed import SeenCallers, shows_callers
from ledger.authority.state import AuthorityState
from ledger.authority.table import ROLES_BEFORE_JOBS
from ledger.events.authority import AUTHORITY_TYPES, CredentialUsed
from ledger.events.values import SECOND

if TYPE_CHECKING:
    from ledger.audit.ledger_state import LedgerState


LATE_MICROS: Final = 300 * SECOND
"""How much later than it was let in a call's event may be recorded."""


def judged_at(event: AuditedEvent, fold: "LedgerState") -> int:
    """Return the time by which expiry is judged; a `data` ledger's times tell nothing of it."""
    return event.recorded_at - LATE_MICROS if fold.clock == "wall" else 0


def before_jobs(state: AuthorityState) -> AuthorityState:
    """Return authority with the roles that releases had which knew no jobs."""
    return replace(state, roles=state.roles | ROLES_BEFORE_JOBS)


class AuditedAuthority:
    """The authority before an event, and the uses of credentials on record."""

    def __init__(self) -> None:
        self.state = AuthorityState()
        self.shown: dict[str, int] = {}
        """When the last use of a credential by each actor was recorded."""
        self.gone_at: int | None = None
        """When the last such record was made whose body is absent: it may be any actor's."""
        self._callers = SeenCallers()

    def apply(self, event: AuditedEvent) -> None:
        """Take in an event."""
        if shows_callers(event.type):
            self._callers.take(event.position, event.type, event.data)
        if event.type == CredentialUsed.TYPE:
            if event.data is None:
                self.gone_at = event.recorded_at
            else:
                self.shown[event.data["actor"]] = event.recorded_at
        elif event.type in AUTHORITY_TYPES and event.data is not None:
            self.state.apply(event.position, event.type, event.actor, event.data)

    def remarks(self, last: int) -> Iterator[str]:
        """Yield a sentence for each span in which callers were believed."""
        yield from self._callers.believed.sentences(1, last)
