"""Known answers of scoring kernel `bucketed/2`: sources that flood, lie, agree and fall silent.

Written from `ledger/docs/spec/kernel_v1.md` and `kernel_v2.md` alone, in the plainest way there is:
every number is a sum over all observations that it is of. It shares nothing with the product.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from math import isqrt
from typing import Any, Final

from tools.known_answers.draws import Draw

_PPM: Final = 1_000_000
_CASES: Final = 60
_NOW: Final = datetime(2027, 4, 5, 3, 28, 7, tzinfo=UTC)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SOURCES: Final = ("services/a", "services/b", "services/c", "services/d", "")
_NUMBERS: Final = (
    "observations", "buckets", "peak", "magnitude", "breaches", "streak", "persistence",
    "freshness", "trend", "effective", "share",
)  # fmt: skip
_SIGNALS: Final = ("accuracy", "drift", "nulls")

Case = dict[str, Any]


@cache
def _decay(age_seconds_times_1024: int, half_life: int) -> int:
    """Return the decay by its definition: ten integer square roots."""
    steps = age_seconds_times_1024 // half_life
    root = 1 << (62 * 1024 - steps % 1024)
    for _ in range(10):
        root = isqrt(root)
    return root >> (steps // 1024)


def _micros(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def _severity(rule: Case, value: str) -> int:
    """Return the severity; the values of these cases have three decimals."""
    thousandths = [
        round(float(each) * 1000) for each in (value, rule["baseline"], rule["critical"])
    ]
    seen, baseline, critical = thousandths
    part, whole = seen - baseline, critical - baseline
    if whole < 0:
        part, whole = -part, -whole
    return min(max(part * _PPM // whole, 0), _PPM)


def _bucket(rule: Case, seen: list[Case]) -> Case | None:
    """Return the numbers of one bucket of one set of observations; None if it does not count."""
    cap = rule["source_cap"]
    count = samples = total = filled = 0
    for source in sorted({one["source"] for one in seen}):
        own = [one for one in seen if one["source"] == source]
        weights = [min(one["sample_size"], rule["sample_cap"]) for one in own]
        n = sum(weights)
        s = sum(
            weight * _severity(rule, one["value"]) for weight, one in zip(weights, own, strict=True)
        )
        if cap is None:
            count, samples, total = count + len(own), samples + n, total + s
            continue
        count += min(len(own), cap)
        samples += min(n, cap)
        total += cap * s // n if n > cap else s
        filled += n >= cap
    if cap is not None and filled < rule["sources_needed"]:
        return None
    peak = max(_severity(rule, one["value"]) for one in seen) if cap is None else total // samples
    return {"count": count, "n": samples, "s": total, "peak": peak}


def _outputs(rule: Case, seen: list[Case], at: int, source: str) -> Case:
    """Return the outputs of one signal from observations that are taken together."""
    width = rule["window_seconds"] // rule["bucket_seconds"]
    micros = rule["bucket_seconds"] * 1_000_000
    window: list[tuple[int, Case]] = []
    for age in range(width):
        inside = [
            one for one in seen if at // micros - _micros(one["observed_at"]) // micros == age
        ]
        bucket = _bucket(rule, inside) if inside else None
        if bucket is not None:
            window.append((age, bucket))
    made: Case = dict.fromkeys(_NUMBERS, 0)
    made |= {"signal": rule["signal"], "weight": rule["weight_ppm"], "source": ""}
    made["sustained"] = False
    if not window:
        return made
    decays = [
        _decay(age * rule["bucket_seconds"] * 1024, rule["half_life_seconds"]) for age, _ in window
    ]
    buckets = [bucket for _, bucket in window]
    weighed = sum(d * b["n"] for d, b in zip(decays, buckets, strict=True))
    severe = sum(d * b["s"] for d, b in zip(decays, buckets, strict=True))
    is_breach = [b["s"] // b["n"] >= rule["breach_ppm"] for b in buckets]
    halves = [
        [b for age, b in window if (age < width // 2) is is_newer] for is_newer in (True, False)
    ]
    means = [sum(b["s"] for b in h) // sum(b["n"] for b in h) if h else None for h in halves]
    made["source"] = source
    made["observations"] = sum(b["count"] for b in buckets)
    made["buckets"] = len(buckets)
    made["peak"] = max(b["peak"] for b in buckets)
    made["magnitude"] = severe // weighed if weighed else 0
    made["breaches"] = sum(is_breach)
    made["streak"] = [*is_breach, False].index(False)
    made["persistence"] = sum(is_breach) * _PPM // len(buckets)
    made["freshness"] = decays[0] * _PPM >> 62
    made["trend"] = 0 if None in means else means[0] - means[1]  # type: ignore[operator]
    is_sustained = len(buckets) >= rule["min_buckets"]
    made["sustained"] = is_sustained and made["persistence"] >= rule["sustain_ppm"]
    believed = severe // (weighed + (rule["prior_samples"] << 62))
    made["effective"] = believed * (_PPM if made["sustained"] else rule["transient_ppm"]) // _PPM
    return made


def _speaking(rule: Case, seen: list[Case], at: int) -> Case:
    """Return the outputs that speak for a signal."""
    of_signal = [one for one in seen if one["signal"] == rule["signal"]]
    if rule["source_cap"] is not None or rule["sources_needed"] == 0:
        return _outputs(rule, of_signal, at, "")
    alone = [
        _outputs(rule, [one for one in of_signal if one["source"] == source], at, source)
        for source in sorted({one["source"] for one in of_signal})
    ]
    present = sorted(
        (one for one in alone if one["buckets"]), key=lambda one: (-one["effective"], one["source"])
    )
    if len(present) < rule["sources_needed"]:
        return _outputs(rule, [], at, "")
    needed: int = rule["sources_needed"]
    return present[needed - 1]


def _expected(case: Case) -> Case:
    scoring, at = case["scoring"], _micros(case["evaluated_at"])
    signals = [
        _speaking(rule, case["observations"], at)
        for rule in sorted(scoring["signals"], key=lambda rule: str(rule["signal"]))
    ]
    masses = [one["weight"] * one["effective"] for one in signals]
    weight = sum(one["weight"] for one in signals)
    for one, mass in zip(signals, masses, strict=True):
        one["share"] = mass * _PPM // sum(masses) if sum(masses) else 0
    parts = [mass // _PPM for mass in masses]
    if scoring["combine"] == "weighted_mean":
        degradation = sum(masses) // weight
    elif scoring["combine"] == "max":
        degradation = max(parts)
    else:
        rest = _PPM
        for one, part in zip(signals, parts, strict=True):
            rest = rest * (_PPM - part) // _PPM if one["buckets"] else rest
        degradation = _PPM - rest
    gains = scoring["impact_gain_ppm"], scoring["risk_gain_ppm"]
    facts = case["model"]["impact_ppm"], case["model"]["risk_ppm"]
    lift = _PPM + sum(gain * fact // _PPM for gain, fact in zip(gains, facts, strict=True))
    present = sum(one["weight"] for one in signals if one["buckets"])
    return {
        "degradation": degradation,
        "coverage": present * _PPM // weight,
        "priority": degradation * lift // (_PPM + sum(gains)),
        "signals": signals,
    }


# ---- cases ---------------------------------------------------------------------------------------


def _rule(draw: Draw, signal: str) -> Case:
    bucket = draw.one_of([60, 3_600])
    baseline, critical = draw.one_of([("0", "1"), ("0.9", "0.7"), ("0.02", "0.1")])
    return {
        "signal": signal,
        "weight_ppm": draw.one_of([1, 250_000, _PPM]),
        "baseline": baseline,
        "critical": critical,
        "bucket_seconds": bucket,
        "window_seconds": bucket * draw.between(1, 12),
        "half_life_seconds": draw.one_of([59, 3_600, 86_400]),
        "breach_ppm": draw.one_of([0, 200_000, 333_333, 500_000]),
        "sustain_ppm": draw.one_of([0, 500_000, _PPM]),
        "transient_ppm": draw.one_of([0, 200_000, _PPM]),
        "min_buckets": draw.between(1, 3),
        "sample_cap": draw.one_of([1, 100, 1_000_000]),
        "prior_samples": draw.one_of([1, 50, 1_000]),
        "sources_needed": draw.between(0, 3),
        "source_cap": draw.one_of([None, 1, 1, 7, 100, 1_000_000]),
    }


def _observation(draw: Draw, rule: Case, loud: str) -> Case:
    span = rule["window_seconds"] + 2 * rule["bucket_seconds"]
    back = draw.between(-rule["bucket_seconds"], span)
    source = draw.one_of([*_SOURCES, loud])
    at = _NOW - timedelta(seconds=back)
    sizes = [1, 7, 10**7] if source == loud else [1, 3, 100]
    low, high = sorted(round(float(rule[name]) * 1000) for name in ("baseline", "critical"))
    return {
        "signal": rule["signal"],
        "value": f"{draw.between(low - 100, high + 100) / 1000:.3f}",
        "observed_at": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "sample_size": draw.one_of(sizes),
        "source": source,
    }


def _case(number: int) -> Case:
    draw = Draw("bucketed/2", number)
    rules = [_rule(draw, signal) for signal in _SIGNALS[: draw.between(1, 3)]]
    loud = draw.one_of(_SOURCES)
    case: Case = {
        "name": f"own-sources-{number:02d}",
        "scoring": {
            "kernel": "bucketed/2",
            "combine": draw.one_of(["weighted_mean", "noisy_or", "max"]),
            "impact_gain_ppm": draw.one_of([0, _PPM]),
            "risk_gain_ppm": draw.one_of([0, 500_000]),
            "signals": rules,
        },
        "model": {"impact_ppm": draw.between(0, _PPM), "risk_ppm": draw.between(0, _PPM)},
        "evaluated_at": _NOW.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "observations": [
            _observation(draw, draw.one_of(rules), loud) for _ in range(draw.between(0, 40))
        ],
    }
    return case | {"expect": _expected(case)}


def make() -> Case:
    """Return the document."""
    return {"kernel": "bucketed/2", "cases": [_case(number) for number in range(_CASES)]}


FILES: Final = {"kernel_v2.json": make}
