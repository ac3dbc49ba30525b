"""What a worker reports of a version that it has deployed, and under which name.

Method: real steps against a service; the worker works until nothing is left.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.worker.state import StateFile
from tests.support.served import Served, serving
from tests.support.worked import Workshop, workshop


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as found:
        found.create()
        yield found


@pytest.fixture
def shop(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    return workshop(tmp_path, served.server.address)


def test_each_report_of_an_observation_is_asked_for_under_a_name_of_its_own(
    shop: Workshop,
) -> None:
    shop.propose("j1")
    note = "open(notes / 'asked', 'a').write(told['request'] + '\\n')"
    shop.behave(observation={"python": note})
    for _ in range(3):
        shop.work()
    first, second, third = (shop.notes / "asked").read_text().split()
    assert len({first, second, third}) == 3
    told = json.loads((shop.files("j1") / "candidate.step.json").read_text())
    assert told["request"] is None


def test_a_report_of_an_observation_goes_on_under_its_name_after_a_restart(
    served: Served, shop: Workshop
) -> None:
    shop.propose("j1")
    shop.work()
    name = "models/fares/jobs/j1"
    with StateFile(shop.folder / "work" / "one") as state:
        known = state.now.observed[name]
        assert known.begun == ""
        state.keep(observed={name: known.model_copy(update={"begun": "before-1"})})
    shop.work()
    told = json.loads((shop.files("j1") / "observation.step.json").read_text())
    assert told["request"] == "before-1"
    with served.client(actor="users/ana") as client:
        gates = [str(one.gate) for one in client.get_job(name).reports]
    assert gates.count("OBSERVATION") == 2
    shop.work()
    told = json.loads((shop.files("j1") / "observation.step.json").read_text())
    assert told["request"] != "before-1"
