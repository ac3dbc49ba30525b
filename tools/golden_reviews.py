"""The golden instances of the review of a policy in force."""

import hashlib

from ledger.events.cases import GOVERNOR
from ledger.events.policies import PolicyActivatedV2, PolicyDraftedV3, ScopePart
from ledger.events.reviews import PolicyReviewDue, PolicyReviewed, SuccessorPart
from tools.golden_proving import Appender


def review(ledger: Appender) -> None:
    """Record that the review of a version in force is due."""
    activated = [one for one in ledger.events if one.type == PolicyActivatedV2.TYPE][-1]
    ledger.append(
        PolicyReviewDue(
            policy=activated.data["policy"],
            version=activated.data["version"],
            scope=ScopePart.model_validate(activated.data["scope"]),
            activation=activated.position,
            review=None,
            due_at="2026-11-03T10:05:00.000000Z",
            reminder=0,
        ),
        "policies/default",
        "2026-11-03T10:05:02.000000Z",
        actor=GOVERNOR,
    )


def sign(ledger: Appender) -> None:
    """Sign a review by which the version stays, until a draft follows it up."""
    due = [one for one in ledger.events if one.type == PolicyReviewDue.TYPE][-1]
    activated = [one for one in ledger.events if one.type == PolicyActivatedV2.TYPE][-1]
    draft = [one for one in ledger.events if one.type == PolicyDraftedV3.TYPE][-1]
    named = ("policy", "version", "digest")
    ledger.append(
        PolicyReviewed(
            **{name: activated.data[name] for name in named},
            scope=ScopePart.model_validate(activated.data["scope"]),
            activation=activated.position,
            review=None,
            as_of=due.position,
            pack=hashlib.sha256(b"{}").hexdigest(),
            role="policy-approver",
            meaning="reviewed",
            outcome="follow_up",
            follow_up=SuccessorPart(**{name: draft.data[name] for name in named}),
            reason="Two of three alarms were false: the third version says less.",
        ),
        "policies/default",
        "2027-02-01T09:00:00.000000Z",
        actor="users/grace",
    )
