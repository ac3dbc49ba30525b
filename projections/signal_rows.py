"""The rows of the signals projection, as its readers see them."""

from collections.abc import Iterable, Mapping
from typing import Literal, TypedDict, cast

from projections.projection import Row

BreachState = Literal["unscored", "silent", "ok", "breaching", "sustained"]
"""The state of a signal in the last score.

`unscored`: no score has covered it; `silent`: no observation in the policy's window; `breaching`:
the newest bucket breaches; `sustained`: enough buckets of the window do, the newest or not.
"""


class ObservationPart(TypedDict):
    """One observation: `value` a decimal, `observed_at` a time, `source` the submitting actor."""

    value: str
    observed_at: str
    position: int
    sample_size: int
    source: str
    model_version: str
    deployment: int
    """Position of the deployment event by which was known what served when it was recorded; 0 if
    there was none."""


class SignalScorePart(TypedDict):
    """The signal in the model's last non-historical score; ratios in ppm."""

    position: int
    evaluated_at: str
    policy: str
    policy_version: int
    magnitude: int
    persistence: int
    freshness: int
    trend: int
    streak: int
    sustained: bool
    effective: int
    share: int
    weight: int
    observations: int
    buckets: int


class SignalRow(TypedDict):
    """One signal of one model."""

    model: str
    signal: str
    latest: ObservationPart | None
    """Newest by deployment, then observed_at, then position; None where only a score names it."""
    previous: ObservationPart | None
    change: str | None
    """latest minus previous, a decimal; None without a previous one."""
    count: int
    """Observations of versions in service when they were recorded."""
    shadow_count: int
    """Observations of other versions."""
    score: SignalScorePart | None
    state: BreachState


def signal_rows(rows: Mapping[str, Row], model: str | None = None) -> list[SignalRow]:
    """Return the rows of signals, of one model or of all, by model and signal."""
    wanted: Iterable[str] = (key for key in rows if "/" in key)
    if model is not None:
        wanted = (key for key in wanted if key.startswith(f"{model}/"))
    return [cast("SignalRow", rows[key]) for key in sorted(wanted, key=lambda key: key.split("/"))]
