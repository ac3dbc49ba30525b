"""A served ledger whose decisions ask people: by a policy of format policy/2 with two tiers.

A loss of 0.65 opens a task to investigate and an escalation to `ds`, whose next tier is `on-call`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from ledger.client import LedgerClient
from tests.support.explained import explained_text
from tests.support.live_fleet import POLICY, START, furnish
from tests.support.served import Served, serving

MODELS = ("fares", "hotels")
ASKING = (
    explained_text(POLICY)
    .replace("action: SCHEDULE_RETRAINING, tier: ds", "action: INVESTIGATE, tier: ds")
    .replace(
        "tiers: [{name: ds, route: mail, acknowledge: 24h}]",
        "tiers:\n"
        "  - {name: ds, route: mail, acknowledge: 24h, next: on-call}\n"
        "  - {name: on-call, route: phone, acknowledge: 4h}\n"
        "governance: {investigate_within: 3d}",
    )
)


def see(client: LedgerClient, hours: int, *models: str, loss: float = 0.65) -> None:
    """Observe models so many hours after the beginning, and decide about them."""
    at = START + timedelta(hours=hours)
    client.submit([(model, "log-loss", loss, at, "v1", 1_000) for model in models])
    client.evaluate(models)


@contextmanager
def asking(folder: Path, models: Sequence[str] = MODELS) -> Iterator[Served]:
    """Serve a ledger of the clock `data` that has asked about each of its models."""
    with serving(folder) as served:
        served.create()
        with served.client() as client:
            furnish(client, models, document=ASKING)
            see(client, 1, *models)
        yield served
