"""Known answers of the other rankings of a plan: by priority, and by forecast benefit per cost.

Written from `ledger/docs/plans.md` alone, in the plainest way there is: the next model of the
backlog is looked for among all that are left, and then the money is counted down.
"""

from collections.abc import Callable
from typing import Any, Final

from tools.known_answers.draws import Draw

_CASES: Final = 40
_MILLION: Final = 1_000_000
Case = dict[str, Any]


def _models(draw: Draw, ranking: str) -> list[Case]:
    models = []
    for number in range(draw.between(1, 8)):
        model: Case = {
            "id": f"m{number}",
            "cost_micros": draw.between(1, 40) * 100_000,
            "gate": draw.one_of([None, None, None, None, "in_progress", "not_decided"]),
            "rest_until": draw.one_of([-1, -1, -1, 99, 100, 101]),
            "rank": draw.between(0, 3 * _MILLION),
            "seen": draw.between(0, 9) > 0,
        }
        if ranking == "priority":
            priorities = [None, 0, 250_000, 250_000, draw.between(1, _MILLION)]
            model["priority"] = draw.one_of(priorities)
        else:
            cost = draw.one_of([0, 3, 3 * 10**17, draw.between(1, 4 * _MILLION)])
            benefits = [0, cost, cost * 2 // 3, cost * 2, cost * 3, cost * draw.between(1, 9)]
            model["forecast_benefit_micros"] = draw.one_of(benefits) + draw.between(0, 1)
            model["forecast_cost_micros"] = cost
        models.append(model)
    return models


def _comes_first(one: Case, other: Case, ranking: str) -> bool:
    """Whether a model comes before another in the backlog."""
    if ranking == "priority":
        scores = (each["priority"] for each in (one, other))
        left, right = (-1 if score is None else score for score in scores)
    else:
        left = one["forecast_benefit_micros"] * (other["forecast_cost_micros"] or 1)
        right = other["forecast_benefit_micros"] * (one["forecast_cost_micros"] or 1)
    return one["id"] < other["id"] if left == right else bool(left > right)


def _backlog(models: list[Case], ranking: str) -> list[Case]:
    left, found = list(models), []
    while left:
        best = left[0]
        for one in left[1:]:
            if _comes_first(one, best, ranking):
                best = one
        left.remove(best)
        found.append(best)
    return found


def _unwanted(model: Case, case: Case) -> str:
    """Return the outcome of a model that is not wanted; empty for one that is."""
    if case["ranking"] == "priority":
        if model["priority"] is None:
            return "no_evidence"
        return "" if model["priority"] else "below_price"
    if not model["seen"]:
        return "no_evidence"
    benefit, cost = model["forecast_benefit_micros"], model["forecast_cost_micros"]
    asked = cost * (_MILLION + case["margin_ppm"])
    return "" if benefit and benefit * _MILLION >= asked else "below_price"


def _expected(case: Case) -> Case:
    left, is_saving, outcomes = case["purse_micros"], False, []
    for model in _backlog(case["models"], case["ranking"]):
        need = model["cost_micros"] * (_MILLION + case["probe_ppm"]) // _MILLION
        outcome = _unwanted(model, case)
        if outcome:
            pass
        elif model["gate"]:
            outcome = model["gate"]
        elif model["rest_until"] > case["now_period"]:
            outcome = "resting"
        elif need > case["purse_cap_micros"]:
            outcome = "too_dear"
        elif is_saving and case["reserve"]:
            outcome = "saving"
        elif need > left:
            outcome, is_saving = "over_purse", True
        else:
            outcome, left = "admitted", left - need
        outcomes.append({"id": model["id"], "outcome": outcome})
    return {"backlog": outcomes, "purse_left_micros": left}


def _case(ranking: str, seed: int) -> Case:
    draw = Draw(f"ranking {ranking}", seed)
    cap = draw.between(1, 100) * 100_000
    case: Case = {
        "id": f"own-{ranking}-{seed}",
        "name": f"{ranking}-{seed}",
        "ranking": ranking,
        "now_period": 100,
        "purse_micros": draw.between(0, cap),
        "purse_cap_micros": cap,
        "probe_ppm": draw.one_of([0, 100_000, 333_333]),
        "reserve": draw.between(0, 1) == 1,
        "margin_ppm": draw.one_of([0, 0, 100_000]),
        "models": _models(draw, ranking),
    }
    return case | {"expect": _expected(case)}


def _made(ranking: str) -> Callable[[], Case]:
    cases = range(1, _CASES + 1)
    return lambda: {"ranking": ranking, "cases": [_case(ranking, seed) for seed in cases]}


FILES: Final = {
    "ranking_priority.json": _made("priority"),
    "ranking_benefit_per_cost.json": _made("benefit_per_cost"),
}
