"""`policy diff` and `policy try`: policies in words, and tried on a ledger's own history.

Method: the told ledger, a month of a loss that rises. The policy in force must find its own
decisions again; a stricter one in a file differs where it must, in words and in numbers.
"""

from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def stricter(told: Run, tmp_path: Path) -> Path:
    """A file with the policy in force, whose first rule asks for more."""
    text = told("policy", "show", "default").out
    file = tmp_path / "stricter.yaml"
    file.write_text(text.replace("priority >= 40%", "priority >= 99%"))
    assert file.read_text() != text
    return file


def test_the_policy_in_force_would_have_decided_what_is_on_record(told: Run) -> None:
    head = told("ledger", "show", "--json").json["head_position"]
    found = told("policy", "try", "default", "--json").json
    assert (found["differing"], found["before"]) == (0, found["after"])
    assert found["after"]["retrainings"] == 1
    shown = told("policy", "try", "default/1")
    assert "ON RECORD" in shown.out
    assert "Every score leads to the same decision." in shown.out
    assert told("ledger", "show", "--json").json["head_position"] == head


def test_a_stricter_policy_differs_in_words_and_on_the_history(told: Run, stricter: Path) -> None:
    ran = told("policy", "diff", "default", str(stricter))
    assert ran.code == 0, ran.err
    first, _, *rest = ran.out.splitlines()
    assert first.startswith("when of rule ")
    assert first.endswith(": true in fewer cases")
    assert ["fares", "1", "1", "1", "→", "0"] in [line.split() for line in rest]
    assert rest[0].split() == ["DEFAULT", str(stricter).upper()]
    assert "After 1 score the decisions differ:" in ran.out
    assert "SCHEDULE_RETRAINING at data-science by sustained-loss" in rest[-1]


def test_words_alone_need_no_history_and_equal_policies_no_words(told: Run, stricter: Path) -> None:
    shown = told("policy", "diff", "default/1", str(stricter), "--words")
    assert len(shown.out.splitlines()) == 1
    assert told("policy", "diff", "default/1", "default").out == "The two are the same.\n"


def test_a_trial_can_be_bounded_and_set_against_another_policy(told: Run, stricter: Path) -> None:
    none = told("policy", "try", str(stricter), "--until", "2020-01-01T00:00:00Z", "--json").json
    assert none["after"]["scores"] == 0
    one = told("policy", "try", str(stricter), "--model", "hotels", "--json").json
    assert [each["model"] for each in one["effects"]] == ["hotels"]
    other = told("policy", "try", str(stricter), "--against", str(stricter), "--json").json
    assert (other["differing"], other["before"]["retrainings"]) == (0, 0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("policy", "diff", "defalt", "default"), "Did you mean 'default'?"),
        (("policy", "try", "default/7"), "default version 7"),
        (("policy", "try", "default", "--model", "hotel"), "Did you mean 'hotels'?"),
        (("policy", "try", "no-such.yaml"), "no-such.yaml"),
    ],
)
def test_what_is_not_there_is_refused_with_the_nearest_name(
    told: Run, line: tuple[str, ...], said: str
) -> None:
    ran = told(*line)
    assert ran.code != 0
    assert said in ran.err
