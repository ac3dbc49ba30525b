"""`model roll-back` asks for an earlier version, and `plan put-backs` shows who asked."""

import json

from tests.cli.conftest import Run
from tests.support.every_command import DEPLOYED
from tools.shapes import SHAPES, fields_of

WHY = ("--reason", "It is worse at night.")
DEPLOY = ("model", "deploy", "hotels", "v2", *DEPLOYED, "--in-service-at", "2026-02-01")


def test_a_person_asks_for_a_version_and_takes_that_back(told: Run) -> None:
    refused = told("model", "roll-back", "hotels", *WHY)
    assert refused.code == 1
    assert "v1 is its first version" in refused.err
    assert told(*DEPLOY).code == 0
    asked = told("model", "roll-back", "hotels", *WHY)
    assert asked.code == 0, asked.err
    assert asked.out.startswith("hotels v1 is to serve in the place of v2, at position ")
    listed = told("plan", "put-backs")
    heading, row = listed.out.splitlines()
    assert heading.split() == [
        "MODEL", "SERVES", "TO", "SERVE", "RECIPE", "POSITION", "BY", "REASON",
    ]  # fmt: skip
    assert row.split()[:4] == ["hotels", "v2", "v1", "-"]
    assert row.endswith("It is worse at night.")
    withdrawn = told("model", "roll-back", "hotels", "--withdraw", *WHY)
    assert withdrawn.out.startswith("Withdrawn for hotels, at position ")
    assert told("plan", "put-backs").out == "Nothing is to be put back.\n"
    both = told("model", "roll-back", "hotels", "--withdraw", "--to", "v1", *WHY)
    assert both.code != 0
    assert "withdraw" in both.err
    again = told("model", "roll-back", "hotels", "--to", "v1", *WHY, "--json")
    document = json.loads(again.out)
    assert tuple(document) == fields_of(SHAPES["model roll-back"])
    assert (document["in_service"], document["put_back"]) == ("v2", "v1")
