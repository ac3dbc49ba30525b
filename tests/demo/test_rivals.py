"""Ways of choosing are measured alike: small fleets whose losses are written down, sums by hand."""

from collections.abc import Sequence

import numpy as np
import pytest

from tools.demo.fleet import Fleet, Version
from tools.demo.recipes.late_arrival.retrain import Floats
from tools.demo.rivals import (
    Alarms,
    Budget,
    Never,
    RoundRobin,
    Service,
    Services,
    better_earlier_version,
    errors_rose,
    inputs_moved,
    simulate,
)


def a_version(trained_week: int, losses: Sequence[float] = ()) -> Version:
    return Version(trained_week, np.zeros(1), 1.0, np.full(6, 1 / 6), 10.0, np.array(losses), 0)


class TableFleet(Fleet):
    """A fleet whose version r of model i loses `losses[i][r]` in every later week."""

    def __init__(self, losses: Sequence[Sequence[float]], joins: Sequence[int]) -> None:
        self.losses, self.joins = losses, joins
        self.models = [None] * len(losses)  # type: ignore[list-item] # only counted
        self.first_week, self.last_week = -5, len(losses[0]) - 1

    def rows(self, model: int, week: int) -> int:
        return 10

    def version(self, model: int, week: int) -> Version | None:
        return a_version(week) if week >= self.joins[model] else None

    def loss(self, model: int, version: Version, week: int) -> float:
        return self.losses[model][version.trained_week]


class Fixed:
    """Chooses what it was told to, week by week."""

    def __init__(self, **weeks: Sequence[int]) -> None:
        self.weeks = {int(name[1:]): models for name, models in weeks.items()}

    def choose(self, fleet: Fleet, services: Services, week: int) -> Sequence[int]:
        return self.weeks.get(week, ())


@pytest.fixture
def fleet() -> TableFleet:
    # Six weeks, 0 to 5: versions by week of training. Week 0 only trains.
    return TableFleet([[9, 1, 5, 5, 5, 5], [4, 4, 4, 2, 4, 4], [7, 7, 3, 7, 7, 7]], [0, 0, 2])


def test_never_retraining_loses_what_the_first_versions_lose(fleet: TableFleet) -> None:
    outcome = simulate(fleet, Never())
    # Models 0 and 1 serve weeks 1 to 5 with version 0; model 2 joins at the end of week 2.
    assert outcome.loss == 9 * 5 + 4 * 5 + 3 * 3
    assert (outcome.jobs, outcome.reinstated) == (0, 0)


def test_a_version_serves_from_the_week_after_its_training(fleet: TableFleet) -> None:
    outcome = simulate(fleet, Fixed(w1=[0]))
    assert outcome.loss == (9 + 1 * 4) + 4 * 5 + 3 * 3
    assert [outcome.in_service[0, week] for week in range(1, 6)] == [0, 1, 1, 1, 1]


def test_a_shorter_year_counts_only_its_weeks(fleet: TableFleet) -> None:
    assert simulate(fleet, Never(), weeks=2).loss == (9 + 4) * 2


def test_no_week_buys_more_than_the_budget_holds(fleet: TableFleet) -> None:
    outcome = simulate(fleet, Fixed(w1=[0, 1, 0, 1, 0, 1, 0]))
    assert outcome.jobs == 2  # two models, however often they are named
    # All in turn: two models for two weeks, then three; the two jobs of week 0 were kept.
    assert simulate(fleet, RoundRobin()).jobs == 2 + 2 + 3 + 3


def test_a_budget_keeps_four_weeks_of_jobs() -> None:
    budget = Budget()
    assert [budget.refilled() for _ in range(6)] == [2, 4, 6, 8, 8, 8]
    budget.jobs -= 7
    assert budget.refilled() == 3


def test_round_robin_takes_those_trained_longest_ago(fleet: TableFleet) -> None:
    services: Services = {
        0: Service(a_version(3), 3, [3]),
        1: Service(a_version(1), 1, [1]),
        2: Service(a_version(1), 2, [2, 1]),
    }
    assert list(RoundRobin().choose(fleet, services, 4)) == [1, 2, 0]


def test_alarms_are_served_first_come_first_served_and_cleared_by_training(
    fleet: TableFleet,
) -> None:
    alarms = Alarms(lambda _, model, version, week: week >= 4 - model and version.trained_week < 2)
    services: Services = {model: Service(a_version(0), 0, [0]) for model in range(3)}
    assert list(alarms.choose(fleet, services, 2)) == [2]
    assert list(alarms.choose(fleet, services, 3)) == [2, 1]
    services[2].train(a_version(3))
    assert list(alarms.choose(fleet, services, 4)) == [1, 0]


def test_the_best_earlier_version_is_put_back_only_beyond_the_margin() -> None:
    fleet = TableFleet([[1.0, 0.97, 1.0, 0.99, 0, 0, 0, 0]], [0])
    service = Service(a_version(2), 2, [0, 1, 2])
    best = better_earlier_version(fleet, 0, service, 5)
    assert best is not None
    assert best.trained_week == 1
    service = Service(a_version(3), 3, [0, 1, 3])  # 0.97 against 0.99 is more than 2 %
    assert better_earlier_version(fleet, 0, service, 6) is not None
    service = Service(a_version(2), 2, [3, 2])  # 0.99 against 1.00 is not
    assert better_earlier_version(fleet, 0, service, 6) is None


def test_one_week_in_common_is_too_little_to_put_a_version_back() -> None:
    fleet = TableFleet([[0.5, 1.0, 0, 0, 0]], [0])
    service = Service(a_version(1), 1, [0, 1])
    assert better_earlier_version(fleet, 0, service, 2) is None
    assert better_earlier_version(fleet, 0, service, 3) is not None


def test_the_library_keeps_the_last_six_earlier_versions() -> None:
    service = Service(a_version(0), 0, [0])
    for week in range(1, 9):
        service.train(a_version(week))
    assert service.shadows() == [2, 3, 4, 5, 6, 7]
    service.reinstate(a_version(3))
    assert service.shadows() == [2, 4, 5, 6, 7, 8]
    assert service.newest_trained_week == 8


class OneModel(TableFleet):
    """One model whose flights' losses and scheduled hours are written down, in two weeks."""

    def __init__(self, losses: Sequence[float], psi: float = 0.0) -> None:
        super().__init__([[1.0, 1.0, 1.0]], [0])
        self.flights, self.psi = losses, psi

    def flight_losses(self, model: int, version: Version, week: int) -> Floats:
        half = len(self.flights) // 2
        return np.array(self.flights[:half] if week == 1 else self.flights[half:])

    def hour_psi(self, model: int, version: Version, week: int) -> float:
        return self.psi


def test_the_error_alarm_needs_a_rise_that_lasts() -> None:
    steady, risen = OneModel([1.0] * 400), OneModel([1.0] * 200 + [2.0] * 200)
    assert not errors_rose(steady, 0, a_version(0), 2)
    assert not errors_rose(risen, 0, a_version(0), 1)
    assert errors_rose(risen, 0, a_version(0), 2)


def test_the_input_alarm_is_the_customary_threshold() -> None:
    assert not inputs_moved(OneModel([], 0.2), 0, a_version(0), 1)
    assert inputs_moved(OneModel([], 0.21), 0, a_version(0), 1)
