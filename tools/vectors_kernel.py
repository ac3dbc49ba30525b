"""Check known answers of kernels, planners and rankings: `kernel_v…`, `planner_v…`, `ranking_…`.

Each check is a generator of (name of the case, what is wrong or None), so that a caller may stop at
the first failure or count them all.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from ledger.events.values import PPM, parse_time
from ledger.kernel.bucketed import score
from ledger.kernel.buckets import ModelState
from ledger.kernel.decay import TABLE
from ledger.kernel.excess import (
    PLANNERS,
    BacklogRow,
    PeriodCell,
    PlanInputs,
    PlanModel,
    PlannerPolicy,
    PlanResult,
    input_problems,
    plan,
)
from ledger.kernel.plan_steps import StepFacts, StepInputs, stepped
from ledger.kernel.ranking import Ranked, Worth
from ledger.kernel.reuse import (
    GatePolicy,
    ReusePolicy,
    ServedVersion,
    VersionLoss,
    judge_candidate,
    reuse,
)
from ledger.kernel.scoring import KERNELS, Scoring, SignalRule, scoring_problems

Document = dict[str, Any]
Verdict = tuple[str, str | None]
_Part = TypeVar("_Part", GatePolicy, PlannerPolicy, ReusePolicy)


class KernelObservation(NamedTuple):
    """One observation as the kernel reads it; an empty source is a source like any other."""

    signal: str
    value_nano: int
    observed_at: int
    sample_size: int = 1
    source: str = ""


def check_kernel(document: Document) -> Iterator[Verdict]:
    """Yield a verdict for the decay table and for each scoring of a kernel's file."""
    if document["kernel"] not in KERNELS:
        yield "kernel", f"names {document['kernel']!r}; this release knows {', '.join(KERNELS)}"
        return
    table = document.get("decay_table", {})
    wrong = [key for key, value in table.items() if TABLE[int(key)] != int(value)]
    yield "decay_table", f"entries {', '.join(wrong)} differ" if wrong else None
    for case in document["cases"]:
        yield case["name"], kernel_case_problem(case)


def check_planner(document: Document) -> Iterator[Verdict]:
    """Yield a verdict for each case of a planner's file."""
    if document["planner"] not in PLANNERS:
        yield "planner", f"names {document['planner']!r}; this release knows {', '.join(PLANNERS)}"
        return
    for case in document["cases"]:
        yield case["name"], planner_case_problem(case)


def check_ranking(document: Document) -> Iterator[Verdict]:
    """Yield a verdict for each case of a ranking's file."""
    for case in document["cases"]:
        yield case["name"], ranking_case_problem(case)


def kernel_case_problem(case: Document) -> str | None:
    """Return the first difference between a scoring and its known answer, or None."""
    scoring = scoring_of(case["scoring"])
    if problems := scoring_problems(scoring):
        return f"the kernel refuses its scoring: {problems}"
    result = score(
        scoring,
        case["model"]["impact_ppm"],
        case["model"]["risk_ppm"],
        state_of(scoring, [observation_of(item) for item in case["observations"]]),
        parse_time(case["evaluated_at"]),
    )
    return difference(asdict(result), case["expect"])


def planner_case_problem(case: Document) -> str | None:
    """Return the first difference between a planner's answer and the known one, or None.

    A case of `excess/2` says which kind of question it asks; `excess/1` has plans alone.
    """
    match case.get("kind", "plan"):
        case "reuse":
            found = _reuse_of(case)
        case "gate":
            found = asdict(
                judge_candidate(
                    _part(GatePolicy, case["policy"]),
                    case["now_period"],
                    case["champion_nano"],
                    case["candidate_nano"],
                )
            )
        case _:
            inputs = plan_inputs_of(case)
            if problems := input_problems(inputs):
                return f"the planner refuses its inputs: {problems}"
            found = asdict(plan(inputs))
            found["modes"] = {str(period): mode for period, mode in found["modes"].items()}
    return difference(found, case["expect"])


def ranking_case_problem(case: Document) -> str | None:
    """Return the first difference between a plan's order and outcomes and the known ones, or None.

    The outcomes of the planner's own rank are no part of a case.
    """
    models, rows, facts = [], [], {}
    for one in case["models"]:
        model = PlanModel(
            one["id"], 0, 1, 1, one["cost_micros"], rest_until=one["rest_until"], gate=one["gate"]
        )
        is_resting = one["rest_until"] > case["now_period"]
        told = (one["id"], 0, 0, one["rank"], one["cost_micros"], one["seen"], is_resting)
        models.append(model)
        rows.append(BacklogRow(*told, outcome="no_evidence"))
        facts[one["id"]] = StepFacts(
            "", is_top_tier=False, budget=None, recent_jobs=None, idle_since=None, losing_since=None
        )
    policy = PlannerPolicy(1, 1, 1, probe_ppm=case["probe_ppm"], reserve=case["reserve"])
    money = case["purse_micros"], case["purse_cap_micros"]
    inputs = PlanInputs(policy, case["now_period"], *money, None, tuple(models))
    made = stepped(
        inputs,
        PlanResult(1, 1, 0, case["purse_micros"], {}, tuple(rows)),
        StepInputs(None, _ranked_of(case), made_at=0, under_way=0, models=facts, budgets={}),
    )
    backlog = [{"id": name, "outcome": outcome} for name, outcome in made.outcomes.items()]
    found = {"backlog": backlog, "purse_left_micros": made.purse_left_micros}
    return difference(found, case["expect"])


def _ranked_of(case: Document) -> Ranked:
    priorities = {one["id"]: one.get("priority") for one in case["models"]}
    worths = {
        one["id"]: Worth(one["forecast_benefit_micros"], one["forecast_cost_micros"])
        for one in case["models"]
        if "forecast_cost_micros" in one
    }
    known = {name: one for name, one in priorities.items() if one is not None}
    return Ranked(case["ranking"], known, worths, PPM + case["margin_ppm"])


def _reuse_of(case: Document) -> Document:
    """Return what reuse answers to a case."""
    prefixed = {
        name: case["policy"][f"reuse_{name}"]
        for name in ("versions", "half_life_seconds", "periods", "prior_ppm", "margin_ppm")
    }
    return asdict(
        reuse(
            _part(ReusePolicy, case["policy"] | prefixed),
            case["now_period"],
            _version_of(case["in_service"]),
            tuple(_version_of(version) for version in case["others"]),
        )
    )


def _version_of(document: Document) -> ServedVersion:
    """Return a version with its losses by period."""
    losses = {int(period): VersionLoss(**loss) for period, loss in document["periods"].items()}
    return ServedVersion(document["name"], document["trained_period"], losses)


def _part(kind: type[_Part], policy: Document) -> _Part:
    """Return the part of a policy that one question reads."""
    return kind(**{each.name: policy[each.name] for each in fields(kind)})


def scoring_of(document: Document) -> Scoring:
    """Return the scoring that a case describes."""
    rules = tuple(
        SignalRule(
            **{
                **rule,
                "baseline": _nano(rule["baseline"]),
                "critical": _nano(rule["critical"]),
            }
        )
        for rule in document["signals"]
    )
    return Scoring(**{**document, "signals": rules})


def plan_inputs_of(case: Document) -> PlanInputs:
    """Return the planner's inputs that a case describes."""
    return PlanInputs(
        policy=_part(PlannerPolicy, case["policy"]),
        now_period=case["now_period"],
        purse_micros=case["purse_micros"],
        purse_cap_micros=case["purse_cap_micros"],
        price=case["price"],
        models=tuple(_model_of(model) for model in case["models"]),
        periods={
            int(period): {name: PeriodCell(**cell) for name, cell in cells.items()}
            for period, cells in case["periods"].items()
        },
    )


def _model_of(document: Document) -> PlanModel:
    """Return a model of a plan; `excess/2` says of its gate only whether a job is under way."""
    named = dict(document)
    if named.pop("in_progress", False):
        named["gate"] = "in_progress"
    return PlanModel(**named)


def state_of(scoring: Scoring, observations: Iterable[KernelObservation]) -> ModelState:
    """Return the buckets that observations fill, in any order."""
    state = ModelState(scoring)
    for seen in observations:
        state.observe(*seen)
    return state


def observation_of(item: Document) -> KernelObservation:
    """Return the observation that a case describes."""
    return KernelObservation(
        signal=item["signal"],
        value_nano=_nano(item["value"]),
        observed_at=parse_time(item["observed_at"]),
        sample_size=item.get("sample_size", 1),
        source=item.get("source", ""),
    )


def _nano(text: str) -> int:
    """Return the nano of a decimal; the cases write zeros that a canonical decimal does not."""
    scaled = Decimal(text).scaleb(9)
    if scaled != int(scaled):
        raise ValueError(f"{text} has more than nine fractional digits")
    return int(scaled)


def difference(found: Any, expected: Any, path: str = "") -> str | None:  # noqa: ANN401 - JSON
    """Return the path and both values of the first difference between JSON values, or None."""
    if isinstance(expected, dict) and isinstance(found, dict):
        if found.keys() != expected.keys():
            return f"{path or 'result'}: fields {sorted(found)}, expected {sorted(expected)}"
        pairs = [(f"{path}.{key}".lstrip("."), found[key], expected[key]) for key in expected]
    elif isinstance(expected, list) and isinstance(found, list | tuple):
        if len(found) != len(expected):
            return f"{path}: {len(found)} entries, expected {len(expected)}"
        pairs = [(f"{path}[{at}]", found[at], item) for at, item in enumerate(expected)]
    elif type(found) is type(expected) and found == expected:
        return None
    else:
        return f"{path}: {found!r}, expected {expected!r}"
    return next((why for at, ours, theirs in pairs if (why := difference(ours, theirs, at))), None)
