"""Many corrections of one time cost what they are, not what their time holds once for each.

Method: a batch corrects every observation of one time, and what is read for it is counted.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ledger.application.fleet.observation_details import UNSTATED, StatedDetail
from ledger.audit.observations import Observations
from ledger.storage.events import Events
from tests.support.audits import audited
from tests.support.world import HOUR, MONITOR, START, World

COUNT = 40


def counted(monkeypatch: pytest.MonkeyPatch, owner: type, method: str) -> list[int]:
    """Return a list that the number of rows of each call of a method is added to."""
    sizes: list[int] = []
    actual = getattr(owner, method)

    def counting(*args: Any, **named: Any) -> Iterable[Any]:  # noqa: ANN401 - of any method
        found = list(actual(*args, **named))
        sizes.append(len(found))
        return found

    monkeypatch.setattr(owner, method, counting)
    return sizes


def correct_all(world: World) -> None:
    """Correct all that was observed at one time, twice over, a batch each time."""
    world.begin("m1")
    world.observe(*[("m1", "loss", "", 0.5, START + HOUR, 100)] * COUNT)
    for _ in range(2):
        first = world.head - COUNT + 1
        details = {index: StatedDetail(corrects=first + index) for index in range(COUNT)}
        rows = [("m1", "loss", "", 0.9, UNSTATED, 100)] * COUNT
        world.ledger.intake.submit(MONITOR, rows, details=details).result()


def test_a_batch_of_corrections_reads_each_time_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = counted(monkeypatch, Events, "observations")
    correct_all(world)
    assert sum(sizes) <= 3 * COUNT
    assert len(world.events("signal.observed.v2")) == 2 * COUNT


def test_the_auditor_reads_of_a_time_only_what_a_correction_names(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    correct_all(world)
    sizes = counted(monkeypatch, Observations, "between")
    report = audited(Path(world.path))
    assert report.findings == (), report.text()
    assert sum(sizes) <= 3 * COUNT
