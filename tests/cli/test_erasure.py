"""`decision-ledger erase`: it shows what it would do, asks, and does no more than that.

Method: the command against a prepared server, with answers on standard input; what was erased is
read back through other commands.
"""

import pytest

from ledger.cli.exits import Exit
from ledger.operations.erasure import ranges_of
from ledger.operations.failures import MisuseError
from tests.cli.conftest import Run
from tests.support.served import OFFICER, Served

WORDS = ("--ground", "GDPR Art. 17(1)(a)", "--authority", "the board", "--actor", OFFICER)


def test_it_shows_what_would_be_erased_and_asks(told: Run, served: Served) -> None:
    head = served.head()
    ran = told("erase", "--positions", "3,5-7", *WORDS, stdin="n\n")
    assert ran.code == Exit.REFUSED
    assert "Positions 3, 5-7: 4 bodies would be erased." in ran.err
    assert "2 model.registered.v1: their models have no description" in ran.err
    assert "1 signal.defined.v1" in ran.err
    assert "Streams: models/fares" in ran.err
    assert "cannot be undone" in ran.err
    assert "Nothing was erased." in ran.err
    assert served.head() == head
    assert told("erase", "--positions", "3", *WORDS, stdin="").code == Exit.REFUSED, "no answer: no"


def test_what_is_confirmed_is_erased_and_recorded(told: Run, served: Served) -> None:
    ran = told("erase", "--positions", "3,5-7", *WORDS, stdin="y\n")
    assert ran.code == 0
    said = f"Erased 4 bodies for good. The event at position {served.head()} says so.\n"
    assert ran.out.endswith(said)
    lines = told("log", "tail", "--after", "2", "-n", "1").out
    assert "(erased)" in lines
    (event,) = told("log", "tail", "-n", "1", "--json").lines
    assert event["type"] == "body.erased.v1"
    assert event["body"]["data"]["positions"] == [[3, 3], [5, 7]]
    again = told("erase", "--positions", "3", *WORDS, "--yes")
    assert (again.code, "BODY_ERASED" in again.err) == (Exit.REFUSED, True)
    assert "Erased already: 1." in again.err


def test_a_model_is_described_again_after_its_description_was_erased(told: Run) -> None:
    (event,) = told(
        "log",
        "tail",
        "--stream",
        "models/fares",
        "--type",
        "model.registered.v1",
        "--after",
        "0",
        "-n",
        "1",
        "--json",
    ).lines
    assert told("erase", "--positions", str(event["position"]), *WORDS, "--yes").code == 0
    shown = told("model", "show", "fares")
    assert (shown.code, "BODY_ERASED" in shown.err) == (Exit.REFUSED, True)
    assert "fares" in told("model", "list").out
    assert told("model", "update", "fares", "--tier", "low").code == Exit.REFUSED, "who owns it?"
    needed = ("--owner", "team", "--unit-value", "0.000005", "--cost", "9")
    assert told("model", "update", "fares", *needed).code == 0
    assert told("model", "show", "fares", "--json").json["owner"] == "team"


def test_json_is_never_mixed_with_a_question(told: Run) -> None:
    asked = told("erase", "--positions", "3", *WORDS, "--json")
    assert asked.code == Exit.MISUSE
    done = told("erase", "--positions", "3", *WORDS, "--json", "--yes")
    assert done.json["erased"] == 1


def test_bundles_that_were_issued_are_named(told: Run, tmp_path: object) -> None:
    made = told("export", "create", f"{tmp_path}/bundle.tar")
    assert made.code == 0, made.err
    (issued,) = told("log", "tail", "-n", "1", "--json").lines
    ran = told("erase", "--positions", "3", *WORDS, stdin="n\n")
    assert issued["body"]["data"]["export"] in ran.err
    assert "holders of others have to be told" in ran.err


@pytest.mark.parametrize(
    "text", ["", "x", "5-", "-5", "0", "5-4", "3,3", "5,4", "1-3,3", "1.5", "9" * 17, "٣"]
)
def test_what_names_no_positions_is_misuse(told: Run, text: str) -> None:
    with pytest.raises(MisuseError):
        ranges_of(text)
    ran = told("erase", f"--positions={text}", *WORDS, "--yes")
    assert ran.code == Exit.MISUSE


def test_ranges_are_read_with_or_without_spaces() -> None:
    assert ranges_of("5-9,12") == [(5, 9), (12, 12)]
    assert ranges_of(" 5-9, 12 ") == [(5, 9), (12, 12)]
