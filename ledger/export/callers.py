"""Up to where callers were believed in a bundle: as its events show, or as its issuer states.

Only events from the ledger's first one on show it. A part that begins later, or a stream, does not
hold them; there the issuer states it, and it is said that it is the issuer's word.
"""

from collections.abc import Iterator

from ledger.authority.believed import UNSHOWN, BelievedCallers
from ledger.export.facts import ReportFacts
from ledger.export.scope import BundleScope


def are_callers_shown(scope: BundleScope, facts: ReportFacts) -> bool:
    """Whether the events of a bundle show all of it by themselves."""
    return scope.is_from_start and not facts.callers.unread_uses


def stated_fault(scope: BundleScope, facts: ReportFacts, stated: BelievedCallers | None) -> str:
    """Return what the events of a bundle show that its issuer denies; empty if nothing."""
    if stated is None:
        return ""
    for shown, said in zip(facts.callers.believed, stated, strict=True):
        if shown and not 0 < said <= shown:
            return f"what it states of callers is not so: position {shown} shows otherwise"
    said = stated.in_force_from
    is_within = scope.kind != "stream" and scope.first_position <= said <= scope.last_position
    if is_within and said != facts.callers.in_force_from:
        return f"what it states of callers is not so: position {said} names no administrator"
    return ""


def callers_in_words(
    scope: BundleScope, facts: ReportFacts, stated: BelievedCallers | None
) -> Iterator[str]:
    """Yield what is to be said of a bundle's callers; nothing where none was believed."""
    span = scope.first_position, scope.last_position
    if are_callers_shown(scope, facts):
        yield from facts.callers.believed.sentences(*span)
    elif stated is None:
        yield UNSHOWN
    else:
        for sentence in stated.sentences(*span):
            yield f"The issuer states: {sentence}"
