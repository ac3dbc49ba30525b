"""The benchmark's bridge: what is bought, tested and put back is what the ledger's plans say.

Method: a fleet of five told over the benchmark's messages, on a real server; its answers are held
against the plans, verdicts and proposals on record, and the ledger is audited.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ledger.client import LedgerClient
from tests.support.audits import audited
from tools.demo.server import ACTOR, LEDGER_FILE, serving
from tools.quality.__main__ import ORIGIN, Decider
from tools.quality.fleet import actors, model_id

NAMES = ("A-1", "B-2", "C-3", "D-4", "E-5")
Tests = dict[str, tuple[float | None, float | None] | None]


class Told:
    """A fleet as the benchmark tells of it; `tests` has what each candidate test comes to."""

    def __init__(self, clients: dict[str, LedgerClient]) -> None:
        self.tests: Tests = {}
        self.asked: list[str] = []
        self.client = clients[ACTOR]
        self.decider = Decider(clients, self._probe, "", {})

    def _probe(self, name: str) -> tuple[float | None, float | None] | None:
        self.asked.append(name)
        return self.tests[name]

    def shadow(self, t: int, losses: dict[str, dict[str, float]]) -> Any:  # noqa: ANN401 - JSON
        """Tell of a period; models that are not named lost as in training."""
        losses = {name: {"5": 40.0} for name in NAMES} | losses
        newest = {name: {"rows": 100, "losses": one} for name, one in losses.items()}
        return self.decider.answer({"t": t, "shadow": {}, "newest": newest})["switch"]

    def choose(self, t: int, budget: float) -> list[str]:
        models = [{"id": name, "live": True, "cost": 1.0, "baseline_loss": 0.4} for name in NAMES]
        asked = {"fleet": "made-up", "t": t, "budget": budget, "models": models}
        chosen: list[str] = self.decider.answer(asked)["retrain"]
        return chosen


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with ExitStack() as stack:
        address = stack.enter_context(serving(tmp_path)).address
        clients = {
            actor: stack.enter_context(LedgerClient(address, ledger=ORIGIN, actor=actor))
            for actor in actors()
        }
        clients[ACTOR].create_ledger(ORIGIN, clock="data")
        yield Told(clients)
    report = audited(tmp_path / LEDGER_FILE)
    assert report.passed, report.text()
    assert {one.rule: one.checked for one in report.rules}["replay.plan"] > 0


def test_ids_sort_as_names_do() -> None:
    names = ["B", "a", "AA", "A-B", "Ä"]
    assert sorted(names) == sorted(names, key=model_id)


def test_the_ledger_alone_decides(told: Told) -> None:
    assert told.shadow(6, {}) == {}
    told.tests = dict.fromkeys(NAMES, (1.0, 1.0))
    assert told.choose(6, 4.4) == []  # nothing lost more than in training

    assert told.shadow(7, {"A-1": {"5": 90.0}, "B-2": {"5": 80.0}, "C-3": {"5": 41.0}}) == {}
    told.tests = {"A-1": (90.0, 99.0), "B-2": (80.0, 50.0), "C-3": None}
    told.asked.clear()
    assert told.choose(7, 2.2) == ["B-2"]  # a tenth worse is refused, and equality is
    assert told.asked == ["A-1", "B-2"]
    plans = [told.client.get_plan(one.plan) for one in told.client.list_plans()]
    assert [plan.budget_micros for plan in plans[:2]] == [1_000_000, 2_200_000]
    assert {row.model: str(row.outcome) for row in plans[0].backlog}[model_id("A-1")] == "RESTING"

    losses = {"A-1": {"5": 90.0}, "B-2": {"5": 50.0, "7": 80.0}, "C-3": {"5": 41.0}}
    assert told.shadow(8, losses) == {"B-2": 5}  # the version before did better
    [model] = [one for one in told.client.list_models() if one.model == model_id("B-2")]
    assert model.version_in_service == "v5"
    assert [one.kind for one in model.deployments][-1] == "REINSTATED"
    told.asked.clear()
    told.choose(8, 4.4)
    assert "A-1" not in told.asked  # it rests


def test_a_version_that_could_not_be_trained_is_not_in_service(told: Told) -> None:
    told.shadow(6, {})
    told.choose(6, 2.2)
    told.shadow(7, {"A-1": {"5": 90.0}})
    told.tests = dict.fromkeys(NAMES)  # no test is possible
    assert told.choose(7, 2.2)[0] == "A-1"
    told.shadow(8, {"A-1": {"5": 90.0}})
    [job] = told.client.list_jobs(model_id("A-1"))
    assert str(job.outcome) == "CANCELLED"
    [model] = [one for one in told.client.list_models() if one.model == model_id("A-1")]
    assert model.version_in_service == "v5"
