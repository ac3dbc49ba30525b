"""Rules about documents of format policy/2: what the linter refuses comes into no ledger.

Both ask the judges of the service: `ledger.rules.policy_soundness` what a document shows by itself,
`ledger.rules.policy_grounds` what the ledger has, as it was there.
"""

from collections.abc import Iterator
from typing import Final

from ledger.audit.event import OBSERVED, AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.parameters import parameters_of
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.audit.rules.governance import BACK, moment_of
from ledger.events.policies import (
    ACTIVATED_TYPES,
    PolicyDraftedV3,
    PolicyScheduled,
    PolicySubmitted,
)
from ledger.events.policy_document import PolicyDocumentV3
from ledger.events.signals import DEFINED_TYPES
from ledger.governance.requirements import able_to_approve, possible_authors
from ledger.limits import OBSERVATIONS_LOOKED_AT_MAX
from ledger.rules.policy_findings import PolicyFinding
from ledger.rules.policy_grounds import (
    asks_approvals,
    unsound_approvals,
    unsound_signals,
    unsound_sources,
)
from ledger.rules.policy_soundness import unsound_policy

_DRAFTED: Final = PolicyDraftedV3.TYPE


def _said(found: PolicyFinding) -> str:
    return f"{found.path}: {found.message} ({found.code})"


@rule("policies.sound", _DRAFTED)
def policies_sound(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """A version of policy/2 can do what it is for: the linter refuses nothing of its document."""
    stored = event.known["document"]
    document = PolicyDocumentV3.model_validate(stored)
    for found in unsound_policy(document, parameters_of("", 1, "", stored).scoring):
        if found.is_refused:
            return _said(found)
    return None


@rule("policies.grounds", _DRAFTED, PolicySubmitted.TYPE, PolicyScheduled.TYPE, *ACTIVATED_TYPES)
def policies_grounds(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A version of policy/2 reads signals and sources that are there; persons could approve it.

    Signals and sources at its draft and at each step that leads into force; what is put back was
    looked at before. Of sources only what is certain: as many have ever reported the signal.
    """
    document = _document(event, fold)
    if document is None or event.known.get("basis") in BACK:
        return None  # of an earlier format, or another rule's business
    defined = {name: known[-1][1][2] for name, known in fold.definitions.items()}
    for found in unsound_signals(document, defined):
        lacks = fold.gone.lacks(DEFINED_TYPES)
        return Unchecked("a body is not there that may define it") if lacks else _said(found)
    counts = {signal: len(sources) for signal, sources in fold.observations.sources.items()}
    for found in unsound_sources(document, counts, "on record"):
        why = _why_not_counted(fold)
        return Unchecked(why) if why else _said(found)
    for found in _unapprovable(event, document, fold):
        return _said(found)
    return None


def _document(event: AuditedEvent, fold: LedgerState) -> PolicyDocumentV3 | None:
    """Return the document that is drafted or named; None where it is of another format, or gone."""
    data = event.known
    if event.type == _DRAFTED:
        return PolicyDocumentV3.model_validate(data["document"])
    found = fold.parameters(data["policy"], data["version"], data["digest"])
    if found is None or found.document["format"] == "policy/1":
        return None
    return PolicyDocumentV3.model_validate(found.document)


def _why_not_counted(fold: LedgerState) -> str:
    """Return why the sources of a signal are not known; empty where they are."""
    if any(not OBSERVED.isdisjoint(one.gone_by_type) for one in fold.models.values()):
        return "a body is not there that may be another source's"
    if fold.observations.count >= OBSERVATIONS_LOOKED_AT_MAX:
        return "the service looks for sources among the newest observations alone"
    return ""


def _unapprovable(
    event: AuditedEvent, document: PolicyDocumentV3, fold: LedgerState
) -> Iterator[PolicyFinding]:
    """Yield approvals that no persons could give; at a step `policies.approved` says so.

    When exactly it was judged is not known, so it must be so before and after.
    """
    state = fold.authority.state
    if event.type != _DRAFTED or not state.began_at or not asks_approvals(document):
        return
    moment = moment_of(event, fold)
    times = {moment.grants_at, event.recorded_at} if fold.clock == "wall" else {moment.grants_at}
    each = []
    for at in sorted(times):
        able, authors = able_to_approve(state, at), possible_authors(state, at)
        each.append(list(unsound_approvals(document, able, authors)))
    if all(each):
        yield from each[0]
