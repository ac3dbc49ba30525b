"""Benchmark models: the versions that others are measured by, and those known to be good.

A version that is known to be good has served: what never served cannot be fallen back to. A fault
is a sentence without its full stop, empty where there is none.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ledger.events.recipes import BenchmarkRegistered
from ledger.events.values import parse_decimal
from ledger.limits import FALL_BACKS_MAX

BenchmarkKey = tuple[str, str, str]
"""Model, version and kind."""


class BenchmarkEntry(NamedTuple):
    """A version that is registered, by the position of its event."""

    model: str
    model_version: str
    kind: str
    artifact: str
    note: str
    position: int
    trained_through: str | None
    baseline_loss: str | None
    """As its deployment would state both; None where it is not to be fallen back to, or served."""


@dataclass(frozen=True, slots=True)
class Benchmarks:
    """Those that are registered and not retired, in order of position; a value."""

    registered: Mapping[BenchmarkKey, BenchmarkEntry] = field(default_factory=dict)

    def applied(self, position: int, type_: str, data: Mapping[str, Any] | None) -> "Benchmarks":
        """Return those after an event of one; without `data` its body is not there."""
        if data is None:
            return self
        key = _key(data)
        left = {named: one for named, one in self.registered.items() if named != key}
        if type_ != BenchmarkRegistered.TYPE:
            return Benchmarks(left)
        said = data["trained_through"], data["baseline_loss"]
        made = BenchmarkEntry(*key, data["artifact"], data["note"], position, *said)
        return Benchmarks({**left, key: made})

    def fall_back(self, model: str) -> list[str]:
        """Return the versions of a model that a job may fall back to, the best choice first.

        Those known to be good before benchmarks whose training is stated, of each the newest first;
        at most FALL_BACKS_MAX.
        """
        of_model = [
            one
            for one in self.registered.values()
            if one.model == model and (one.kind == "known_good" or one.trained_through is not None)
        ]
        of_model.sort(key=lambda one: (one.kind != "known_good", -one.position))
        return list(dict.fromkeys(one.model_version for one in of_model))[:FALL_BACKS_MAX]

    def training(self, model: str, version: str) -> BenchmarkEntry | None:
        """Return the benchmark that says how a version was trained; None where none does."""
        found = self.registered.get((model, version, "benchmark"))
        return None if found is None or found.trained_through is None else found


def benchmark_fault(
    benchmarks: Benchmarks, type_: str, actor: str, data: Mapping[str, Any], served: Collection[str]
) -> str:
    """Return why a benchmark cannot be registered or retired so.

    `served` are the versions of the model that went into service.
    """
    known = benchmarks.registered.get(_key(data))
    said = f"version {data['model_version']} of {data['model']} as {data['kind']}"
    if actor.startswith("system/"):
        return f"{actor} caused it, and a person or a service does"
    if type_ != BenchmarkRegistered.TYPE:
        return "" if known is not None else f"{said} is not registered"
    if known is not None:
        return f"{said} is registered already, at position {known.position}"
    if data["kind"] == "known_good" and data["model_version"] not in served:
        return f"version {data['model_version']} of {data['model']} never served"
    return _training_fault(data)


def _training_fault(data: Mapping[str, Any]) -> str:
    trained, baseline = data["trained_through"], data["baseline_loss"]
    if (trained is None) != (baseline is None):
        return "it says until when it was trained without its loss then, or its loss alone"
    if trained is None:
        return ""
    if data["kind"] == "known_good":
        return "it served, so its deployment says how it was trained"
    return "" if parse_decimal(baseline) > 0 else "its loss in training is not above 0"


def _key(data: Mapping[str, Any]) -> BenchmarkKey:
    return data["model"], data["model_version"], data["kind"]
