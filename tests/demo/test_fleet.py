"""The fleet's models and signals, on flights made up for the purpose.

Arithmetic is checked against sums done by hand; the reader is fed a small archive of its own.
"""

import math
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tools.demo import flights
from tools.demo.fleet import SIGNALS, WINDOW_WEEKS, Fleet
from tools.demo.flights import ModelFlights, load_flights
from tools.demo.recipes.late_arrival.retrain import fit, log_losses

HEADER = (
    "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,"
    "flight,tailnum,origin,dest,air_time,distance,hour,minute,time_hour"
)


def made_up(weeks: int = 9, flights_a_week: int = 60, seed: int = 5) -> ModelFlights:
    """Return flights that are late by the hour, more so from the seventh week on."""
    count = weeks * flights_a_week
    draw = np.random.default_rng(seed)
    week = np.repeat(np.arange(weeks), flights_a_week)
    hour = draw.integers(6, 22, count)
    chance = 1 / (1 + np.exp(-((hour - 14) / 4 + np.where(week >= 6, 1.5, 0))))
    return ModelFlights(
        name="zz-nyc",
        week=week,
        late=(draw.random(count) < chance).astype(float),
        inputs=np.column_stack([np.ones(count), (hour - 14) / 6]),
        hour=hour,
        gaps=(np.arange(count) % 10 == 0).astype(float),
    )


def test_log_loss_is_that_of_the_definition() -> None:
    losses = log_losses(np.array([[1.0], [1.0]]), np.array([1.0, 0.0]), np.array([math.log(3)]))
    assert losses == pytest.approx([-math.log(0.75), -math.log(0.25)])


def test_a_fit_of_the_intercept_alone_gives_the_share_of_late_flights() -> None:
    weights = fit(np.ones((100, 1)), np.array([1.0] * 30 + [0.0] * 70))
    assert 1 / (1 + math.exp(-weights[0])) == pytest.approx(0.3, abs=1e-6)


def test_training_again_gives_the_same_bytes_and_one_other_flight_does_not() -> None:
    version = Fleet([made_up()]).version(0, WINDOW_WEEKS - 1)
    assert version is not None
    assert version.is_same(Fleet([made_up()]).version(0, WINDOW_WEEKS - 1))
    other = made_up()
    other.late[0] = 1 - other.late[0]
    assert not version.is_same(Fleet([other]).version(0, WINDOW_WEEKS - 1))
    assert not version.is_same(None)


def test_a_version_is_trained_on_its_window_and_scored_only_after_it() -> None:
    fleet = Fleet([made_up()])
    assert fleet.first_trained_week == WINDOW_WEEKS - 1
    assert fleet.version(0, WINDOW_WEEKS - 2) is None
    version = fleet.version(0, WINDOW_WEEKS - 1)
    assert version is not None
    with pytest.raises(AssertionError):
        fleet.loss(0, version, WINDOW_WEEKS - 1)
    by_flight = fleet.flight_losses(0, version, WINDOW_WEEKS)
    assert len(by_flight) == fleet.rows(0, WINDOW_WEEKS)
    assert fleet.loss(0, version, WINDOW_WEEKS) == pytest.approx(by_flight.sum())


def test_a_changed_world_raises_the_loss_of_an_old_version() -> None:
    fleet = Fleet([made_up(weeks=16, flights_a_week=300)])
    old, new = fleet.version(0, 5), fleet.version(0, 14)
    assert old is not None
    assert new is not None
    assert fleet.loss_ratio(0, old, 15) > 1.1
    assert fleet.loss(0, new, 15) < fleet.loss(0, old, 15)


def test_a_week_without_flights_gives_no_readings_and_no_version() -> None:
    whole = made_up()
    kept = whole.week != 7
    gap = ModelFlights(
        "zz-nyc",
        whole.week[kept],
        whole.late[kept],
        whole.inputs[kept],
        whole.hour[kept],
        whole.gaps[kept],
    )
    fleet = Fleet([gap])
    version = fleet.version(0, 6)
    assert version is not None
    assert fleet.readings(0, version, 7, 1.0) == []
    assert fleet.version(0, 8) is None


def test_readings_are_means_over_the_flights_of_the_week() -> None:
    model = made_up()
    fleet = Fleet([model])
    version = fleet.version(0, 5)
    assert version is not None
    readings = fleet.readings(0, version, 6, 1.25)
    assert tuple(reading.signal for reading in readings) == SIGNALS
    assert {reading.sample_size for reading in readings} == {60}
    values = {reading.signal: reading.value for reading in readings}
    assert values["log_loss"] == pytest.approx(fleet.loss(0, version, 6) / 60)
    assert values["excess_loss"] == pytest.approx(values["log_loss"] / version.baseline_loss - 1.25)
    assert values["gap_rate"] == pytest.approx(0.1)
    assert values["volume_ratio"] == 1.0
    assert values["hour_psi"] >= 0


def test_an_unchanged_timetable_has_no_instability() -> None:
    model = made_up()
    same = ModelFlights(
        model.name, model.week, model.late, model.inputs, np.full(len(model.hour), 9), model.gaps
    )
    fleet = Fleet([same])
    version = fleet.version(0, 5)
    assert version is not None
    # All in one part of the day, then and now; smoothing weighs more on the shorter week.
    assert fleet.hour_psi(0, version, 6) < 0.1


def test_the_flights_begin_and_end_with_a_week_of_the_planner() -> None:
    assert flights.FIRST_DAY.weekday() == 3
    assert flights.LAST_DAY.weekday() == 2


def test_the_reader_keeps_whole_weeks_and_busy_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flights, "FLIGHTS_MIN", 3)
    rows = [
        "2013,1,5,,0,0,830,0,16,ZZ,1,N1,EWR,IAH,1,1000,5,30,x",  # 16 minutes: late
        "2013,1,4,,0,0,830,0,15,ZZ,1,N1,EWR,IAH,1,1000,6,0,x",  # 15: not late
        "2013,1,10,NA,0,NA,NA,0,NA,ZZ,1,NA,EWR,IAH,NA,1000,7,0,x",  # never arrived
        "2013,1,2,,0,0,830,0,0,ZZ,1,N1,EWR,IAH,1,1000,8,0,x",  # before the first whole week
        "2013,1,4,,0,0,830,0,0,YY,1,N1,EWR,IAH,1,1000,5,30,x",  # too few of this carrier
    ]
    path = tmp_path / "flights.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("flights.csv", "\n".join([HEADER, *rows]) + "\n")
    (model,) = load_flights(path)
    assert model.name == "zz-ewr"
    assert model.week.tolist() == [2244, 2244, 2245]
    assert model.late.tolist() == [0, 1, 1]
    assert model.gaps.tolist() == [0, 0, 1]
    assert model.hour.tolist() == [6, 5, 7]
    assert model.inputs[:, 0].tolist() == [1, 1, 1]
    assert model.inputs.shape == (3, 1 + 4 + 1 + 6 + 1)
