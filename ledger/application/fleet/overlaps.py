"""Scopes by labels that hold a model in common, of which neither is within the other.

Which of their versions decides about that model would follow from which was activated later, and
nothing in either scope shows it. A version of format policy/2 does not come into force so. Where
one scope is within the other, or names a model, the stated rule ranks them.
"""

from collections.abc import Iterable

from ledger.application.fleet.fleet import ModelRecord
from ledger.application.policies.refusals import overlaps
from ledger.errors import LedgerError
from ledger.governance.lifecycle import LifecycleState, ScopeKey


def overlap_refused(
    state: LifecycleState, models: Iterable[ModelRecord], named: tuple[str, int], scope: ScopeKey
) -> LedgerError | None:
    """Return the refusal of a version for a new scope; None where no model is in two."""
    if scope.kind != "labels" or scope in state.in_force:
        return None
    wanted = set(scope.labels)
    own = [view for view in models if not view.model.retired and wanted <= labels_of(view)]
    for one in state.in_force.values():
        others = set(one.scope.labels)
        if one.scope.kind != "labels" or wanted <= others or others <= wanted:
            continue
        for view in own:
            if others <= labels_of(view):
                return overlaps(named, scope, one, view.name)
    return None


def labels_of(view: ModelRecord) -> set[tuple[str, str]]:
    """Return the labels of a model as it is described now; none where that is not known."""
    described = view.model.described
    return set() if described is None else set(described.labels.items())
