"""What a command prints with `--json` has the fields that the README lists, no more and no fewer.

Method: run every command there is against a prepared server and compare the top-level fields, in
their order. The README's table is made from the same list and held to it by another test, so a
field that comes, goes or changes its name shows there.
"""

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Ran, Run
from tests.cli.test_authority import CHANGES
from tests.support.served import OFFICER, POLICY, START
from tools import reference
from tools.shapes import ITEMS, SHAPES, fields_of

DESCRIBED = ("--owner", "stays", "--unit-value", "0.000005", "--cost", "9")
DEFINED = ("--kind", "drift", "--unit", "share", "--direction", "higher-is-worse")
ERASED = ("--ground", "GDPR", "--authority", "the board", "--actor", OFFICER)
DEPLOYED = ("--baseline-loss", "0.40", "--trained-through", "2026-01-01")
ONE = ("--signal", "log-loss", "--value", "0.5", "--observed-at", str(START * 1_000_000))

LINES: dict[str, tuple[str, ...]] = {
    "doctor": (),
    "verify": (),
    "why": ("fares",),
    "priorities": ("--since", "10"),
    "evaluate": ("fares",),
    "vkey": (),
    "completion": ("bash",),
    "erase": ("--positions", "3", *ERASED, "--yes"),
    "signal define": ("missing", *DEFINED, "--meaning", "Missing rows."),
    "signal list": (),
    "signal states": (),
    "signal submit": (),
    "signal submit --model": ("fares", *ONE),
    "model register": ("rooms", *DESCRIBED),
    "model update": ("fares", "--tier", "high"),
    "model deploy": ("hotels", "v2", *DEPLOYED, "--in-service-at", "2026-02-01"),
    "model retire": ("hotels", "--reason", "gone"),
    "model show": ("fares",),
    "model list": (),
    "policy init": (),
    "policy lint": ("-",),
    "policy draft": ("other", "-", "--rationale", "why"),
    "policy activate": ("default", "1", "--rationale", "why", "--model", "hotels"),
    "policy show": ("default",),
    "policy list": (),
    "plan make": ("--budget", "75.50"),
    "plan show": ("week-1",),
    "plan list": (),
    "decision list": (),
    "decision show": ("fares",),
    "decision override": ("fares", "--action", "investigate", "--reason", "x", "--expires", "7d"),
    "decision explain": ("fares",),
    "decision replay": ("fares",),
    "decision replay --all": (),
    "log tail": (),
    "log access": (),
    "log checkpoint": (),
    "log checkpoint --list": (),
    "log prove": ("3",),
    "log consistency": (),
    "log seal": (),
    "log publish": (),
    "key list": (),
    "key rotate": ("--overlap", "5"),
    "key revoke": ("--reason", "lost"),
    "key pin": (),
    "authority table": (),
    "authority why": ("users/ana", "signals.submit"),
    "authority list": (),
    "token list": (),
    "audit run": (),
    "audit answer": ("why", "--model", "fares"),
    "compliance export": (),
    "certificate dev": (),
    "witness key": ("--name", "witness.example"),
    "decision receipt": ("fares",),
    "export create": (),
    "export list": (),
    "projection status": (),
    "projection rebuild": ("signals",),
    "ledger create": ("ledger.example/two",),
    "ledger list": (),
    "ledger show": (),
}


def test_every_command_has_a_shape_and_is_run() -> None:
    names = {name for name, _ in reference.commands()}
    assert {re.split(" (?=--|[A-Z])", name)[0] for name in SHAPES} == names
    # What servers print, what needs a file first, and what changes authority, is read where that is
    # tested.
    elsewhere = {
        "serve",
        "ledger confirm-clock",
        "ledger adopt",
        "key reseal",
        "witness serve",
        "export delete",
        *CHANGES,
    }
    assert set(LINES) | elsewhere == set(SHAPES)


@pytest.mark.parametrize("name", LINES)
def test_json_has_the_fields_that_are_documented(told: Run, folder: Path, name: str) -> None:
    assert told("plan", "make", "--budget", "5", "--plan", "week-1").code == 0
    if name in {"log consistency", "key revoke", "key pin"}:
        signed = told("log", "checkpoint", "--json").json
        key, size = signed["verifier_key"], str(signed["size"])
    else:
        key = size = ""
    places = {
        "log consistency": (size,),
        "log publish": (str(folder / "tiles"),),
        "key revoke": (key, "--from", size),
        "key pin": (key,),
        "doctor": ("--db", str(folder / "ledger.sqlite")),
        "audit run": (str(folder / "ledger.sqlite"),),
        "compliance export": (str(folder / "tables"),),
        "certificate dev": (str(folder / "trial"),),
        "witness key": ("--folder", str(folder / "witness")),
        "decision receipt": (str(folder / "receipt.json"),),
        "export create": (str(folder / "bundle"),),
    }
    stdin = POLICY if name.startswith("policy") else None
    if name == "signal submit":
        stdin = f"model,signal,value,observed_at\nfares,log-loss,0.5,{START * 1_000_000}\n"
    ran = told(*name.split(), *LINES[name], *places.get(name, ()), "--json", stdin=stdin)
    assert ran.code == 0, ran.err
    document = printed(ran, name)
    assert tuple(document) == fields_of(SHAPES[name])
    for field in document.keys() & ITEMS.keys():
        found = document[field]
        if isinstance(found, list) and found:
            assert tuple(found[0]) == fields_of(ITEMS[field])


def printed(ran: Ran, name: str) -> "dict[str, object]":
    """Return the document, or the last line of JSON lines."""
    is_lines = name in {"log tail", "decision replay --all"}
    document = json.loads(ran.out.splitlines()[-1] if is_lines else ran.out)
    assert isinstance(document, dict)
    return document
