"""`signal submit` takes corrections and details as fields of its rows, in JSON and in CSV.

Method: one served ledger; rows are submitted, corrected by position, and read back as events.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run

AT = "2026-03-02T00:00:00Z"
ROW = {"model": "fares", "signal": "log-loss", "value": 0.5}
SHA = "5a" * 32


def submitted(cli: Run, *rows: dict[str, Any], form: str = "jsonl") -> int:
    """Submit rows and return the position of the last."""
    ran = cli("signal", "submit", "--json", stdin="\n".join(map(json.dumps, rows)))
    assert ran.code == 0, ran.err
    return int(ran.json["position"])


def newest(cli: Run) -> dict[str, Any]:
    """Return the data of the newest observation that says more than its value."""
    ran = cli("log", "tail", "--json", "--type", "signal.observed.v2")
    line = ran.lines[-1]
    body = line["body"] if isinstance(line["body"], dict) else json.loads(line["body"])
    data: dict[str, Any] = body["data"]
    return data


def test_a_row_corrects_an_observation_by_its_position_and_needs_no_time(cli: Run) -> None:
    at = submitted(cli, ROW | {"observed_at": AT})
    assert submitted(cli, ROW | {"value": 0.4, "corrects": at}) == at + 1
    recorded = newest(cli)
    assert recorded["corrects"] == {"position": at, "first": at}
    assert (recorded["value"], recorded["observed_at"]) == ("0.4", "2026-03-02T00:00:00.000000Z")
    again = cli("signal", "submit", stdin=json.dumps(ROW | {"value": 0.3, "corrects": at}))
    assert again.code == 1
    assert f"correct the observation at position {at + 1}" in again.err


def test_a_row_says_what_its_value_is_derived_from(cli: Run) -> None:
    more = {"raw": "0.001", "estimated": True, "indicators": {"p": 0.001}}
    more |= {"report_uri": "s3://reports/1.json", "report_sha256": SHA}
    submitted(cli, ROW | {"observed_at": AT} | more)
    recorded = newest(cli)
    assert (recorded["raw"], recorded["estimated"]) == ("0.001", True)
    assert recorded["indicators"] == {"p": "0.001"}
    assert recorded["report"] == {"uri": "s3://reports/1.json", "sha256": SHA}


def test_one_observation_by_flags_says_the_same(cli: Run) -> None:
    by_flags = ("--model", "fares", "--signal", "log-loss", "--value", "0.5")
    more = ("--raw", "0.001", "--estimated", "--indicator", "p=0.001", "--indicator", "rows=7")
    report = ("--report-uri", "s3://reports/1.json", "--report-sha256", SHA)
    ran = cli("signal", "submit", "--observed-at", AT, *by_flags, *more, *report)
    assert ran.code == 0, ran.err
    recorded, at = newest(cli), int(ran.out.rstrip(".\n").split()[-1])
    assert (recorded["raw"], recorded["estimated"]) == ("0.001", True)
    assert recorded["indicators"] == {"p": "0.001", "rows": "7"}
    assert recorded["report"] == {"uri": "s3://reports/1.json", "sha256": SHA}
    ran = cli("signal", "submit", *by_flags[:4], "--value", "0.4", "--corrects", str(at))
    assert ran.code == 0, ran.err
    assert newest(cli)["corrects"] == {"position": at, "first": at}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--corrects", "7"), "State --model, --signal and --value together"),
        (("--indicator", "p"), "--indicator: 'p' is not a new NAME=VALUE."),
        (("--indicator", "p=1", "--indicator", "p=2"), "'p=2' is not a new NAME=VALUE."),
    ],
)
def test_flags_that_say_no_observation_are_refused(
    cli: Run, flags: tuple[str, ...], said: str
) -> None:
    ran = cli("signal", "submit", *flags)
    assert ran.code == 2
    assert said in ran.err


def test_columns_of_csv_say_the_same(cli: Run, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    heading = "model,signal,value,observed_at,estimated,raw,indicators\n"
    file.write_text(f'{heading}fares,log-loss,0.5,{AT},yes,0.01,"{{""p"": 0.25}}"\n')
    ran = cli("signal", "submit", str(file))
    assert ran.code == 0, ran.err
    recorded = newest(cli)
    assert (recorded["estimated"], recorded["raw"]) == (True, "0.01")
    assert recorded["indicators"] == {"p": "0.25"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"corrects": "yesterday"}, "row 1: corrects 'yesterday' is not a position."),
        ({"estimated": "perhaps"}, "row 1: estimated 'perhaps' is neither true nor false."),
        ({"indicators": "high"}, "row 1: indicators is no JSON object."),
        ({"raw": []}, "row 1: raw is not a number."),
        ({"report_uri": 7}, "row 1: report_uri is not text."),
    ],
)
def test_a_detail_that_is_none_is_misuse_and_names_its_row(
    cli: Run, more: dict[str, Any], said: str
) -> None:
    ran = cli("signal", "submit", stdin=json.dumps(ROW | {"observed_at": AT} | more))
    assert ran.code == 2
    assert said in ran.err
