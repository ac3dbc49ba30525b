"""Known answers of the steps around a planner: each alone, and several together.

Written from `ledger/docs/plans.md` alone, in the plainest way there is: a walk keeps the list of
those that it admitted, and each limit sums over that list again.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from tools.known_answers.draws import Draw

_ALONE: Final = 8
_TOGETHER: Final = 60
_MILLION: Final = 1_000_000
_DAY: Final = 86_400
_NOW: Final = 1_760_000_000 * _MILLION
_LIMITS: Final = (
    "cool_down", "at_most", "concurrency", "team_shares", "tier_reserve", "budgets",
)  # fmt: skip
_STEPS: Final = (*_LIMITS, "guaranteed_after")
_NONE: Final[dict[str, Any]] = {
    "cool_down_seconds": None,
    "at_most": None,
    "concurrency": None,
    "team_shares": [],
    "tier_reserve_ppm": None,
    "budgets": False,
    "guaranteed_after_seconds": None,
}
_LOST: Final = (
    "saving", "over_purse", "at_concurrency", "over_team_share", "tier_reserved", "budget_short",
    "budget_saved",
)  # fmt: skip
Case = dict[str, Any]


# ---- what a case states --------------------------------------------------------------------------


def _terms(draw: Draw, steps: Sequence[str]) -> Case:
    shares = [("risk", [0, 250_000, 400_000, _MILLION]), ("fraud", [100_000, 333_333])]
    teams = shares[: draw.between(1, 2)]
    values: Case = {
        "cool_down": {"cool_down_seconds": 7 * _DAY},
        "at_most": {"at_most": {"jobs": draw.between(1, 3), "per_seconds": 28 * _DAY}},
        "concurrency": {"concurrency": draw.between(1, 6)},
        "team_shares": {
            "team_shares": [{"team": name, "share_ppm": draw.one_of(of)} for name, of in teams]
        },
        "tier_reserve": {"tier_reserve_ppm": draw.one_of([200_000, 500_000, _MILLION])},
        "budgets": {"budgets": True},
        "guaranteed_after": {"guaranteed_after_seconds": 56 * _DAY},
    }
    found = dict(_NONE)
    for name in steps:
        found |= values[name]
    return found


def _since(draw: Draw, days: int) -> int | None:
    """Return a time around a span ago, to the second on both sides of it; or none."""
    span = days * _DAY * _MILLION
    return draw.one_of(
        [None, None, _NOW - span, _NOW - span + _MILLION, _NOW - span - _MILLION, _NOW - 3 * span]
    )


def _models(draw: Draw, terms: Case) -> list[Case]:
    models = [
        {
            "id": f"m{number}",
            "cost_micros": draw.between(1, 40) * 100_000,
            "gate": draw.one_of([None] * 7 + ["in_progress", "not_decided"]),
            "rest_until": draw.one_of([-1, -1, -1, -1, 100, 101]),
            "rank": draw.between(0, 4 * _MILLION),
            "seen": draw.between(0, 9) > 0,
            "team": draw.one_of(["risk", "fraud", "other"]),
            "is_top_tier": draw.between(0, 3) == 0,
            "budget": draw.one_of([None, "gold", "main", "main", "main"]),
            "recent_jobs": None if terms["at_most"] is None else draw.one_of([0, 0, 0, 1, 2, 3]),
            "idle_since": _since(draw, 7),
            "losing_since": _since(draw, 56),
        }
        for number in range(draw.between(3, 7))
    ]
    return sorted(models, key=lambda one: (-one["rank"], one["id"]))


def _budgets(draw: Draw) -> Case:
    found = {}
    for name in ("gold", "main"):
        free, tests = draw.between(0, 80) * 100_000, draw.one_of([0, 100_000, 400_000, 9_000_000])
        found[name] = {
            "free_micros": free,
            "kept_micros": draw.one_of([0, 1_000_000]),
            "cap_micros": free + draw.one_of([0, 4_000_000, 9_000_000]),
            "tests_free_micros": tests,
            "tests_cap_micros": tests + draw.one_of([0, 1_000_000]),
        }
    return found


# ---- what must come of it ------------------------------------------------------------------------


def _need(model: Case, case: Case) -> int:
    return int(model["cost_micros"] * (_MILLION + case["probe_ppm"]) // _MILLION)


def _test(model: Case, case: Case) -> int:
    return _need(model, case) - int(model["cost_micros"])


def _kept(model: Case, case: Case) -> int:
    return 0 if model["is_top_tier"] else int(case["budgets"][model["budget"]]["kept_micros"])


def _can_ever_be_paid(model: Case, case: Case) -> bool:
    budget = case["budgets"][model["budget"]]
    return bool(
        model["cost_micros"] <= budget["cap_micros"] - _kept(model, case)
        and _test(model, case) <= budget["tests_cap_micros"]
    )


def _is_short(model: Case, case: Case, admitted: list[Case]) -> bool:
    budget = case["budgets"][model["budget"]]
    before = [one for one in admitted if one["budget"] == model["budget"]]
    free = budget["free_micros"] - sum(one["cost_micros"] for one in before)
    for_tests = budget["tests_free_micros"] - sum(_test(one, case) for one in before)
    is_dear = model["cost_micros"] > free - _kept(model, case)
    return bool(is_dear or _test(model, case) > for_tests)


def _by_rest(model: Case, case: Case, _: list[Case]) -> str:
    idle, span = model["idle_since"], case["terms"]["cool_down_seconds"] * _MILLION
    return "cooling_down" if idle is not None and _NOW - idle < span else ""


def _by_count(model: Case, case: Case, _: list[Case]) -> str:
    return "at_most" if model["recent_jobs"] >= case["terms"]["at_most"]["jobs"] else ""


def _by_jobs_at_once(_: Case, case: Case, admitted: list[Case]) -> str:
    count = case["under_way"] + len(admitted)
    return "at_concurrency" if count >= case["terms"]["concurrency"] else ""


def _by_team(model: Case, case: Case, admitted: list[Case]) -> str:
    money = _need(model, case)
    money += sum(_need(one, case) for one in admitted if one["team"] == model["team"])
    for part in case["terms"]["team_shares"]:
        share = case["purse_micros"] * part["share_ppm"] // _MILLION
        if part["team"] == model["team"] and money > share:
            return "over_team_share"
    return ""


def _by_tier(model: Case, case: Case, admitted: list[Case]) -> str:
    if model["is_top_tier"]:
        return ""
    whole, money = case["purse_micros"], _need(model, case)
    money += sum(_need(one, case) for one in admitted if not one["is_top_tier"])
    kept = whole * case["terms"]["tier_reserve_ppm"] // _MILLION
    return "tier_reserved" if money > whole - kept else ""


def _by_budget(model: Case, case: Case, admitted: list[Case], saved: set[str]) -> str:
    if model["budget"] is None:
        return ""
    if model["budget"] in saved and not model["is_top_tier"]:
        return "budget_saved"
    if not _is_short(model, case, admitted):
        return ""
    if case["reserve"] and _can_ever_be_paid(model, case):
        saved.add(model["budget"])
    return "budget_short"


_REFUSALS: Final[dict[str, Callable[[Case, Case, list[Case]], str]]] = {
    "cool_down": _by_rest,
    "at_most": _by_count,
    "concurrency": _by_jobs_at_once,
    "team_shares": _by_team,
    "tier_reserve": _by_tier,
}


def _first_refusal(
    steps: Sequence[str], model: Case, case: Case, admitted: list[Case], saved: set[str]
) -> str:
    for step in steps:
        if step == "budgets":
            outcome = _by_budget(model, case, admitted, saved)
        else:
            outcome = _REFUSALS[step](model, case, admitted)
        if outcome:
            return outcome
    return ""


def _walk(wanted: list[Case], case: Case, steps: Sequence[str]) -> tuple[dict[str, str], int]:
    admitted: list[Case] = []
    outcomes: dict[str, str] = {}
    saved: set[str] = set()
    left, is_saving = case["purse_micros"], False
    for model in wanted:
        need = _need(model, case)
        if model["gate"] is not None:
            outcome = model["gate"]
        elif model["rest_until"] > case["now_period"]:
            outcome = "resting"
        elif need > case["purse_cap_micros"]:
            outcome = "too_dear"
        elif refusal := _first_refusal(steps, model, case, admitted, saved):
            outcome = refusal
        elif is_saving and case["reserve"]:
            outcome = "saving"
        elif need > left:
            outcome, is_saving = "over_purse", True
        else:
            outcome, left = "admitted", left - need
            admitted.append(model)
        outcomes[model["id"]] = outcome
    return outcomes, left


def _loses(model: Case, outcome: str) -> bool:
    return outcome in _LOST or (outcome == "below_price" and model["rank"] >= _MILLION)


def _could_be_first(model: Case, case: Case, steps: Sequence[str]) -> bool:
    alone, _ = _walk([model], case | {"purse_micros": case["purse_cap_micros"]}, ())
    if alone[model["id"]] != "admitted":
        return False
    refusal = _first_refusal(steps, model, case, [], set())
    return not refusal or (refusal == "budget_short" and _can_ever_be_paid(model, case))


def _guaranteed(case: Case, outcomes: dict[str, str], steps: Sequence[str]) -> Case | None:
    span = case["terms"]["guaranteed_after_seconds"] * _MILLION
    found = None
    for model in case["models"]:  # in the order of the backlog: among equals the first stays
        since = model["losing_since"]
        if since is None or _NOW - since < span or not _loses(model, outcomes[model["id"]]):
            continue
        is_longer = found is None or since < found["losing_since"]
        if is_longer and _could_be_first(model, case, steps):
            found = model
    return found


def _of_the_planner(case: Case) -> tuple[dict[str, str], list[Case], int]:
    """Return the planner's own outcomes, the wanted, and what its walk leaves."""
    outcomes, wanted = {}, []
    for model in case["models"]:
        if not model["seen"]:
            outcomes[model["id"]] = "no_evidence"
        elif model["rank"] < case["price"]:
            outcomes[model["id"]] = "below_price"
        else:
            wanted.append(model)
    walked, left = _walk(wanted, case, ())
    return outcomes | walked, wanted, left


def _expected(case: Case, steps: Sequence[str]) -> Case:
    outcomes, wanted, left = _of_the_planner(case)
    applied: list[str] = []
    changes, first = [], None
    for step in [name for name in _STEPS if name in steps]:
        if step in _LIMITS:
            applied.append(step)
        else:
            first = _guaranteed(case, outcomes, applied)
            if first is not None:
                wanted = [first, *(one for one in wanted if one is not first)]
        walked, left = _walk(wanted, case, applied)
        changed = [
            {"model": name, "before": before, "after": walked[name]}
            for name, before in ((one["id"], outcomes[one["id"]]) for one in case["models"])
            if name in walked and walked[name] != before
        ]
        changes.append({"step": step, "changed": changed})
        outcomes |= walked
    return {
        "backlog": [{"id": one["id"], "outcome": outcomes[one["id"]]} for one in case["models"]],
        "purse_left_micros": left,
        "changes": changes,
        "losing": {
            one["id"]: one["losing_since"] or _NOW
            for one in case["models"]
            if _loses(one, outcomes[one["id"]])
        },
        "guaranteed": None if first is None else first["id"],
    }


def _case(name: str, steps: Sequence[str], seed: int) -> Case:
    draw = Draw(f"plan steps {name}", seed)
    cap = draw.between(20, 220) * 100_000
    terms = _terms(draw, steps)
    case: Case = {
        "id": f"own-{name}-{seed}",
        "name": f"{name}-{seed}",
        "terms": terms,
        "made_at": _NOW,
        "now_period": 100,
        "under_way": draw.between(0, 2),
        "purse_micros": draw.between(cap // 2, cap),
        "purse_cap_micros": cap,
        "price": draw.one_of([1, 500_000, 1_500_000]),
        "probe_ppm": draw.one_of([0, 100_000, 333_333]),
        "reserve": draw.between(0, 2) > 0,
        "models": _models(draw, terms),
        "budgets": _budgets(draw),
    }
    made, _, left = _of_the_planner(case)
    planned = {"outcomes": made, "purse_left_micros": left}
    return case | {"planned": planned, "expect": _expected(case, steps)}


def _some(seed: int) -> list[str]:
    """Return some of the steps; each second time all of them."""
    draw = Draw("plan steps together", seed)
    return [name for name in _STEPS if seed % 2 == 0 or draw.between(0, 1)]


def _made() -> Case:
    cases = [_case(name, [name], seed) for name in _STEPS for seed in range(1, _ALONE + 1)]
    cases += [_case("together", _some(seed), seed) for seed in range(1, _TOGETHER + 1)]
    return {"plan_steps": "planning.steps", "cases": cases}


FILES: Final = {"plan_steps.json": _made}
