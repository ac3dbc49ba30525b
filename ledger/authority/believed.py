"""Up to where callers were believed rather than authenticated, as the events of a ledger show it.

Before its first administrator a ledger believes every caller; after that one is believed only where
a server has `authentication.development`, and its use is on record. Reports say both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ledger.events.authority import AUTHORITY_TYPES, CredentialUsed

SHOWING_TYPES: Final = AUTHORITY_TYPES | {CredentialUsed.TYPE}
"""The events that show it. None of them is there before authority is in force."""
_USED: Final = CredentialUsed.TYPE.rpartition(".")[0]
_SHOWING_NAMES: Final = frozenset(type_.rpartition(".")[0] for type_ in SHOWING_TYPES)

UNSHOWN: Final = (
    "Whether callers were authenticated or believed is not shown here; `audit run` of the ledger "
    "says it."
)
"""Said of what holds too few events to show it, as a part of a ledger or a receipt does."""

_WITH_LEDGER: Final = 2
"""A ledger that begins with an administrator has these events before that one."""


def shows_callers(type_: str) -> bool:
    """Whether a type is one of those, in any version: a later release may have another."""
    return type_.rpartition(".")[0] in _SHOWING_NAMES


class BelievedCallers(NamedTuple):
    """Up to where callers were believed, and from where on some were."""

    in_force_from: int
    """The position of the first administrator; 0 where none was named."""
    development_from: int
    """Where a caller without a credential was let in first, once there was one; 0 for nowhere."""

    def spans(self, first: int, last: int) -> Iterator[tuple[int, int, str]]:
        """Yield each span between two positions in which some were: its ends, and a sentence."""
        until = min(self.in_force_from - 1 if self.in_force_from else last, last)
        if until >= first and until > _WITH_LEDGER:
            said = f"Callers of events up to position {until} were believed, not authenticated"
            yield first, until, f"{said}: no administrator was named before."
        begun = self.development_from
        if 0 < begun <= last:
            said = f"From position {begun} on, some callers were believed without a credential"
            yield max(first, begun), last, f"{said}, by `authentication.development`."

    def sentences(self, first: int, last: int) -> Iterator[str]:
        """Yield the sentences alone."""
        return (sentence for _, _, sentence in self.spans(first, last))


@dataclass(slots=True)
class SeenCallers:
    """The signs of it in the events that were taken, in order of position."""

    in_force_from: int = 0
    """The first position at which authority is seen to be in force; 0 for none."""
    development_from: int = 0
    unread_uses: int = 0
    """How many uses of credentials have no body that says which."""

    def take(self, position: int, type_: str, data: dict[str, Any] | None) -> None:
        """Take an event that `shows_callers`; `data` is None where its body is not there."""
        self.in_force_from = self.in_force_from or position
        if type_.rpartition(".")[0] != _USED:
            return
        method = None if data is None else data.get("method")
        if method is None:
            self.unread_uses += 1
        elif method == "development":
            self.development_from = self.development_from or position

    @property
    def believed(self) -> BelievedCallers:
        """The meaning of these signs, if all events from the first one on were taken."""
        return BelievedCallers(self.in_force_from, self.development_from)
