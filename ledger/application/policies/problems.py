"""The codes of the findings about a policy's text."""

from typing import Final, Literal, get_args

from ledger.application.documents.problems import SHARED_MEANING, SharedCode
from ledger.rules.policy_findings import Advised, RefusedSince2

WholeCode = Literal[
    "CRITERION_CONSTANT",
    "CRITERION_MISPLACED",
    "CRITICAL_EQUALS_BASELINE",
    "FORMAT_LACKS",
    "FORMAT_PROCEDURE",
    "PLANNER_LACKS",
    "REPORTS_EVERY_UNUSED",
    "SEASON_TOO_SHORT",
    "SHARE_MISPLACED",
    "SOURCE_CAP_UNUSED",
    "THRESHOLD_SIDE",
    "TIER_CYCLE",
    "WINDOW_NOT_WHOLE_BUCKETS",
    "WINDOW_TOO_LONG",
]
"""The reasons for which sound values can be refused together."""
AdviceCode = Literal[
    RefusedSince2,
    Advised,
    "DECIMALS_ROUNDED",
    "HALF_LIFE_TOO_LONG",
    "LIMIT_IS_PPM",
    "LOSS_NOT_SCORED",
    "MEANING_CHANGED",
    "PLAN_ADMITS_NOTHING",
    "RULES_MISSING",
    "SOURCES_NOT_FOUND",
    "STEP_ADMITS_NOTHING",
    "STEP_BELOW_PERIOD",
    "STEP_FOR_NONE",
    "TIER_UNUSED",
]
"""Findings that are for a person to judge, unless `--strict` refuses them."""
Code = SharedCode | WholeCode | AdviceCode

MEANING: Final[dict[str, str]] = {
    **SHARED_MEANING,
    # Values together.
    "CRITERION_CONSTANT": "a criterion for jobs that reads no number",
    "CRITERION_MISPLACED": "a criterion for jobs at a gate that is judged by none",
    "CRITICAL_EQUALS_BASELINE": "no value lies between healthy and as bad as can be",
    "FORMAT_LACKS": "a part that the document's format does not have",
    "FORMAT_PROCEDURE": "a procedure by which the document's format does not decide",
    "PLANNER_LACKS": "a value of planning that its planner does not have",
    "REPORTS_EVERY_UNUSED": "`reports_every` under a procedure that shows it to no rule",
    "SEASON_TOO_SHORT": "a year of one period",
    "SHARE_MISPLACED": "a percentage beside a number that is no share",
    "SOURCE_CAP_UNUSED": "a quota for sources under a kernel that has none",
    "THRESHOLD_SIDE": "critical lies on the healthy side by the signal's direction",
    "TIER_CYCLE": "a tier that follows itself",
    "WINDOW_NOT_WHOLE_BUCKETS": "the window is not a multiple of the bucket",
    "WINDOW_TOO_LONG": "the window has more buckets than are kept",
    # Advice.
    "APPROVERS_TOO_FEW": "fewer persons can approve in the roles than must, beside the next author",
    "BREACH_ZERO": "every bucket is a breach",
    "CONDITION_FAILS": "a condition that divides by 0, or reckons beyond 64 bits",
    "COOL_DOWN_BEYOND_WINDOW": "the cool-down outlasts all that a score can see",
    "DECIMALS_ROUNDED": "a limit has more decimals than are kept",
    "HALF_LIFE_TOO_LONG": "nothing in the window decays",
    "HOLD_ALWAYS_TRUE": "once in force, the rule never ends by itself",
    "HOLD_NARROWER": "`hold` asks for more than `when`, so that the rule flaps",
    "HOLD_NEVER_TRUE": "the rule ends at the next score after it begins",
    "INTERVAL_BEYOND_WINDOW": "observations leave the window between two scores",
    "LIMIT_IS_PPM": "a limit looks like per cent and is in parts per million",
    "LOSS_NOT_SCORED": "the signal that plans go by is not scored",
    "MEANING_CHANGED": "a signal does not mean what it did under a policy in force",
    "MIN_BUCKETS_BEYOND_WINDOW": "more buckets are needed than the window has",
    "PLAN_ADMITS_NOTHING": "no rule schedules what plans choose from",
    "PRIORITY_NEVER_MOVES": "`max_priority_step` of 0% keeps the first priority for good",
    "RATIONALE_MISSING": "a policy, weight, threshold, rule or criterion without its reason",
    "RETRAINS_ALWAYS": "every model is retrained, in need or not",
    "ROLE_UNKNOWN": "approvals in a role that the ledger does not have",
    "RULE_NEVER_TRUE": "the condition contradicts itself or the range of a variable",
    "RULE_TWICE": "two rules have the same condition",
    "RULE_UNREACHABLE": "wherever the rule is true, a rule before it is",
    "RULES_MISSING": "every model gets the same action",
    "SIGNAL_UNKNOWN": "the ledger has no definition of the signal",
    "SILENCE_BELOW_INTERVAL": "a silent model is to be scored more often than any may be",
    "SOURCES_NOT_FOUND": "fewer sources than must agree were found, and not all were looked for",
    "SOURCES_TOO_FEW": "more sources must agree than report the signal",
    "SOURCE_ALONE_SUSTAINS": "one source alone can make the signal sustained, for all its quota",
    "SOURCE_CAP_IDLE": "a quota for sources that limits nothing",
    "SPAN_TOO_LONG": "a span longer than is of any use there",
    "STEP_ADMITS_NOTHING": "a step of planning that leaves a team, a tier or all without any job",
    "STEP_BELOW_PERIOD": "a step of planning whose span is over before the next period",
    "STEP_FOR_NONE": "a step of planning for a team, tier or budget that has no model",
    "SUSTAIN_ZERO": "the signal is sustained without a breach",
    "TIER_UNDECLARED": "a tier that `tiers` does not have",
    "TIER_UNUSED": "a tier that no decision carries",
}
"""Every code, and what it says of a text."""
assert set(MEANING) == {one for part in get_args(Code) for one in get_args(part)}
