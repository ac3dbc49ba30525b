"""Scopes by labels that hold a model in common, of which neither is within the other.

Which of their versions decides about that model would follow from which was activated later, and
nothing in either scope shows it. A version of format policy/2 does not come into force so. Where
one scope is within the other, or names a model, the stated rule ranks them.
"""

from collections.abc import Iterable, Mapping

from ledger.governance.lifecycle import ActivationFact, LifecycleState, ScopeKey


def overlap_of(
    state: LifecycleState, models: Iterable[tuple[str, Mapping[str, str]]], scope: ScopeKey
) -> tuple[ActivationFact, str] | None:
    """Return what is in force for a model that a new scope would hold too, and that model.

    `models` are those that are not retired, each with its labels. None where no model is in two.
    """
    if scope.kind != "labels" or scope in state.in_force:
        return None
    wanted = set(scope.labels)
    own = [(name, set(labels.items())) for name, labels in models]
    for one in state.in_force.values():
        others = set(one.scope.labels)
        if one.scope.kind != "labels" or wanted <= others or others <= wanted:
            continue
        for name, labels in own:
            if wanted | others <= labels:
                return one, name
    return None
