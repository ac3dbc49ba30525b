"""The golden instances of the review of a policy in force."""

from ledger.events.cases import GOVERNOR
from ledger.events.policies import PolicyActivatedV2, ScopePart
from ledger.events.reviews import PolicyReviewDue
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
