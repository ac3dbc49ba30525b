"""The known answers of the kernels and the planner, one test a case; other code made them."""

import hashlib
import json
from typing import Any

import pytest

from ledger.kernel.decay import TABLE
from ledger.kernel.plan_steps import STEP_OUTCOMES, STEPS
from tests.support.spec import text_of
from tests.support.vectors import load_vectors
from tools.vectors_kernel import (
    check_kernel,
    check_planner,
    kernel_case_problem,
    planner_case_problem,
    ranking_case_problem,
)
from tools.vectors_steps import check_plan_steps, plan_steps_case_problem

_KERNEL: dict[str, Any] = load_vectors("kernel_v1.json")
_QUOTAS: dict[str, Any] = load_vectors("kernel_v2.json")
_PLANNER: dict[str, Any] = load_vectors("planner_v1.json")
_PLANNER_2: dict[str, Any] = load_vectors("planner_v2.json")
_RANKINGS: list[dict[str, Any]] = [
    case
    for name in ("ranking_priority.json", "ranking_benefit_per_cost.json")
    for case in load_vectors(name)["cases"]
]


_STEPS: list[dict[str, Any]] = load_vectors("plan_steps.json")["cases"]


def test_the_vector_files_are_whole() -> None:
    assert len(_KERNEL["cases"]) >= 143
    assert len(_QUOTAS["cases"]) >= 60
    assert len(_PLANNER["cases"]) >= 120
    assert len(_PLANNER_2["cases"]) >= 167
    assert len(_RANKINGS) >= 80
    assert len(_STEPS) >= 116


@pytest.mark.parametrize(
    "case", _KERNEL["cases"] + _QUOTAS["cases"], ids=lambda case: str(case["name"])
)
def test_a_scoring_equals_its_known_answer(case: dict[str, Any]) -> None:
    assert kernel_case_problem(case) is None


@pytest.mark.parametrize(
    "case", _PLANNER["cases"] + _PLANNER_2["cases"], ids=lambda case: str(case["name"])
)
def test_an_answer_of_the_planner_equals_its_known_answer(case: dict[str, Any]) -> None:
    assert planner_case_problem(case) is None


@pytest.mark.parametrize("case", _RANKINGS, ids=lambda case: str(case["name"]))
def test_a_ranking_gives_its_known_order_and_outcomes(case: dict[str, Any]) -> None:
    assert ranking_case_problem(case) is None


@pytest.mark.parametrize("case", _STEPS, ids=lambda case: str(case["name"]))
def test_steps_around_a_planner_give_their_known_outcomes(case: dict[str, Any]) -> None:
    assert plan_steps_case_problem(case) is None


def test_every_step_changes_something_alone_and_with_all_others() -> None:
    """Known answers in which a step never bites would say nothing of it."""
    changes = [
        (len(case["expect"]["changes"]), one["step"], change["after"])
        for case in _STEPS
        for one in case["expect"]["changes"]
        for change in one["changed"]
    ]
    limits = [name for name in STEPS if name != "ranking"]
    for count in (1, len(limits)):
        assert {step for of, step, _ in changes if of == count} == set(limits)
    assert {after for *_, after in changes} >= STEP_OUTCOMES
    assert any(case["expect"]["guaranteed"] for case in _STEPS)


def test_a_case_of_steps_that_is_damaged_is_named_with_the_field() -> None:
    case = json.loads(json.dumps(_STEPS[-1]))
    case["expect"]["purse_left_micros"] += 1
    [verdict] = check_plan_steps({"cases": [case]})
    assert verdict[0] == case["name"]
    assert "purse_left_micros" in str(verdict[1])


def test_the_decay_table_has_the_digest_that_the_page_names() -> None:
    packed = b"".join(entry.to_bytes(8, "big") for entry in TABLE)
    digest = hashlib.sha256(packed).hexdigest()
    assert f"`{digest}`" in text_of("kernel_v1.md")


def test_every_decay_is_the_floor_that_its_definition_asks_for() -> None:
    # TABLE[k] = floor(2^(62 - k/1024)) is the largest t with t^1024 <= 2^(62×1024 - k).
    for step in range(0, 1024, 31):
        bound = 1 << (62 * 1024 - step)
        assert TABLE[step] ** 1024 <= bound < (TABLE[step] + 1) ** 1024


def test_the_checks_name_the_case_and_the_field_that_differ() -> None:
    case = json.loads(json.dumps(_KERNEL["cases"][0]))
    case["expect"]["signals"][1]["peak"] += 1
    damaged = {**_KERNEL, "cases": [_KERNEL["cases"][1], case]}
    verdicts = [verdict for verdict in check_kernel(damaged) if verdict[1]]
    assert len(verdicts) == 1
    assert verdicts[0][0] == case["name"]
    assert "signals[1].peak" in str(verdicts[0][1])


def test_the_checks_refuse_a_file_of_another_kernel_or_planner() -> None:
    assert "bucketed/3" in str(next(check_kernel({"kernel": "bucketed/3"}))[1])
    assert "excess/3" in str(next(check_planner({"planner": "excess/3"}))[1])
