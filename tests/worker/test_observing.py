"""What a worker reports of a version that it has deployed, and under which name.

Method: real steps against a service; the worker works until nothing is left.
"""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ledger.application.recipes.text import parse_recipe
from ledger.events.values import PPM, SECOND
from ledger.worker import observing
from ledger.worker.calls import micros_of
from ledger.worker.observing import next_report_at
from ledger.worker.reports import send
from ledger.worker.state import StateFile
from tests.support.served import Served, serving
from tests.support.worked import RECIPE, Workshop, workshop


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
        said = client.get_job(name).observation_evidence
    assert gates.count("OBSERVATION") == 2
    assert said.startswith("It rests on the report at position ")
    shop.work()
    told = json.loads((shop.files("j1") / "observation.step.json").read_text())
    assert told["request"] != "before-1"


class KilledError(Exception):
    """A worker ends here."""


def test_a_worker_killed_behind_a_report_sends_it_again_as_it_was(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*report: Any) -> None:  # noqa: ANN401 - as it is sent
        send(*report)
        raise KilledError

    shop.propose("j1")
    with monkeypatch.context() as patched:
        patched.setattr(observing, "send", killed)
        with pytest.raises(KilledError):
            shop.work()
    shop.behave(observation={"report": {"metrics": {"loss": 2}}})
    shop.work()
    assert shop.ran.count("j1 observation") == 1
    told = [name for name, *_ in shop.told]
    assert "report.refused" not in told
    assert told[-1] == "gate.reported"
    with shop.client() as client:
        gates = [str(one.gate) for one in client.get_job("models/fares/jobs/j1").reports]
    assert gates.count("OBSERVATION") == 1


def test_reports_that_count_only_late_fall_into_the_last_stretch_of_the_window(
    shop: Workshop,
) -> None:
    shop.propose("j1")
    shop.work()
    with shop.client() as client:
        job = client.get_job("models/fares/jobs/j1").job
    document = parse_recipe(
        RECIPE.replace("TIME", "1m").replace("MEMORY", "1 GiB").replace("LEASE", "1m")
    )
    gate = document.gates[-1]
    assert job.deployment is not None
    assert job.deployment.observed_until is not None
    assert gate.window_seconds is not None
    window = gate.window_seconds * SECOND
    until = micros_of(job.deployment.observed_until)
    for after, last in ((None, 0), (500_000, 4), (900_000, 3), (990_000, 3)):
        asked = gate.model_copy(update={"evidence_after_ppm": after})
        times = [until - window]
        while (due := next_report_at(job, asked, times[-1])) < until:
            times.append(due)
        assert all(later - at <= window // 10 for at, later in pairwise(times))
        counts = until - window + window * (after or 0) // PPM
        sure = counts + (until - counts) // 8  # the ledger's clock may be behind the worker's
        assert sum(at >= sure for at in times) >= last
