"""A historical evaluation is told apart everywhere, and never passes for the decision in force.

Method: evaluate, then evaluate as of an earlier time, and ask every command that shows decisions.
"""

from pathlib import Path

import pytest

from tests.cli.conftest import Run, csv_of

EARLIER = "2026-02-01T00:00:00Z"


@pytest.fixture
def both(told: Run) -> Run:
    """The command line of a ledger whose newest decision is historical."""
    ran = told("evaluate", "fares", "--at", EARLIER)
    assert ran.code == 0
    assert f"Evaluated as of {EARLIER}: historical, so it changes nothing in force." in ran.err
    return told


@pytest.mark.parametrize("moment", ["yesterday", "7d", "soon"])
def test_a_time_that_is_none_is_refused_without_naming_forms_that_are_not_taken(
    cli: Run, moment: str
) -> None:
    ran = cli("evaluate", "fares", "--at", moment)
    assert ran.code == 2
    assert f"--at: '{moment}' is not a time. Write it as 2026-03-01T10:00:00Z or" in ran.err
    assert "position" not in ran.err


def test_the_model_alone_means_the_decision_in_force(both: Run) -> None:
    newest, *others = both("decision", "list", "fares", "--json").json["decisions"]
    assert newest["horizon"]["historical"]
    in_force = next(one for one in others if not one["horizon"]["historical"])
    assert both("decision", "show", "fares", "--json").json["decision"]["name"] == in_force["name"]
    explained = both("decision", "explain", "fares", "--json").json
    assert explained["decision"]["name"] == in_force["name"]
    why = both("why", "fares", "--json").json["explained"]["decision"]
    assert why["horizon"]["evaluated_at"] == in_force["horizon"]["evaluated_at"]


def test_a_historical_one_is_marked_wherever_it_is_shown(both: Run, tmp_path: Path) -> None:
    name = both("decision", "list", "fares", "--json").json["decisions"][0]["name"]
    first, second, *_ = both("decision", "list", "fares").out.splitlines()
    assert first.split()[-1] == "NOTE"
    assert second.split()[-1] == "historical"
    assert both("decision", "list", "fares").out.count("historical") == 1
    assert "yes: it changes nothing in force" in both("decision", "show", name).out
    assert "no" in both("decision", "show", "fares").out
    said = both("decision", "explain", name).out
    assert said.startswith(
        f"Evaluated as of {EARLIER}: historical, so it changes nothing in force."
    )
    assert "historical" not in both("decision", "explain", "fares").out
    receipt = both("decision", "receipt", name, str(tmp_path / "receipt.json"))
    assert "historical: it changes nothing in force" in receipt.out


def test_where_only_historical_ones_were_made_the_model_alone_names_none(cli: Run) -> None:
    assert cli("signal", "submit", stdin=csv_of(40)).code == 0
    ran = cli("evaluate", "fares", "--at", EARLIER)
    assert ran.code == 0, ran.err
    none = cli("decision", "show", "fares")
    assert none.code == 2
    assert "No decision was made about fares yet." in none.err


def test_before_any_data_no_earlier_time_can_be_meant(cli: Run) -> None:
    ran = cli("evaluate", "fares", "--at", EARLIER)
    assert ran.code == 1
    assert "at: no data was recorded yet, so no earlier time is known." in ran.err
    assert "1970" not in ran.err
