"""A version that the ledger proposed to put back is put back by a worker, once.

Method: a real server whose policy compares versions; a job deploys one that does worse than the one
before, both are observed on the same rows, and workers are let loose.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from ledger.client import LedgerRefusedError
from ledger.client.jobs import PutBack
from ledger.worker.calls import PatientCalls
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.live_fleet import POLICY, START
from tests.support.served import Served, serving
from tests.support.worked import ANA, WORKER, Workshop, workshop

PLANNING = {
    "planner": "excess/2",
    "loss_signal": "log-loss",
    "candidates": "all",
    "period": "7d",
    "common": "0%",
    "min_models": 1,
}
REUSING = governed(
    json.dumps(
        yaml.safe_load(POLICY)
        | {"planning": PLANNING, "jobs": {"budget": "optional", "deployments": "gated"}}
    ),
    [{"name": "ds", "route": "mail", "acknowledge": "24h"}],
)
LATER = START + timedelta(days=15)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as found:
        found.create()
        yield found
    report = audited(tmp_path / "ledger.sqlite")
    assert report.passed, report.text()
    counted = {one.rule: one.checked for one in report.rules}
    assert counted["deployments.gated"] >= 2


@pytest.fixture
def shop(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """A job has deployed a version that held in its observation, and does worse since."""
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    made = workshop(tmp_path, served.server.address)
    with made.client() as client:
        client.submit([("fares", "log-loss", 0.4, START + timedelta(days=1), "v1", 10)])
        drafted = client.draft_policy("fleet", REUSING, "Versions are compared.")
        client.activate_policy("fleet", drafted.version.version, "It is good.")
        made.propose("j1")
        assert [one.end for one in made.work()] == ["observing"]
        _see(made, {"v1": 0.4, "v2-j1": 0.6})
        [proposal] = client.propose_reuse().proposals
        assert (proposal.in_service, proposal.put_back) == ("v2-j1", "v1")
        assert client.list_put_backs() == [], "its job is not over"
    assert served.service.ledger().due_jobs.run().recorded
    return made


def _see(shop: Workshop, losses: dict[str, float]) -> None:
    with shop.client() as client:
        client.submit(
            [("fares", "log-loss", loss, LATER, name, 10) for name, loss in losses.items()]
        )


def open_ones(shop: Workshop) -> list[PutBack]:
    with shop.client(WORKER) as client:
        return client.list_put_backs("fares")


def test_a_worker_puts_back_what_was_proposed_and_it_is_done_once(shop: Workshop) -> None:
    [row] = open_ones(shop)
    assert (row.put_back, row.in_service, row.recipe) == ("v1", "v2-j1", "weekly")
    [worked] = shop.work()
    assert (worked.job, worked.end) == (f"put-back-{row.position}", "put_back")
    assert shop.ran[-1] == f"put-back-{row.position} roll_back"
    told = json.loads((shop.files(worked.job) / "roll_back.step.json").read_text())
    assert (told["put_back"], told["serving"], told["run"]) == ("v1", "v2-j1", None)
    with shop.client() as client:
        assert client.get_model("fares").version_in_service == "v1"
        explained = [one for one in client.list_events() if one.type == "deployment.explained.v1"]
        assert [json.loads(one.body)["data"]["proposal"] for one in explained] == [row.position]
        with pytest.raises(LedgerRefusedError, match="is open"):
            client.put_back_version("fares", row.position, in_service_at=LATER)
    assert open_ones(shop) == []
    assert shop.work("other") == []


def test_a_worker_puts_back_what_a_person_asked_and_not_what_the_ledger_proposed(
    shop: Workshop,
) -> None:
    [proposed] = open_ones(shop)
    with shop.client(WORKER) as client, pytest.raises(LedgerRefusedError, match="not a person"):
        client.roll_back_model("fares", reason="It is worse at night.")
    with shop.client() as client:
        asked = client.roll_back_model("fares", reason="It is worse at night.")
    assert (asked.in_service, asked.put_back) == ("v2-j1", "v1")
    [row] = open_ones(shop)
    assert (row.position, row.asked_by, row.recipe) == (asked.position, ANA, "weekly")
    assert (row.name, proposed.asked_by) == (f"roll_backs/fares/{asked.position}", "")
    [worked] = shop.work()
    assert (worked.job, worked.end) == (f"put-back-{asked.position}", "put_back")
    assert open_ones(shop) == []
    with shop.client() as client:
        [explained] = [one for one in client.list_events() if one.type == "deployment.explained.v1"]
    data = json.loads(explained.body)["data"]
    assert (data["basis"], data["proposal"]) == ("roll_back", asked.position)


def test_a_proposal_is_over_once_another_version_serves(shop: Workshop) -> None:
    [row] = open_ones(shop)
    with shop.client(WORKER) as client:
        assert client.list_put_backs(after_position=row.position) == []
    with shop.client() as client:
        client.record_deployment(
            "fares", "v3", in_service_at=LATER, trained_through=LATER, baseline_loss="0.4",
            basis="emergency", reason="Neither will do.",
        )  # fmt: skip
    assert open_ones(shop) == []
    assert shop.work() == []
    with shop.client(WORKER) as client, pytest.raises(LedgerRefusedError, match="is open"):
        client.put_back_version("fares", row.position, in_service_at=LATER)


def test_a_step_that_fails_puts_nothing_back_and_is_left_to_others_for_a_while(
    shop: Workshop,
) -> None:
    shop.behave(roll_back={"python": "sys.exit(3)"})
    [worked] = shop.work()
    assert worked.end == "step_failed"
    assert len(open_ones(shop)) == 1
    shop.behave()
    [worked] = shop.work("other", "services/worker-2")
    assert worked.end == "put_back"


def test_a_worker_whose_clock_runs_ahead_states_the_ledger_s_time(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PatientCalls, "now_of", lambda *_: "9000-01-01T00:00:00Z")
    [worked] = shop.work()
    assert worked.end == "put_back"
    assert open_ones(shop) == []


def test_a_record_that_the_ledger_does_not_take_is_told(shop: Workshop) -> None:
    at = LATER - timedelta(days=14, hours=20)
    shop.behave(roll_back={"report": {"in_service_at": at.isoformat()}})
    [worked] = shop.work()
    assert worked.end == "refused"
    assert any(event == "report.refused" for event, _, _ in shop.told)
    assert len(open_ones(shop)) == 1
