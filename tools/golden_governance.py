"""The golden instances of the events of governance: a policy with its approvals, and more."""

from typing import Final

from ledger.application.policies.lint import lint
from ledger.events.base import EventData
from ledger.events.cases import (
    GOVERNOR,
    EscalationAcknowledged,
    EscalationEnded,
    EscalationEscalated,
    EscalationLapsed,
    EscalationRaised,
    EscalationResolved,
    TaskClosed,
    TaskLapsed,
    TaskOpened,
    TaskOverdue,
    TaskTaken,
)
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
      rationale:
        weight: Loss is what the business pays for.
        thresholds: A guess of the base rate has a loss of 0.6; half of the way there is bad.
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


_MODEL: Final = "fraud-eu"
_ADA: Final = "users/ada"
_EVALUATOR: Final = "system/evaluator"


def ask(ledger: Appender) -> None:
    """Raise an escalation and open a task, as a decision would, and what can come of both."""
    days = iter(range(7, 28))

    def note(data: EventData, actor: str) -> None:
        at = f"2026-07-{next(days):02d}T09:00:00.000000Z"
        ledger.append(data, data.stream_name, at, actor=actor)

    model, decision = _MODEL, 45
    note(
        EscalationRaised(
            model=model,
            escalation=decision,
            action="INVESTIGATE",
            tier="data-science",
            route="the weekly review",
            raised_at="2026-07-07T09:00:00.000000Z",
            acknowledge_until="2026-07-08T09:00:00.000000Z",
        ),
        _EVALUATOR,
    )
    note(
        TaskOpened(
            model=model,
            task=decision,
            action="INVESTIGATE",
            owner="team-payments",
            opened_at="2026-07-08T09:00:00.000000Z",
            due_at="2026-07-15T09:00:00.000000Z",
        ),
        _EVALUATOR,
    )
    note(
        EscalationEscalated(
            model=model,
            escalation=decision,
            tier="head-of-risk",
            route="the person on duty",
            reached_at="2026-07-09T09:00:00.000000Z",
            acknowledge_until="2026-07-09T13:00:00.000000Z",
        ),
        GOVERNOR,
    )
    note(EscalationAcknowledged(model=model, escalation=decision, note="I look into it."), _ADA)
    note(TaskTaken(model=model, task=decision), _ADA)
    note(
        EscalationResolved(
            model=model, escalation=decision, resolution="Labels arrive late; loss is as before."
        ),
        _ADA,
    )
    note(TaskOverdue(model=model, task=decision), GOVERNOR)
    note(TaskClosed(model=model, task=decision, outcome="false_alarm", note="Late labels."), _ADA)
    note(EscalationEnded(model=model, escalation=decision, decision=decision + 1), _EVALUATOR)


def lapse(ledger: Appender) -> None:
    """End the escalation and the task of a model that was retired."""
    for data in (
        EscalationLapsed(model=_MODEL, escalation=45, retirement=46),
        TaskLapsed(model=_MODEL, task=45, retirement=46),
    ):
        ledger.append(data, data.stream_name, "2026-12-02T09:00:00.000000Z", actor=GOVERNOR)
