"""Compliance tables and answers from a live server, and what goes wrong.

Method: a served ledger with observations, an evaluation and a policy; every form of file; every
question once; misuse of each kind.
"""

import csv
from pathlib import Path

from tests.cli.conftest import Run


def test_tables_are_written_and_counted(told: Run, tmp_path: Path) -> None:
    out = tmp_path / "tables"
    done = told("compliance", "export", str(out), "--json")
    assert done.code == 0
    assert done.json["rows"]["silent_sources"] == 4
    assert done.json["rows"]["decisions"] >= 1
    assert sorted(path.name for path in out.iterdir()) == sorted(
        f"{name}.csv" for name in done.json["rows"]
    )
    with (out / "policy_changes.csv").open(newline="", encoding="utf-8") as handle:
        found = list(csv.DictReader(handle))
    assert [row["change"] for row in found] == ["drafted", "activated"]


def test_other_forms_are_written_too(told: Run, tmp_path: Path) -> None:
    for form in ("parquet", "html"):
        out = tmp_path / form
        done = told("compliance", "export", str(out), "--format", form, "--model", "fares")
        assert done.code == 0
        assert "Approvals and jobs are not recorded" in done.out
        assert all(path.suffix == f".{form}" for path in out.iterdir())


def test_a_person_and_a_period_narrow_the_tables(told: Run, tmp_path: Path) -> None:
    line = ("compliance", "export", str(tmp_path / "o"), "--json")
    by_nobody = told(*line, "--by", "users/nobody").json["rows"]
    assert by_nobody["policy_changes"] == 0
    assert told(*line, "--until", "2020-01-01").json["rows"]["policy_changes"] == 0


def test_misuse_is_refused_before_anything_is_written(told: Run, tmp_path: Path) -> None:
    for line in (
        ("--format", "pdf"),
        ("--by", "ada"),
        ("--model", "A B"),
        ("--from", "2026-02-01", "--until", "2026-01-01"),
        ("--from", "soon"),
        ("--bundle", str(tmp_path / "none")),
    ):
        done = told("compliance", "export", str(tmp_path / "o"), *line)
        assert done.code == 2, line
        assert not (tmp_path / "o").exists()


def test_the_questions_are_listed(told: Run) -> None:
    done = told("audit", "answer")
    assert done.code == 0
    assert "35  Map of these answers to the control catalogue in force." in done.out


def test_each_question_is_answered_or_says_what_it_waits_for(told: Run) -> None:
    for number in range(1, 36):
        done = told("audit", "answer", str(number), "--model", "fares")
        assert done.code == 0
        assert done.out.startswith(f"{number}. ")
        document = told("audit", "answer", str(number), "--model", "fares", "--json").json
        assert document["state"] in {"answered", "partly", "not yet"}
        assert bool(document["missing"]) == (document["state"] != "answered")


def test_a_decision_is_computed_again_on_the_server(told: Run) -> None:
    assert (
        "Computed again on the server: IDENTICAL."
        in told("audit", "answer", "7", "--model", "fares").out
    )


def test_a_question_put_wrongly_is_misuse(told: Run, tmp_path: Path) -> None:
    done = told("audit", "answer", "6")
    assert done.code == 2
    assert "--model" in done.err
    assert told("audit", "answer", "36").code == 2
    assert told("audit", "answer", "1", "--checkpoint", str(tmp_path / "none")).code == 2
