"""The plans of a shadow beside those on record: which models either admits, jobs and their cost."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ledger.events.envelope import RecordedEvent
from ledger.events.plans import PLAN_TYPES, PlanMade, PlannedFleet
from ledger.events.registry import decode_data
from ledger.events.shadows import ShadowPlanned
from ledger.storage.events import Events

_PAGE = 16
_ADMITTED = "admitted"


class AdmittedJobs(NamedTuple):
    """The jobs that plans admitted, and their cost."""

    jobs: int
    cost_micros: int


class AdmittedCounts(NamedTuple):
    """How many plans admitted a model: both of a pair, or only one of the two."""

    model: str
    both: int
    only_before: int
    only_after: int


class PlanPairs(NamedTuple):
    """The plans on record beside those of a shadow, over all pairs of them."""

    plans: int
    before: AdmittedJobs
    after: AdmittedJobs
    models: tuple[AdmittedCounts, ...]
    erased: int
    """Plans of shadows that are not part of it: their body is gone, or that of the plan beside."""


def compared_plans(events: Events, ledger: str, shadow: int, as_of: int | None = None) -> PlanPairs:
    """Return the plans of a shadow beside those with which they were recorded."""
    found = _Comparison(shadow)
    for event in _plans_after(events, ledger, shadow, as_of):
        found.take(event)
    return found.result()


def _plans_after(
    events: Events, ledger: str, after: int, as_of: int | None
) -> Iterator[RecordedEvent]:
    types = (*PLAN_TYPES, ShadowPlanned.TYPE)
    while True:
        page = events.of_types(ledger, types, after=after, at_or_before=as_of, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].position


@dataclass(slots=True)
class _Comparison:
    """Takes plans in order of position; a shadow's is right behind the plan that it is beside."""

    shadow: int
    real: dict[str, int] | None = None
    plans: int = 0
    erased: int = 0
    before: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)
    models: dict[str, list[int]] = field(default_factory=dict)

    def take(self, event: RecordedEvent) -> None:
        data = None if event.body_bytes is None else decode_data(event)
        if event.type in PLAN_TYPES:
            self.real = _admitted(data) if isinstance(data, PlanMade) else None
        elif not isinstance(data, ShadowPlanned):
            self.erased += 1  # of which shadow it was is not known any more
        elif data.shadow == self.shadow:
            self._compare(_admitted(data))

    def _compare(self, shadowed: dict[str, int]) -> None:
        real = self.real
        if real is None:
            self.erased += 1
            return
        self.plans += 1
        self.before += real.values()
        self.after += shadowed.values()
        for model in real.keys() | shadowed.keys():
            at = 0 if model in real and model in shadowed else 1 if model in real else 2
            self.models.setdefault(model, [0, 0, 0])[at] += 1

    def result(self) -> PlanPairs:
        models = (AdmittedCounts(model, *counts) for model, counts in sorted(self.models.items()))
        return PlanPairs(
            self.plans,
            AdmittedJobs(len(self.before), sum(self.before)),
            AdmittedJobs(len(self.after), sum(self.after)),
            tuple(models),
            self.erased,
        )


def _admitted(plan: PlannedFleet) -> dict[str, int]:
    """Return the cost of each model that a plan admits."""
    return {row.model: int(row.cost_micros) for row in plan.backlog if row.outcome == _ADMITTED}
