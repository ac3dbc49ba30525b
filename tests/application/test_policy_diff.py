"""The difference of two policies is said in words, each change with what it does, and none is lost.

Method: the default policy with one change each, and the sentence that must come of it; each value
of the stored form changed by itself, which must be named.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from ledger.application.policies.diff import PolicyChange, policy_changes
from ledger.application.policies.text import parse
from ledger.events.policy_document import PolicyDocumentV2
from tests.application.policy_texts import DEFAULT

SECOND = DEFAULT[DEFAULT.index("    - id: drift-alone") : DEFAULT.index("  otherwise:")]
FIRST = DEFAULT[DEFAULT.index("    - id: sustained-loss") : DEFAULT.index("    - id: drift-alone")]


def changes(old: str, new: str) -> tuple[PolicyChange, ...]:
    assert old in DEFAULT
    return policy_changes(parse(DEFAULT), parse(DEFAULT.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "weight: 80%",
            "weight: 40%",
            "weight of log-loss 80% → 40%: it counts less, 66.6% of all weights instead of 80.0%",
        ),
        (
            "critical: 0.60",
            "critical: 0.50",
            "critical of log-loss 0.6 → 0.5: the same value is worse",
        ),
        (
            "baseline: 0.40",
            "baseline: 0.45",
            "baseline of log-loss 0.4 → 0.45: degradation begins later",
        ),
        (
            "critical: 0.60",
            "critical: 0.20",
            (
                "critical of log-loss 0.6 → 0.2: "
                "the direction in which the signal is worse is the other one"
            ),
        ),
        ("breach: 0.3", "breach: 20%", "breach of log-loss 30% → 20%: more buckets are breaches"),
        (
            "window: 28d",
            "window: 14d",
            "window of log-loss 28d → 14d: observations count less long",
        ),
        (
            "cool_down: 24h",
            "cool_down: 2d",
            "cool down 1d → 2d: after a deployment retraining waits longer",
        ),
        (
            "cool_down: 24h",
            "cool_down: 24h\n  max_priority_step: 10%",
            "max priority step none → 10%: priorities may only move more slowly",
        ),
        (
            "priority >= 300000",
            "priority >= 350000",
            "hold of rule sustained-loss priority >= 30% → priority >= 35%: true in fewer cases",
        ),
        (
            "priority >= 300000",
            "300000 <= priority",
            "hold of rule sustained-loss priority >= 30% → 30% <= priority: true in the same cases",
        ),
        (
            "      hold: priority >= 300000\n",
            "",
            "hold of rule sustained-loss priority >= 30% → none: it goes on by its `when` alone",
        ),
        (
            SECOND,
            "",
            (
                "rule drift-alone is removed, place 2 of 2 rules: INVESTIGATE at tier "
                'data-science if signals["input-stability"].present'
            ),
        ),
        (
            "acknowledge: 24h",
            "acknowledge: 4h",
            "acknowledge of tier data-science 1d → 4h: it is expected sooner",
        ),
        (
            "acknowledge: 24h",
            "acknowledge: 0h",
            "acknowledge of tier data-science 1d → 0s: no answer is expected",
        ),
        ("planning:\n  loss_signal: log-loss\n", "", "planning is removed"),
        (
            "interval: 1m",
            "interval: 1h",
            "interval of evaluation 1m → 1h: models are scored less often",
        ),
        (
            "{action: NO_ACTION, tier: none}",
            "{action: INVESTIGATE, tier: none}",
            "action of otherwise NO_ACTION → INVESTIGATE",
        ),
    ],
)
def test_a_change_is_said_with_what_it_does(old: str, new: str, sentence: str) -> None:
    (change,) = changes(old, new)
    assert change.sentence.startswith(sentence)
    assert not change.is_text


def test_a_rule_that_moved_is_not_one_that_came_and_one_that_went() -> None:
    (change,) = changes(FIRST + SECOND, SECOND + FIRST)
    assert (change.kind, change.before, change.after) in {("moved", "1", "2"), ("moved", "2", "1")}
    assert change.path.startswith("decision.rules[")


def test_a_rule_that_is_added_says_where_and_what_it_decides() -> None:
    rule = "    - {id: first, when: risk > 50%, action: INVESTIGATE, rationale: x}\n"
    (change,) = changes(FIRST, rule + FIRST)
    assert change.sentence == (
        "rule first is added, place 1 of 3 rules: INVESTIGATE at tier none if risk > 50%"
    )


def test_a_signal_that_is_added_changes_the_weight_of_no_other_by_itself() -> None:
    (change,) = changes(
        "decision:\n",
        "    - {signal: latency, weight: 20%, baseline: 1, critical: 2, rationale: x}\ndecision:\n",
    )
    assert change.sentence == "signal latency is added: weight 20%, baseline 1, critical 2"


def test_another_spelling_is_no_change_and_another_title_is_one_of_text_only() -> None:
    assert changes("weight: 80%", "weight: 0.8") == ()
    (change,) = changes("title: Default", "title: New")
    assert (change.path, change.is_text) == ("title", True)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    """Yield the path of every number and word of a stored document."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))
    elif value is not None and path[-1] not in ("format", "kernel", "procedure", "planner"):
        yield path


OTHER = {
    "combine": "max",
    "candidates": "all",
    "action": "ADJUST_DATA_COLLECTION",
    "reserve": False,
}


def test_no_value_of_the_stored_form_can_differ_unnamed() -> None:
    stored = parse(DEFAULT).model_dump(mode="json")
    for path in leaves(stored):
        changed = parse(DEFAULT).model_dump(mode="json")
        at = changed
        for key in path[:-1]:
            at = at[key]
        old, name = at[path[-1]], str(path[-1]).removeprefix("otherwise_")
        if name in OTHER:
            at[path[-1]] = OTHER[name]
        elif isinstance(old, int):
            at[path[-1]] = old + 1 if old < 1_000_000 else old - 1
        else:
            at[path[-1]] = "9" if name in ("baseline", "critical") else f"{old}x"
        assert policy_changes(parse(DEFAULT), PolicyDocumentV2.model_validate(changed)), path
