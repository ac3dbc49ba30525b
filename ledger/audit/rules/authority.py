"""Rules about authority: each event's actor had that right under the grants then in force."""

from collections.abc import Iterator
from typing import Any, Final

from ledger.audit.authority import before_jobs, judged_at
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.authority.changes import change_fault
from ledger.authority.state import Extent, Identity, Subject
from ledger.authority.table import ALSO_LEFT_BY, METHODS, REPRESENT
from ledger.events.authority import (
    AUTHORITY_TYPES,
    CREDENTIAL_RECORDER,
    CallRepresented,
    CredentialUsed,
)
from ledger.events.budgets import MOVING_TYPES
from ledger.events.jobs import FOLLOWING_TYPES
from ledger.events.models import DESCRIBING
from ledger.events.policies import PolicyApproved
from ledger.events.registry import BY_TYPE
from ledger.events.system import CONFIGURED, LedgerCreated
from ledger.events.values import DAY
from ledger.governance.requirements import extent_of
from ledger.governance.steps import scope_concerned

_HOLDS_MICROS: Final = 2 * DAY
"""How long a recorded use holds: the day that it is of, and a call that goes on into the next."""
_BEGINNING: Final = frozenset({LedgerCreated.TYPE, *CONFIGURED})
_UNASKED: Final = _BEGINNING | AUTHORITY_TYPES | FOLLOWING_TYPES | MOVING_TYPES
"""Types that have rules of their own about who may cause them."""


def _is_called(event: AuditedEvent, fold: LedgerState) -> bool:
    """Whether a call of an actor left the event, while authority was in force."""
    return bool(fold.authority.state.began_at) and not event.actor.startswith("system/")


_APPROVING: Final = METHODS[PolicyApproved.METHOD]
_OF_MODELS: Final = frozenset({"escalations", "models", "roll_backs", "tasks"})
"""The kinds of streams that are each of one model."""


@rule("authority.changes", *AUTHORITY_TYPES)
def authority_changes(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every change of authority was made by those who may, and by two where it takes two."""
    state, at = fold.authority.state, judged_at(event, fold)
    return change_fault(state, event.position, event.type, event.actor, event.known, at) or None


@rule("authority.rights")
def authority_rights(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every event's actor had the right to cause it, there and on what it is about."""
    if not _is_called(event, fold) or event.type in _UNASKED:
        return None
    cls = BY_TYPE.get(event.type)
    if cls is None:
        return Unchecked("its type is not known here")
    action = METHODS.get(cls.METHOD)
    if action is None:
        return f"{event.actor} caused it, and no call of an actor leaves such an event"
    at, state = judged_at(event, fold), fold.authority.state
    if not fold.roles_since:
        state = before_jobs(state)
    other = METHODS.get(ALSO_LEFT_BY.get(cls.METHOD, ""), action)
    for one in (action, other):
        if state.may(event.actor, one, at, _extents(event, fold)):
            return None
    return f"{event.actor} lacked the action {action} there"


def _extents(event: AuditedEvent, fold: LedgerState) -> Iterator[Extent]:
    """Yield for what an event takes the right: of approvals and reviews, for the scope there."""
    if METHODS.get(BY_TYPE[event.type].METHOD) != _APPROVING:
        yield from subjects(event, fold)
    elif (scope := scope_concerned(fold.lifecycle, event.known)) is not None:
        yield extent_of(fold.lifecycle, scope)


def subjects(event: AuditedEvent, fold: LedgerState) -> Iterator[Subject]:
    """Yield each thing that an event is about; nothing where it is about the ledger."""
    kind, _, name = event.stream.partition("/")
    if kind == "signals":
        yield Subject(signal=name)
    elif kind in _OF_MODELS:
        signal = event.observation.signal if event.observation is not None else None
        facts = fold.models.get(f"models/{name}")
        known = facts.described[-1][1] if facts is not None and facts.described else None
        if known is not None:
            yield Subject(name, signal, _labels(known))
        if event.type in DESCRIBING:
            yield Subject(name, signal, _labels(event.known))
        elif known is None:
            yield Subject(name, signal)
    elif kind == "jobs":
        job = fold.jobs.known.jobs.get(name)
        model = event.known.get("model") if job is None else job.model
        facts = fold.models.get(f"models/{model}")
        described = facts.described[-1][1] if facts is not None and facts.described else {}
        yield Subject(model, None, described.get("labels", {}))


def _labels(data: dict[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = data["labels"]
    return labels


@rule("authority.credentials", CredentialUsed.TYPE)
def authority_credentials(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every credential on record was its actor's when it was used, and the service recorded it."""
    data, state = event.known, fold.authority.state
    if event.actor != CREDENTIAL_RECORDER:
        return f"{event.actor} recorded it, and {CREDENTIAL_RECORDER} does"
    if not state.began_at:
        return "no administrator is named: authority is not in force"
    if (data["fingerprint"] is None) != (data["method"] == "development"):
        return "it has a fingerprint of what is believed, or none of what was presented"
    if data["method"] == "development":
        return None if data["subject"] == data["actor"] else "it names another actor"
    if data["method"] == "token":
        return _token_fault(event, fold)
    bound = state.identities.get(Identity(data["method"], data["issuer"], data["subject"]))
    if bound != data["actor"]:
        return f"{data['subject']} was bound to {bound or 'no actor'}, not to {data['actor']}"
    return None


def _token_fault(event: AuditedEvent, fold: LedgerState) -> str | None:
    data = event.known
    token = fold.authority.state.tokens.get(data["subject"])
    if token is None or token.actor != data["actor"]:
        return f"no token {data['subject']} was issued to {data['actor']}"
    if token.revoked_at:
        return f"token {token.name} was revoked at position {token.revoked_at}"
    if token.digest != data["fingerprint"]:
        return f"its fingerprint is not that of token {token.name}"
    if token.expires_at is not None and token.expires_at <= judged_at(event, fold):
        return f"token {token.name} had expired"
    return None


@rule("authority.claims", CallRepresented.TYPE)
def authority_claims(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every call on behalf of another is recorded by the service, of an actor who may call so."""
    data, state = event.known, fold.authority.state
    if event.actor != CREDENTIAL_RECORDER:
        return f"{event.actor} recorded it, and {CREDENTIAL_RECORDER} does"
    if not state.scopes(data["actor"], REPRESENT, judged_at(event, fold)):
        return f"{data['actor']} lacked the action {REPRESENT} there"
    if data["on_behalf_of"] not in state.persons:
        return f"{data['on_behalf_of']} is not registered"
    if data["on_behalf_of"] == data["actor"]:
        return "it calls on its own behalf"
    return None


@rule("authority.shown", needs_data=False)
def authority_shown(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Before every event of an actor it is on record by which credential the actor called."""
    if not _is_called(event, fold) or event.position == fold.authority.state.began_at:
        return None
    if event.raw is None or event.type in _BEGINNING:
        return None
    used, gone = fold.authority.shown.get(event.actor), fold.authority.gone_at
    if used is not None and not _is_past(used, event, fold):
        return None
    if gone is not None and not _is_past(gone, event, fold):
        return Unchecked("the body of a credential's use is not there")
    if used is None:
        return f"it is on record nowhere by which credential {event.actor} called"
    return f"{event.actor} showed a credential last more than a day before"


def _is_past(used: int, event: AuditedEvent, fold: LedgerState) -> bool:
    """Whether a use that was recorded then does not hold for an event any more."""
    return fold.clock == "wall" and event.recorded_at - used > _HOLDS_MICROS
