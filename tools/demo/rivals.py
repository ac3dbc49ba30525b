"""Other uses of the same retraining budget, and how all choices are measured.

A way of choosing sees what is known at the end of a week and names models to retrain, in order of
preference; they are bought from the front while the budget lasts, and serve from the next week. A
model's first version is free. All are measured by one sum: the loss, over all flights, of whichever
version was in service in each week. The ledger's own run is measured by the same sum.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np

from tools.demo.fleet import Fleet, Version

JOBS_A_WEEK: Final = 2
BANKED_WEEKS: Final = 4

REUSE_WEEKS: Final = 3
REUSE_WEEKS_MIN: Final = 2
REUSE_MARGIN: Final = 0.02
REUSE_VERSIONS: Final = 6

_PSI_ALARM: Final = 0.2
_PAGE_HINKLEY_SLACK: Final = 0.05
_PAGE_HINKLEY_ALARM: Final = 50.0
_PAGE_HINKLEY_FLIGHTS_MIN: Final = 30


@dataclass(slots=True)
class Budget:
    """A token bucket: `JOBS_A_WEEK` jobs more every week, of which so many weeks' worth is kept."""

    refill: int = JOBS_A_WEEK
    cap: int = JOBS_A_WEEK * BANKED_WEEKS
    jobs: int = 0

    def refilled(self) -> int:
        """Add a week's allowance and return what the budget holds."""
        self.jobs = min(self.cap, self.jobs + self.refill)
        return self.jobs


@dataclass(slots=True)
class Service:
    """Which versions a model has had in service, and which serves now."""

    version: Version
    newest_trained_week: int
    library: list[int]
    """Weeks in which its versions were trained, the last used last; the one in service is in it."""

    def train(self, version: Version) -> None:
        """Put a newly trained version into service."""
        self.version = version
        self.newest_trained_week = version.trained_week
        self.library.append(version.trained_week)

    def reinstate(self, version: Version) -> None:
        """Put an earlier version back into service."""
        self.library.remove(version.trained_week)
        self.library.append(version.trained_week)
        self.version = version

    def shadows(self) -> list[int]:
        """Return the earlier versions that keep being scored, by the week of their training."""
        serving = self.version.trained_week
        return [week for week in self.library if week != serving][-REUSE_VERSIONS:]


Services = dict[int, Service]


class Chooser(Protocol):
    """A way of choosing what to retrain."""

    def choose(self, fleet: Fleet, services: Services, week: int) -> Sequence[int]:
        """Return models worth retraining at the end of a week, the most wanted first."""


@dataclass(slots=True)
class Outcome:
    """The result of a year under one way of choosing."""

    loss: float = 0.0
    jobs: int = 0
    reinstated: int = 0
    in_service: dict[tuple[int, int], int] = field(default_factory=dict)
    """(model, week) → week in which the version that served it was trained."""


def simulate(
    fleet: Fleet, chooser: Chooser, *, weeks: int | None = None, reuse: bool = False
) -> Outcome:
    """Run one way of choosing, over the first `weeks` weeks of service or the whole year."""
    outcome, services, budget = Outcome(), Services(), Budget()
    last = last_served_week(fleet, weeks)
    for week in range(fleet.first_trained_week, last + 1):
        outcome.loss += weekly_loss(fleet, services, week)
        for model, service in services.items():
            outcome.in_service[model, week] = service.version.trained_week
        if week == last:
            break
        left = budget.refilled()
        bought: set[int] = set()
        for model in chooser.choose(fleet, services, week)[:left]:
            version = fleet.version(model, week)
            if version is not None:
                bought.add(model)
                services[model].train(version)
        budget.jobs = left - len(bought)
        outcome.jobs += len(bought)
        if reuse:
            outcome.reinstated += _reinstate(fleet, services, week, skip=bought)
        join(fleet, services, week)
    return outcome


def last_served_week(fleet: Fleet, weeks: int | None) -> int:
    """Return the last week of a run that serves so many weeks, or the whole year."""
    if weeks is None:
        return fleet.last_week
    return min(fleet.last_week, fleet.first_trained_week + weeks)


def weekly_loss(fleet: Fleet, services: Services, week: int) -> float:
    """Return the fleet's loss over a week under the versions in service."""
    return sum(fleet.loss(model, service.version, week) for model, service in services.items())


def join(fleet: Fleet, services: Services, week: int) -> list[int]:
    """Deploy the first version, free of charge, of each model that can have one; return those."""
    joined: list[int] = []
    for model in range(len(fleet.models)):
        version = None if model in services else fleet.version(model, week)
        if version is not None:
            services[model] = Service(version, week, [week])
            joined.append(model)
    return joined


def better_earlier_version(fleet: Fleet, model: int, service: Service, week: int) -> Version | None:
    """Return the earlier version to put back, or None.

    Of the last `REUSE_VERSIONS` that served before, the one with the least loss (then the newest)
    over the last `REUSE_WEEKS` weeks that none of them and not the present one was trained on; it
    must have lost less than the present one by `REUSE_MARGIN`, on the same flights.
    """
    shadows = service.shadows()
    if not shadows:
        return None
    newest = max(*shadows, service.version.trained_week)
    weeks = range(max(newest, week - REUSE_WEEKS) + 1, week + 1)
    if len(weeks) < REUSE_WEEKS_MIN:
        return None
    trained = [fleet.version(model, each) for each in shadows]
    candidates = [version for version in trained if version is not None]
    losses = [_loss_over(fleet, model, version, weeks) for version in candidates]
    loss, _, best = min(
        (loss, -version.trained_week, version)
        for loss, version in zip(losses, candidates, strict=True)
    )
    present = _loss_over(fleet, model, service.version, weeks)
    return best if loss < present * (1 - REUSE_MARGIN) else None


def _reinstate(fleet: Fleet, services: Services, week: int, *, skip: set[int]) -> int:
    """Put back every earlier version that does better in shadow; return how many."""
    count = 0
    for model, service in services.items():
        version = None if model in skip else better_earlier_version(fleet, model, service, week)
        if version is not None:
            service.reinstate(version)
            count += 1
    return count


def _loss_over(fleet: Fleet, model: int, version: Version, weeks: range) -> float:
    """Return a version's loss over some weeks."""
    return sum(fleet.loss(model, version, week) for week in weeks)


class Never:
    """Nothing is ever retrained."""

    def choose(self, fleet: Fleet, services: Services, week: int) -> Sequence[int]:
        """Return nothing."""
        del fleet, services, week
        return ()


class RoundRobin:
    """Everybody in turn: those trained longest ago first."""

    def choose(self, fleet: Fleet, services: Services, week: int) -> Sequence[int]:
        """Return all models, by the age of their training."""
        del fleet, week
        return sorted(services, key=lambda model: (services[model].newest_trained_week, model))


Detector = Callable[[Fleet, int, Version, int], bool]


@dataclass(slots=True)
class Alarms:
    """Drift alarms, served first come, first served; a retraining clears a model's alarm."""

    detect: Detector
    _raised: dict[int, tuple[int, int]] = field(default_factory=dict)
    """model → (the version the alarm is about, the week it was raised)."""

    def choose(self, fleet: Fleet, services: Services, week: int) -> Sequence[int]:
        """Return the models whose present version has an alarm, the oldest alarm first."""
        for model, service in services.items():
            trained = service.version.trained_week
            standing = self._raised.get(model)
            if standing is not None and standing[0] == trained:
                continue
            self._raised.pop(model, None)
            if self.detect(fleet, model, service.version, week):
                self._raised[model] = trained, week
        return sorted(self._raised, key=lambda model: (self._raised[model][1], model))


def inputs_moved(fleet: Fleet, model: int, version: Version, week: int) -> bool:
    """Alarm where the population stability index of an input passes 0.2, the usual threshold."""
    return fleet.rows(model, week) > 0 and fleet.hour_psi(model, version, week) > _PSI_ALARM


def errors_rose(fleet: Fleet, model: int, version: Version, week: int) -> bool:
    """Alarm by the Page–Hinkley test over the loss of every flight since training.

    Losses are in units of the baseline, so that one threshold fits the whole fleet.
    """
    parts = [
        fleet.flight_losses(model, version, each)
        for each in range(version.trained_week + 1, week + 1)
    ]
    losses = np.concatenate(parts) / version.baseline_loss
    if len(losses) < _PAGE_HINKLEY_FLIGHTS_MIN:
        return False
    means = np.cumsum(losses) / np.arange(1, len(losses) + 1)
    risen = np.cumsum(losses - means - _PAGE_HINKLEY_SLACK)
    above = risen - np.minimum.accumulate(risen)
    return bool(above[_PAGE_HINKLEY_FLIGHTS_MIN - 1 :].max() > _PAGE_HINKLEY_ALARM)
