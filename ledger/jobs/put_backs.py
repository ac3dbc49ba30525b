"""The versions that are to serve again, as the ledger proposed or a person asked, folded in order.

A proposal is open until a newer one of its model comes, or any version of the model is recorded as
deployed, or the model leaves the fleet: what was compared is not what serves any more. An open one
counts for one period of its policy, and while that is in force for the model: `put_back_fault`.
A roll-back that a person asks for goes before what the ledger proposed, and is open until it is
withdrawn or replaced, or any version of the model is recorded as deployed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ledger.events.models import DeploymentBasis, ModelDeployed, ModelRetired
from ledger.events.notation import time
from ledger.events.reuse import ReuseProposed, RollBackAsked
from ledger.events.values import parse_time

_ENDING: Final = frozenset({ModelDeployed.TYPE, ModelRetired.TYPE})
PUT_BACK_TYPES: Final = frozenset({ReuseProposed.TYPE, RollBackAsked.TYPE, *_ENDING})
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
    """The ledger's time of the proposal; from when on it can be carried out what a person asked."""
    policy: tuple[str, int, str] | None
    """By which versions were compared: name, version and digest; None where a person asked."""
    asked_by: str = ""
    """The person who asked for it; empty where the ledger proposed it."""

    @property
    def is_asked(self) -> bool:
        """Whether a person asked for it."""
        return bool(self.asked_by)

    @property
    def basis(self) -> DeploymentBasis:
        """Why the version serves then."""
        return "roll_back" if self.asked_by else "put_back"

    def is_by(self, policy: str, digest: str) -> bool:
        """Whether it is by a version of a policy with this document."""
        return self.policy is not None and (self.policy[0], self.policy[2]) == (policy, digest)


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
    if proposed.policy is None:
        return ""
    named = f"the proposal at position {proposed.position}"
    if not terms.is_in_force:
        by = f"policy {proposed.policy[0]} version {proposed.policy[1]}"
        return f"{named} is by {by}, which is not in force for {proposed.model} any more"
    if now >= (until := ends_at(proposed, terms)):
        return f"{named} counted until {time(until)}, for one period of its policy"
    return ""


@dataclass(slots=True)
class PutBacks:
    """The versions of a ledger that are to be put back, and were not yet."""

    _proposed: dict[str, OpenPutBack] = field(default_factory=dict)
    _asked: dict[str, OpenPutBack] = field(default_factory=dict)
    """By model."""

    def apply(
        self,
        position: int,
        stream: str,
        type_: str,
        actor: str,
        data: Mapping[str, Any] | None,
        asked_at: int,
    ) -> None:
        """Take in an event; `data` None where its body is gone, of which no proposal is open.

        `asked_at` is when it was recorded; 0 of a ledger whose clock is `data`, where any model's
        version may have been stated to serve later than all that was observed.
        """
        model = stream.partition("/")[2]
        if type_ == ReuseProposed.TYPE or type_ in _ENDING:
            self._proposed.pop(model, None)
        if type_ == RollBackAsked.TYPE or type_ in _ENDING:
            self._asked.pop(model, None)
        if data is None:
            return
        if type_ == ReuseProposed.TYPE:
            self._proposed[model] = OpenPutBack(
                position,
                model,
                data["put_back"],
                data["in_service"],
                data["reason"],
                data["as_of"],
                parse_time(data["made_at"]),
                (data["policy"], data["policy_version"], data["policy_digest"]),
            )
        if type_ == RollBackAsked.TYPE and data["put_back"] is not None:
            self._asked[model] = OpenPutBack(
                position,
                model,
                data["put_back"],
                data["in_service"],
                data["reason"],
                position - 1,
                asked_at,
                policy=None,
                asked_by=actor,
            )

    def of(self, model: str) -> OpenPutBack | None:
        """Return what is open of a model: what a person asked, else what the ledger proposed."""
        return self._asked.get(model) or self._proposed.get(model)

    def listed(self, after: int = 0) -> list[OpenPutBack]:
        """Return what is open of each model, of what came after a position, the oldest first."""
        found = self._proposed | self._asked
        return sorted(
            (one for one in found.values() if one.position > after), key=lambda one: one.position
        )


def asked_fault(
    data: Mapping[str, Any], actor: str, versions: Sequence[str], before: OpenPutBack | None
) -> str:
    """Return why a person cannot ask for a version so; empty where that may be.

    `versions` are those of the model that served, the one in service last; `before` is what is open
    of it.
    """
    in_service, put_back = data["in_service"], data["put_back"]
    if not actor.startswith("users/"):
        return f"{actor} is not a person"
    if not data["reason"].strip():
        return "it gives no reason"
    if put_back is None:
        is_open = before is not None and before.asked_by
        return "" if is_open and in_service is None else "no person's roll-back of it is open"
    if not versions or in_service != versions[-1]:
        return f"{versions[-1] if versions else 'no version'} serves, not {in_service}"
    if put_back == in_service:
        return f"{put_back} serves already"
    return "" if put_back in versions else f"version {put_back} of it never served"
