"""The signals projection: for each model and signal the latest value, its trend and breach state.

Value and count come from observations as they arrive, trend and breach state from the model's last
score that is not historical: only a score knows the policy. Two kinds of rows: `model/signal` is
what `signal_rows` returns; `model` keeps which version is in service, so that shadow observations
of other versions are counted without passing for the latest value.

A correction takes the place of what it corrects, and is counted with it. An erased observation is
not there, whichever signal it was of. An erased score leaves the model's
signals unscored, an erased deployment leaves unknown which version is in service, until the next.
"""

from collections.abc import Mapping
from typing import ClassVar, NamedTuple, cast

from ledger.events.corrections import correction_of
from ledger.events.decisions import ScoreComputed
from ledger.events.envelope import RecordedEvent
from ledger.events.fast import Observed, parse_observed
from ledger.events.models import ModelDeployed, ModelRetired
from ledger.events.registry import typed
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.values import NANO, format_time, parse_decimal, parse_time
from projections.projection import Row, model_of, model_stream
from projections.signal_rows import BreachState, ObservationPart, SignalRow, SignalScorePart


class _Entry(NamedTuple):
    """An observation in the order that makes one the latest: its first three members decide."""

    deployment: int
    observed_at: int
    position: int
    value: int
    sample_size: int
    source: str
    model_version: str


class _Series:
    """The state behind one row."""

    __slots__ = ("count", "latest", "model", "previous", "score", "shadow_count", "signal")

    def __init__(self, model: str, signal: str) -> None:
        self.model = model
        self.signal = signal
        self.latest: _Entry | None = None
        self.previous: _Entry | None = None
        self.count = 0
        self.shadow_count = 0
        self.score: SignalScorePart | None = None

    @property
    def key(self) -> str:
        """The row's key. Names hold no slash, so keys of models and of series cannot meet."""
        return f"{self.model}/{self.signal}"

    def add(self, entry: _Entry) -> None:
        """Take an observation; any order of arrival ends in the same state."""
        self.count += 1
        latest = self.latest
        if latest is None or entry > latest:
            self.previous, self.latest = latest, entry
        elif self.previous is None or entry > self.previous:
            self.previous = entry

    def correct(self, target: int, position: int, observed: Observed) -> bool:
        """Put a correction in the place of what it corrects; False where that is not shown."""
        for name in ("latest", "previous"):
            entry: _Entry | None = getattr(self, name)
            if entry is not None and entry.position == target:
                value, size = observed.value, observed.sample_size
                setattr(
                    self, name, entry._replace(position=position, value=value, sample_size=size)
                )
                return True
        return False

    def would_show(self, deployment: int, observed_at: int) -> bool:
        """Whether an observation of a time would be one of the two that are shown."""
        previous = self.previous
        if previous is None:
            return True
        return previous.deployment == deployment and observed_at > previous.observed_at


class _Model:
    """A model's version in service and its series by signal."""

    __slots__ = ("deployment", "latest", "name", "retired", "series", "since", "version")

    def __init__(self, name: str) -> None:
        self.name = name
        self.version: str | None = None
        self.deployment = 0
        self.latest: str | None = None
        """The version of the latest known deployment; after an erased one it is not `version`."""
        self.since = ""
        """When that went into service, as recorded: such texts are in order of time."""
        self.retired = False
        self.series: dict[str, _Series] = {}


class SignalsProjection:
    """Folds observations, scores, deployments and retirements."""

    name: ClassVar[str] = "signals"
    version: ClassVar[int] = 5  # 5: corrections of observations
    handles: ClassVar[frozenset[str]] = frozenset(
        {*OBSERVED_TYPES, ScoreComputed.TYPE, ModelDeployed.TYPE, ModelRetired.TYPE}
    )

    def __init__(self) -> None:
        self._models: dict[str, _Model] = {}
        self._dirty_series: set[_Series] = set()
        self._dirty_models: set[_Model] = set()
        self._gone: set[str] = set()

    def apply(self, event: RecordedEvent) -> None:
        """Fold one event; EVENT_UNREADABLE leaves the state as it was."""
        kind = event.type
        if event.body_bytes is None:
            self._erased(event)
        elif kind in OBSERVED_TYPES:
            self._observed(event)
        elif kind == ScoreComputed.TYPE:
            self._scored(event, typed(event, ScoreComputed))
        elif kind == ModelDeployed.TYPE:
            self._deployed(event, typed(event, ModelDeployed))
        elif kind == ModelRetired.TYPE:
            self._retired(event)

    def changes(self) -> dict[str, Row | None]:
        """Return the rows touched since the last call; rows are built here, once per batch."""
        changed: dict[str, Row | None] = dict.fromkeys(self._gone)
        for model in self._dirty_models:
            changed[model.name] = _model_row(model)
        for series in self._dirty_series:
            changed[series.key] = cast("Row", _signal_row(series))
        self._gone.clear()
        self._dirty_models.clear()
        self._dirty_series.clear()
        return changed

    def load(self, rows: Mapping[str, Row]) -> None:
        """Take up stored rows."""
        assert not self._models, "load comes first"
        for key, row in rows.items():
            if "/" in key:
                signal_row = cast("SignalRow", row)
                model = self._models.setdefault(
                    model_stream(signal_row["model"]), _Model(signal_row["model"])
                )
                model.series[signal_row["signal"]] = _series(signal_row)
            else:
                model = self._models.setdefault(model_stream(key), _Model(key))
                model.version = row["model_version"]
                model.deployment = row["deployment"]
                model.latest = row["latest_version"]
                model.since = row["in_service_at"]
                model.retired = row["retired"]

    def _erased(self, event: RecordedEvent) -> None:
        """Fold an event of which only the header is left."""
        model = self._model(event)
        if event.type == ModelRetired.TYPE:
            self._retired(event)
        elif event.type == ScoreComputed.TYPE:
            for series in [one for one in model.series.values() if one.score]:
                self._forget_score(model, series)
        elif event.type == ModelDeployed.TYPE and not model.retired:
            model.version, model.deployment = None, event.position
            self._dirty_models.add(model)

    def _observed(self, event: RecordedEvent) -> None:
        """Fold an observation: the path that runs a hundred thousand times a second."""
        observed = parse_observed(event)
        model = self._models.get(event.stream)
        if model is None:
            model = self._model(event)
        elif model.retired:
            return
        series = model.series.get(observed.signal)
        if series is None:
            series = model.series[observed.signal] = _Series(model.name, observed.signal)
        self._dirty_series.add(series)
        is_shadow = model.version is not None and observed.model_version != model.version
        if (corrected := correction_of(event)) is not None:
            if series.correct(corrected.position, event.position, observed) or is_shadow:
                return
            if not series.would_show(model.deployment, observed.observed_at):
                return
            # Were the one that it corrects not erased, it would be shown: this counts in its stead.
        if is_shadow:
            series.shadow_count += 1
            return
        series.add(
            _Entry(
                model.deployment,
                observed.observed_at,
                event.position,
                observed.value,
                observed.sample_size,
                observed.source,
                observed.model_version,
            )
        )

    def _scored(self, event: RecordedEvent, score: ScoreComputed) -> None:
        model = self._model(event)
        if score.historical or model.retired:
            return
        covered = {part.signal: part for part in score.signals}
        for signal, part in covered.items():
            series = model.series.get(signal)
            if series is None:
                series = model.series[signal] = _Series(model.name, signal)
            series.score = {
                "position": event.position,
                "evaluated_at": score.evaluated_at,
                "policy": score.policy,
                "policy_version": score.policy_version,
                "magnitude": part.magnitude,
                "persistence": part.persistence,
                "freshness": part.freshness,
                "trend": part.trend,
                "streak": part.streak,
                "sustained": part.sustained,
                "effective": part.effective,
                "share": part.share,
                "weight": part.weight,
                "observations": part.observations,
                "buckets": part.buckets,
            }
            self._dirty_series.add(series)
        for series in [s for s in model.series.values() if s.signal not in covered and s.score]:
            self._forget_score(model, series)

    def _forget_score(self, model: _Model, series: _Series) -> None:
        """Take the score from a signal the policy no longer reads, and the row if that was all."""
        series.score = None
        if series.count or series.shadow_count:
            self._dirty_series.add(series)
        else:
            self._drop(model, series)

    def _deployed(self, event: RecordedEvent, deployed: ModelDeployed) -> None:
        model = self._model(event)
        if model.retired:
            return
        if deployed.in_service_at >= model.since:
            model.latest, model.since = deployed.model_version, deployed.in_service_at
        elif model.version is not None:
            return  # recorded as what was, it replaces nothing
        model.version, model.deployment = model.latest, event.position
        self._dirty_models.add(model)

    def _retired(self, event: RecordedEvent) -> None:
        model = self._model(event)
        for series in list(model.series.values()):
            self._drop(model, series)
        model.retired = True
        self._dirty_models.add(model)

    def _drop(self, model: _Model, series: _Series) -> None:
        del model.series[series.signal]
        self._dirty_series.discard(series)
        self._gone.add(series.key)

    def _model(self, event: RecordedEvent) -> _Model:
        model = self._models.get(event.stream)
        if model is None:
            model = self._models[event.stream] = _Model(model_of(event))
        return model


def _model_row(model: _Model) -> Row:
    return {
        "deployment": model.deployment,
        "in_service_at": model.since,
        "latest_version": model.latest,
        "model_version": model.version,
        "retired": model.retired,
    }


def _signal_row(series: _Series) -> SignalRow:
    latest, previous = series.latest, series.previous
    return {
        "model": series.model,
        "signal": series.signal,
        "latest": None if latest is None else _observation_part(latest),
        "previous": None if previous is None else _observation_part(previous),
        "change": None
        if latest is None or previous is None
        else _decimal(latest.value - previous.value),
        "count": series.count,
        "shadow_count": series.shadow_count,
        "score": series.score,
        "state": _state(series.score),
    }


def _state(score: SignalScorePart | None) -> BreachState:
    if score is None:
        return "unscored"
    if not score["observations"]:
        return "silent"
    if score["sustained"]:
        return "sustained"
    return "breaching" if score["streak"] else "ok"


def _observation_part(entry: _Entry) -> ObservationPart:
    return {
        "value": _decimal(entry.value),
        "observed_at": format_time(entry.observed_at),
        "position": entry.position,
        "sample_size": entry.sample_size,
        "source": entry.source,
        "model_version": entry.model_version,
        "deployment": entry.deployment,
    }


def _entry(part: ObservationPart) -> _Entry:
    return _Entry(
        part["deployment"],
        parse_time(part["observed_at"]),
        part["position"],
        parse_decimal(part["value"]),
        part["sample_size"],
        part["source"],
        part["model_version"],
    )


def _series(row: SignalRow) -> _Series:
    series = _Series(row["model"], row["signal"])
    series.latest = None if row["latest"] is None else _entry(row["latest"])
    series.previous = None if row["previous"] is None else _entry(row["previous"])
    series.count = row["count"]
    series.shadow_count = row["shadow_count"]
    series.score = row["score"]
    return series


def _decimal(nano: int) -> str:
    """Return a number of billionths as text, also a difference of 13 whole digits."""
    whole, fraction = divmod(abs(nano), NANO)
    text = f"{whole}.{fraction:09d}".rstrip("0").rstrip(".") if fraction else str(whole)
    return f"-{text}" if nano < 0 else text
