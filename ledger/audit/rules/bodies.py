"""Rules about every body: its grammar, its stream, its cause, its request, its times."""

import hashlib
from collections.abc import Iterator
from typing import Final

from ledger.audit.event import OBSERVED, AuditedEvent, AuditedRequest
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.chain.link import PERMANENT
from ledger.events.authority import PROPOSABLE, AuthorityProposed
from ledger.events.jobs import GateReported
from ledger.events.models import ModelDeployed
from ledger.events.policies import PolicyActivated, PolicyDrafted
from ledger.events.registry import BY_TYPE
from ledger.events.signals import SignalDefined
from ledger.events.system import CONFIGURED
from ledger.events.values import parse_time

_WITH_A_DEFINITION: Final = frozenset({PolicyDrafted.METHOD, PolicyActivated.METHOD})
"""Methods whose events may be caused by a definition that replaces policies."""

_SALT_VALUES_MIN: Final = 7
"""Different values among the 16 bytes of a salt: one in 10^14 that were drawn has fewer."""


@rule("bodies.present", needs_data=False)
def bodies_present(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every body that is not there was erased on record or withheld with a reason."""
    if event.raw is not None:
        return None
    if event.type.rpartition(".")[0] in PERMANENT:
        return f"the body of {event.type} can be neither erased nor withheld"
    if fold.absences.of(event.position) is None:
        return "its body is not there, and no erasure names it"
    return None


@rule("bodies.canonical", needs_data=False)
def bodies_canonical(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """Every body is canonical JSON with exactly the members of the format."""
    return event.fault or None


def _equal_salts(fold: LedgerState) -> Iterator[tuple[int, str]]:
    for position, earlier in fold.observations.equal_salts():
        yield position, f"its salt is that of the event at position {earlier}"


@rule("salts", needs_data=False, finish=_equal_salts)
def salts(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every body has a salt that no other has, and that does not look made up."""
    if event.salt is None:
        return Unchecked(fold.absences.reason(event.position))
    if len(set(event.salt)) < _SALT_VALUES_MIN:
        return f"its salt, {event.salt.hex()}, can be guessed"
    fold.observations.add_salt(event.salt, event.position)
    return None


@rule("types.data", needs_data=False)
def types_data(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """The data of every known type fits it, to the member."""
    if event.raw is None or event.fault:
        return None
    return event.data_fault or None


@rule("types.stream", needs_data=False)
def types_stream(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """Every event is in the stream of what it is about."""
    stream = event.stream
    if event.observation is not None or event.type in OBSERVED:
        return None if stream.startswith("models/") else f"an observation is in {stream}"
    cls = BY_TYPE.get(event.type)
    if cls is None or event.data is None:
        return None
    kind, _, member = cls.STREAM.partition("/")
    if not member.startswith("{"):
        expected = cls.STREAM
    elif member == "{sha256 of originator_id}":
        digest = hashlib.sha256(event.data["originator_id"].encode()).hexdigest()
        expected = f"{kind}/{digest}"
    else:
        expected = f"{kind}/{event.data[member.strip('{}')]}"
    return None if stream == expected else f"it is in {stream}, but is of {expected}"


@rule("causes", needs_data=False)
def causes(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """Every cause is an event that came before."""
    if event.cause is not None and not 1 <= event.cause < event.position:
        return f"its cause is said to be at position {event.cause}"
    return None


def _used_again(fold: LedgerState) -> Iterator[tuple[int, str]]:
    for position in fold.observations.asked_too_often():
        yield position, "its request id was used before by its actor for another request"


_METHODS: Final = dict.fromkeys(OBSERVED, 2) | {GateReported.TYPE: 2, ModelDeployed.TYPE: 3}
"""How many methods record a type, where that is not one."""


@rule("requests.unique", needs_data=False, finish=_used_again)
def requests_unique(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A request id belongs to one request of its actor to one method, as far as types tell."""
    if event.raw is None:
        return None  # it may be of the request of the event before
    if event.request_id is None:
        fold.request = None
        return None
    method = _method_of(event)
    promoted = fold.shadows.running.begun
    if method in _WITH_A_DEFINITION and event.cause is not None and event.cause not in promoted:
        method = SignalDefined.METHOD
    if not method:
        if fold.request is not None and fold.request.is_of(event):
            return None  # another event of the request tells the method
        fold.request = None
        return Unchecked("the method behind this type is not known")
    asked = AuditedRequest(event.actor, method, event.request_id, event.recorded_at)
    if fold.request != asked:
        allowed = _METHODS.get(event.type, 1)  # each has ids of its own
        fold.observations.ask("\n".join(asked[:3]), event.position, allowed)
        fold.request = asked
    return None


def _method_of(event: AuditedEvent) -> str:
    """Return the method that records a type; empty where several may, or it is not known here."""
    if event.type == AuthorityProposed.TYPE:
        change = None if event.data is None else PROPOSABLE.get(event.data["type"])
        return "" if change is None else change.METHOD
    cls = BY_TYPE.get(event.type)
    return "" if cls is None else cls.METHOD


@rule("times.stated", *sorted(OBSERVED), ModelDeployed.TYPE)
def times_stated(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """No stated time lies further ahead of its record than the ledger's clock allows."""
    if event.observation is not None:
        stated = event.observation.observed_at
    elif event.data is not None:
        stated = parse_time(event.data["in_service_at"])
    else:
        return None
    if not fold.clock:
        return Unchecked("how this ledger tells time is not on record")
    ahead = fold.skew_micros if fold.clock == "wall" else 0
    if stated > event.recorded_at + ahead:
        return "the time that it states lies further ahead than the ledger's clock allows"
    return None


def _underived(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.times.unstated()


@rule("times.derived", needs_data=False, finish=_underived)
def times_derived(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Where the data are the clock, every event was recorded at the newest time stated up to it."""
    if fold.clock == "data":
        return fold.times.take(event, fold.recorded_at)
    if event.type in CONFIGURED and event.data is not None and event.data["clock"] == "data":
        # Of a ledger that has just begun, nothing was stated yet.
        return "nothing states the time at which it was recorded" if event.recorded_at else None
    return None
