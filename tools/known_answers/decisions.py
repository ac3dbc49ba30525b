"""Known answers of decision procedure `rules/2`: what serves, what counts, what rules see of time.

Written from `ledger/docs/spec/decision_v2.md` alone, in the plainest way there is: every question
is answered by going through all deployments and all observations. It shares nothing with the
product, whose application and auditor both have to arrive at these answers.
"""

from typing import Any, Final

from tools.known_answers.draws import Draw

_HOUR: Final = 3_600_000_000
_DAY: Final = 24 * _HOUR
_START: Final = 20_000 * _DAY
_SPAN_DAYS: Final = 40
_WINDOW_DAYS: Final = 16
_PERIOD: Final = 7 * _DAY
_MAX_PERIODS: Final = 4
_CASES: Final = 24

Case = dict[str, Any]


def _days(draw: Draw, count: int) -> list[int]:
    """Return that many days, each another one, in no order."""
    left = list(range(_SPAN_DAYS - 5))
    return [left.pop(draw.between(0, len(left) - 1)) for _ in range(count)]


def in_service(deployments: list[Case], at: int) -> Case | None:
    """Return the deployment in service at a time."""
    found: Case | None = None
    for one in deployments:  # in order of record, so a later one of the same time wins
        is_begun = one["in_service_at"] <= at
        if is_begun and (found is None or one["in_service_at"] >= found["in_service_at"]):
            found = one
    return found


def _end_of(deployments: list[Case], begun: int) -> int | None:
    """Return when the version that went into service at a time is stated to be followed."""
    later = [one["in_service_at"] for one in deployments if one["in_service_at"] > begun]
    return min(later, default=None)


def _selected(case: Case, at: int) -> list[int]:
    """Return the numbers of the observations that count for an evaluation at a time."""
    serving = in_service(case["deployments"], at)
    if serving is None:
        return []
    end = _end_of(case["deployments"], serving["in_service_at"])
    last_bucket = at // _DAY
    return [
        number
        for number, seen in enumerate(case["observations"])
        if seen["recorded_version"] == serving["version"]
        and seen["observed_at"] >= serving["in_service_at"]
        and (end is None or seen["observed_at"] < end)
        and last_bucket - _WINDOW_DAYS < seen["observed_at"] // _DAY <= last_bucket
    ]


def _evaluation(case: Case, at: int, since: int) -> Case:
    """Return what an evaluation at a time finds, with a decision in force since some time."""
    serving = in_service(case["deployments"], at)
    ages = [
        (at - one["in_service_at"]) // _HOUR for one in case["deployments"] if one["is_trained"]
    ]
    return {
        "evaluated_at": at,
        "model_version": None if serving is None else serving["version"],
        "hours_since_deployed": -1 if serving is None else (at - serving["in_service_at"]) // _HOUR,
        "retrainings_30d": len([age for age in ages if 0 <= age < 720]),
        "observations": len(_selected(case, at)),
        "interval_hours": -(-case["reports_every_seconds"] // 3_600),
        "hours_in_force": max((at - since) // _HOUR, 0),
    }


def _present(case: Case) -> int | None:
    """Return the time of an evaluation that states none: None where it is the ledger's."""
    latest = in_service(
        case["deployments"], max(one["in_service_at"] for one in case["deployments"])
    )
    assert latest is not None
    times = [
        seen["observed_at"]
        for seen in case["observations"]
        if seen["recorded_version"] == latest["version"]
        and seen["observed_at"] >= latest["in_service_at"]
    ]
    return max(times, default=None)


def _plan(case: Case, made_at: int) -> Case | None:
    """Return what a plan reads of the model, None where no version is in service."""
    serving = in_service(case["deployments"], made_at)
    if serving is None:
        return None
    begun = [one for one in case["deployments"] if one["in_service_at"] <= made_at]
    trained = max(
        [one["trained_through"] for one in begun if one["is_trained"]],
        default=serving["trained_through"],
    )
    now, trained_period = made_at // _PERIOD, trained // _PERIOD
    seen_periods = set()
    for seen in case["observations"]:
        period = seen["observed_at"] // _PERIOD
        then = (
            serving
            if period == now
            else in_service(case["deployments"], (period + 1) * _PERIOD - 1)
        )
        if then is not None and then["version"] == seen["recorded_version"]:
            seen_periods.add(period)
    return {
        "model_version": serving["version"],
        "baseline_loss": serving["baseline_loss"],
        "trained_period": trained_period,
        "seen": any(
            trained_period < period <= now and now - period < _MAX_PERIODS
            for period in seen_periods
        ),
    }


def _case(number: int) -> Case:
    draw = Draw("rules/2", number)
    days = _days(draw, draw.between(1, 5))
    deployments = [
        {
            "version": f"v{place}",
            "is_trained": True,
            "in_service_at": _START + day * _DAY + draw.between(0, 23) * _HOUR,
            "trained_through": _START + (day - draw.between(0, 9)) * _DAY,
            "baseline_loss": f"0.{draw.between(1, 9)}",
        }
        for place, day in enumerate(days)
    ]
    case: Case = {
        "id": f"own-stated-times-{number:02d}",
        "reports_every_seconds": draw.one_of([1, 3_600, 5_400, 86_400, 90_000]),
        "deployments": deployments,
        "observations": [],
    }
    for _ in range(draw.between(3, 12)):
        at = _START + draw.between(0, _SPAN_DAYS * 24) * _HOUR
        then = in_service(deployments, at)
        stated = draw.one_of(["", "", "", *(one["version"] for one in deployments)])
        if not stated and then is None:
            stated = "v0"
        recorded = stated or str(then["version"] if then else "")
        case["observations"].append(
            {"version": stated, "observed_at": at, "recorded_version": recorded}
        )
    newest = max(seen["observed_at"] for seen in case["observations"])
    times = sorted({_START, newest, *(draw.between(_START, newest) for _ in range(4))})
    present = _present(case)
    since = newest if present is None else present
    return case | {
        "present": present,
        "evaluations": [_evaluation(case, at, since) for at in times],
        "plan": _plan(case, newest),
    }


def make() -> Case:
    """Return the document."""
    return {
        "procedure": "rules/2",
        "bucket_seconds": 86_400,
        "window_seconds": _WINDOW_DAYS * 86_400,
        "period_seconds": 7 * 86_400,
        "max_periods": _MAX_PERIODS,
        "cases": [_case(number) for number in range(_CASES)],
    }


FILES: Final = {"decision_v2.json": make}
