"""The proposals to put a version back that are open, folded from events in order.

A proposal is open until a newer one of its model comes, or any version of the model is recorded as
deployed, or the model leaves the fleet: what was compared is not what serves any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ledger.events.models import ModelDeployed, ModelRetired
from ledger.events.reuse import ReuseProposed
from ledger.events.values import parse_time

PUT_BACK_TYPES: Final = frozenset({ReuseProposed.TYPE, ModelDeployed.TYPE, ModelRetired.TYPE})
"""The types of events that the fold takes in."""


class OpenPutBack(NamedTuple):
    """A version that is to serve again."""

    position: int
    model: str
    put_back: str
    in_service: str
    """The version in whose place."""
    reason: str
    made_at: int
    """The ledger's time of the proposal."""


@dataclass(slots=True)
class PutBacks:
    """The open proposals of a ledger."""

    open: dict[str, OpenPutBack] = field(default_factory=dict)
    """By model."""

    def apply(self, position: int, stream: str, type_: str, data: Mapping[str, Any] | None) -> None:
        """Take in an event; `data` None where its body is gone, of which no proposal is open."""
        model = stream.partition("/")[2]
        if type_ in PUT_BACK_TYPES:
            self.open.pop(model, None)
        if type_ == ReuseProposed.TYPE and data is not None:
            self.open[model] = OpenPutBack(
                position,
                model,
                data["put_back"],
                data["in_service"],
                data["reason"],
                parse_time(data["made_at"]),
            )

    def listed(self, after: int = 0) -> list[OpenPutBack]:
        """Return those that were proposed after a position, the oldest first."""
        return sorted(one for one in self.open.values() if one.position > after)
