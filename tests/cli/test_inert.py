"""What others wrote can only be read: goal: none of it acts on the terminal that shows it.

Method: every character there is through the one function; owners, labels and meanings full of
escape sequences through commands, as text and as JSON; the same through a page.
"""

import json
import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.cli import output
from ledger.compliance.files import html_page
from ledger.events.inert import inert
from tests.cli.conftest import Run

ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
OWNER = "\x1b[2K\rm9  nobody\x1b[8m"
MEANING = "a\x1b]0;title\x07b\nfares  ok\u202emoc\u2066\u200b\x9b1m\x7f"
DESCRIBED = ("--unit-value", "0.01", "--cost", "9")


def acting(text: str) -> set[str]:
    """Return the characters of a text that a terminal would act upon, but line feeds."""
    return {one for one in text if unicodedata.category(one) in ACTING and one != "\n"}


def test_no_character_that_acts_is_left_of_any_there_is() -> None:
    for code in range(sys.maxunicode + 1):
        shown = inert(chr(code))
        assert not acting(shown)
        assert "\n" not in shown
        if unicodedata.category(chr(code)) not in ACTING:
            assert shown == chr(code), "what can be seen stays as it is"


@given(st.text())
def test_a_cell_is_one_line_and_lines_of_our_own_stay(text: str) -> None:
    assert len(output.table(("A",), [(text,)]).split("\n")) == 2
    assert inert(text, lines=True).count("\n") == text.count("\n")


@given(st.recursive(st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=5))
def test_json_holds_the_very_same_text_and_nothing_that_acts(value: Any) -> None:  # noqa: ANN401
    for indent in (None, 2):
        text = output.json_text(value, indent)
        assert json.loads(text) == value
        assert not acting(text)


@pytest.mark.parametrize("command", [("model", "show", "m9"), ("model", "list")])
def test_an_owner_and_a_meaning_are_shown_and_do_nothing(
    cli: Run, command: tuple[str, ...]
) -> None:
    described = ("--owner", OWNER, "--meaning", MEANING, "--label", "team=\x1b[31mred")
    plain = ("--owner", "nobody", "--meaning", "ab", "--label", "team=red")
    assert cli("model", "register", "m8", *plain, *DESCRIBED).code == 0
    assert cli("model", "register", "m9", *described, *DESCRIBED).code == 0
    ran = cli(*command)
    assert ran.code == 0
    assert not acting(ran.out)
    assert r"\x1b[2K\rm9  nobody\x1b[8m" in ran.out
    if "show" in command:
        assert len(ran.out.splitlines()) == len(cli("model", "show", "m8").out.splitlines())
    as_json = cli(*command, "--json")
    assert not acting(as_json.out)
    read = as_json.json["models"][-1] if "list" in command else as_json.json
    assert (read["owner"], read["meaning"]) == (OWNER, MEANING), "what is recorded is unchanged"


def test_what_a_refusal_repeats_does_nothing(cli: Run) -> None:
    ran = cli("model", "show", "\x1b[2Jm")
    assert ran.code != 0
    assert not acting(ran.err)
    assert not acting(cli("log", "tail", "-n", "5").out)


def test_a_page_shows_it_inert_too() -> None:
    page = html_page(MEANING, [("owner", OWNER)], []).decode()
    assert not acting(page)
    assert r"\x1b[2K" in page


def test_an_event_is_one_line_of_the_log_whatever_its_author_wrote(cli: Run) -> None:
    described = ("--owner", "ada", "--meaning", "all is well\n9  forged  line", *DESCRIBED)
    assert cli("model", "register", "m7", *described).code == 0
    ran = cli("log", "tail", "-n", "1")
    assert len(ran.out.splitlines()) == 1
    assert r"all is well\n9  forged  line" in ran.out


def test_a_refusal_is_one_line_whatever_it_repeats(cli: Run) -> None:
    ran = cli("model", "show", "x\nEverything holds.")
    assert ran.code != 0
    assert not any(line.startswith("Everything holds.") for line in ran.err.splitlines())


def test_a_progress_bar_shows_a_name_and_does_not_act_on_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with output.progress("Verifying [/bold]\x1b]0;title\x07", 3) as move:
        move(1)
    shown = capsys.readouterr().err
    assert "\x1b]0;" not in shown
    assert "[/bold]" in shown
