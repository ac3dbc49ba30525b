"""Lint says what is wrong and what looks unmeant, at the place in the text where it is.

Method: the default policy is clean; each case changes it in one way and names the one problem that
must appear, with its path, its severity and the characters its place points at.
"""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.application.documents.problems import Problem
from ledger.application.documents.source import Mapping, Scalar, place_within, read
from ledger.application.policies.fleet_lint import LintFleet
from ledger.application.policies.lint import lint
from ledger.application.policies.source_bounds import told_bounds
from ledger.application.policies.text import digest, parse
from ledger.events.policy_document import PolicyDocumentV3
from ledger.events.signals import SignalDefined
from tests.application.bad_policy import Bad
from tools import golden_governance

DEFAULT = (Path(__file__).parent / "default_policy.yaml").read_text(encoding="utf-8")
WHEN = 'priority >= 400000 && signals["log-loss"].sustained'
HOLD = "      hold: priority >= 300000\n"


def defined(name: str, direction: str = "higher_is_worse") -> SignalDefined:
    return SignalDefined.from_data(
        {
            "signal": name,
            "kind": "performance",
            "unit": "",
            "direction": direction,
            "meaning": "",
            "collection": "",
        }
    )


KNOWN = {name: defined(name) for name in ("log-loss", "input-stability")}


def the_problem(text: str, path: str, known: dict[str, SignalDefined] | None = None) -> Problem:
    found = [each for each in lint(text, LintFleet(known)).problems if each.path == path]
    assert len(found) == 1, lint(text, LintFleet(known)).problems
    return found[0]


def pointed_at(text: str, problem: Problem) -> str:
    return text.split("\n")[problem.line - 1][problem.column - 1 :]


def test_the_default_policy_is_clean_with_and_without_a_ledger() -> None:
    for known in (None, KNOWN):
        result = lint(DEFAULT, LintFleet(known))
        assert result.problems == ()
        assert result.document == parse(DEFAULT)
        assert result.digest == digest(parse(DEFAULT))


def test_a_limit_of_many_digits_is_rounded_as_an_observed_value_and_lint_says_so() -> None:
    text = DEFAULT.replace("baseline: 0.40", "baseline: 0.41234567890123")
    result = lint(text)
    assert result.document is not None
    assert result.document.scoring.signals[0].baseline == "0.412345679"
    (problem,) = result.problems
    assert (problem.path, problem.severity) == ("scoring.signals[0].baseline", "warning")
    written, said = "'0.41234567890123'", "has more than 9 decimals and is rounded to 0.412345679"
    assert problem.message == f"{written} {said}"
    assert pointed_at(text, problem) == "0.41234567890123"
    for exact, written in (("-0.0000000005", "0"), ("-0.0000000015", "-0.000000002")):
        rounded = parse(DEFAULT.replace("baseline: 0.40", f"baseline: {exact}"))
        assert rounded.scoring.signals[0].baseline == written, "half to even, and no minus zero"


def test_what_cannot_be_read_is_an_error_and_gives_no_document() -> None:
    result = lint(DEFAULT.replace("weight: 80%", "weight: 180%"))
    assert (result.document, result.digest) == (None, None)
    (problem,) = result.problems
    assert (problem.path, problem.severity) == ("scoring.signals[0].weight", "error")
    assert pointed_at(DEFAULT, problem).startswith("80%")


@pytest.mark.parametrize(
    ("old", "new", "path", "points_at", "says"),
    [
        (WHEN, WHEN.replace("priority", "prioritty"), "when", "prioritty", "prioritty"),
        (WHEN, WHEN.replace("sustained", "sustaned"), "when", ".sustaned", "sustaned"),
        (WHEN, "priority >= 0.4", "when", ">= 0.4", "double"),
        (WHEN, "priority", "when", "priority", "true or false"),
        (WHEN, "'priority >= ''a'''", "when", ">= ''a''", "overload"),
        (WHEN, '"priority > 1 && \\"a\\" == risky"', "when", 'risky"', "risky"),
        (WHEN, WHEN.replace("log-loss", "logloss"), "when", '["logloss"]', "no rule for signal"),
        (HOLD, "      hold: prioriti >= 1\n", "hold", "prioriti", "prioriti"),
    ],
)
def test_a_faulty_expression_is_blamed_at_its_very_column(
    old: str, new: str, path: str, points_at: str, says: str
) -> None:
    text = DEFAULT.replace(old, new)
    problem = the_problem(text, f"decision.rules[0].{path}")
    assert problem.severity == "error"
    assert says in problem.message
    assert pointed_at(text, problem).startswith(points_at)
    assert lint(text).document is None


DASHES = [
    "signals.log-loss.sustained",
    "signals.log-los.sustained",
    "signals[log-loss].sustained",
    "coverage > 10% && signals.log-loss.sustained",
]


@pytest.mark.parametrize("written", DASHES)
def test_a_name_that_cannot_follow_a_dot_is_refused_with_how_it_is_read(written: str) -> None:
    problem = the_problem(DEFAULT.replace(WHEN, written), "decision.rules[0].when")
    assert problem.severity == "error"
    assert "log-loss is read in brackets, between quotation marks" in problem.message
    assert problem.remedy == 'Write signals["log-loss"].sustained.'


@pytest.mark.parametrize("share", ["20%", "2.5%", "20 %", "0.05%"])
def test_a_share_in_a_rule_is_understood(share: str) -> None:
    result = lint(DEFAULT.replace("priority >= 400000", f"priority > {share}"))
    assert [each.message for each in result.problems] == []
    ppm = round(float(share.rstrip(" %")) * 10_000)
    assert result.document is not None
    assert result.document.decision.rules[0].when.startswith(f"priority > {ppm} && ")


@pytest.mark.parametrize(
    "written", ["hours_in_force > 20%", "priority * 2% > 1", 'signals["log-loss"].buckets > 5%']
)
def test_a_share_beside_a_plain_number_is_refused_where_it_is_written(written: str) -> None:
    text = DEFAULT.replace(WHEN, f"coverage > 1% && {written}")
    problem = the_problem(text, "decision.rules[0].when")
    assert problem.severity == "error"
    assert "is beside a number that is no share" in problem.message
    assert pointed_at(text, problem).startswith(problem.message.split()[0])


def test_a_fault_behind_a_share_is_blamed_at_its_very_column() -> None:
    text = DEFAULT.replace(WHEN, "priority > 2.5% && coverage < 10% && prioritty > 1")
    assert pointed_at(text, the_problem(text, "decision.rules[0].when")).startswith("prioritty")


def test_a_fault_in_a_block_of_several_lines_is_blamed_on_its_line() -> None:
    text = DEFAULT.replace('&& signals["input-stability"].sus', '&& signls["input-stability"].sus')
    problem = the_problem(text, "decision.rules[1].when")
    assert pointed_at(text, problem).startswith('signls["input-stability"]')
    assert problem.remedy == "Did you mean 'signals'?"
    folded = text.replace("when: |", "when: >-")
    assert the_problem(folded, "decision.rules[1].when").line == problem.line


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        (WHEN, WHEN.replace("400000", "40"), "decision.rules[0].when", "parts per million"),
        (WHEN, "priority > 1000000", "decision.rules[0].when", "never true"),
        (WHEN, "false && 1 == 1", "decision.rules[0].when", "never true"),
        ("tier: data-science\n      rationale: Drift", "tier: x\n      rationale: Drift",
         "decision.rules[1].tier", "not declared"),
        ("error_tier: data-science", "error_tier: on-call", "decision.error_tier", "not declared"),
        ("tier: none}", "tier: nobody}", "decision.otherwise.tier", "not declared"),
        ("min_buckets: 3", "min_buckets: 29", "scoring.signals[0].min_buckets", "28"),
        ("breach: 0.3", "breach: 0", "scoring.signals[0].breach", "every bucket"),
        ("half_life: 7d", "half_life: 500d", "scoring.signals[0].half_life", "nothing"),
        ("      rationale: Loss is what the business pays for.\n", "", "scoring.signals[0]",
         "no rationale"),
        ("      rationale: Sustained loss on a model that matters.\n", "", "decision.rules[0]",
         "no rationale"),
        ("rationale: Loss decides; drift only calls for a look.\n", "", "rationale",
         "no rationale"),
        ("silence: 1h", "silence: 30s", "evaluation.silence", "shorter than the interval"),
        ("loss_signal: log-loss", "loss_signal: loss", "planning.loss_signal", "not scored"),
        ("action: SCHEDULE_RETRAINING", "action: INVESTIGATE", "planning.candidates",
         "no rule schedules"),
        ("  - {name: data-science", "  - {name: idle}\n  - {name: data-science", "tiers[0].name",
         "nothing leads"),
    ],
)  # fmt: skip
def test_what_looks_unmeant_is_a_warning_and_still_gives_a_document(
    old: str, new: str, path: str, says: str
) -> None:
    text = DEFAULT.replace(old, new)
    assert text != DEFAULT
    problem = the_problem(text, path)
    assert (problem.severity, problem.remedy != "") == ("warning", True)
    assert says in problem.message
    assert lint(text).document is not None


@pytest.mark.parametrize("always", ["priority >= 0", "true", "1 + 1 == 2", "0 <= risk"])
def test_a_rule_after_one_that_is_always_true_is_never_reached(always: str) -> None:
    text = DEFAULT.replace(WHEN, always)
    problem = the_problem(text.replace(HOLD, ""), "decision.rules[1]")
    assert "never reached" in problem.message
    codes = [each.code for each in lint(text).problems]
    assert codes == [
        "RETRAINS_ALWAYS",
        "HOLD_NARROWER",
    ]  # its hold may be false, and then the next rule is tried


def test_a_second_rule_with_the_same_condition_is_pointed_out() -> None:
    start = DEFAULT.index("      when: |")
    end = DEFAULT.index("      action: INVESTIGATE")
    text = f"{DEFAULT[:start]}      when: {WHEN}\n{DEFAULT[end:]}"
    narrow = text.replace(HOLD, "      hold: risk >= 30%\n")
    assert lint(narrow).problems == ()  # the first may not hold, so the second can be reached
    assert the_problem(text, "decision.rules[1]").code == "RULE_UNREACHABLE"  # it does hold there
    problem = the_problem(text.replace(HOLD, ""), "decision.rules[1].when")
    assert "'sustained-loss'" in problem.message


def test_a_rule_that_can_begin_in_one_case_is_reached() -> None:
    start = DEFAULT.index("      when: |")
    end = DEFAULT.index("      action: INVESTIGATE")
    first = DEFAULT.replace(f"{WHEN}\n{HOLD}", "priority >= 40%\n")
    for second, codes in (
        ("priority >= 50% || risk > 5%", []),
        ("priority >= 50% || risk > 5% && priority > 60%", ["RULE_UNREACHABLE"]),
    ):
        shift = len(DEFAULT) - len(first)
        text = f"{first[: start - shift]}      when: {second}\n{first[end - shift :]}"
        assert [each.code for each in lint(text).problems] == codes


def test_the_ledgers_taxonomy_is_held_against_the_policy() -> None:
    unknown = the_problem(DEFAULT, "scoring.signals[1].signal", {"log-loss": KNOWN["log-loss"]})
    assert (unknown.severity, "input-stability" in unknown.message) == ("warning", True)
    close = the_problem(DEFAULT, "planning.loss_signal", {"log_loss": defined("log_loss")})
    assert close.remedy.startswith("Did you mean 'log_loss'?")
    reverse = KNOWN | {"log-loss": defined("log-loss", "lower_is_worse")}
    wrong = the_problem(DEFAULT, "scoring.signals[0].critical", reverse)
    assert "lower is worse" in wrong.message
    assert wrong.severity == "error"
    assert lint(DEFAULT, LintFleet(reverse)).document is None
    assert pointed_at(DEFAULT, wrong).startswith("0.60")


def test_problems_come_in_the_order_of_the_text() -> None:
    text = DEFAULT.replace("tier: data-science", "tier: x").replace("breach: 0.3", "breach: 0")
    places = [(each.line, each.column) for each in lint(text).problems]
    assert len(places) > 2
    assert places == sorted(places)


words = st.lists(st.text("abcdefgh", min_size=1, max_size=5), min_size=1, max_size=8)


@given(words, st.sampled_from(["plain", "single", "double", "literal", "folded"]), st.data())
def test_every_character_of_every_style_is_found_in_the_source(
    found: list[str], style: str, data: st.DataObject
) -> None:
    joined = "\n   ".join(found) if style in ("plain", "single", "double") else "\n  ".join(found)
    head = {"plain": "", "single": "'", "double": '"', "literal": "|\n  ", "folded": ">-\n  "}
    tail = {"single": "'", "double": '"'}.get(style, "")
    source = f"key: {head[style]}{joined}{tail}\n"
    tree = read(source)
    assert isinstance(tree, Mapping)
    scalar = tree.entries[0][1]
    assert isinstance(scalar, Scalar)
    word = data.draw(st.integers(0, len(found) - 1))
    offset = len(" ".join(found[:word])) + (1 if word else 0)
    place = place_within(source, scalar, offset)
    line = source.split("\n")[place.line - 1]
    assert line[place.column - 1 :].startswith(found[word])


# ---- format policy/2 -----------------------------------------------------------------------------

GOVERNED = golden_governance.POLICY


def _errors(text: str) -> list[str]:
    return [
        f"{each.path}: {each.message}" for each in lint(text).problems if each.severity == "error"
    ]


def test_a_governed_policy_has_its_defaults_where_it_says_nothing() -> None:
    text = GOVERNED[: GOVERNED.index("governance:")]
    document = lint(text).document
    assert isinstance(document, PolicyDocumentV3)
    assert document.governance.approvals == []
    assert document.governance.review_seconds == 0
    assert [tier.next for tier in document.tiers] == ["head-of-risk", "none"]


def test_format_1_has_no_governance() -> None:
    assert _errors(GOVERNED.replace("policy/2", "policy/1")) == [
        "scoring.signals[0].rationale: policy/1 has one text for weight and thresholds",
        "tiers[0].next: policy/1 has no tier after a tier",
        "governance: policy/1 has no governance",
    ]


CAPPED = GOVERNED.replace("scoring:\n", "scoring:\n  kernel: bucketed/2\n").replace(
    "      min_buckets: 1\n",
    "      min_buckets: 1\n      breach: 60%\n      sources_needed: 3\n      source_cap: 100\n",
)


def test_quotas_of_sources_are_of_format_2_and_of_kernel_2() -> None:
    document = lint(CAPPED).document
    assert isinstance(document, PolicyDocumentV3)
    assert document.scoring.signals[0].source_cap == 100
    assert _errors(CAPPED.replace("  kernel: bucketed/2\n", "")) == [
        "scoring.signals[0].source_cap: the kernel bucketed/1 has no quotas for sources"
    ]
    assert _errors(CAPPED.replace("policy/2", "policy/1"))[0] == (
        "scoring.kernel: policy/1 has no kernel bucketed/2"
    )


def test_a_quota_without_effect_is_refused_where_it_is_written() -> None:
    assert [each.message for each in lint(CAPPED).problems] == []
    for change, path, message in (
        ("sources_needed: 1", "source_cap", "limits nothing: a bucket that one source alone fills"),
        ("sources_needed: 3\n      sustain: 0%", "sources_needed", "one of 3 sources alone can"),
    ):
        text = CAPPED.replace("sources_needed: 3", change)
        found = [each for each in lint(text).problems if each.code != "SUSTAIN_ZERO"]
        (problem,) = found
        assert (problem.path, problem.severity) == (f"scoring.signals[0].{path}", "error")
        assert problem.message.startswith(message)
        assert pointed_at(text, problem) in {"100", "3"}


def test_the_bound_on_one_source_is_told_in_words() -> None:
    document = lint(CAPPED).document
    assert document is not None
    assert told_bounds(document) == [
        (
            "One source alone moves log-loss by at most 33.3%, as long as at least 3 others fill "
            "each bucket. Where all of them report it healthy, that source raises it to 6.6% at "
            "most and does not make it sustained; where all of them report it at its worst, "
            "log-loss stays sustained. The bound is not on silence: where fewer than 3 others "
            "report, a source that falls silent ends the signal."
        )
    ]


def test_the_bound_of_agreeing_sources_says_that_it_is_not_on_silence() -> None:
    text = CAPPED.replace("source_cap: 100", "source_cap: none")
    assert told_bounds(parse(text)) == [
        (
            "One source alone cannot raise log-loss above what another source reports: 3 sources "
            "must agree. The bound is not on silence: where fewer than 3 others report, a source "
            "that falls silent ends the signal."
        )
    ]


def test_the_bound_on_one_score_is_told_in_words() -> None:
    text = CAPPED.replace("decision:\n", "decision:\n  max_priority_step: 5%\n")
    assert told_bounds(parse(text))[-1] == (
        "One score moves the priority by at most 5%; each further one again."
    )


def test_format_2_decides_by_rules_2_alone() -> None:
    text = GOVERNED.replace("decision:\n", "decision:\n  procedure: rules/1\n")
    assert _errors(text) == ["decision.procedure: policy/2 decides by rules/2, not by rules/1"]


def test_format_2_refuses_tiers_that_lead_nowhere_or_back() -> None:
    assert _errors(GOVERNED.replace("next: head-of-risk", "next: head-of-rsik")) == [
        "tiers[0].next: the tier 'head-of-rsik' is not declared"
    ]
    text = GOVERNED.replace("acknowledge: 4h\n", "acknowledge: 4h\n    next: data-science\n")
    assert _errors(text) == [
        "tiers[0].next: leads back to itself: data-science to head-of-risk to data-science",
        "tiers[1].next: leads back to itself: head-of-risk to data-science to head-of-risk",
    ]


def test_approvals_of_a_year_and_emergencies_of_90_days_are_the_longest() -> None:
    longest = "governance: {approval_valid: 366d, ratify_within: 90d}\n"
    assert lint(Bad("", "", 0, 0, "", DEFAULT + longest).newest).problems == ()


def test_tasks_of_a_year_and_reviews_every_three_are_the_longest() -> None:
    longest = "governance: {investigate_within: 366d, adjust_within: 366d, review_every: 1098d}\n"
    assert lint(Bad("", "", 0, 0, "", DEFAULT + longest).newest).problems == ()
