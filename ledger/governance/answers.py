"""The persons who answer for a version in force: by whose act it is so, by which approvals.

A pure function of the life of policies at any moment, and its answer in sentences. A version that
came back by a roll-back, or when an emergency was over, rests on the approvals of its earlier
activation; one that an emergency brought into force rests on those by which it was ratified. Times
are microseconds since the epoch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from ledger.events import notation
from ledger.governance.approvals import Approval, Ratification
from ledger.governance.lifecycle import DIRECT, ActivationFact, LifecycleState

ApprovalBasis: TypeAlias = Literal["activation", "returned_to", "ratification"]
"""By what an approval counts: the activation cites it, or that to which one returned, or those who
ratified an emergency did."""

_BACK: Final = frozenset({"roll_back", "reverted"})
_BASES: Final = {
    "direct": "no policy asked for approvals",
    "approved": "with the approvals asked for",
    "roll_back": "as a roll-back",
    "emergency": "in an emergency",
    "reverted": "as an emergency was over",
    "scheduled": "with the approvals asked for, at the time that was set for it",
}

_APPROVAL_BASES: Final = {
    "activation": "this activation",
    "returned_to": "the activation returned to",
    "ratification": "the ratification",
}


class BasedApproval(NamedTuple):
    """An approval on which a version in force rests, and by what it counts."""

    approval: Approval
    basis: ApprovalBasis


@dataclass(frozen=True, slots=True)
class ActivationAnswer:
    """The steps and approvals on which a version in force for a scope rests."""

    activation: ActivationFact
    approvals: tuple[BasedApproval, ...]
    returned_to: ActivationFact | None
    """The earlier activation of what a roll-back or the end of an emergency brought back."""
    ended_emergency: ActivationFact | None
    """The emergency that was never ratified and ended by this."""
    ratification: Ratification | None
    """By which the emergency that brought it into force was ratified."""

    @property
    def basis(self) -> str:
        """By what it came into force; `direct` where no policy asked for approvals."""
        return self.activation.basis

    @property
    def is_unasked(self) -> bool:
        """Whether no policy in force asked for approvals of what it rests on."""
        return (self.returned_to or self.activation).basis == DIRECT


def answer_for(state: LifecycleState, activation: ActivationFact) -> ActivationAnswer:
    """Return who answers for an activation, as far as is known in a state that has it."""
    returned_to = _returned_to(state, activation)
    rests_on = activation if returned_to is None else returned_to
    ratification = state.ratified.get(rests_on.position)
    basis: ApprovalBasis = "activation" if returned_to is None else "returned_to"
    cited = rests_on.approvals
    if ratification is not None:
        basis, cited = "ratification", ratification.approvals
    found = (state.approvals.get(position) for position in cited)  # forged: the auditor says so
    ended = state.activations.get(activation.replaces or 0)
    return ActivationAnswer(
        activation,
        tuple(BasedApproval(one, basis) for one in found if one is not None),
        returned_to,
        ended if activation.basis == "reverted" else None,
        ratification,
    )


def answers_in_force(state: LifecycleState) -> dict[int, ActivationAnswer]:
    """Return what each version in force rests on, by the position of its activation."""
    return {one.position: answer_for(state, one) for one in state.in_force.values()}


def _returned_to(state: LifecycleState, activation: ActivationFact) -> ActivationFact | None:
    """Return the activation to which one goes back, through any that went back to it before.

    That is the newest of the same document for that very scope, or for another one where an
    emergency ended in which nothing had been in force for that scope.
    """
    found = None
    while activation.basis in _BACK:
        earlier = [
            one
            for one in state.activations.values()
            if one.position < activation.position
            and (one.named, one.digest) == (activation.named, activation.digest)
            and not state.is_unratified(one)
        ]
        own = [one for one in earlier if one.scope == activation.scope]
        if not earlier:
            break
        found = activation = (own or earlier)[-1]
    return found


# ---- in words ------------------------------------------------------------------------------------


def told_basis(basis: str) -> str:
    """Return by what a version came into force, as the end of a phrase."""
    return _BASES.get(basis, basis)


def told_approval_basis(basis: str) -> str:
    """Return by what an approval counts, in words."""
    return _APPROVAL_BASES.get(basis, basis)


def told(answer: ActivationAnswer) -> Iterator[str]:
    """Yield the steps and approvals on which a version in force rests, a sentence each.

    The activation itself is told beside it; where no approval was asked for, there is no sentence.
    """
    ended, back, ratified = answer.ended_emergency, answer.returned_to, answer.ratification
    if ended is not None:
        yield (
            f"It came back when the emergency of position {ended.position} was over: {ended.actor} "
            f"had brought {ended} into force {notation.time(ended.recorded_at)}, and no person "
            "ratified it in time."
        )
    if back is not None:
        yield (
            f"It had come into force at position {back.position} before, {told_basis(back.basis)}: "
            f"{back.actor} brought it {notation.time(back.recorded_at)}{_because(back.rationale)}."
        )
    if ratified is not None:
        yield (
            f"{ratified.actor} ratified it {notation.time(ratified.recorded_at)}, at position "
            f"{ratified.position}."
        )
    elif answer.basis == "emergency":
        yield "It is not ratified."
    yield from (f"{_approval(one.approval)}." for one in answer.approvals)


def _approval(one: Approval) -> str:
    return (
        f"{one.actor}, as {one.role}, approved it {notation.time(one.recorded_at)}, at position "
        f"{one.position} ({one.meaning.replace('_', ' ')}){_because(one.comment)}"
    )


def _because(text: str) -> str:
    return f": {text.rstrip('.')}" if text else ""
