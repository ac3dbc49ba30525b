"""A doubtful text of a policy is refused with its place, and never read as something else.

Method: one fault at a time, each with the path, line and column that must be blamed; spoilt and
arbitrary texts, which get a document or a refusal.
"""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ledger.application.policies.authoring import AuthoredSignal
from ledger.application.policies.text import parse, read_policy
from ledger.limits import DOCUMENT_BYTES_MAX
from tests.application.policy_texts import DEFAULT, MINIMAL, refused, with_signal


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", (1, 1), "empty"),
        ("a: 1\nb: 2\na: 3\n", (3, 1), "is there twice; it is first at line 1, column 1"),
        ('{"a": 1,\n "a": 2}', (2, 2), "is there twice; it is first at line 1, column 2"),
        ('{"a": 1, "\\u0061": 2}', (1, 10), "is there twice"),
        ("a: &x 1\nb: 2\n", (1, 4), "anchors and aliases are refused"),
        ("a: 1\nb: *x\n", (2, 4), "anchors and aliases are refused"),
        ("a: !!python/object:os.system 1\n", (1, 4), "tags are refused"),
        ("a: 1\n---\nb: 2\n", (2, 1), "second document"),
        ("a: [1, 2\n", (2, 1), "not YAML"),
        ("a:\n\tb: 1\n", (2, 1), "cannot start any token"),
        ("a: \x07\n", (1, 4), "control character"),
        ("titl\u0435: x\n", (1, 1), "not plain ASCII"),
        ("? [a]\n: b\n", (1, 3), "a key must be a word"),
        ("[" * 60 + "]" * 60, (1, 17), "nested more than 16 deep"),
        ('{"a":' * 60 + "1" + "}" * 60, (1, 77), "nested more than 16 deep"),
        ('{"a": 1, b: 2}', (1, 10), "not JSON: expecting property name"),
        ('{"a": 01}', (1, 8), "not JSON: expecting ',' delimiter"),
        ('{"a": NaN}', (1, 7), "expected a value"),
        ('{"a": "\\ud800"}', (1, 7), "surrogate"),
        ('{"a": 1} {}', (1, 10), "not JSON: extra data"),
        ('\ufeff{"a" 1}', (1, 7), "not JSON: expecting ':' delimiter"),
        ('{"a": "b', (1, 7), "not JSON: unterminated string"),
        ("a: \ud800", (1, 4), "surrogate"),
        ("- 1\n- 2\n", (1, 1), "expected a mapping"),
    ],
)
def test_a_text_that_means_nothing_certain_is_refused(
    text: str, place: tuple[int, int], message: str
) -> None:
    error = refused(text)
    assert message in error.message
    assert (int(error.metadata["line"]), int(error.metadata["column"])) == place


@pytest.mark.parametrize(
    "title",
    [
        "'Least'",
        "Least",
        "Infinity",
        "-NaN",
        '"a\nb"',
        '"\\x41"',
        '"\\e"',
        '"a" # b',
        "+1",
        "0x1",
        "yes",
        "",
    ],
)
def test_what_yaml_takes_and_json_does_not_is_refused_where_a_document_begins_as_json(
    title: str,
) -> None:
    text = json.dumps(yaml.load(MINIMAL, Loader=yaml.BaseLoader))
    assert parse(text).title == "Least"
    for spoilt in (
        text.replace('"Least"', title),
        text.replace("]", ",]"),
        text.replace("}", ",}"),
    ):
        error = refused(spoilt)
        assert "not JSON" in error.message


def test_a_text_beyond_the_limits_is_refused_before_it_is_read() -> None:
    assert "bytes" in refused("#" * (DOCUMENT_BYTES_MAX + 1)).message
    assert "values" in refused("[" + "1," * 30_000 + "1]").message


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (MINIMAL + "rationalle: x\n", "rationalle", "is not known here"),
        (MINIMAL.replace("title: Least\n", ""), "title", "is missing"),
        (MINIMAL.replace("Least", "~"), "title", "is missing"),
        (MINIMAL.replace("Least", "x" * 129), "title", "129 characters; at most 128"),
        (MINIMAL.replace("policy/1", "policy/9"), "format", "not one of policy/1"),
        (with_signal(signal="Loss"), "scoring.signals[0].signal", "is not a name"),
        (with_signal(weight="0"), "scoring.signals[0].weight", "outside 0.0001% to 100%"),
        (with_signal(weight="1.1"), "scoring.signals[0].weight", "outside 0.0001% to 100%"),
        (with_signal(weight="0.0000001"), "scoring.signals[0].weight", "7 decimal places"),
        (with_signal(weight="1e-1"), "scoring.signals[0].weight", "not a decimal"),
        (with_signal(weight=".inf"), "scoring.signals[0].weight", "not a decimal"),
        (with_signal(weight="[1]"), "scoring.signals[0].weight", "single value"),
        (with_signal(baseline="10%"), "scoring.signals[0].baseline", "a percentage"),
        (with_signal(baseline="NaN"), "scoring.signals[0].baseline", "not a decimal"),
        (with_signal(baseline="1234567890123"), "scoring.signals[0].baseline", "12 whole"),
        (with_signal(baseline="0.20"), "scoring.signals[0].critical", "equals the baseline"),
        (with_signal(baseline="-"), "scoring.signals[0].baseline", "is missing"),
        (with_signal(bucket="7"), "scoring.signals[0].bucket", "not a span"),
        (with_signal(bucket="0s"), "scoring.signals[0].bucket", "outside 1s"),
        (with_signal(bucket="3d"), "scoring.signals[0].window", "whole number of buckets"),
        (with_signal(bucket="1m"), "scoring.signals[0].window", "40320 buckets; at most 512"),
        (with_signal(sample_cap="1.5"), "scoring.signals[0].sample_cap", "not a whole number"),
        (with_signal(sample_cap="0"), "scoring.signals[0].sample_cap", "outside 1 to 1000000"),
        (MINIMAL + "decision: {cool_down: 90m}\n", "decision.cool_down", "number of hours"),
        (MINIMAL + "decision: {rules: x}\n", "decision.rules", "expected a list"),
        (MINIMAL + "planning: {}\n", "planning.loss_signal", "is missing"),
        (
            MINIMAL + "planning: {loss_signal: loss, reserve: yes}\n",
            "planning.reserve",
            "true or false",
        ),
        (MINIMAL + "tiers: [{name: a}, {name: a}]\n", "tiers[1].name", "is there twice"),
        (
            MINIMAL + "    - {signal: loss, baseline: 0, critical: 1}\n",
            "scoring.signals[1].signal",
            "is there twice",
        ),
    ],
)
def test_each_fault_is_blamed_at_its_path(text: str, path: str, message: str) -> None:
    error = refused(text)
    assert [each.field for each in error.violations] == [path]
    assert message in error.violations[0].description


def test_all_faults_are_reported_at_once_with_line_and_column() -> None:
    problems = read_policy(
        "format: policy/1\ntitle: A\nscoring:\n  impact_gain: 11\n  signals:\n    - signal: a\n"
        "      baseline: 1\n      critikal: 2\n"
    ).problems
    assert [(each.path, each.line, each.column) for each in problems] == [
        ("scoring.impact_gain", 4, 16),
        ("scoring.signals[0].critical", 6, 7),
        ("scoring.signals[0].critikal", 8, 7),
    ]
    assert problems[2].remedy.startswith("Did you mean 'critical'?")


def test_a_name_used_twice_is_named_beside_the_other_faults_and_a_missing_one_is_not() -> None:
    tiers = "tiers: [{name: a}, {name: b}, {name: a, acknowledge: 1}, {name: ~}, {name: ~}]\n"
    problems = read_policy(MINIMAL + tiers).problems
    assert [(each.path, each.message.partition(";")[0]) for each in problems] == [
        ("tiers[2].name", "'a' is there twice"),
        ("tiers[2].acknowledge", "'1' is not a span of time such as 7d, 12h, 1h30m or 90s"),
        ("tiers[3].name", "is missing"),
        ("tiers[4].name", "is missing"),
    ]


def test_a_signal_that_code_states_is_held_to_the_bounds_of_a_text() -> None:
    stated = AuthoredSignal(signal="loss", baseline="0.10", critical="0.2", weight=1)
    assert (stated.baseline, stated.weight, stated.window) == ("0.1", 1, 28 * 86_400)
    with pytest.raises(ValidationError, match=r"outside 0\.0001% to 100%"):
        AuthoredSignal(signal="loss", baseline="0.1", critical="0.2", weight=0)


@given(st.text(max_size=200))
def test_no_text_whatever_gets_another_answer_than_a_document_or_a_refusal(text: str) -> None:
    reading = read_policy(text)
    assert (reading.document is None) == bool(reading.problems)
    for problem in reading.problems:
        assert problem.line >= 1
        assert problem.column >= 1


@given(st.data())
def test_a_spoilt_policy_is_refused_or_read_never_broken(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(DEFAULT)))
    cut = data.draw(st.integers(0, 6))
    inserted = data.draw(st.sampled_from(["", ":", "\n", "- ", "{", "'", '"', "|", "*a", "\t"]))
    reading = read_policy(DEFAULT[:at] + inserted + DEFAULT[at + cut :])
    assert (reading.document is None) == bool(reading.problems)
