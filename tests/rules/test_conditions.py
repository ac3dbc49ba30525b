"""The facts that are said about conditions hold for every environment.

Method: arbitrary conditions over a few variables, evaluated by CEL over a grid of environments that
holds every turning point; a condition must be true exactly within its boxes, whatever they are.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules.conditions import Box, IntRange, boxes_of, implies, is_covered
from ledger.rules.expressions import activation_of, compile_expression
from tests.rules.test_expressions import SIGNAL, VALUES

ATOMS = [
    *(f"priority {operator} {limit}" for operator in ("<", "<=", ">", ">=", "==", "!=")
      for limit in (0, 400_000, 1_000_000)),
    "300000 <= priority",
    "hours_in_force < 24",
    'signals["a"].sustained',
    'signals["a"].trend > 0',
    'in_force == "INVESTIGATE"',
    'in_force != "INVESTIGATE"',
    'in_force in ["INVESTIGATE", "NO_ACTION"]',
    "priority + 1 > hours_in_force",
    "true",
]  # fmt: skip
conditions = st.recursive(
    st.sampled_from(ATOMS),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||"]), inner)
        | inner.map("!({})".format)
    ),
    max_leaves=6,
)
ENVIRONMENTS = [
    VALUES
    | {"priority": priority, "hours_in_force": hours, "in_force": action}
    | {"signals": {"a": SIGNAL | {"sustained": sustained, "trend": 2 * int(sustained) - 1}}}
    for priority, hours, action, sustained in product(
        (0, 1, 299_999, 300_000, 399_999, 400_000, 400_001, 999_999, 1_000_000),
        (0, 23, 24),
        ("INVESTIGATE", "NO_ACTION", "SCHEDULE_RETRAINING"),
        (False, True),
    )
]
ACTIVATIONS = [activation_of(each) for each in ENVIRONMENTS]


def boxes(text: str) -> tuple[Box, ...] | None:
    return boxes_of(compile_expression(text, ["a"]).tree)


def is_in(environment: Mapping[str, Any], box: Box) -> bool:
    """Whether a box allows an environment; a part of its own is looked up by evaluating it."""
    known = {
        "priority": environment["priority"],
        "hours_in_force": environment["hours_in_force"],
        "in_force": environment["in_force"],
        'signals["a"].sustained': environment["signals"]["a"]["sustained"],
        'signals["a"].trend': environment["signals"]["a"]["trend"],
        "priority + 1 > hours_in_force": environment["priority"] + 1
        > environment["hours_in_force"],
    }
    return all(
        allowed.least <= known[name] <= allowed.most
        if isinstance(allowed, IntRange)
        else (known[name] in allowed.values) != allowed.is_denied
        for name, allowed in box.items()
    )


@given(conditions)
def test_a_condition_is_true_exactly_within_its_boxes(text: str) -> None:
    compiled, found = compile_expression(text, ["a"]), boxes(text)
    if found is None:
        return
    for environment, activation in zip(ENVIRONMENTS, ACTIVATIONS, strict=True):
        is_true = compiled.evaluate(activation).is_true
        assert is_true == any(is_in(environment, box) for box in found), (text, environment)


@given(conditions, conditions)
def test_a_condition_that_is_covered_by_another_is_never_true_without_it(
    one: str, other: str
) -> None:
    covered, covering = boxes(one), boxes(other)
    if covered is None or covering is None or not is_covered(covered, covering):
        return
    first, second = (compile_expression(text, ["a"]) for text in (one, other))
    for activation in ACTIVATIONS:
        assert not first.evaluate(activation).is_true or second.evaluate(activation).is_true


@pytest.mark.parametrize(
    ("one", "other", "is_implied"),
    [
        ("priority >= 500000", "priority >= 400000", True),
        ("priority >= 400000", "priority >= 500000", False),
        ("priority == 400000 && risk > 1", "400000 <= priority", True),
        ('in_force == "INVESTIGATE"', 'in_force in ["INVESTIGATE", "NO_ACTION"]', True),
        ('in_force == "INVESTIGATE"', 'in_force != "NO_ACTION"', True),
        ('in_force != "NO_ACTION"', 'in_force == "INVESTIGATE"', False),
        ('in_force != "NO_ACTION" && in_force != "X"', 'in_force != "NO_ACTION"', True),
        ('in_force != "NO_ACTION"', 'in_force != "NO_ACTION" && in_force != "X"', False),
        ('signals["a"].sustained', 'signals["a"].present', False),
        ("priority * 2 > risk", "priority * 2 > risk", True),
        ("priority * 2 > risk", "priority * 3 > risk", False),
    ],
)
def test_what_implies_what(one: str, other: str, is_implied: bool) -> None:  # noqa: FBT001
    (first,), (second,) = boxes(one) or (), boxes(other) or ()
    assert implies(first, second) == is_implied


def test_nothing_is_said_of_a_condition_with_too_many_cases() -> None:
    hours = " && ".join(f"hours_in_force != {each}" for each in range(20))
    assert boxes(hours) is not None
    pairs = " && ".join(f"(risk > {each} || impact > {each})" for each in range(8))
    assert boxes(pairs) is None
    assert boxes(f"{pairs} && priority > 1000000") == ()  # false whatever the rest says
