"""The golden instance of an override in a role."""

from ledger.events.decisions import DecisionOverriddenV2
from tools.golden_proving import Appender


def overrule(ledger: Appender) -> None:
    """Have a model's owner overrule what is decided about it."""
    data = DecisionOverriddenV2(
        model="fraud-eu",
        action="NO_ACTION",
        tier="none",
        effective_from="2027-02-03T08:00:00.000000Z",
        effective_until="2027-02-10T09:00:00.000000Z",
        rationale="The new version is a day old; its labels come in a week.",
        role="model-owner",
    )
    ledger.append(data, data.stream_name, "2027-02-03T09:00:00.000000Z", actor="users/ada")
