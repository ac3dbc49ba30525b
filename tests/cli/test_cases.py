"""People answer what decisions ask of them from the command line, which says what to do next."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run, against
from tests.support.asking import asking
from tests.support.served import Served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with asking(tmp_path, ("fares",)) as found:
        yield found


@pytest.fixture
def cli(served: Served) -> Run:
    return against(served)


ANA = ("--actor", "users/ana")


def test_an_escalation_is_listed_acknowledged_and_resolved(cli: Run) -> None:
    shown = cli("escalation", "list")
    head, row = shown.out.splitlines()
    assert head.split() == ["DECISION", "MODEL", "ACTION", "TIER", "ROUTE", "RAISED", "ANSWER"]
    assert "awaited until 2026-01-02T01:00:00Z" in row
    assert "`decision-ledger escalation acknowledge fares`" in shown.err
    done = cli("escalation", "acknowledge", "fares", "--note", "I look.", *ANA)
    assert done.out.startswith("Acknowledged the escalation of fares to ds, at position ")
    assert "`decision-ledger escalation resolve fares" in done.err
    shown = cli("escalation", "list", "fares")
    assert "acknowledged by users/ana" in shown.out
    assert "acknowledge fares" not in shown.err
    done = cli("escalation", "resolve", row.split()[0], "--resolution", "Late labels.", *ANA)
    assert done.out.startswith("Resolved the escalation of fares to ds")
    assert "`decision-ledger task close fares" in done.err
    assert cli("escalation", "list").out == "No escalation is open.\n"
    refused = cli("escalation", "acknowledge", "fares", *ANA)
    assert refused.code == 2
    assert "`decision-ledger escalation list`" in refused.err


def test_a_task_is_listed_taken_and_closed_with_its_outcome(cli: Run) -> None:
    shown = cli("task", "list", "--owner", "team-fares")
    row = shown.out.splitlines()[1]
    assert "2026-01-04T01:00:00Z" in row
    number = row.split()[0]
    assert f"`decision-ledger task take {number}`" in shown.err
    done = cli("task", "take", number, *ANA)
    assert "Took the task of fares to investigate" in done.out
    assert "cause-found, signal-fixed, false-alarm or retrain-after-all" in done.err
    assert cli("task", "list").out.splitlines()[1].endswith("users/ana")
    refused = cli("task", "close", "fares", "--outcome", "fine", *ANA)
    assert (refused.code, "--outcome: 'fine' is no outcome" in refused.err) == (2, True)
    done = cli("task", "close", f"models/fares/tasks/{number}", "--outcome", "false-alarm", *ANA)
    assert "Closed the task of fares to investigate as false alarm, at position " in done.out
    assert cli("task", "list").out == "No task is open.\n"
    assert cli("task", "list", "--as-of", number).out == "No task is open.\n"
    then = cli("task", "list", "--as-of", str(int(number) + 2), "--json").json
    assert [one["taken_by"] for one in then["tasks"]] == [""]
    refused = cli("task", "take", "fares", *ANA)
    assert "No task of fares is open" in refused.err


def test_retraining_after_all_says_how_to_have_it(cli: Run) -> None:
    done = cli("task", "close", "fares", "--outcome", "retrain-after-all", *ANA)
    assert "`decision-ledger decision override fares --action schedule-retraining" in done.err


def test_a_caller_that_is_no_person_is_refused_in_words(cli: Run) -> None:
    refused = cli("task", "take", "fares", "--actor", "services/robot")
    assert refused.code == 1
    assert "services/robot is not a person" in refused.err
    assert "[ACTOR_NOT_AUTHORISED]" in refused.err


def test_a_model_and_a_decision_show_what_is_open(cli: Run) -> None:
    for shown in (cli("model", "show", "fares").out, cli("decision", "show", "fares").out):
        assert "escalation" in shown
        assert "open at ds; awaited until 2026-01-02T01:00:00Z" in shown
        assert "investigate, due 2026-01-04T01:00:00Z" in shown
