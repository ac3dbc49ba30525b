"""Criteria of gates: what they may say, and the verdicts over what was reported."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.events.recipe_document import CriterionPart, GatePart, MetricPart, SamplePart
from ledger.rules.expressions import ExpressionError
from ledger.rules.gates import (
    GateEvidence,
    JudgedGate,
    compile_criterion,
    declared_by,
    judge,
    report_fault,
)


def gate(*criteria: str) -> GatePart:
    """Return a candidate gate with these criteria, named c1, c2 and so on."""
    return GatePart(
        gate="candidate",
        metrics=[
            MetricPart(name="missing", unit="ppm", meaning="Rows without a label.", of="run"),
            MetricPart(name="log-loss", unit="micro-nats", meaning="Mean loss.", of="versions"),
        ],
        samples=[SamplePart(name="rows", meaning="Rows compared.")],
        criteria=[
            CriterionPart(name=f"c{number}", when=text, rationale="")
            for number, text in enumerate(criteria, start=1)
        ],
        holdout=None,
        approvals=[],
        signals=[],
        window_seconds=None,
        evidence_after_ppm=None,
    )


DECLARED = declared_by(gate())
EVIDENCE = GateEvidence(
    metrics={"missing": 3_120},
    samples={"rows": 900},
    champion={"log-loss": 450_000},
    candidate={"log-loss": 412_000},
    cost_micros=1_500_000,
    attempt=2,
)


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("", 1, 1, "Syntax error"),
        ("cost_micros", 1, 1, "of type int"),
        ("1 < ", 1, 5, "Syntax error"),
        ("costs < 1", 1, 1, "undeclared reference to 'costs'"),
        ('metrics["mising"] < 1', 1, 8, 'declares nothing named metrics["mising"]; it has missing'),
        ('metrics["log-loss"] < 1', 1, 8, 'nothing named metrics["log-loss"]'),
        ('champion["missing"] < 1', 1, 9, 'nothing named champion["missing"]; it has log-loss'),
        ('metrics["miss" + "ing"] < 1', 1, 8, "written out"),
        ('(true ? champion : candidate)["log-loss"] < 1', 1, 30, "written out"),
        ('"missing" in metrics', 1, 11, "the function @in is not allowed"),
        ("has(metrics.missing)", 1, 4, "has"),
        ("metrics == metrics", 1, 1, "about whole numbers"),
        ("metrics.size() > 0", 1, 13, "the function size is not allowed"),
        ("attempt < 2u", 1, 9, "no matching overload"),
        ("attempt < 2.5", 1, 9, "no matching overload"),
        ("1.5 < 2.5", 1, 1, "a double literal is not allowed"),
        ('"a" == "a"', 1, 1, "about whole numbers"),
        ("[1].exists(x, x > 0)", 1, 12, "undeclared"),
        ("attempt in [1, 2]", 1, 9, "@in"),
        ("int(attempt) > 0", 1, 4, "the function int is not allowed"),
        ("attempt == null", 1, 9, "no matching overload"),
        ("int == int", 1, 1, "about whole numbers"),
        ("true &&\n  attemp > 1", 2, 3, "undeclared reference"),
        ('metrics["missing"] <= 2%', 1, 25, "Syntax error"),
        (" && ".join(["attempt > 0"] * 30), 1, 1, "nodes; at most"),
        ("true" + " " * 2_000, 1, 2_001, "longer than 2000"),
    ],
)
def test_a_criterion_that_is_none_is_refused_with_its_place(
    text: str, line: int, column: int, says: str
) -> None:
    with pytest.raises(ExpressionError, match="line") as caught:
        compile_criterion(text, DECLARED)
    assert says in caught.value.message
    if says != "nodes; at most":
        assert (caught.value.line, caught.value.column) == (line, column), caught.value.message


@pytest.mark.parametrize(
    ("text", "is_met"),
    [
        ('candidate["log-loss"] * 100 <= champion["log-loss"] * 95', True),
        ('candidate["log-loss"] * 100 <= champion["log-loss"] * 90', False),
        ('metrics["missing"] <= 20000 && samples["rows"] >= 500', True),
        ("metrics.missing < 3120", False),
        ("attempt == 2 || cost_micros > 2000000", True),
        ('-metrics["missing"] < 0 ? !false : false', True),
    ],
)
def test_a_criterion_is_judged_over_what_was_reported(text: str, *, is_met: bool) -> None:
    assert judge(gate(text), EVIDENCE).is_passed is is_met


def test_a_verdict_shows_the_values_that_it_saw_and_says_them_with_their_units() -> None:
    verdict = judge(
        gate('candidate["log-loss"] <\n  champion["log-loss"]', "attempt < 2"), EVIDENCE
    )
    met, unmet = verdict.criteria
    assert dict(met.values) == {'candidate["log-loss"]': 412_000, 'champion["log-loss"]': 450_000}
    assert met.sentence == (
        'c1 is met, candidate["log-loss"] < champion["log-loss"]: '
        'candidate["log-loss"] is 412000 micro-nats, champion["log-loss"] is 450000 micro-nats.'
    )
    assert verdict.sentence == unmet.sentence == "c2 is not met, attempt < 2: attempt is 2."
    assert not verdict.is_passed


def test_one_criterion_that_is_not_met_fails_the_gate() -> None:
    for texts in (("true", "false"), ("false", "true"), ("false",)):
        assert not judge(gate(*texts), EVIDENCE).is_passed
    assert judge(gate("true", "true"), EVIDENCE).is_passed


def test_a_number_that_is_missing_fails_each_criterion_that_reads_it() -> None:
    verdict = judge(gate('true || metrics["missing"] < 1'), GateEvidence())
    assert not verdict.is_passed
    assert 'metrics["missing"] was not reported' in verdict.sentence


@pytest.mark.parametrize("text", ["1 / (attempt - 2) > 0", "cost_micros * 9000000000000000 > 0"])
def test_a_criterion_without_an_answer_is_not_met(text: str) -> None:
    (verdict,) = judge(gate(text), EVIDENCE).criteria
    assert not verdict.is_met
    assert "it has no answer" in verdict.sentence


def test_a_criterion_that_is_none_fails_its_gate_and_raises_nothing() -> None:
    assert not judge(gate("nonsense > 1"), EVIDENCE).is_passed


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"metrics": {}}, 'metrics["missing"] is asked for at the gate candidate'),
        ({"samples": {}}, 'samples["rows"] is asked for'),
        ({"champion": {}}, 'champion["log-loss"] is asked for'),
        ({"metrics": {"missing": 1, "more": 2}}, 'metrics["more"] is reported'),
    ],
)
def test_a_report_with_other_numbers_than_are_declared_does_not_fit_its_gate(
    changed: dict[str, Any], says: str
) -> None:
    given = {name: getattr(EVIDENCE, name) for name in EVIDENCE.__slots__} | changed
    assert says in report_fault(gate(), GateEvidence(**given))
    assert report_fault(gate(), EVIDENCE) == ""


_NUMBER = st.integers(min_value=-(2**70), max_value=2**70)
_TEXTS = st.sampled_from(
    [
        'candidate["log-loss"] < champion["log-loss"]',
        'metrics["missing"] / samples["rows"] > 1',
        'metrics["missing"] * metrics["missing"] >= 0',
        "cost_micros % attempt == 0",
    ]
)


@given(texts=st.lists(_TEXTS, min_size=1, max_size=3), numbers=st.tuples(*[_NUMBER] * 6))
def test_any_numbers_lead_to_one_and_the_same_verdict(
    texts: list[str], numbers: tuple[int, ...]
) -> None:
    missing, rows, champion, candidate, cost, attempt = numbers
    evidence = GateEvidence(
        {"missing": missing},
        {"rows": rows},
        {"log-loss": champion},
        {"log-loss": candidate},
        cost,
        attempt,
    )
    found: JudgedGate = judge(gate(*texts), evidence)
    assert found == judge(gate(*texts), evidence)
    assert found.is_passed is all(one.is_met for one in found.criteria)
    compared = found.criteria[0]
    if texts[0].startswith("candidate") and max(map(abs, (candidate, champion))) < 2**63:
        assert compared.is_met is (candidate < champion)
