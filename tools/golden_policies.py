"""The golden instances of steps in the life of a policy."""

from typing import Any

from ledger.events.policies import (
    PolicyActivatedV2,
    PolicyApprovalWithdrawn,
    PolicyApproved,
    PolicyDraftedV2,
    PolicyDraftedV3,
    PolicyRatified,
    PolicyRejected,
    PolicyRetired,
    PolicyScheduled,
    PolicyScheduleWithdrawn,
    PolicyStep,
    PolicySubmitted,
    ScopePart,
)
from tools.golden_proving import Appender


def steps(ledger: Appender) -> None:
    """Take a version through its life: submitted, approved, rejected, retired; and another's."""
    drafted = next(one for one in ledger.events if one.type == PolicyDraftedV3.TYPE)
    version: dict[str, Any] = {"policy": "default", "version": 3}
    digest: dict[str, Any] = {"digest": drafted.data["digest"]}
    scope = ScopePart(kind="labels", model=None, labels={"tier": "high"})
    minutes = iter(range(60))

    def note(data: PolicyStep | PolicyActivatedV2, actor: str) -> int:
        at = f"2026-08-05T10:{next(minutes):02d}:00.000000Z"
        return ledger.append(data, "policies/default", at, actor=actor)

    submission = note(
        PolicySubmitted(**version, **digest, scope=scope, rationale="For models of high risk."),
        "users/ada",
    )

    approval = note(
        PolicyApproved(
            **version,
            **digest,
            submission=submission,
            role="policy-approver",
            meaning="reviewed_and_approved",
            expires_at="2026-09-04T10:01:00.000000Z",
            comment="Compared with last year's decisions.",
        ),
        "users/grace",
    )
    note(
        PolicyApprovalWithdrawn(**version, approval=approval, reason="The window is too short."),
        "users/grace",
    )
    note(
        PolicyRejected(**version, submission=submission, reason="Draft one with a longer window."),
        "users/grace",
    )
    note(PolicyRetired(**version, reason="A later version will say it better."), "users/grace")
    earlier = [one for one in ledger.events if one.type == PolicyDraftedV2.TYPE][-1]
    note(
        PolicyActivatedV2(
            policy="default",
            version=2,
            digest=earlier.data["digest"],
            scope=scope,
            rationale="Until then the version before is enough.",
            basis="approved",
            approvals=[],
            replaces=None,
            scheduled=None,
            ratify_until=None,
        ),
        "users/grace",
    )


def terms(ledger: Appender) -> None:
    """Set the time of an activation and withdraw it, and ratify an emergency."""
    earlier = [one for one in ledger.events if one.type == PolicyDraftedV2.TYPE][-1]
    version: dict[str, Any] = {"policy": "default", "version": 2}

    def note(data: PolicyStep, minute: int) -> int:
        at = f"2026-08-06T11:{minute:02d}:00.000000Z"
        return ledger.append(data, "policies/default", at, actor="users/grace")

    schedule = note(
        PolicyScheduled(
            **version,
            digest=earlier.data["digest"],
            scope=ScopePart(kind="model", model="fraud-eu", labels={}),
            rationale="With the new year.",
            effective_time="2027-01-01T00:00:00.000000Z",
            approvals=[],
        ),
        0,
    )
    note(PolicyScheduleWithdrawn(**version, schedule=schedule, reason="It begins later."), 1)
    activation = [one for one in ledger.events if one.type == PolicyActivatedV2.TYPE][-1]
    approval = [one for one in ledger.events if one.type == PolicyApproved.TYPE][-1]
    note(
        PolicyRatified(**version, activation=activation.position, approvals=[approval.position]),
        2,
    )
