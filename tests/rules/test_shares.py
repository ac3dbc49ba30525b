"""A share in a rule is per cent for people and parts per million for the rule, and never both.

Method: tables of expressions as written, as stored and as read back; every place in a stored
expression is found in what was written.
"""

import pytest

from ledger.rules.expressions import compile_expression
from ledger.rules.shares import is_share, signals_named, spell, to_stored, to_written

NAMES = ["log-loss", "drift", "a%"]


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("priority >= 20%", "priority >= 200000"),
        ("priority >= 2.5%&&coverage == 0%", "priority >= 25000&&coverage == 0"),
        ("priority > .5% ? true : false", "priority > 5000 ? true : false"),
        ("priority in [10%, 20%]", "priority in [100000, 200000]"),
        ("(priority - 5%) / 2 > 1%", "(priority - 50000) / 2 > 10000"),
        ('signals["drift"].trend > -5% // 20% is too much', None),
        ('signals["a%"].effective >= 10% || model.owner == "20%"', None),
        ("model.owner == '20%' || impact > 100%", "model.owner == '20%' || impact > 1000000"),
        ("hours_in_force > 20 && priority > (impact > 50% ? 10% : 20%)", None),
    ],
)
def test_a_share_is_stored_as_parts_per_million_and_read_back_as_per_cent(
    written: str, stored: str | None
) -> None:
    found = to_stored(written)
    assert stored in {None, found.text}
    tree = compile_expression(found.text, NAMES).tree
    assert to_written(found.text, tree) == written.replace(" .5%", " 0.5%")
    assert found.misplaced(tree) is None


@pytest.mark.parametrize(
    "text",
    [
        "priority % 7 == 0",
        "7 % hours_in_force == 1",
        "7%(hours_in_force) == 1",
        "7 % -hours_in_force == 1",
        "hours_in_force % 2 == 0 && 5 %\n  2 == 1",
    ],
)
def test_a_remainder_stays_a_remainder(text: str) -> None:
    assert to_stored(text).text == text


def test_the_remainder_of_a_negative_number_is_not_taken_for_a_share() -> None:
    with pytest.raises(ValueError, match=r"write `\(20%\) -` for the share"):
        to_stored("priority > 20% - impact")
    assert to_stored("priority > (20%) - impact").text == "priority > (200000) - impact"


@pytest.mark.parametrize(
    ("stored", "spelled"),
    [
        ("priority * 2 > 1000000", "priority * 2 > 100%"),
        ("priority * impact > 250000", "priority * impact > 250000"),
        ("priority / impact > 2", "priority / impact > 2"),
        ("100000 <= coverage", "10% <= coverage"),
        ("hours_in_force + 5 > 200000", "hours_in_force + 5 > 200000"),
        ('signals["drift"].streak >= 3', 'signals["drift"].streak >= 3'),
        ("priority - raw_priority < 50000", "priority - raw_priority < 5%"),
    ],
)
def test_only_limits_of_shares_are_spelled_as_per_cent(stored: str, spelled: str) -> None:
    assert spell(compile_expression(stored, NAMES).tree) == spelled


def test_what_does_not_read_back_is_left_as_it_is_stored() -> None:
    for text in ("priority > 200000 - impact", "priority > 0x10"):
        assert to_written(text, compile_expression(text, NAMES).tree) == text


def test_every_place_of_a_stored_expression_is_found_in_what_was_written() -> None:
    written = "priority >= 20% && coverage < 2.5% && risk > 1"
    stored = to_stored(written)
    for word in ("priority", "&& coverage", "< 2", "&& risk", "1"):
        at = stored.text.rindex(word.replace("< 2", "< 25000"))
        assert written.startswith(word, stored.written_offset(at)), word
    assert stored.written_offset(len(stored.text)) == len(written)


def test_variables_know_whether_they_are_shares() -> None:
    shares = ("priority", 'signals["x"].effective', 'signals["a.b"].trend')
    numbers = ("hours_in_force", 'signals["share"].buckets', 'model.labels["weight"]', "in_force")
    assert [is_share(path) for path in (*shares, *numbers)] == [True] * 3 + [False] * 4


def test_signals_are_found_by_their_names() -> None:
    text = "signals[\"a-b\"].present && signals.drift.present && signals[ 'c' ].present"
    assert signals_named(text) == {"a-b", "drift", "c"}
