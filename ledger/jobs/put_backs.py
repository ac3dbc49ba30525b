"""The proposals to put a version back that are open, folded from events in order.

A proposal is open until a newer one of its model comes, or any version of the model is recorded as
deployed, or the model leaves the fleet: what was compared is not what serves any more. An open one
counts for one period of its policy, and while that is in force for the model: `put_back_fault`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ledger.events.models import ModelDeployed, ModelRetired
from ledger.events.notation import time
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
    as_of: int
    """The last position that it knows."""
    made_at: int
    """The ledger's time of the proposal."""
    policy: tuple[str, int, str]
    """By which versions were compared: name, version and digest."""

    def is_by(self, policy: str, digest: str) -> bool:
        """Whether it is by a version of a policy with this document."""
        return (self.policy[0], self.policy[2]) == (policy, digest)


class PutBackTerms(NamedTuple):
    """The policy by which a version is to be put back, as far as the proposal goes by it now."""

    counts_for: int
    """The span of a period of it."""
    is_in_force: bool
    """Whether it is in force for the model still: no activation since then has ended that."""


def ends_at(proposed: OpenPutBack, terms: PutBackTerms) -> int:
    """Return the time from which on a proposal counts no more."""
    return proposed.made_at + terms.counts_for


def put_back_fault(proposed: OpenPutBack, terms: PutBackTerms, now: int) -> str:
    """Return why an open proposal counts no more at a time; empty where it does."""
    named, (policy, version, _) = f"the proposal at position {proposed.position}", proposed.policy
    if not terms.is_in_force:
        by = f"policy {policy} version {version}"
        return f"{named} is by {by}, which is not in force for {proposed.model} any more"
    if now >= (until := ends_at(proposed, terms)):
        return f"{named} counted until {time(until)}, for one period of its policy"
    return ""


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
                data["as_of"],
                parse_time(data["made_at"]),
                (data["policy"], data["policy_version"], data["policy_digest"]),
            )

    def listed(self, after: int = 0) -> list[OpenPutBack]:
        """Return those that were proposed after a position, the oldest first."""
        return sorted(one for one in self.open.values() if one.position > after)
