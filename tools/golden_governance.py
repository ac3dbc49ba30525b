"""The golden instances of the events of governance: a policy with its approvals, and more."""

from typing import Final

from ledger.application.policies.lint import lint
from tools.golden_proving import Appender

POLICY: Final = """\
format: policy/2
title: Governed policy
rationale: Small enough to follow by hand.
scoring:
  signals:
    - signal: log-loss
      baseline: 0.4
      critical: 0.6
      min_buckets: 1
      rationale: Loss is what the business pays for.
decision:
  rules:
    - id: sustained-loss
      when: priority >= 40% && signals["log-loss"].sustained
      hold: priority >= 30%
      action: INVESTIGATE
      tier: data-science
      rationale: Sustained loss on a model that matters.
  error_tier: data-science
tiers:
  - name: data-science
    route: the weekly review
    acknowledge: 24h
    next: head-of-risk
  - name: head-of-risk
    route: the person on duty
    acknowledge: 4h
governance:
  approvals:
    - role: policy-approver
      count: 2
  review_every: 90d
"""


def draft(ledger: Appender) -> None:
    """Draft a version that says who approves the next one."""
    drafted = lint(POLICY).draft("default", 3, "Changes of it take two approvers from now on.")
    ledger.append(drafted, "policies/default", "2026-07-06T09:00:00.000000Z")
