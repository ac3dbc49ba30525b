"""What people are told of stated times and pinned meaning: goal: nothing passes in silence."""

import json
from pathlib import Path

import pytest

from ledger.cli.exits import Exit
from ledger.events.envelope import encode_body
from ledger.events.signals import SignalDefined
from ledger.storage.records import NewEvent
from tests.cli.conftest import Run
from tests.support.hooks import store_of
from tests.support.served import POLICY, Served
from tests.support.stores import asking

LOSS = ("log-loss", "--kind", "performance", "--unit", "nats", "--meaning", "turned")


def test_a_deployment_stated_earlier_is_said_to_be_recorded_as_what_was(cli: Run) -> None:
    told = ("--baseline-loss", "0.4", "--trained-through", "2024-01-01T00:00:00Z")
    at = ("--in-service-at", "2024-01-02T00:00:00Z")
    ran = cli("model", "deploy", "fares", "v0", *told, *at)
    assert ran.code == 0
    assert "fares v0 is recorded as what was; v1 stays in service, at position" in ran.out
    (shown,) = [
        one for one in cli("model", "list", "--json").json["models"] if one["model"] == "fares"
    ]
    assert shown["version_in_service"] == "v1"


def test_a_version_trained_otherwise_than_it_was_is_refused(cli: Run) -> None:
    told = ("--baseline-loss", "0.4", "--trained-through", "2025-06-01T00:00:00Z")
    ran = cli("model", "deploy", "fares", "v1", *told, "--in-service-at", "2026-01-09T00:00:00Z")
    assert ran.code == Exit.REFUSED
    assert "[FIELD_INVALID]" in ran.err
    assert "Give a version that was trained again an id of its own" in ran.err


def test_a_signal_is_not_turned_round_under_a_policy_in_force(cli: Run) -> None:
    ran = cli("signal", "define", *LOSS, "--direction", "lower-is-worse")
    assert ran.code == Exit.REFUSED
    assert "[MEANING_PINNED]" in ran.err
    assert "direction from higher_is_worse to lower_is_worse" in ran.err
    same = cli("signal", "list", "--json").json["signals"][0]
    words = cli(
        "signal", "define", *LOSS[:4], same["unit"], *LOSS[5:], "--direction", "higher-is-worse"
    )
    assert words.code == 0, words.err
    assert "Policies in force that use it:" in words.out


def test_a_signal_is_turned_round_together_with_the_policy_that_reads_it(
    cli: Run, folder: Path
) -> None:
    bare = cli("signal", "define", *LOSS, "--direction", "lower-is-worse")
    assert "--policy default=FILE --rationale WHY" in bare.err
    file = folder / "turned.yaml"
    limits = ("baseline: 0.40", "baseline: 0.60"), ("critical: 0.60", "critical: 0.40")
    text = POLICY
    for was, now in limits:
        text = text.replace(was, now)
    file.write_text(text, encoding="utf-8")
    line = ("signal", "define", *LOSS, "--direction", "lower-is-worse")
    ran = cli(*line, "--policy", f"default={file}", "--rationale", "a score now")
    assert ran.code == 0, ran.err
    assert "Replaced with it: default version 1." in ran.out
    assert "Policies in force that use it: default version 2." in ran.out
    assert "a score now" in cli("policy", "show", "default").out
    (found,) = [
        one
        for one in cli("doctor", "--db", str(folder / "ledger.sqlite"), "--json").json["checks"]
        if one["name"].startswith("meaning")
    ]
    assert found["state"] == "ok"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--policy", "default=x.yaml"), "--policy and --rationale belong together"),
        (("--rationale", "why"), "--policy and --rationale belong together"),
        (("--policy", "x.yaml", "--rationale", "why"), "'x.yaml' is not of the form POLICY=FILE"),
        (("--policy", "default=none.yaml", "--rationale", "why"), "none.yaml cannot be read"),
    ],
)
def test_a_replacement_that_cannot_be_read_is_a_misuse_in_words(
    cli: Run, flags: tuple[str, ...], said: str
) -> None:
    ran = cli("signal", "define", *LOSS, "--direction", "lower-is-worse", *flags)
    assert ran.code == Exit.MISUSE
    assert said in ran.err


def test_doctor_names_the_policies_whose_signals_were_redefined(
    cli: Run, served: Served, folder: Path
) -> None:
    database = folder / "ledger.sqlite"
    line = ("doctor", "--db", str(database), "--json")
    (sound,) = [one for one in cli(*line).json["checks"] if one["name"].startswith("meaning")]
    assert sound["state"] == "ok"
    ledger = served.service.ledger()
    view = ledger.fleet.signal("log-loss")
    assert view is not None
    assert view.defined is not None
    turned = view.defined.model_copy(update={"direction": "lower_is_worse"})
    body = encode_body(actor="users/earlier", data=turned.to_data())
    event = NewEvent("signals/log-loss", SignalDefined.TYPE, body)
    store_of(ledger).requests.append(asking(event, ledger=ledger.info.origin))
    (found,) = [one for one in cli(*line).json["checks"] if one["name"].startswith("meaning")]
    assert found["state"] == "warn", json.dumps(found)
    assert "direction from higher_is_worse to lower_is_worse" in found["found"]
