"""The golden instance of a plan by planner `excess/2`: it shows the shape alone."""

from ledger.events.plans import PlanMadeV1, PlanMadeV2
from tools.golden_proving import Appender


def run(ledger: Appender) -> None:
    """Plan once more what was planned before, as if by the other planner."""
    [made] = [one.data for one in ledger.events if one.type == PlanMadeV1.TYPE]
    data = PlanMadeV2.from_data(made | {"plan": "2026-w45", "planner": "excess/2"})
    ledger.append(data, data.stream_name, "2027-03-01T09:00:00.000000Z", actor="users/ada")
