"""The command line takes and shows amounts as people write them; integers are for `--json`.

Method: a model is described in per cent and money, on a ledger with a unit of cost and on one
without; what is printed has no parts per million, no millionths and one form of time.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.cli.event_lines import line_of
from ledger.cli.exits import Exit
from tests.cli.conftest import Run

GOLDEN = sorted((Path(__file__).parents[1] / "events" / "golden").glob("*.json"))

NEEDED = ("--owner", "stays", "--unit-value", "0.25", "--cost", "40")


def test_a_model_is_described_in_per_cent_and_money_and_stored_as_integers(cli: Run) -> None:
    words = (*NEEDED, "--impact", "80%", "--risk", "2.5%")
    assert cli("model", "register", "rooms", *words).code == 0
    read = cli("model", "show", "rooms", "--json").json
    amounts = ("impact_ppm", "risk_ppm", "unit_value_micros", "cost_micros")
    assert [read[name] for name in amounts] == [800_000, 25_000, 250_000, 40_000_000]
    shown = dict(re.findall(r"^(impact|risk|unit value|cost) +(.+)$", cli(
        "model", "show", "rooms").out, re.MULTILINE))  # fmt: skip
    assert shown == {"impact": "80%", "risk": "2.5%", "unit value": "0.25", "cost": "40.00"}
    assert cli("model", "update", "rooms", "--impact", "0.5", "--cost", "0.000001").code == 0
    read = cli("model", "show", "rooms", "--json").json
    assert [read[name] for name in amounts] == [500_000, 25_000, 250_000, 1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ledger", "create", "example.com/x", "--skew", "2d"), "--skew: 2d is more than 1d,"),
        (("ledger", "create", "example.com/x", "--leap", "4000d"), "--leap: 4000d is more than"),
        (("plan", "make", "--budget", "9", "--budget-cap", "3"), "9 is more than --budget-cap, 3."),
    ],
)
def test_a_refusal_names_the_option_in_the_units_of_people(
    cli: Run, words: tuple[str, ...], said: str
) -> None:
    ran = cli(*words)
    assert ran.code == Exit.MISUSE
    assert said in ran.err
    assert not re.search(r"micros|ppm|_seconds", ran.err)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--impact", "80"), "--impact: 80 is 8000%, and a share is from 0% to 100%."),
        (("--impact", "180%"), "--impact: 180% is out of range: a share is from 0% to 100%."),
        (("--impact", ""), "--impact: '' is not a decimal such as 0.25."),
        (("--risk", "much"), "--risk: 'much' is not a decimal such as 0.25."),
        (("--cost", "40 EUR"), "--cost: '40 EUR' is not an amount"),
        (("--unit-value", "0.0000001"), "--unit-value: '0.0000001' is not an amount"),
        (("--cost", "0"), "--cost: must be above 0, since nothing is retrained for free."),
        (("--impact-ppm", "800000"), "No such option"),
        (("--cost-micros", "40000000"), "No such option"),
    ],
)
def test_an_amount_that_means_nothing_certain_is_misuse(
    cli: Run, words: tuple[str, str], said: str
) -> None:
    ran = cli("model", "update", "fares", *words)
    assert ran.code == Exit.MISUSE
    assert said in " ".join(ran.err.split())


@pytest.mark.parametrize(
    ("text", "code"), [("2.5", 0), ("1m30s", 0), ("1d", 0), ("0", 2), ("2 s", 2)]
)
def test_a_deadline_is_a_span_of_time(cli: Run, text: str, code: int) -> None:
    assert cli("model", "list", "--deadline", text).code == code


def test_nothing_for_people_has_parts_per_million_or_another_form_of_time(told: Run) -> None:
    assert told("plan", "make", "--budget", "60", "--plan", "first").code == 0
    commands = (
        ("priorities",),
        ("why", "fares"),
        ("decision", "list"),
        ("decision", "show", "fares"),
        ("decision", "explain", "fares"),
        ("plan", "show", "first"),
        ("plan", "list"),
        ("model", "show", "fares"),
        ("model", "list"),
        ("signal", "states"),
        ("policy", "show", "default"),
        ("ledger", "list"),
        ("ledger", "show"),
        ("log", "tail", "--after", "0", "-n", "1000"),
        ("key", "list"),
        ("audit", "answer", "authorship", "--model", "fares"),
    )
    for words in commands:
        ran = told(*words)
        printed = ran.out + ran.err
        assert ran.code == 0, words
        assert not re.search(r"[0-9] %|ppm|micros|>= [0-9]{4,}|[0-9]{3} s\b", printed), printed
        assert not re.search(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?!:\d\d(\.\d{6})?Z)", printed), printed
        assert not re.search(r"\d{4}-\d\d-\d\d \d|\.000000Z", printed), printed
        assert not re.search(r"\b[0-9]{4,} s\b|\b1970-", printed), printed


def test_the_log_is_told_in_the_notation_of_people_and_stored_as_it_is(told: Run) -> None:
    words = (*NEEDED, "--impact", "80%", "--risk", "2.5%")
    assert told("model", "register", "rooms", *words).code == 0
    line = ("log", "tail", "--after", "0", "-n", "1000")
    shown = told(*line).out
    assert "created at: before any data" in shown
    assert "cost: 40.00, impact: 80%, owner: stays, risk: 2.5%, unit value: 0.25" in shown
    assert re.search(r"  score\.computed\.v1  .*priority: \d+\.\d%", shown)
    stored = told(*line, "--json").out
    assert '"impact_ppm": 800000' in stored
    assert '"created_at": "1970-01-01T00:00:00.000000Z"' in stored


@given(
    st.dictionaries(
        st.sampled_from(["cost_micros", "impact_ppm", "skew_seconds", "priority", "value", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ),
    )
)
def test_data_of_any_shape_have_a_line(data: dict[str, Any]) -> None:
    assert len(line_of(data, str)) <= 161
    assert line_of([data], str) is not None


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_line_of_every_type_of_event_has_the_notation_of_people(path: Path) -> None:
    data = json.loads(path.read_text("utf-8"))["body"]["data"]
    line = line_of(data, lambda: "EUR")
    assert not re.search(r"[{}]|ppm|micros|seconds|\.000000Z|[0-9a-f]{40}", line)
    numbers = [text for text in re.findall(r": (\d+)(?:,|$)", line) if len(text) >= 6]
    assert numbers in ([], ["120000"]), "only a number of samples is that large"


def test_a_rule_is_shown_with_its_limit_in_per_cent(told: Run) -> None:
    assert "when: priority >= 40% && " in told("policy", "show", "default").out
    assert re.search(r"priority >= 40%( is false)? \(it is \d+\.\d%\)", told("why", "fares").out)
