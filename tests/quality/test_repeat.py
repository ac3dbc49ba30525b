"""The command that repeats the benchmark: it runs each fleet with the ledger, and tells the table.

Method: a benchmark of a few lines in the place of the real one, which the repository does not hold.
"""

import json
import sys
from pathlib import Path

import pytest

from tools.quality import repeat

BENCHMARK = """
import json, sys
named = dict(zip(sys.argv[2::2], sys.argv[3::2]))
if named["--sets"] == "broken":
    sys.exit("no such fleet")
policies = {name: {"capture": at / 10, "jobs": 7, "probes": 8, "switches": 9, "seconds": 3.2}
            for at, name in enumerate(NAMES)}
policies["external"]["seen"] = named["--external"]
cells = [{"set": named["--sets"], "budget": budget, "costs": "mixed", "policies": policies}
         for budget in (0.5, 1)]
cells[1]["policies"] = policies | {"external": policies["external"] | {"capture": 0.9}}
open(named["--json"], "w").write(json.dumps(cells))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(repeat, "environment", lambda _: Path(sys.executable))
    made = tmp_path / "the benchmark"
    made.mkdir()
    (made / "run.py").write_text(BENCHMARK.replace("NAMES", repr(list(repeat.POLICIES))))
    for name in ("cta", "flights"):
        (made / f"{name}.npz").touch()
    return made


def test_every_fleet_is_run_and_the_ledger_stands_beside_the_other_policies(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = folder / "cells.json"
    assert repeat.main([str(folder), "--season", "cta=13", "--json", str(kept)]) == 0
    cells = json.loads(kept.read_text())
    assert [(one["set"], one["budget"]) for one in cells] == [
        ("cta", 0.5), ("cta", 1), ("flights", 0.5), ("flights", 1),
    ]  # fmt: skip
    told = {
        columns[0]: columns[1:]
        for line in capsys.readouterr().out.splitlines()
        if len(columns := [one.strip() for one in line.strip("│").split("│")]) > 1
    }
    assert told["round robin"] == ["0.000", "0.000", "0.000", "0.000"]
    assert told["ADWIN alarms"] == ["0.200", "0.200", "0.200", "0.200"]
    assert told["the ledger, by planner excess/2"] == ["0.700", "0.500", "0.700", "0.500"]
    assert told["flights"] == ["1", "mixed", "0.900", "7", "8", "9", "3 s"]


def test_the_ledger_is_asked_in_the_folder_of_this_repository(folder: Path) -> None:
    asked = repeat.external(folder, ["cta=13", "own=52"])
    assert asked.startswith(f"cd {Path(repeat.__file__).parents[2]} && exec {sys.executable} -m ")
    assert asked.endswith(f"--data '{folder}' --season cta=13 --season own=52")


def test_a_fleet_that_fails_and_a_folder_without_the_benchmark_are_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert repeat.main([str(folder), "--sets", "broken,cta"]) == 1
    assert repeat.main([str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert "ended with an error" in told.err
    assert "has no run.py: name the folder" in told.err
    assert told.out == ""
