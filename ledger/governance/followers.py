"""The version that takes the place of an emergency that is not ratified in time."""

from collections.abc import Iterator

from ledger.governance.lifecycle import ActivationFact, LifecycleState


def restored(state: LifecycleState, emergency: ActivationFact) -> ActivationFact | None:
    """Return what is in force again after an emergency; None where nothing is known to have been.

    That is the newest that was in force for that very scope before it and can be again, else what
    would be in force there without it, now or when it began. A version that is retired or whose
    document is gone cannot be, unless there is no other: then nothing is decided by it.
    """
    found = list(_followers(state, emergency))
    return next((one for one in found if _is_usable(state, one)), found[0] if found else None)


def _followers(state: LifecycleState, emergency: ActivationFact) -> Iterator[ActivationFact]:
    for one in reversed(state.activations.values()):
        is_before = one.scope == emergency.scope and one.position < emergency.position
        if is_before and not state.is_unratified(one):
            yield one
    around = state.around(emergency.scope), state.activations.get(emergency.within)
    yield from (one for one in around if one is not None)


def _is_usable(state: LifecycleState, activation: ActivationFact) -> bool:
    draft = state.drafts.get(activation.named)
    is_there = draft is not None and draft.digest == activation.digest
    return is_there and activation.named not in state.retired
