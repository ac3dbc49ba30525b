"""The recipe of every delay model: its data, its features, its training, and the steps of a job.

A step is a run of this file by a worker, told by `step/1` what to do. It reads what the platform
has: `FLIGHTS_FEED`, a CSV file for each model and week, and `MODEL_STORE`, the versions and which
of them serves. The id of a job ends in the last day of its data, so that a job that is run again
later reads the same. numpy alone is needed; a version is a JSON file.
"""

import csv
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # sums in one order, on any number of cores
import numpy as np
import numpy.typing as npt

from ledger.environment import environment_record, snapshot

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Words: TypeAlias = npt.NDArray[np.str_]
Flight: TypeAlias = Sequence[str]
"""The columns of one flight, as they are in the data set."""

COLUMNS: Final = (
    *("year", "month", "day", "hour", "minute", "distance", "dest"),
    *("tailnum", "dep_time", "arr_time", "arr_delay"),
)
MISSING: Final = "NA"
LATE_MINUTES: Final = 15
"""A flight is late if it arrives more than this after its schedule, or never."""
WEEK_DAYS: Final = 7
DESTINATIONS_MAX: Final = 8
"""The busiest destinations of a model get a feature each; the others share the intercept."""
KEPT_APART: Final = 10
"""One flight in so many is kept apart from the training of a job, for its holdout."""
ROW_MICROS: Final = 400
"""The cost of one flight that is fitted or scored."""

_RIDGE: Final = 3.0
_NEWTON_STEPS_MAX: Final = 12
_NEWTON_ENOUGH: Final = 1e-6
_LOGIT_MAX: Final = 30.0
_MICROS: Final = 1_000_000


# ---- what a version is ---------------------------------------------------------------------------


def features(
    *, hour: Floats, weekday: Integers, distance: Integers, destination: Words, busiest: Words
) -> Floats:
    """Return one row of features for each flight; all is known when the flight is scheduled."""
    turn = 2 * np.pi * hour / 24
    columns = [
        np.ones(len(hour)),
        (hour - 13) / 6,
        ((hour - 13) / 6) ** 2,
        np.sin(turn),
        np.cos(turn),
        np.log(np.maximum(distance, 1) / 1_000),
        *((weekday == day).astype(float) for day in range(1, WEEK_DAYS)),
        *((destination == name).astype(float) for name in busiest),
    ]
    return np.column_stack(columns)


def fit(inputs: Floats, late: Floats) -> Floats:
    """Return the weights of a logistic regression, by Newton's method with a ridge penalty.

    The intercept (column 0) is all but free of the penalty.
    """
    penalty = np.full(inputs.shape[1], _RIDGE)
    penalty[0] = _NEWTON_ENOUGH
    weights: Floats = np.zeros(inputs.shape[1])
    for _ in range(_NEWTON_STEPS_MAX):
        logits = np.clip(inputs @ weights, -_LOGIT_MAX, _LOGIT_MAX)
        chance = 1 / (1 + np.exp(-logits))
        slope = inputs.T @ (chance - late) + penalty * weights
        spread = chance * (1 - chance)
        curvature = (inputs * spread[:, None]).T @ inputs + np.diag(penalty)
        step = np.linalg.solve(curvature, slope)
        weights -= step
        if np.abs(step).max() < _NEWTON_ENOUGH:
            break
    return weights


def log_losses(inputs: Floats, late: Floats, weights: Floats) -> Floats:
    """Return the log-loss of each row, in nats."""
    logits = np.clip(inputs @ weights, -_LOGIT_MAX, _LOGIT_MAX)
    losses: Floats = np.logaddexp(0, logits) - late * logits
    return losses


@dataclass(frozen=True, slots=True)
class Version:
    """One trained version of one delay model; whole in its file."""

    name: str
    trained_through: str
    """The last day that it was trained on."""
    baseline_loss: float
    """Mean log-loss on the flights that it was trained on."""
    destinations: tuple[str, ...]
    weights: tuple[float, ...]

    @classmethod
    def trained(cls, flights: Sequence[Flight], last_day: date) -> "Version":
        """Train on flights up to a day."""
        counts = Counter(one[_DESTINATION] for one in flights)
        ranked = sorted(counts, key=lambda name: (-counts[name], name))
        destinations = tuple(ranked[:DESTINATIONS_MAX])
        inputs, late = _inputs(flights, destinations), _late(flights)
        weights = fit(inputs, late)
        return cls(
            name=f"through-{last_day}",
            trained_through=last_day.isoformat(),
            baseline_loss=float(log_losses(inputs, late, weights).mean()),
            destinations=destinations,
            weights=tuple(weights.tolist()),
        )

    @classmethod
    def read(cls, path: Path) -> "Version":
        """Read the file of a version."""
        facts = json.loads(path.read_text())
        kept = {name: tuple(facts[name]) for name in ("destinations", "weights")}
        return cls(**(facts | kept))

    def write(self, path: Path) -> None:
        """Write the file of a version."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    def losses(self, flights: Sequence[Flight]) -> Floats:
        """Return the log-loss of each of some flights, in nats."""
        if not flights:
            return np.zeros(0)
        inputs = _inputs(flights, self.destinations)
        return log_losses(inputs, _late(flights), np.array(self.weights))

    def loss(self, flights: Sequence[Flight]) -> float:
        """Return the mean log-loss over some flights, in nats; 0 where there is none."""
        return float(self.losses(flights).mean()) if flights else 0.0


_DESTINATION: Final = COLUMNS.index("dest")
_DEPARTED: Final = COLUMNS.index("dep_time")
DELAY: Final = COLUMNS.index("arr_delay")


def _inputs(flights: Sequence[Flight], destinations: Sequence[str]) -> Floats:
    columns = dict(zip(COLUMNS, zip(*flights, strict=True), strict=True))
    days = zip(*(map(int, columns[name]) for name in ("year", "month", "day")), strict=True)
    minutes = np.array(columns["minute"]).astype(np.int64)
    return features(
        hour=np.array(columns["hour"]).astype(np.int64) + minutes / 60,
        weekday=np.array([date(*day).weekday() for day in days]),
        distance=np.array(columns["distance"]).astype(np.int64),
        destination=np.array(columns["dest"]),
        busiest=np.array(destinations),
    )


def _late(flights: Sequence[Flight]) -> Floats:
    delays = [one[DELAY] for one in flights]
    return np.array([one == MISSING or int(one) > LATE_MINUTES for one in delays], np.float64)


# ---- the platform --------------------------------------------------------------------------------


def feed_file(feed: Path, model: str, last_day: date) -> Path:
    """Return the place of a model's flights of the week that ends with a day."""
    return feed / model / f"{last_day}.csv"


def read_flights(path: Path) -> list[Flight]:
    """Return the flights of one week."""
    with path.open(newline="") as file:
        rows = csv.reader(file)
        assert tuple(next(rows)) == COLUMNS, f"{path} has other columns"
        return list(rows)


def write_flights(path: Path, flights: Sequence[Flight]) -> None:
    """Write the flights of one week."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *flights])


def serve(store: Path, model: str, version: Version) -> None:
    """Put a version into service; a second time does no harm."""
    folder = store / model
    folder.mkdir(parents=True, exist_ok=True)
    version.write(folder / f"{version.name}.json")
    (folder / "serving").write_text(version.name + "\n")


# ---- the steps of a job --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Work:
    """All that a step works with."""

    told: dict[str, Any]
    feed: Path
    store: Path

    @property
    def last_day(self) -> date:
        """The last day of the job's data: the end of its id."""
        return date.fromisoformat(self.told["job"][-len("2013-01-01") :])

    def week(self, number: int) -> list[Flight]:
        """Return the flights of a week; 0 is the job's newest, and 1 the first after it."""
        path = self.place(number)
        return read_flights(path) if path.exists() else []

    def place(self, number: int) -> Path:
        """Return the file of such a week."""
        day = self.last_day + number * timedelta(days=WEEK_DAYS)
        return feed_file(self.feed, self.told["model"], day)

    def window(self, last: int = 0) -> list[list[Flight]]:
        """Return the weeks to train on, up to one of them, oldest first."""
        weeks = int(self.told["parameters"]["weeks"])
        return [self.week(number) for number in range(last - weeks + 1, last + 1)]

    def version(self, name: str) -> Version:
        """Return a version from the store."""
        return Version.read(self.store / self.told["model"] / f"{name}.json")


def _data_integrity(work: Work) -> dict[str, Any]:
    weeks = work.window()
    flown = [[one for one in week if one[_DEPARTED] != MISSING] for week in weeks]
    unfinished = [_share(sum(one[DELAY] == MISSING for one in week), len(week)) for week in flown]
    sizes = [len(week) for week in weeks]
    return {
        "metrics": {
            "unfinished": max(unfinished),
            "thinnest": _share(min(sizes) * len(sizes), sum(sizes)),
        },
        "samples": {"flights": sum(sizes)},
    }


def _candidate(work: Work) -> dict[str, Any]:
    """Train on the weeks before the newest, and compare on the newest."""
    newest, before = work.week(0), _joined(work.window(-1))
    tried = Version.trained(before, work.last_day - timedelta(days=WEEK_DAYS))
    return {
        "champion": _compared(work.version(work.told["serving"]), newest),
        "candidate": _compared(tried, newest),
        "samples": {"flights": len(newest)},
        "cost_micros": ROW_MICROS * len(newest),
    }


def _training(work: Work) -> dict[str, Any]:
    flights = _joined(work.window())
    order = [number for number in range(len(flights)) if number % KEPT_APART]
    learned = [flights[number] for number in order]
    version = Version.trained(learned, work.last_day)
    version.write(Path("model.json"))
    print(f"trained on {len(learned)} flights, mean loss {version.baseline_loss:.6f} nats")
    late = float(_late(learned).mean())
    data = [
        snapshot(f"flights-{path.stem}", path, rows=len(read_flights(path)))
        for path in (work.place(-number) for number in range(int(work.told["parameters"]["weeks"])))
        if path.exists()
    ]
    return {
        "metrics": {
            "loss": _micros(version.baseline_loss),
            "constant": _micros(-late * np.log(late) - (1 - late) * np.log(1 - late)),
        },
        "samples": {"flights": len(learned)},
        "artifacts": {"model": "model.json"},
        "environment": environment_record(
            data=data,
            shuffle=order,
            schema="flights-2013",
            features="hour, weekday, distance, destination",
            architecture="logistic regression",
        ),
        "cost_micros": ROW_MICROS * len(learned),
    }


def _holdout(work: Work) -> dict[str, Any]:
    apart = _joined(work.window())[::KEPT_APART]
    return {
        "champion": _compared(work.version(work.told["serving"]), apart),
        "candidate": _compared(Version.read(Path("model.json")), apart),
        "samples": {"flights": len(apart)},
        "cost_micros": ROW_MICROS * len(apart),
    }


def _deployment(work: Work) -> dict[str, Any]:
    version = Version.read(Path("model.json"))
    if work.told["serving"] != version.name:  # else it is done a second time
        Path("replaced").write_text(work.told["serving"])
    serve(work.store, work.told["model"], version)
    return {
        "version": {
            "model_version": version.name,
            "trained_through": f"{version.trained_through}T23:59:59Z",
            "baseline_loss": f"{version.baseline_loss:.9f}".rstrip("0"),
        }
    }


def _observation(work: Work) -> dict[str, Any]:
    """Compare the version with the one that it replaced, over its first week in service."""
    flights = work.week(1)
    replaced = work.version(Path("replaced").read_text())
    return {
        "metrics": {
            "loss": _micros(Version.read(Path("model.json")).loss(flights)),
            "replaced": _micros(replaced.loss(flights)),
        },
        "samples": {"flights": len(flights)},
    }


def _roll_back(work: Work) -> dict[str, Any]:
    serve(work.store, work.told["model"], work.version(work.told["put_back"]))
    return {}


def _compared(version: Version, flights: Sequence[Flight]) -> dict[str, int]:
    """Return the loss of a version with its standard error, by which the report has an interval."""
    losses = version.losses(flights)
    error = losses.std(ddof=1) / np.sqrt(len(losses)) if len(losses) > 1 else 0.0
    return {"loss": _micros(version.loss(flights)), "loss-error": _micros(float(error))}


def _joined(weeks: list[list[Flight]]) -> list[Flight]:
    return [flight for week in weeks for flight in week]


def _share(part: int, whole: int) -> int:
    return part * _MICROS // max(1, whole)


def _micros(nats: float) -> int:
    return round(nats * _MICROS)


_STEPS: Final[dict[str, Callable[[Work], dict[str, Any]]]] = {
    "data_integrity": _data_integrity,
    "candidate": _candidate,
    "training": _training,
    "holdout": _holdout,
    "deployment": _deployment,
    "observation": _observation,
    "roll_back": _roll_back,
}


def main() -> None:
    """Do the step that this process was told to, and report."""
    told = json.loads(Path(os.environ["DECISION_LEDGER_STEP"]).read_text())
    work = Work(told, Path(os.environ["FLIGHTS_FEED"]), Path(os.environ["MODEL_STORE"]))
    report = {"format": "step/1", **_STEPS[told["task"]](work)}
    Path(os.environ["DECISION_LEDGER_REPORT"]).write_text(json.dumps(report))


if __name__ == "__main__":
    main()
