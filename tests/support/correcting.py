"""Corrections of observations, as their source submits them."""

from typing import Any

from ledger.application.commands import Caller
from ledger.application.fleet.observation_details import UNSTATED, StatedDetail
from ledger.events.fast import parse_observed
from ledger.storage.records import AppendResult
from tests.support.world import World


def correct(
    world: World,
    position: int,
    value: str | float,
    *,
    size: int = 100,
    caller: Caller | None = None,
    **said: Any,  # noqa: ANN401 - members of a detail
) -> AppendResult:
    """Submit a correction of an observation, by its source unless another one is named."""
    event = world.ledger.log.event(position)
    assert event is not None
    observed = parse_observed(event)
    row = (event.stream[7:], observed.signal, "", value, UNSTATED, size)
    details = {0: StatedDetail(corrects=position, **said)}
    by = caller or Caller(observed.source)
    return world.ledger.intake.submit(by, [row], details=details).result().appended
