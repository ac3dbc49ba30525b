"""Budgets from the command line: set in plain amounts, shown, forecast and overspent."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run, against
from tests.support.served import Served, serving
from tools.shapes import SHAPES, fields_of


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as found:
        found.create()
        yield found


@pytest.fixture
def cli(served: Served) -> Run:
    return against(served)


ANA = ("--actor", "users/ana")
WEEKLY = ("--every", "7d", "--refill", "500", "--unit", "EUR")


def test_a_budget_is_set_shown_listed_and_forecast_in_its_unit(cli: Run) -> None:
    assert cli("budget", "list").out == "No budget was set.\n"
    set_ = cli("budget", "set", "main", *WEEKLY, "--cap", "2000", "--reserve", "99.50",
               "--tests", "50", "--reason", "Agreed.", *ANA)  # fmt: skip
    assert "for jobs 500.00 EUR free, for tests 50.00 EUR." in set_.out
    shown = cli("budget", "show", "main").out
    for part in ("all models", "every 7d", "99.50 EUR", "Agreed.", "2000.00 EUR"):
        assert part in shown
    listed = cli("budget", "list").out.splitlines()
    assert listed[1].split()[:4] == ["main", "all", "models", "7d"]
    assert "nothing was taken lately" in cli("budget", "forecast", "main").out
    for name in ("show", "forecast"):
        told = cli("budget", name, "main", "--json").json
        assert tuple(told) == fields_of(SHAPES[f"budget {name}"])
        assert told["budget"]["jobs"]["refill_micros"] == 500_000_000


def test_a_person_overspends_a_budget_for_one_job(cli: Run) -> None:
    cli("budget", "set", "main", *WEEKLY, *ANA)
    told = cli("budget", "overspend", "main", "x", "1", "--reason", "x", "--json", *ANA).json
    assert tuple(told) == fields_of(SHAPES["budget overspend"])
    done = cli("budget", "overspend", "main", "fares-1", "12.5", "--reason", "Worth it.", *ANA)
    assert done.out.startswith("Job fares-1 may cost 12.50 EUR more than budget main has, by")
    for_test = cli(
        "budget", "overspend", "main", "fares-1", "2", "--tests", "--reason", "Worth it.", *ANA
    )
    said = "The test of job fares-1 may cost 2.00 EUR more than budget main has for tests, by the "
    assert for_test.out.startswith(said)
    refused = cli("budget", "overspend", "main", "fares-1", "0", "--reason", "x", *ANA)
    assert (refused.code, "above 0" in refused.err) == (2, True)
    refused = cli("budget", "overspend", "mian", "fares-1", "1", "--reason", "x", *ANA)
    assert (refused.code, "'main'" in refused.err) == (1, True)


def test_a_scope_is_labels_or_a_team(cli: Run) -> None:
    cli("budget", "set", "gold", *WEEKLY, "--label", "tier=gold", *ANA)
    cli("budget", "set", "ann", *WEEKLY, "--team", "ann", *ANA)
    assert "models with tier=gold" in cli("budget", "show", "gold").out
    assert "models of ann" in cli("budget", "list").out
    refused = cli("budget", "set", "x", *WEEKLY, "--team", "a", "--label", "b=c", *ANA)
    assert (refused.code, "exclude" in refused.err) == (2, True)
    refused = cli("budget", "set", "x", "--every", "7d", "--refill", "5", *ANA)
    assert (refused.code, "--unit" in refused.err) == (2, True)
