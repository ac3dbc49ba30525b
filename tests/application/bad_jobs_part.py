"""Policies that must be refused for what they ask of jobs: rows of `bad_policies`."""

from typing import Final

from tests.application.bad_policy import Bad

JOBS: Final = """\
format: policy/2
title: With jobs
rationale: x
scoring:
  signals:
    - {signal: log-loss, baseline: 0.4, critical: 0.6, rationale: {weight: x, thresholds: x}}
decision:
  rules:
    - {id: bad, when: priority >= 40%, action: INVESTIGATE, tier: none, rationale: x}
jobs:
  approvals:
    - {role: model-owner}
  criteria:
    - gate: holdout
      name: bounded
      when: 'metrics["log-loss"] <= 500000'
      rationale: x
"""

# fmt: off
OF_JOBS: Final = (
    Bad("a criterion of jobs without a rationale", "RATIONALE_MISSING", 14, 7, "",
        JOBS.replace("      rationale: x\n", "")),
    Bad("jobs under policy/1", "FORMAT_LACKS", 11, 3, "",
        JOBS.replace("y/2", "y/1").replace("{weight: x, thresholds: x}", "x")),
    Bad("approvals of jobs in a role that does not exist", "ROLE_UNKNOWN", 12, 14, "",
        JOBS.replace("model-owner", "model-owners")),
    Bad("approvals of jobs that nobody can give", "APPROVERS_TOO_FEW", 12, 34, "",
        JOBS.replace("model-owner}", "model-owner, count: 9}")),
    Bad("a word that says nothing of a budget", "WORD_UNKNOWN", 11, 11, "",
        JOBS.replace("  approvals:", "  budget: sometimes\n  approvals:")),
    Bad("a word that says nothing of a test", "WORD_UNKNOWN", 11, 19, "",
        JOBS.replace("  approvals:", "  candidate_test: sometimes\n  approvals:")),
    Bad("a criterion at a gate that does not exist", "WORD_UNKNOWN", 14, 13, "",
        JOBS.replace("gate: holdout", "gate: hold-out")),
    Bad("a criterion where nothing is measured", "CRITERION_MISPLACED", 14, 13, "",
        JOBS.replace("gate: holdout", "gate: approval")),
    Bad("a criterion that is no expression", "EXPRESSION_INVALID", 16, 36, "",
        JOBS.replace("<= 500000", "<=")),
    Bad("a criterion over a word", "EXPRESSION_INVALID", 16, 14, "",
        JOBS.replace('metrics["log-loss"] <= 500000', "priority < 5")),
    Bad("a criterion that reads nothing", "CRITERION_CONSTANT", 16, 13, "",
        JOBS.replace('metrics["log-loss"] <= 500000', "1 < 2")),
    Bad("a criterion that divides by 0", "CONDITION_FAILS", 16, 34, "",
        JOBS.replace("<= 500000", "/ 0 > 1")),
    Bad("two criteria of one name", "NAME_TWICE", 19, 13, "",
        JOBS + JOBS[JOBS.index("    - gate"):]),
)
# fmt: on
