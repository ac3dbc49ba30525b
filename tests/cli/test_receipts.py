"""`decision receipt` and `verify`: one file from the server, verified without it."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tools.shapes import SHAPES, fields_of


@pytest.mark.parametrize("form", ["fares", "models/fares/decisions/{}", "{}"])
def test_a_receipt_is_fetched_and_verifies_offline(
    form: str, told: Run, run: Run, tmp_path: Path
) -> None:
    key = told("vkey", "--json").json["verifier_key"]
    decision = told("decision", "show", "fares", "--json").json["decision"]
    out = tmp_path / "to" / "receipt.json"
    name = form.format(decision["position"])
    made = told("decision", "receipt", name, str(out), "--json")
    assert made.code == 0, made.err
    assert tuple(made.json) == fields_of(SHAPES["decision receipt"])
    for path in (out, out.parent):
        assert path.stat().st_mode & 0o077 == 0, "it holds bodies, as a bundle does"
    proven = made.json["decision"]
    assert proven["position"] == decision["position"]
    assert proven["action"] == decision["action"]
    assert proven["input_positions"]
    verified = run("verify", str(out), "--vkey", key, "--json")
    assert verified.json == made.json
    text = run("verify", str(out), "--vkey", key).out
    assert f"the decision about fares at position {decision['position']} is proven." in text
    assert "Whether callers were authenticated or believed is not shown here" in text


def test_a_changed_receipt_ends_with_4(told: Run, run: Run, tmp_path: Path) -> None:
    key = told("vkey", "--json").json["verifier_key"]
    out = tmp_path / "receipt.json"
    assert told("decision", "receipt", "fares", str(out), "--vkey", key).code == 0
    assert told("decision", "receipt", "fares", str(out)).code == 2  # never over another file
    value = json.loads(out.read_text("utf-8"))
    value["events"][0]["event"]["body"]["data"]["action"] = "NO_ACTION"
    out.write_text(
        json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False), "utf-8"
    )
    ran = run("verify", str(out), "--vkey", key)
    assert ran.code == 4
    assert "decision: " in ran.err


def test_a_receipt_needs_a_key_from_elsewhere_and_a_file(run: Run, tmp_path: Path) -> None:
    assert run("verify", str(tmp_path / "none")).code == 2
    key = "a+00000000+AAAA"
    assert run("verify", str(tmp_path / "none"), "--vkey", key).code == 2
