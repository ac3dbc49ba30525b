"""Rules about what proves the ledger to others: its beginning, seals, erasures, audits, exports."""

from collections import Counter
from itertools import pairwise
from typing import Final

from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.chain.transcript import transcript_fault
from ledger.events.drills import DrillRecorded
from ledger.events.policies import ACTIVATED_TYPES
from ledger.events.proving import (
    AUDITED,
    OTHER_ADDRESSES,
    REFUSED,
    AuditCompletedV2,
    BodyErased,
    ExportIssued,
    RequestsRefusedV2,
    StreamsSealed,
)
from ledger.events.recorder import RecorderEvent
from ledger.events.system import CONFIGURED, ClockStepped, LedgerCreated
from ledger.events.values import SECOND, format_time, parse_time
from ledger.governance.requirements import asks_ever
from ledger.limits import CLOCK_STEP_SECONDS_MIN, IDLE_SECONDS_MAX, REFUSED_HOSTS_MAX

_REFUSALS: Final = "system/refusals"


@rule("ledger.begins", needs_data=False)
def ledger_begins(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A ledger is created once, at position 1, under its own name."""
    is_created = event.type == LedgerCreated.TYPE
    if is_created != (event.position == 1):
        # A bare recorder's ledger has no service that would create it.
        if event.type == RecorderEvent.TYPE:
            return None
        return "the ledger is created there" if is_created else "the ledger was not created first"
    if is_created and event.data is not None and event.data["origin"] != fold.source.origin:
        return f"it creates {event.data['origin']}, not {fold.source.origin}"
    return None


@rule("ledger.configured", *CONFIGURED, needs_data=False)
def ledger_configured(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """Clock, unit of cost and bounds on time are chosen once, at position 2."""
    if event.position != 2:
        return "the ledger was configured at position 2, and this configures it otherwise"
    return None


@rule("clocks", ClockStepped.TYPE)
def clocks(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A clock is confirmed by a person or service, where it stepped, and dates its own event."""
    data = event.known
    if fold.clock == "data":
        return "this ledger takes its time from its data: there is no clock that could step"
    if event.actor.startswith("system/"):
        return f"{event.actor} cannot confirm a clock"
    if data["head_at"] != format_time(fold.recorded_at):
        return f"the event before was recorded at {format_time(fold.recorded_at)}"
    at, head = parse_time(data["clock_at"]), parse_time(data["head_at"])
    bound = max(fold.skew_micros, CLOCK_STEP_SECONDS_MIN * SECOND)
    if not 0 <= event.recorded_at - max(at, head) <= bound:
        return "it was not recorded at the time that it confirms"
    expected = None if data["expected_at"] is None else parse_time(data["expected_at"])
    is_far = (
        at - head > IDLE_SECONDS_MAX * SECOND if expected is None else abs(at - expected) > bound
    )
    if not (is_far or head - at > bound):
        return "its clock was where it was expected"
    return None


@rule("seals", StreamsSealed.TYPE)
def seals(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every seal states the streams as they were."""
    as_of = event.known["as_of"]
    if not 1 <= as_of < event.position:
        return f"it seals position {as_of}, which does not lie before it"
    if as_of not in fold.seals:
        return "its body was not there for the hash pass"
    root, streams = fold.seals[as_of]
    if event.known["streams"] != streams:
        return f"it seals {event.known['streams']} streams, and there were {streams}"
    if event.known["root"] != root.hex():
        return f"its root is {event.known['root']}, and that of the streams is {root.hex()}"
    return None


@rule("erasures", BodyErased.TYPE)
def erasures(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every erasure names earlier events whose bodies are gone, and no kept one.

    Kept are permanent ones, and activations once a version was drafted that asks for approvals.
    """
    ranges = event.known["positions"]
    for first, last in ranges:
        if not first <= last < event.position:
            return f"it names positions {first} to {last}"
        if kept := [at for at in fold.permanent if first <= at <= last]:
            return f"it names position {kept[0]}, whose body cannot be erased"
        if there := fold.absences.all_absent(first, last):
            return f"it names position {there}, whose body is still there"
        if asks_ever(fold.lifecycle):
            for at in fold.gone.of(ACTIVATED_TYPES):
                if first <= at <= last:
                    return f"it names the activation at position {at}, and approvals are asked for"
    if any(before[1] >= after[0] for before, after in pairwise(ranges)):
        return "its positions are not in order"
    return None


@rule("audits", *AUDITED)
def audits(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every recorded audit is of a tree that this ledger had, and agrees with itself."""
    data = event.known
    if data["size"] >= event.position:
        return f"it covers {data['size']} events, and fewer came before it"
    root = fold.roots.get(data["size"])
    if root is None:
        return Unchecked("the root at its size was not computed")
    if data["root"] != root.hex():
        return f"its root is {data['root']}, and that of the events is {root.hex()}"
    if data["passed"] and (data["findings"] or any(one["failed"] for one in data["checks"])):
        return "it is said to have passed, and lists what failed"
    if event.type == AuditCompletedV2.TYPE:
        return transcript_fault(fold.source.origin, data)
    return None


@rule("exports", ExportIssued.TYPE)
def exports(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """Every export on record covers what it can have covered."""
    data = event.known
    first, last, size = data["first_position"], data["last_position"], data["checkpoint_size"]
    if not first <= last <= size < event.position:
        return f"it covers {first} to {last} of {size} events"
    spanned = last - first + 1
    if not 1 <= data["events"] <= spanned or data["withheld"] > data["events"]:
        return f"it holds {data['events']} events, {data['withheld']} without a body"
    if (data["kind"] == "stream") != (data["stream"] is not None):
        return "it names a stream, and is of another kind, or the other way round"
    if data["kind"] != "stream" and data["events"] != spanned:
        return f"it holds {data['events']} of {spanned} events"
    if data["kind"] == "full" and (first, last) != (1, size):
        return f"it is said to be full, and covers {first} to {last} of {size} events"
    return None


@rule("refusals", *REFUSED)
def refusals(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """Every count of refused requests adds up, within its span of time."""
    data = event.known
    if data["since"] > data["until"]:
        return "it ends before it begins"
    for one in data["refusals"]:
        if one["count"] < 1 or not one["first_at"] <= one["last_at"]:
            return f"its row of {one['actor']} cannot be"
    counted = sum(one["count"] for one in data["refusals"])
    is_cut = len(data["refusals"]) == 1_000
    if data["total"] < counted or (data["total"] != counted and not is_cut):
        return f"its total is {data['total']}, and its rows add up to {counted}"
    return None


@rule("refusals.rows", RequestsRefusedV2.TYPE)
def refusals_rows(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """Every count of refused requests is the service's, with a row for each kind and host."""
    if event.actor != _REFUSALS:
        return f"{event.actor} recorded it, and {_REFUSALS} does"
    rows = event.known["refusals"]
    places = [(one["actor"], one["method"], one["reason"], one["address"]) for one in rows]
    if any(one >= following for one, following in pairwise(places)):
        return "its rows do not ascend by actor, method, reason and address"
    hosts = Counter(place[:3] for place in places if place[3] != OTHER_ADDRESSES)
    for (actor, *_), count in hosts.items():
        if count > REFUSED_HOSTS_MAX:
            most = REFUSED_HOSTS_MAX
            return f"it tells {count} hosts of {actor} apart, not {most} at most"
    return None


@rule("drills", DrillRecorded.TYPE)
def drills(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every drill is the word of a person or service, and was held before it was recorded."""
    data = event.known
    if event.actor.startswith("system/"):
        return f"{event.actor} cannot say that a drill was held"
    if not fold.clock:
        return Unchecked("how this ledger tells time is not on record")
    held_at = parse_time(data["held_at"])
    if fold.clock == "wall" and held_at > event.recorded_at + fold.skew_micros:
        return f"it was held at {data['held_at']}, after it was recorded"
    return None
