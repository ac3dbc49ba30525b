"""The authority that a ledger's own events made, and the credentials on record, before an event."""

from collections.abc import Iterator

from ledger.audit.event import AuditedEvent
from ledger.authority.state import AuthorityState
from ledger.events.authority import AUTHORITY_TYPES, CredentialUsed


class AuditedAuthority:
    """The authority before an event, and the uses of credentials on record."""

    def __init__(self) -> None:
        self.state = AuthorityState()
        self.shown: dict[str, int] = {}
        """When the last use of a credential by each actor was recorded."""
        self.gone_at: int | None = None
        """When the last such record was made whose body is absent: it may be any actor's."""
        self._is_believed_seen = False
        self._methods: set[str] = set()

    def apply(self, event: AuditedEvent) -> None:
        """Take in an event."""
        if event.type == CredentialUsed.TYPE:
            if event.data is None:
                self.gone_at = event.recorded_at
            else:
                self.shown[event.data["actor"]] = event.recorded_at
                self._methods.add(event.data["method"])
        elif event.type in AUTHORITY_TYPES and event.data is not None:
            self.state.apply(event.position, event.type, event.actor, event.data)
        elif not (self.state.began_at or self._is_believed_seen):
            self._is_believed_seen = bool(event.actor) and not event.actor.startswith("system/")

    def remarks(self, last: int) -> Iterator[str]:
        """Yield a sentence for each span in which actors are as callers named themselves."""
        began = self.state.began_at
        until = began - 1 if began else last
        if self._is_believed_seen and until > 2:
            yield (
                f"Positions 1 to {until}: actors are as callers named themselves. "
                "No administrator was named there, so authority was not in force."
            )
        if "development" in self._methods:
            yield "Some actors were believed without a credential, by `authentication.development`."
