"""A policy's text means exactly one stored document; what is doubtful is refused with its place.

Method: known texts against known integers; arbitrary valid documents written out and read back;
one fault at a time, each with the path, line and column that must be blamed.
"""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ledger.application.policies.authoring import BUCKETS_MAX
from ledger.application.policies.text import digest, parse, read_policy, to_text
from ledger.errors import LedgerError, Reason
from ledger.events.policy_document import DOCUMENTS, Action, PolicyDocument, Procedure
from ledger.events.values import NANO_LIMIT, format_decimal
from ledger.limits import DOCUMENT_BYTES_MAX

PPM = 1_000_000
DEFAULT = (Path(__file__).parent / "default_policy.yaml").read_text(encoding="utf-8")
MINIMAL = """\
format: policy/1
title: Least
scoring:
  signals:
    - {signal: loss, baseline: 0.1, critical: 0.2}
"""


def refused(text: str) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        parse(text)
    assert caught.value.reason is Reason.POLICY_INVALID
    assert caught.value.remedy
    return caught.value


def with_signal(**changes: str) -> str:
    values = {"signal": "loss", "baseline": "0.1", "critical": "0.2"} | changes
    inner = ", ".join(f"{name}: {value}" for name, value in values.items() if value != "-")
    return MINIMAL.replace("{signal: loss, baseline: 0.1, critical: 0.2}", "{" + inner + "}")


# ---- what is read --------------------------------------------------------------------------------


def test_human_units_become_integers() -> None:
    document = parse(DEFAULT)
    loss, drift = document.scoring.signals
    assert (loss.weight_ppm, drift.weight_ppm) == (800_000, 200_000)
    assert (loss.baseline, loss.critical) == ("0.4", "0.6")
    assert (loss.bucket_seconds, loss.window_seconds) == (86_400, 28 * 86_400)
    assert document.scoring.impact_gain_ppm == PPM
    assert document.decision.cool_down_hours == 24
    assert document.decision.max_priority_step is None
    assert document.evaluation.silence_seconds == 3_600
    assert document.planning is not None
    assert document.planning.price_up_ppm == 1_150_000
    assert drift.rationale == "An index above 0.25 is commonly taken for a changed population."


def test_the_digest_of_the_default_policy_is_known() -> None:
    assert digest(parse(DEFAULT)) == (
        "29ad73eda35cdae67be89747ec489cfab8ffe8219f0d4dcbbed7462373134ebd"
    )


def test_the_digest_of_what_is_left_out_is_known() -> None:
    assert (
        digest(parse(MINIMAL)) == "54d1e34ceca5c24da42869dc154e5f567e109a349c8f81cced007f9ff491ad0a"
    )
    under_rules_1 = MINIMAL + "decision: {procedure: rules/1}\n"
    assert (
        digest(parse(under_rules_1))
        == "bf3d83c7bed8f654fd6475909b9825945b9d01ab5bdfda065b0a7a747fe842b1"
    )


def test_what_is_left_out_has_its_documented_default() -> None:
    document = parse(MINIMAL)
    signal = document.scoring.signals[0]
    assert signal.weight_ppm == PPM
    assert (signal.half_life_seconds, signal.breach_ppm) == (7 * 86_400, 300_000)
    assert (signal.sample_cap, signal.prior_samples, signal.sources_needed) == (1_000, 50, 0)
    assert document.planning is None
    assert document.decision.rules == []
    assert (document.decision.otherwise_action, document.decision.error_tier) == (
        "NO_ACTION",
        "none",
    )
    assert (document.evaluation.interval_seconds, document.tiers) == (60, [])


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json_and_yaml_give_the_same_document(indent: int | str | None) -> None:
    tree = yaml.load(DEFAULT, Loader=yaml.BaseLoader)
    assert digest(parse(json.dumps(tree, indent=indent))) == digest(parse(DEFAULT))


def test_json_numbers_are_read_as_their_text_not_as_floats() -> None:
    text = json.dumps(yaml.safe_load(MINIMAL)).replace("0.1,", "0.100000001,")
    assert parse(text).scoring.signals[0].baseline == "0.100000001"
    exact = with_signal(critical="123456789012.123456789")
    assert parse(exact).scoring.signals[0].critical == "123456789012.123456789"


@pytest.mark.parametrize(
    ("written", "ppm"),
    [("0.25", 250_000), ("25%", 250_000), ("1", PPM), ("0.000001", 1), ("0.0001%", 1)],
)
def test_a_share_is_a_decimal_or_a_percentage(written: str, ppm: int) -> None:
    assert parse(with_signal(weight=written)).scoring.signals[0].weight_ppm == ppm


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("7d", 604_800), ("12h", 43_200), ("30m", 1_800), ("90s", 90), ("1d12h", 129_600)],
)
def test_a_span_has_a_unit(written: str, seconds: int) -> None:
    text = MINIMAL + f"evaluation: {{silence: {written}}}\n"
    assert parse(text).evaluation.silence_seconds == seconds


def test_words_that_yaml_would_turn_into_other_things_stay_text() -> None:
    for title in ("yes", "No", "1e3", "2026-01-01", "0x10", "12:30:45", "1_000"):
        assert parse(MINIMAL.replace("Least", title)).title == title
    assert parse(MINIMAL.replace("Least", "'null'")).title == "null"


# ---- there and back ------------------------------------------------------------------------------

segments = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,12}", fullmatch=True)
prose = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.sampled_from(
    ["none", "null", "~", "true", "- a", "a: b", "a #b", "a\nb", "a\n\n  b\n", "|", "'", "é\u2028"]
)
conditions = prose.filter(lambda text: text and "%" not in text) | st.sampled_from(
    [
        "priority >= 200000 // as agreed",
        'signals["a"].trend > -50000 ||\n  coverage in [0, 25000]',
        "priority % 7 == 0",
        "hours_in_force > 20 && priority - 1 > impact",
        "priority > 200000 - impact",
        "priority > 0x10",
        "report_interval_hours > 20 && coverage < 100000",
    ]
)
short = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
spans = st.integers(1, 10**7)
hours = st.integers(0, 1_000_000)
ratios = st.integers(0, PPM)
gains = st.integers(0, 10 * PPM)
actions = st.sampled_from(get_args(Action))


@st.composite
def signal_rules(draw: st.DrawFn, name: str, procedure: Procedure) -> dict[str, Any]:
    nanos = draw(st.lists(st.integers(1 - NANO_LIMIT, NANO_LIMIT - 1), min_size=2, unique=True))
    bucket = draw(spans)
    reports = {} if procedure == "rules/1" else {"reports_every_seconds": draw(spans)}
    return reports | {
        "signal": name,
        "weight_ppm": draw(st.integers(1, PPM)),
        "baseline": format_decimal(nanos[0]),
        "critical": format_decimal(nanos[1]),
        "bucket_seconds": bucket,
        "window_seconds": bucket * draw(st.integers(1, BUCKETS_MAX)),
        "half_life_seconds": draw(spans),
        "breach_ppm": draw(ratios),
        "sustain_ppm": draw(ratios),
        "transient_ppm": draw(ratios),
        "min_buckets": draw(st.integers(1, 512)),
        "sample_cap": draw(st.integers(1, PPM)),
        "prior_samples": draw(st.integers(1, PPM)),
        "sources_needed": draw(st.integers(0, 100)),
        "rationale": draw(prose),
    }


@st.composite
def documents(draw: st.DrawFn) -> PolicyDocument:
    names = draw(st.lists(segments, min_size=1, max_size=3, unique=True))
    rules = draw(st.lists(segments, max_size=3, unique=True))
    planning = {
        "planner": "excess/1",
        "loss_signal": names[0],
        "candidates": draw(st.sampled_from(["decided", "all"])),
        "period_seconds": draw(spans),
        "half_life_seconds": draw(spans),
        "quantile_ppm": draw(ratios),
        "common_ppm": draw(gains),
        "min_models": draw(st.integers(1, PPM)),
        "dead_band_ppm": draw(gains),
        "max_periods": draw(st.integers(1, 10_000)),
        "price_up_ppm": draw(st.integers(PPM, 10 * PPM)),
        "price_down_ppm": draw(ratios),
        "probe_ppm": draw(gains),
        "reserve": draw(st.booleans()),
    }
    procedure = draw(st.sampled_from(get_args(Procedure)))
    return DOCUMENTS[procedure].model_validate(
        {
            "format": "policy/1",
            "title": draw(short),
            "rationale": draw(prose),
            "scoring": {
                "kernel": "bucketed/1",
                "combine": draw(st.sampled_from(["weighted_mean", "noisy_or", "max"])),
                "impact_gain_ppm": draw(gains),
                "risk_gain_ppm": draw(gains),
                "signals": [draw(signal_rules(name, procedure)) for name in names],
            },
            "decision": {
                "procedure": procedure,
                "rules": [
                    {
                        "id": name,
                        "when": draw(conditions),
                        "hold": draw(st.none() | conditions),
                        "action": draw(actions),
                        "tier": draw(short),
                        "rationale": draw(prose),
                    }
                    for name in rules
                ],
                "otherwise_action": draw(actions),
                "otherwise_tier": draw(short),
                "error_tier": draw(short),
                "cool_down_hours": draw(hours),
                "max_priority_step": draw(st.none() | ratios),
            },
            "planning": draw(st.none() | st.just(planning)),
            "evaluation": {"interval_seconds": draw(spans), "silence_seconds": draw(spans)},
            "tiers": [
                {"name": name, "route": draw(prose), "acknowledge_hours": draw(hours)}
                for name in draw(st.lists(short, max_size=2, unique=True))
            ],
        }
    )


@given(documents())
def test_every_document_written_out_reads_back_to_the_same_digest(document: PolicyDocument) -> None:
    text = to_text(document)
    assert parse(text) == document
    assert digest(parse(text)) == digest(document)


@given(documents())
def test_every_document_has_the_same_digest_as_json(document: PolicyDocument) -> None:
    tree = yaml.load(to_text(document), Loader=yaml.BaseLoader)
    assert digest(parse(json.dumps(tree, indent="\t"))) == digest(document)


@pytest.mark.parametrize(
    "title", ["a \u2028 b", "a\u2029", "a \x85 b", "\U0001f600", "/", "\x7f", "a\tb "]
)
def test_a_string_of_json_is_what_json_says(title: str) -> None:
    tree = yaml.load(MINIMAL, Loader=yaml.BaseLoader) | {"title": title}
    for is_ascii in (True, False):
        assert parse(json.dumps(tree, ensure_ascii=is_ascii)).title == title
    assert parse(json.dumps(tree).replace("/", "\\/")).title == title


def test_writing_is_stable_and_keeps_lines_of_expressions() -> None:
    text = to_text(parse(DEFAULT))
    assert to_text(parse(text)) == text
    assert '      when: |\n        signals["input-stability"].present\n' in text
    assert "cool_down: 1d\n" in text


def test_a_rule_of_a_later_procedure_is_written_out_in_per_cent_too() -> None:
    later = DEFAULT.replace("priority >= 400000", "report_interval_hours > 2 && priority >= 400000")
    assert "when: report_interval_hours > 2 && priority >= 40% && " in to_text(parse(later))


def test_shares_are_written_out_as_per_cent_and_stored_as_before() -> None:
    document = parse(DEFAULT)
    text = to_text(document)
    assert '      when: priority >= 40% && signals["log-loss"].sustained\n' in text
    assert "      hold: priority >= 30%\n" in text
    assert "      weight: 80%\n" in text
    assert "  impact_gain: 1\n" in text
    assert "  price_up: 1.15\n" in text
    assert document.decision.rules[0].when == 'priority >= 400000 && signals["log-loss"].sustained'
    assert digest(parse(text)) == digest(document)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("priority > 20%-impact", "could be a share or a remainder; write `(20%) -`"),
        ("priority > 2.00001%", "'2.00001%' has 5 decimal places; at most 4 fit"),
    ],
)
def test_a_share_that_is_not_certain_is_refused(when: str, said: str) -> None:
    error = refused(DEFAULT.replace("when: priority >= 400000", f"when: {when}"))
    assert said in error.violations[0].description


# ---- what is refused -----------------------------------------------------------------------------


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
        (MINIMAL.replace("policy/1", "policy/2"), "format", "not one of policy/1"),
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
