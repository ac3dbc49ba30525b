"""The rule that a signal keeps its meaning under the policies that were drafted against it."""

from typing import Final

from ledger.audit.event import AuditedEvent, read
from ledger.audit.ledger_state import LedgerState, meaning_of, scope_of
from ledger.audit.pinned_meanings import change_of, outdated, pinned_by
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.events.policies import ACTIVATED_TYPES, DRAFTED_TYPES
from ledger.events.signals import DEFINED_TYPES, SignalDefinedV2
from ledger.events.standard_signals import standard

_DEFINED: Final = frozenset(DEFINED_TYPES)
_DRAFTED: Final = frozenset(DRAFTED_TYPES)
_ACTIVATED: Final = frozenset(ACTIVATED_TYPES)
_GAP: Final = Unchecked("a body is not there that may say otherwise")


@rule("meanings.pinned", *DEFINED_TYPES, *ACTIVATED_TYPES)
def meanings_pinned(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A signal under a policy by `rules/2` is redefined only if the policy is replaced with it.

    Nor does a version come into force whose signals were redefined after it was drafted.
    """
    data = event.known
    if event.type in _DEFINED:
        wrong = _redefined(event, fold)
    else:
        wrong = outdated(fold, data["policy"], data["version"], data["digest"]) or None
    return _GAP if wrong and fold.gone.lacks(_DEFINED | _DRAFTED | _ACTIVATED) else wrong


@rule("meanings.standard", SignalDefinedV2.TYPE)
def meanings_standard(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """A definition that names an entry of the catalogue has its kind, unit and direction."""
    data = event.known
    named = data["standard"]
    if named is None:
        return None
    which = f"{named['name']} version {named['version']}"
    entry = standard(named["name"], named["version"])
    if entry is None:
        return Unchecked(f"this release has no {which} in its catalogue of standard signals")
    meant = (entry.kind, entry.unit, entry.direction)
    if meant == meaning_of(data):
        return None
    return f"it says that it adopts {which}, and changes {change_of(meant, meaning_of(data))}"


def _redefined(event: AuditedEvent, fold: LedgerState) -> Verdict:
    data = event.known
    known = fold.definitions.get(data["signal"])
    if not known or known[-1][1] == meaning_of(data):
        return None
    in_force = [activated for _, activated in fold.in_force(event.position - 1)]
    touched = []
    for activated in in_force:
        named = activated["policy"], activated["version"], activated["digest"]
        parameters = fold.parameters(*named)
        if parameters is not None and data["signal"] in pinned_by(parameters):
            touched.append(activated)
    if not touched:
        return None
    # At most each version in force is drafted again, and each scope is filled again.
    replaced = _replaced_with(event, fold, 2 * len(in_force))
    if replaced is None:
        return _GAP
    for activated in touched:
        if (activated["policy"], scope_of(activated)) not in replaced:
            said = change_of(known[-1][1], meaning_of(data))
            which = f"{activated['policy']} version {activated['version']}"
            return f"it changes {said}, and {which} is in force and not replaced with it"
    return None


def _replaced_with(
    defined: AuditedEvent, fold: LedgerState, most: int
) -> set[tuple[str, str]] | None:
    """Return policy and scope of what came into force in the append of a definition.

    That append is what comes right behind it: of its actor, request and time, because of it. In it
    a version is drafted before it comes into force. None where a body is missing there.
    """
    drafted = set()
    replaced = set()
    until = min(defined.position + most, fold.source.size)
    for row in fold.source.rows(defined.position, until):
        event = read(row)
        if event.type not in _ACTIVATED and event.type not in _DRAFTED:
            break
        if event.raw is None:
            return None
        origin = event.cause, event.actor, event.request_id, event.recorded_at
        because = defined.position, defined.actor, defined.request_id, defined.recorded_at
        if event.data is None or origin != because:
            break
        data = event.data
        named = data["policy"], data["version"], data["digest"]
        if event.type in _DRAFTED:
            drafted.add(named)
        elif named in drafted:
            replaced.add((data["policy"], scope_of(data)))
    return replaced
