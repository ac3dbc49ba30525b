"""A part of a condition is said to have no value only where CEL itself finds none."""

import pytest

from ledger.rules.expressions import activation_of, compile_expression
from ledger.rules.failing import failing_part
from tests.rules.test_expressions import SIGNAL, VALUES

MOST = 2**63 - 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("priority / 0 > 1", "priority / 0 divides by 0"),
        ("priority % (2 * 3 - 6) == 1", "priority % (2 * 3 - 6) takes a remainder by 0"),
        ("priority / (hours_in_force * 0) > 1", "divides by 0"),
        ("1000000 / (priority - priority) > 1", "divides by 0"),
        ("-(-9223372036854775808) > risk", "leaves the 64 bits"),
        (f"priority * {MOST} > 1", "leaves the 64 bits"),
        (f"-(priority * {MOST}) > 1", "leaves the 64 bits"),
        (f"hours_in_force + {MOST} > 1", "leaves the 64 bits"),
        (f"-{MOST} - hours_in_force > 1", "leaves the 64 bits"),
        (f'signals["a"].trend - -{MOST} > 1', "leaves the 64 bits"),
        ("1u - 2u > 0u", "leaves the 64 bits"),
    ],
)
def test_what_is_said_to_fail_fails_for_values_that_the_variables_have(
    text: str, said: str
) -> None:
    compiled = compile_expression(text, ["a"])
    found = failing_part(compiled.tree)
    assert found is not None
    assert said in found[1]
    largest = VALUES | {"priority": 1_000_000, "hours_in_force": 1_000}
    largest["signals"] = {"a": {**SIGNAL, "trend": 1_000_000}}
    assert compiled.evaluate(activation_of(largest)).is_true is None


@pytest.mark.parametrize(
    "text",
    [
        "priority * impact * risk > 400000000",
        "1000000 / (hours_in_force + 1) > 1",
        "priority / hours_in_force > 1",
        "priority - risk > 1000000 / (priority - risk)",
        "(hours_in_force % 24) * 3600 == 0",
        f"priority + {MOST - 1_000_000} > 1",
        "priority > 1 ? risk > 1 : risk / 2 > 3",
        'model.owner + "/" + in_force == "a/b"',
    ],
)
def test_nothing_is_said_of_a_condition_that_has_a_value_for_some_variables(text: str) -> None:
    assert failing_part(compile_expression(text, ["a"]).tree) is None
