"""The bench runs, and its result has every row that the project promises something about.

Method: a run of the program at a tiny scale, as a person would start it: of one section, and in
the slow run of all. No figure is judged here: what a machine under test load can do says nothing.
"""

import json
import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tools.bench.__main__ import SECTIONS
from tools.bench.attackers import ATTACKS
from tools.bench.start import LINES

ROOT = Path(__file__).resolve().parents[2]

PROMISED: dict[str, dict[str, tuple[str, float]]] = {
    "ingest": {
        "StreamSignals × 500, ingest alone": ("at least", 40_000),
        "StreamSignals × 500, evaluator and projections live": ("at least", 20_000),
        "projections behind what was acknowledged, at most": ("at most", 2),
        "seals of heads, of the server's processor time": ("at most", 2),
        "server's memory in the end, ingest alone": ("at most", 400),
        "server's memory in the end, live": ("at most", 400),
        "server's memory, end against half way, ingest alone": ("at most", 1.1),
        "server's memory, end against half way, live": ("at most", 1.1),
    },
    "signing": {
        "ingest signed against unsigned": ("at least", 1 / 1.03),
        "longest wait for a checkpoint under this load": ("at most", 1),
    },
    "unary": {
        "SubmitSignals × 1, 32 callers": ("at least", 2_000),
        "SubmitSignals × 1, 32 callers, p99": ("at most", 30),
        "SubmitSignals × 1, a lone caller, p50": ("at most", 5),
    },
    "secure": {
        "SubmitSignals × 1, 32 callers, TLS and a token against neither": ("at least", 0.85),
        "StreamSignals × 500, TLS and a token against neither": ("at least", 0.9),
    },
    "overload": {
        f"{attack}: {what}": target
        for attack in ATTACKS
        for what, target in (
            ("honest calls answered", ("at least", 95)),
            ("honest p99 against quiet", ("at most", 5)),
        )
    },
    "scoring": {"scoring from warm state, 5 signals × 28 buckets": ("at least", 3_000)},
    "planning": {"arithmetic of a plan over a large fleet": ("at most", 2)},
    "jobs": {
        "steps of jobs, 8 callers": ("at least", 200),
        "steps of jobs, 8 callers, p99": ("at most", 200),
    },
    "replay": {
        "replay of a decision, p50": ("at most", 10),
        "replay p50, long ledger against short": ("at most", 1.3),
    },
    "verification": {
        "chain verification, hash pass": ("at least", 150_000),
        "chain verification from the database": ("at least", 150_000),
        "rebuild of projection priorities": ("at least", 100_000),
        "rebuild of projection signals": ("at least", 100_000),
    },
    "audit": {
        "audit, hash pass, one core": ("at least", 150_000),
        "audit, hash pass, every core, for each": ("at least", 150_000),
    },
    "proofs": {
        "inclusion proof, p50": ("at most", 2),
        "inclusion proof p50, large tree against small": ("at most", 1.3),
    },
    "exports": {
        "full export": ("at least", 100_000),
        "the stand-alone verifier, one core": ("at least", 40_000),
        "the stand-alone verifier, every core, for each": ("at least", 40_000),
    },
    "start": {
        f"decision-ledger {line}, processor time": ("at most", seconds)
        for line, (seconds, _) in LINES.items()
    },
}
PEERS = {
    "ingest": {
        "SQLite + SHA-256 loop",
        "eventsourcing's recorder",
        "umadb over gRPC, 4 callers",
    },
    "unary": {"umadb over gRPC, 32 callers"},
}
FEW = ("scoring",)


@dataclass(frozen=True)
class Result:
    """What a run printed, and of which sections it was."""

    sections: tuple[str, ...]
    document: dict[str, Any]

    @property
    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.document["rows"]
        return rows


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(FEW, id="few"),
        pytest.param(tuple(SECTIONS), id="all", marks=pytest.mark.slow),
    ],
)
def result(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Return what one tiny run printed."""
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "tools.bench", "--scale", "0.0005", "--json", "-"]
    if request.param is FEW:
        command += [word for section in FEW for word in ("--only", section)]
    done = subprocess.run(
        [*command, "--folder", str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(folder.iterdir()) == [], "the bench leaves nothing behind"
    return Result(request.param, json.loads(done.stdout))


def test_every_section_promises_something() -> None:
    assert PROMISED.keys() == SECTIONS.keys()


def test_every_promised_figure_is_measured_against_its_target(result: Result) -> None:
    found: dict[str, dict[str, tuple[str, float]]] = {name: {} for name in result.sections}
    for row in result.rows:
        if row["target"]:
            target = (row["target"]["bound"], row["target"]["value"])
            found[row["section"]][row["name"]] = target
    assert found == {name: PROMISED[name] for name in result.sections}


def test_every_figure_is_a_number_above_zero_with_the_load_it_was_taken_under(
    result: Result,
) -> None:
    for row in result.rows:
        assert math.isfinite(row["measured"]), row
        is_lag = row["unit"] == "s"  # nothing need ever have been behind
        assert row["measured"] > 0 or is_lag, row
        assert row["load"] >= 0


def test_every_peer_ran_in_the_same_run(result: Result) -> None:
    for section in result.sections:
        rows = [row for row in result.rows if row["section"] == section and row["peer"]]
        assert {row["peer"]["name"] for row in rows} >= PEERS.get(section, set())
        for row in rows:
            if row["measured"]:
                assert row["ratio"] == pytest.approx(row["measured"] / row["peer"]["measured"])


def test_the_result_says_what_it_was_measured_on(result: Result) -> None:
    document = result.document
    assert document["machine"]["cores"] >= 1
    assert document["machine"]["fsync_median_ms"] > 0
    assert document["machine"]["python"].startswith("CPython 3.")
    assert document["scale"] == 0.0005
