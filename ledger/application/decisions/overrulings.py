"""The overrides around a decision: those that were set over it, and the one that it is under."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ledger.application.commands import ledger_time
from ledger.application.fleet.history import override_of
from ledger.events.decisions import OVERRIDDEN_TYPES, DecisionMade, DecisionOverridden
from ledger.events.envelope import RecordedEvent
from ledger.events.models import ModelRetired
from ledger.events.policy_document import Action
from ledger.events.registry import typed
from ledger.rules.procedure import Override, override_in_effect
from ledger.storage.records import LedgerInfo
from ledger.storage.store import Store

_READ: Final = frozenset({*OVERRIDDEN_TYPES, ModelRetired.TYPE})


@dataclass(frozen=True, slots=True)
class StatedOverride:
    """An override as its event states it; times in microseconds."""

    position: int
    actor: str
    role: str
    """Empty where none was held then."""
    action: Action
    tier: str
    reason: str
    effective_from: int
    effective_until: int
    in_effect: bool
    """Whether it holds still: it is not over, none came after it, and its model is not retired."""


class Overruling(NamedTuple):
    """The overrides that were set over a decision, in order, and the one that it is under."""

    overruled_by: tuple[StatedOverride, ...] = ()
    set_by: StatedOverride | None = None


NOT_OVERRULED: Final = Overruling()


class Overrulings:
    """Overrides of one ledger, by the decisions that they concern. Erased ones are not known."""

    def __init__(self, store: Store, info: LedgerInfo) -> None:
        self._store = store
        self._info = info

    def around(
        self, decided: Sequence[tuple[DecisionMade, RecordedEvent]]
    ) -> Mapping[int, Overruling]:
        """Return the overrides around decisions, by position; one query for all of them."""
        if not decided:
            return {}
        stated = self._stated({event.stream for _, event in decided}, _first(decided))
        over: dict[int, list[StatedOverride]] = {event.position: [] for _, event in decided}
        for event, one in stated.values():
            over.get(event.body.causation_position or 0, []).append(one)
        found = {}
        for made, event in decided:
            under = made.overridden and stated.get(made.overridden.position)
            set_by = under[1] if under else None
            found[event.position] = Overruling(tuple(over[event.position]), set_by)
        return found

    def _stated(
        self, streams: set[str], first: int
    ) -> dict[int, tuple[RecordedEvent, StatedOverride]]:
        """Return the overrides of some models from a position on, by position."""
        origin, head = self._info.origin, self._store.events.head(self._info.origin)
        stream = next(iter(streams)) if len(streams) == 1 else None
        events = [
            event
            for event in self._store.events.of_types(
                origin, _READ, stream=stream, after=first - 1, at_or_before=head.position
            )
            if event.stream in streams
        ]
        retired = {event.stream for event in events if event.type == ModelRetired.TYPE}
        known = [one for one in events if one.type in OVERRIDDEN_TYPES and one.body_bytes]
        overrides: dict[str, list[Override]] = {}
        for event in known:
            data = typed(event, DecisionOverridden)
            overrides.setdefault(event.stream, []).append(override_of(data, event.position))
        now = ledger_time(self._info, self._store, head)
        holding = _positions(
            override_in_effect(some, now)
            for model, some in overrides.items()
            if model not in retired
        )
        return {
            event.position: (event, _stated(event, is_held=event.position in holding))
            for event in known
        }


def _first(decided: Sequence[tuple[DecisionMade, RecordedEvent]]) -> int:
    """Return the first position at which an override around some decisions can be."""
    under = [made.overridden.position for made, _ in decided if made.overridden]
    return min([event.position for _, event in decided] + under)


def _positions(overrides: Iterable[Override | None]) -> frozenset[int]:
    return frozenset(one.position for one in overrides if one is not None)


def _stated(event: RecordedEvent, *, is_held: bool) -> StatedOverride:
    data = typed(event, DecisionOverridden)
    times = override_of(data, event.position)
    return StatedOverride(
        event.position,
        event.body.actor,
        getattr(data, "role", None) or "",
        data.action,
        data.tier,
        data.rationale,
        times.effective_from,
        times.effective_until,
        is_held,
    )
