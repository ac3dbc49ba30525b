"""The demo's fleet: delay models, what they lose, and the signals their monitors report.

Each model is a logistic regression of late arrival. Version `r` is trained on the `WINDOW_WEEKS`
weeks that end with week r and can serve from week r + 1; its baseline is its mean loss on those
same flights. Loss is log-loss in nats. A version is never scored on a week it was trained on.

Everything is a deterministic function of the data, so versions are trained once and kept: the
ledger's run and its rivals in `tools.demo.rivals` are measured on the very same versions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tools.demo.flights import ModelFlights
from tools.demo.recipes.late_arrival.retrain import Floats, Integers, fit, log_losses

WINDOW_WEEKS: Final = 6
SIGNALS: Final = ("log_loss", "excess_loss", "hour_psi", "gap_rate", "volume_ratio")
COMMON_QUANTILE: Final = 0.25
"""The quantile of the fleet that measures what happens to every model."""

_ROWS_PER_INPUT_MIN: Final = 2.5
_HOUR_EDGES: Final = (7, 10, 13, 16, 19)
"""Parts of the day over which the stability of the scheduled hour is measured."""


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One trained version of one model."""

    trained_week: int
    weights: Floats
    baseline_loss: float
    """Mean loss per flight in training; above 0."""
    hour_shares: Floats
    """Share of training flights in each part of the day, smoothed so that none is 0."""
    flights_a_week: float
    losses: Floats
    """Loss of each flight after the training window, in the model's order."""
    first_flight: int
    """Index of the flight that `losses` begins with."""

    def is_same(self, other: "Version | None") -> bool:
        """Return whether another training came out the same, to the byte."""
        return other is not None and self.packed() == other.packed()

    def packed(self) -> tuple[bytes, ...]:
        """Return all of it as bytes."""
        scalars = (self.trained_week, self.baseline_loss, self.flights_a_week, self.first_flight)
        arrays = (self.weights, self.hour_shares, self.losses)
        return (repr(scalars).encode(), *(array.tobytes() for array in arrays))


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one signal over one week, and how many flights it is a mean over."""

    signal: str
    value: float
    sample_size: int


@dataclass(slots=True)
class Fleet:
    """All models over the year. Weeks are numbers since 1970, as in the planner's periods."""

    models: Sequence[ModelFlights]
    first_week: int = field(init=False)
    last_week: int = field(init=False)
    _starts: list[list[int]] = field(init=False)
    _versions: dict[tuple[int, int], Version | None] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Index the flights by week."""
        self.first_week = min(int(model.week[0]) for model in self.models)
        self.last_week = max(int(model.week[-1]) for model in self.models)
        weeks = np.arange(self.first_week, self.last_week + 2)
        self._starts = [np.searchsorted(model.week, weeks).tolist() for model in self.models]

    @property
    def first_trained_week(self) -> int:
        """The week at whose end the first versions are trained."""
        return self.first_week + WINDOW_WEEKS - 1

    def rows(self, model: int, week: int) -> int:
        """Return how many flights a model had in a week."""
        start, end = self._span(model, week, week)
        return end - start

    def version(self, model: int, week: int) -> Version | None:
        """Return the version trained at the end of a week; None where there is too little to learn.

        Too little: the window has not passed, a week in it is empty, there are under 2.5 flights
        per feature, or all flights ended alike.
        """
        key = (model, week)
        if key not in self._versions:
            self._versions[key] = self._train(model, week)
        return self._versions[key]

    def trained(self) -> dict[tuple[int, int], Version]:
        """Return every version trained so far by model and week."""
        return {key: made for key, made in self._versions.items() if made is not None}

    def loss(self, model: int, version: Version, week: int) -> float:
        """Return the total loss of a version over a week; the week lies after its training."""
        assert week > version.trained_week, "a version is not scored on what it was trained on"
        start, end = self._span(model, week, week)
        at = version.first_flight
        return float(version.losses[start - at : end - at].sum())

    def flight_losses(self, model: int, version: Version, week: int) -> Floats:
        """Return the loss of each flight of a week, in order of date."""
        start, end = self._span(model, week, week)
        return version.losses[start - version.first_flight : end - version.first_flight]

    def hour_psi(self, model: int, version: Version, week: int) -> float:
        """Return the population stability index of the scheduled hour, against training."""
        start, end = self._span(model, week, week)
        shares = _hour_shares(self.models[model].hour[start:end])
        moved = shares - version.hour_shares
        return float((moved * np.log(shares / version.hour_shares)).sum())

    def loss_ratio(self, model: int, version: Version, week: int) -> float:
        """Return mean loss over that in training; the model has flights that week."""
        mean = self.loss(model, version, week) / self.rows(model, week)
        return mean / version.baseline_loss

    def common_ratio(self, serving: Mapping[int, Version], week: int) -> float:
        """Return the loss ratio that the whole fleet has in a week: its lower quartile."""
        ratios = [
            self.loss_ratio(model, version, week)
            for model, version in serving.items()
            if self.rows(model, week)
        ]
        return float(np.quantile(ratios, COMMON_QUANTILE)) if ratios else 1.0

    def readings(
        self, model: int, version: Version, week: int, common_ratio: float
    ) -> list[Reading]:
        """Return what a model's monitors report of the version in service at the end of a week.

        Nothing where there was no flight: silence is a fact too.
        """
        start, end = self._span(model, week, week)
        flights = end - start
        if flights == 0:
            return []
        values = (
            self.loss(model, version, week) / flights,
            self.loss_ratio(model, version, week) - common_ratio,
            self.hour_psi(model, version, week),
            float(self.models[model].gaps[start:end].mean()),
            flights / version.flights_a_week,
        )
        return [Reading(name, value, flights) for name, value in zip(SIGNALS, values, strict=True)]

    def _span(self, model: int, first: int, last: int) -> tuple[int, int]:
        """Return the first flight of one week and the first after another."""
        starts = self._starts[model]
        return starts[first - self.first_week], starts[last - self.first_week + 1]

    def _train(self, model: int, week: int) -> Version | None:
        """Fit a version on the window that ends with a week, and score it on all that follows."""
        first = week - WINDOW_WEEKS + 1
        if first < self.first_week:
            return None
        flights = self.models[model]
        start, end = self._span(model, first, week)
        inputs, late = flights.inputs[start:end], flights.late[start:end]
        weeks = range(first, week + 1)
        if (
            end - start < _ROWS_PER_INPUT_MIN * flights.inputs.shape[1]
            or not all(self.rows(model, each) for each in weeks)
            or late.min() == late.max()
        ):
            return None
        weights = fit(inputs, late)
        return Version(
            trained_week=week,
            weights=weights,
            baseline_loss=float(log_losses(inputs, late, weights).mean()),
            hour_shares=_hour_shares(flights.hour[start:end]),
            flights_a_week=(end - start) / WINDOW_WEEKS,
            losses=log_losses(flights.inputs[end:], flights.late[end:], weights),
            first_flight=end,
        )


def _hour_shares(hours: Integers) -> Floats:
    """Return the smoothed share of flights in each part of the day."""
    parts = np.bincount(np.searchsorted(_HOUR_EDGES, hours, side="right"), minlength=6)
    return np.asarray((parts + 0.5) / (len(hours) + 0.5 * len(parts)), np.float64)
