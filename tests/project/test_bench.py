"""The bench runs, and its result has every row that the project promises something about.

Method: one run of the whole program at a tiny scale, as a person would start it. No figure is
judged here: what a machine under test load can do says nothing.
"""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tools.bench.attackers import ATTACKS
from tools.bench.start import LINES

ROOT = Path(__file__).resolve().parents[2]

PROMISED = {
    "StreamSignals × 500, ingest alone": ("at least", 40_000),
    "StreamSignals × 500, evaluator and projections live": ("at least", 20_000),
    "projections behind what was acknowledged, at most": ("at most", 2),
    "server's memory in the end, ingest alone": ("at most", 400),
    "server's memory in the end, live": ("at most", 400),
    "server's memory, end against half way, ingest alone": ("at most", 1.1),
    "server's memory, end against half way, live": ("at most", 1.1),
    "ingest signed against unsigned": ("at least", 1 / 1.03),
    "longest wait for a checkpoint under this load": ("at most", 1),
    "SubmitSignals × 1, 32 callers": ("at least", 2_000),
    "SubmitSignals × 1, 32 callers, p99": ("at most", 30),
    "SubmitSignals × 1, a lone caller, p50": ("at most", 5),
    "scoring from warm state, 5 signals × 28 buckets": ("at least", 3_000),
    "replay of a decision, p50": ("at most", 10),
    "replay p50, long ledger against short": ("at most", 1.3),
    "chain verification, hash pass": ("at least", 150_000),
    "chain verification from the database": ("at least", 150_000),
    "audit, hash pass, one core": ("at least", 150_000),
    "audit, hash pass, every core, for each": ("at least", 150_000),
    "rebuild of projection priorities": ("at least", 100_000),
    "rebuild of projection signals": ("at least", 100_000),
    "inclusion proof, p50": ("at most", 2),
    "inclusion proof p50, large tree against small": ("at most", 1.3),
    "full export": ("at least", 100_000),
    "the stand-alone verifier, one core": ("at least", 40_000),
    "the stand-alone verifier, every core, for each": ("at least", 40_000),
} | {
    f"{attack}: {what}": target
    for attack in ATTACKS
    for what, target in (
        ("honest calls answered", ("at least", 95)),
        ("honest p99 against quiet", ("at most", 5)),
    )
}
PROMISED |= {
    f"decision-ledger {line}, processor time": ("at most", seconds)
    for line, (seconds, _) in LINES.items()
}
PEERS = {
    "SQLite + SHA-256 loop",
    "eventsourcing's recorder",
    "umadb over gRPC, 4 callers",
    "umadb over gRPC, 32 callers",
}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the JSON document of one tiny run."""
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "tools.bench", "--scale", "0.0005", "--json", "-"]
    done = subprocess.run(
        [*command, "--folder", str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(folder.iterdir()) == [], "the bench leaves nothing behind"
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_every_promised_figure_is_measured_against_its_target(document: dict[str, Any]) -> None:
    targets = {
        row["name"]: (row["target"]["bound"], row["target"]["value"])
        for row in document["rows"]
        if row["target"]
    }
    assert targets == PROMISED


def test_every_figure_is_a_number_above_zero_with_the_load_it_was_taken_under(
    document: dict[str, Any],
) -> None:
    for row in document["rows"]:
        assert math.isfinite(row["measured"]), row
        is_lag = row["unit"] == "s"  # nothing need ever have been behind
        assert row["measured"] > 0 or is_lag, row
        assert row["load"] >= 0


def test_every_peer_ran_in_the_same_run(document: dict[str, Any]) -> None:
    peers = {row["peer"]["name"] for row in document["rows"] if row["peer"]}
    assert peers >= PEERS
    for row in document["rows"]:
        if row["peer"] and row["measured"]:
            assert row["ratio"] == pytest.approx(row["measured"] / row["peer"]["measured"])


def test_the_result_says_what_it_was_measured_on(document: dict[str, Any]) -> None:
    assert document["machine"]["cores"] >= 1
    assert document["machine"]["fsync_median_ms"] > 0
    assert document["machine"]["python"].startswith("CPython 3.")
    assert document["scale"] == 0.0005
