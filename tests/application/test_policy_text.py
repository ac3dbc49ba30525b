"""A policy's text means exactly one stored document.

Method: known texts against known integers; arbitrary valid documents written out and read back.
What is refused is in test_policy_refusals.
"""

import json
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ledger.application.policies.text import digest, parse, to_text
from ledger.events.policy_document import (
    DOCUMENTS,
    Action,
    Kernel,
    PolicyDocument,
    Procedure,
    ReusingPlanningPart,
)
from ledger.events.values import NANO_LIMIT, format_decimal
from ledger.limits import WINDOW_BUCKETS_MAX
from tests.application.policy_texts import DEFAULT, MINIMAL, refused, with_signal
from tests.support.drawn_jobs_parts import jobs_parts
from tests.support.drawn_plannings import plannings

PPM = 1_000_000


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


PLANNED = MINIMAL.replace("policy/1", "policy/2") + "planning: {loss_signal: loss, period: 14d}\n"


def test_a_new_policy_plans_by_excess_2_with_the_defaults_of_its_page() -> None:
    planning = parse(PLANNED).planning
    assert isinstance(planning, ReusingPlanningPart)
    period = 14 * 86_400
    assert planning.model_dump() == {
        "planner": "excess/2",
        "loss_signal": "loss",
        "candidates": "decided",
        "period_seconds": period,
        "half_life_seconds": 9 * period,
        "quantile_ppm": 500_000,
        "common_ppm": PPM,
        "min_models": 3,
        "dead_band_ppm": 0,
        "max_periods": 512,
        "price_up_ppm": 1_150_000,
        "price_down_ppm": 900_000,
        "probe_ppm": 100_000,
        "reserve": True,
        "gate_ppm": 100_000,
        "rest_periods": 2,
        "reuse_versions": 8,
        "reuse_half_life_seconds": 7 * period // 10,
        "reuse_periods": 8,
        "reuse_prior_ppm": PPM,
        "reuse_margin_ppm": 20_000,
        "season_periods": 0,
        "season_ppm": 300_000,
        "steps": None,
    }


@pytest.mark.parametrize("form", ["policy/1", "policy/2"])
def test_what_plans_by_excess_1_is_stored_as_it_was_before_there_was_another(form: str) -> None:
    text = PLANNED.replace("policy/2", form).replace("{loss", "{planner: excess/1, loss")
    planning = parse(text).planning
    assert planning is not None
    stored = planning.model_dump()
    assert (stored["planner"], stored["half_life_seconds"]) == ("excess/1", 42 * 86_400)
    assert (stored["quantile_ppm"], stored["max_periods"], stored["probe_ppm"]) == (250_000, 26, 0)
    assert len(stored) == 14
    assert "gate:" not in to_text(parse(text))
    if form == "policy/1":
        assert digest(parse(text)) == digest(parse(text.replace("planner: excess/1, ", "")))


def test_values_of_planning_are_written_in_human_units() -> None:
    said = (
        "{loss_signal: loss, gate: 5%, reuse_half_life: 2w, reuse_prior: 0.5, season_periods: 26}"
    )
    document = parse(MINIMAL.replace("policy/1", "policy/2") + f"planning: {said}\n")
    planning = document.planning
    assert isinstance(planning, ReusingPlanningPart)
    assert (planning.gate_ppm, planning.reuse_half_life_seconds) == (50_000, 14 * 86_400)
    assert (planning.reuse_prior_ppm, planning.season_periods) == (500_000, 26)
    for line in ("gate: 5%", "reuse_half_life: 14d", "reuse_prior: 0.5", "season_periods: 26"):
        assert f"  {line}\n" in to_text(document)


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
def signal_rules(
    draw: st.DrawFn, name: str, procedure: Procedure, kernel: str | None
) -> dict[str, Any]:
    nanos = draw(st.lists(st.integers(1 - NANO_LIMIT, NANO_LIMIT - 1), min_size=2, unique=True))
    bucket = draw(spans)
    reports: dict[str, Any] = (
        {} if procedure == "rules/1" else {"reports_every_seconds": draw(spans)}
    )
    if kernel is not None:
        caps = st.none() | st.integers(1, PPM)
        reports["source_cap"] = draw(caps) if kernel == "bucketed/2" else None
    return reports | {
        "signal": name,
        "weight_ppm": draw(st.integers(1, PPM)),
        "baseline": format_decimal(nanos[0]),
        "critical": format_decimal(nanos[1]),
        "bucket_seconds": bucket,
        "window_seconds": bucket * draw(st.integers(1, WINDOW_BUCKETS_MAX)),
        "half_life_seconds": draw(spans),
        "breach_ppm": draw(ratios),
        "sustain_ppm": draw(ratios),
        "transient_ppm": draw(ratios),
        "min_buckets": draw(st.integers(1, 512)),
        "sample_cap": draw(st.integers(1, PPM)),
        "prior_samples": draw(st.integers(1, PPM)),
        "sources_needed": draw(st.integers(0, 100)),
        "rationale": (
            draw(prose) if kernel is None else {"weight": draw(prose), "thresholds": draw(prose)}
        ),
    }


@st.composite
def governances(draw: st.DrawFn) -> dict[str, Any]:
    roles = draw(st.lists(segments, max_size=3, unique=True))
    fields = ("investigate", "adjust")
    return {
        "approval_seconds": draw(st.integers(1, 366 * 86_400)),
        "ratify_seconds": draw(st.integers(1, 90 * 86_400)),
        "approvals": [{"role": role, "count": draw(st.integers(1, 10))} for role in roles],
        "review_seconds": draw(st.just(0) | spans),
        **{f"{name}_seconds": draw(spans) for name in fields},
    }


@st.composite
def governed_parts(draw: st.DrawFn) -> dict[str, Any]:
    jobs = draw(st.none() | jobs_parts(segments, prose))
    return {"governance": draw(governances()), "jobs": jobs}


@st.composite
def tiers(draw: st.DrawFn, *, is_governed: bool) -> list[dict[str, Any]]:
    return [
        {"name": name, "route": draw(prose), "acknowledge_hours": draw(hours)}
        | ({"next": draw(short)} if is_governed else {})
        for name in draw(st.lists(short, max_size=2, unique=True))
    ]


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
    form, procedure = draw(st.sampled_from(sorted(DOCUMENTS)))
    is_governed = form == "policy/2"
    kernel = draw(st.sampled_from(get_args(Kernel))) if is_governed else None
    return DOCUMENTS[form, procedure].model_validate(
        (draw(governed_parts()) if is_governed else {})
        | {
            "format": form,
            "title": draw(short),
            "rationale": draw(prose),
            "scoring": {
                "kernel": kernel or "bucketed/1",
                "combine": draw(st.sampled_from(["weighted_mean", "noisy_or", "max"])),
                "impact_gain_ppm": draw(gains),
                "risk_gain_ppm": draw(gains),
                "signals": [draw(signal_rules(name, procedure, kernel)) for name in names],
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
            "planning": draw(st.none() | plannings(planning, is_governed=is_governed)),
            "evaluation": {"interval_seconds": draw(spans), "silence_seconds": draw(spans)},
            "tiers": draw(tiers(is_governed=is_governed)),
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
