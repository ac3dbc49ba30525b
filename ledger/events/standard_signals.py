"""The catalogue of standard signals: what many teams measure, described once.

An entry has a version. The words and limits of a version never change, for definitions on record
name it; a better text is a new version behind the old one. A p-value is recorded as -log10 of it,
so that more is worse and the number does not vanish among nine decimals. An estimate of a
performance has an entry beside the one of what was realised: the two are different signals.

The hints are for a policy before there is history. Where a model's own scale decides what is
healthy there is none, and the rationale says how to find one.
"""

from dataclasses import dataclass
from typing import Final, Literal

from ledger.events.signals import PINNED, Direction, SignalDefined, SignalDefinedV2, SignalKind
from ledger.events.standard_texts import TEXTS

Family = Literal[
    "performance",
    "calibration",
    "data drift",
    "prediction drift",
    "missing values",
    "schema violations",
    "freshness",
    "latency",
    "volume",
    "fairness gap",
    "cost",
]
_UP: Final[Direction] = "higher_is_worse"
_DOWN: Final[Direction] = "lower_is_worse"


@dataclass(frozen=True, slots=True)
class StandardSignal:
    """One version of an entry. `baseline` and `critical` are decimals, or None together."""

    name: str
    version: int
    family: Family
    kind: SignalKind
    unit: str
    direction: Direction
    is_estimated: bool
    baseline: str | None
    critical: str | None
    meaning: str
    collection: str
    rationale: str
    """Where the hints are from, or why there are none."""

    def is_followed_by(self, defined: SignalDefined) -> bool:
        """Whether a definition has the kind, unit and direction of this entry."""
        return all(getattr(self, name) == getattr(defined, name) for name in PINNED)


def _entry(  # noqa: PLR0913 - a row of the table below
    name: str,
    family: Family,
    kind: SignalKind,
    unit: str,
    direction: Direction,
    hints: tuple[str, str] | None = None,
    *,
    version: int = 1,
    is_estimated: bool = False,
) -> StandardSignal:
    baseline, critical = hints or (None, None)
    meaning, collection, rationale = TEXTS[name, version]
    return StandardSignal(
        name,
        version,
        family,
        kind,
        unit,
        direction,
        is_estimated,
        baseline,
        critical,
        meaning,
        collection,
        rationale,
    )


CATALOGUE: Final[tuple[StandardSignal, ...]] = (
    _entry("accuracy", "performance", "performance", "share", _DOWN),
    _entry("accuracy-estimated", "performance", "performance", "share", _DOWN, is_estimated=True),
    _entry("roc-auc", "performance", "performance", "area", _DOWN, ("0.8", "0.65")),
    _entry(
        "roc-auc-estimated", "performance", "performance", "area", _DOWN, ("0.8", "0.65"),
        is_estimated=True,
    ),
    _entry("f1", "performance", "performance", "share", _DOWN),
    _entry("log-loss", "performance", "performance", "nats", _UP),
    _entry("log-loss-estimated", "performance", "performance", "nats", _UP, is_estimated=True),
    _entry("relative-rmse", "performance", "performance", "ratio", _UP, ("1", "1.25")),
    _entry(
        "relative-mae", "performance", "performance", "ratio", _UP, ("1", "1.25")
    ),
    _entry(
        "relative-mae-estimated", "performance", "performance", "ratio", _UP, ("1", "1.25"),
        is_estimated=True,
    ),
    _entry("calibration-error", "calibration", "performance", "share", _UP, ("0.02", "0.1")),
    _entry("brier-score", "calibration", "performance", "score", _UP),
    _entry("psi", "data drift", "drift", "psi", _UP, ("0.05", "0.25")),
    _entry("js-distance", "data drift", "drift", "distance", _UP, ("0.05", "0.2")),
    _entry("wasserstein", "data drift", "drift", "deviations", _UP, ("0.05", "0.3")),
    _entry("ks-p", "data drift", "drift", "-log10 p", _UP, ("1", "6")),
    _entry("chi-squared-p", "data drift", "drift", "-log10 p", _UP, ("1", "6")),
    _entry("drifted-features", "data drift", "drift", "share", _UP, ("0.05", "0.5")),
    _entry("prediction-psi", "prediction drift", "drift", "psi", _UP, ("0.05", "0.25")),
    _entry("prediction-ks-p", "prediction drift", "drift", "-log10 p", _UP, ("1", "6")),
    _entry("missing-values", "missing values", "data_quality", "share", _UP, ("0.01", "0.1")),
    _entry("schema-violations", "schema violations", "data_quality", "share", _UP, ("0", "0.01")),
    _entry("data-age", "freshness", "data_quality", "hours", _UP, ("24", "72")),
    _entry("label-delay", "freshness", "data_quality", "hours", _UP),
    _entry("latency-p95", "latency", "latency", "ms", _UP, ("100", "500")),
    _entry("volume-ratio", "volume", "data_quality", "ratio", _DOWN, ("1", "0.5")),
    _entry("parity-gap", "fairness gap", "fairness", "share", _UP, ("0.02", "0.2")),
    _entry("opportunity-gap", "fairness gap", "fairness", "share", _UP, ("0.02", "0.1")),
    _entry("cost-ratio", "cost", "cost", "ratio", _UP, ("1", "1.5")),
)  # fmt: skip
"""Every version of every entry, older ones before newer ones."""

_BY_VERSION: Final = {(one.name, one.version): one for one in CATALOGUE}
_NEWEST: Final = {one.name: one for one in CATALOGUE}


def standards() -> list[StandardSignal]:
    """Return the newest version of every entry, in the order of the catalogue."""
    return list(_NEWEST.values())


def standard(name: str, version: int | None = None) -> StandardSignal | None:
    """Return a version of an entry, the newest if none is named; None where there is none."""
    return _NEWEST.get(name) if version is None else _BY_VERSION.get((name, version))


def adopted_by(defined: SignalDefined) -> StandardSignal | None:
    """Return the entry that a definition adopts; None where it adopts none that is known here."""
    named = defined.standard if isinstance(defined, SignalDefinedV2) else None
    return None if named is None else standard(named.name, named.version)
