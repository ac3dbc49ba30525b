"""The refusal of a scope that holds a model of another one, by the fleet as it is."""

from collections.abc import Iterable

from ledger.application.fleet.fleet import ModelRecord
from ledger.application.policies.refusals import overlaps
from ledger.errors import LedgerError
from ledger.governance.lifecycle import LifecycleState, ScopeKey
from ledger.governance.overlaps import overlap_of


def overlap_refused(
    state: LifecycleState, models: Iterable[ModelRecord], named: tuple[str, int], scope: ScopeKey
) -> LedgerError | None:
    """Return the refusal of a version for a new scope; None where no model is in two."""
    known = (
        (view.name, view.model.described.labels)
        for view in models
        if not view.model.retired and view.model.described is not None
    )
    found = overlap_of(state, known, scope)
    return None if found is None else overlaps(named, scope, *found)
