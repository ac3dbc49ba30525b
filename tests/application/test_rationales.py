"""Under policy/2 each weight, the thresholds of each signal, and each rule say why they are so.

Method: a policy without any; its form under policy/1; and two that differ in one reason alone.
"""

from ledger.application.policies.diff import policy_changes
from ledger.application.policies.lint import lint
from ledger.application.policies.text import parse, to_text
from ledger.events.policy_document import CappedSignalRulePart
from tools.golden_governance import POLICY

BARE = """\
format: policy/2
title: Bare
scoring:
  signals:
    - {signal: loss, baseline: 0.1, critical: 0.2}
decision:
  rules:
    - {id: one, when: priority >= 40%, action: INVESTIGATE}
"""


def found(text: str) -> list[tuple[str, str, str]]:
    return [(each.path, each.severity, each.message) for each in lint(text).problems]


def test_a_rationale_is_missed_of_each_weight_threshold_and_rule() -> None:
    signal = "scoring.signals[0].rationale"
    assert found(BARE) == [
        ("rationale", "error", "the policy has no rationale"),
        (f"{signal}.thresholds", "error", "signal 'loss' has no rationale for its thresholds"),
        (f"{signal}.weight", "error", "signal 'loss' has no rationale for its weight"),
        ("decision.rules[0]", "error", "rule 'one' has no rationale"),
    ]
    assert all("Say w" in each.remedy for each in lint(BARE).problems)


def test_under_policy_1_it_is_missed_of_the_signal_and_stops_no_draft() -> None:
    text = BARE.replace("policy/2", "policy/1")
    assert found(text) == [
        ("rationale", "warning", "the policy has no rationale"),
        ("scoring.signals[0]", "warning", "signal 'loss' has no rationale"),
        ("decision.rules[0]", "warning", "rule 'one' has no rationale"),
    ]
    assert lint(text).document is not None


def test_one_text_is_the_reason_of_the_weight_alone() -> None:
    document = parse(BARE.replace("critical: 0.2", "critical: 0.2, rationale: it is all"))
    (signal,) = document.scoring.signals
    assert isinstance(signal, CappedSignalRulePart)
    assert (signal.rationale.weight, signal.rationale.thresholds) == ("it is all", "")


def test_both_are_written_out_and_the_one_that_was_rewritten_is_named() -> None:
    said = "thresholds: A guess of the base rate has a loss of 0.6; half of the way there is bad."
    text = to_text(parse(POLICY))
    assert "      rationale:\n        weight: Loss is what the business pays for.\n" in text
    assert f"        {said.replace(': ', ': ', 1)}" in text.replace('"', "")
    (change,) = policy_changes(
        parse(POLICY), parse(POLICY.replace(said, "thresholds: 0.6 is bad."))
    )
    assert change.path == "scoring.signals[log-loss].rationale.thresholds"
    assert change.sentence == "rationale of the thresholds of log-loss is rewritten"
    assert (change.after, change.is_text) == ("0.6 is bad.", True)
