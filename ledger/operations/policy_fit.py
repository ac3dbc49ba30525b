"""A starting policy from a ledger's history: what was observed, and in which rhythm."""

from collections import defaultdict
from itertools import pairwise
from statistics import median_low
from typing import TYPE_CHECKING

from ledger.client.enums import SignalDirection, SignalKind
from ledger.events.signals import OBSERVED_TYPES, SignalDefined, SignalDefinedV2
from ledger.events.values import SECOND, parse_decimal, parse_time
from ledger.operations import Move
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client import LedgerClient, Signal


def fitted_policy(client: "LedgerClient", events_max: int, move: Move | None = None) -> str:
    """Return the text of a policy fitted to the observations among the newest events.

    LedgerError says what is missing where there are too few. Cost: one pass over those events.
    """
    from ledger.application.policies.fit import fit_policy

    head = client.get_ledger().head_position
    start = max(head - events_max, 0)
    seen: dict[int, tuple[str, tuple[int, int, int]]] = {}
    times: dict[tuple[str, str], set[int]] = defaultdict(set)
    for event in client.list_events(
        after_position=start, until_position=head, types=OBSERVED_TYPES
    ):
        if not event.body:
            continue  # erased
        data = event.data
        signal, at = data["signal"], parse_time(data["observed_at"])
        if corrected := data.get("corrects"):
            seen.pop(corrected["position"], None)
        seen[event.position] = signal, (parse_decimal(data["value"]), at, data["sample_size"])
        times[event.stream, signal].add(at)
        if move is not None:
            move(event.position - start, head - start)
    history: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for signal, reading in seen.values():
        history[signal].append(reading)
    return fit_policy(history, _definitions(client), _gaps(times), is_approved=has_approver(client))


def stated_policy(
    client: "LedgerClient",
    limits: "dict[str, tuple[int, int] | None]",
    reports_every_seconds: int,
) -> str:
    """Return the text of a policy over limits that a person states; the signals must be defined.

    None for the hints of the standard that a signal adopts.
    """
    from ledger.application.names import nearest
    from ledger.application.policies.starting_policy import first_policy

    definitions = _definitions(client)
    unknown = sorted(set(limits) - set(definitions))
    if unknown:
        near = nearest(unknown[0], definitions)
        raise MisuseError(
            f"Not defined: {', '.join(unknown)}{f' (did you mean {near}?)' if near else ''}.",
            "Define each with `decision-ledger signal define`; a policy rests on its direction.",
        )
    return first_policy(
        limits, definitions, reports_every_seconds, is_approved=has_approver(client)
    )


def has_approver(client: "LedgerClient") -> bool:
    """Whether a person other than an author could approve the next version of a policy.

    Approvers hold their role for the whole ledger; without an author, any of them could.
    """
    from ledger.application.policies.starting_policy import APPROVER, AUTHOR

    held: dict[str, set[str]] = {APPROVER: set(), AUTHOR: set()}
    for one in client.get_authority().grants:
        is_whole = not (one.scope.models or one.scope.labels or one.scope.signals)
        counts = one.role == AUTHOR or (one.role == APPROVER and is_whole)
        if counts and one.actor.startswith("users/") and not one.expired:
            held[one.role].add(one.actor)
    approvers, authors = held[APPROVER], held[AUTHOR]
    return any(approvers - {one} for one in authors) if authors else bool(approvers)


def _definitions(client: "LedgerClient") -> dict[str, SignalDefined]:
    return {one.signal: _definition(one) for one in client.list_signals()}


def _definition(signal: "Signal") -> SignalDefined:
    """Return the definition as the event has it."""
    assert isinstance(signal.kind, SignalKind)
    assert isinstance(signal.direction, SignalDirection)
    data = {
        "signal": signal.signal,
        "kind": signal.kind.value.lower(),
        "unit": signal.unit,
        "direction": signal.direction.value.lower(),
        "meaning": signal.meaning,
        "collection": signal.collection,
    }
    if not signal.owner:
        return SignalDefined.from_data(data)
    adopted = {"name": signal.standard, "version": signal.standard_version}
    named = adopted if signal.standard else None
    return SignalDefinedV2.from_data(data | {"owner": signal.owner, "standard": named})


def _gaps(times: dict[tuple[str, str], set[int]]) -> dict[str, int]:
    """Return the usual gap between observations of one model in seconds, by signal."""
    gaps: dict[str, list[int]] = defaultdict(list)
    for (_, signal), seen in times.items():
        ordered = sorted(seen)
        gaps[signal] += [(later - earlier) // SECOND for earlier, later in pairwise(ordered)]
    return {signal: max(median_low(found), 1) for signal, found in gaps.items() if found}
