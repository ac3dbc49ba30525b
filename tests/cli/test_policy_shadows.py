"""`policy shadow`, `shadows`, `compare` and `activate --shadow`: a version beside the one in force.

Method: the told ledger; the version in force runs in shadow too, so both must agree.
"""

from tests.cli.conftest import Run


def test_a_version_runs_in_shadow_is_compared_and_is_promoted_on_its_own_scope(told: Run) -> None:
    ran = told(
        "policy", "shadow", "default", "1", "--for", "30d", "--rationale", "why",
        "--model", "fares", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    position = str(ran.json["position"])
    [listed] = told("policy", "shadows", "--json").json["shadows"]
    assert (listed["policy"], listed["is_running"]) == ("default", True)
    assert "model fares" in told("policy", "shadows").out
    compared = told("policy", "compare", position)
    assert "default version 1 runs in shadow for model fares." in compared.out
    assert told("policy", "compare", position, "--json").json["differing"] == 0
    words = ("policy", "activate", "default", "1", "--rationale", "it agrees", "--json")
    promoted = told(*words, "--shadow", position)
    shown = told("policy", "show", "default").out
    assert f", promoted from the shadow of position {position}" in shown
    assert promoted.code == 0, promoted.err
    shown = told("policy", "show", "default", "--json").json["policy"]["activations"][-1]
    assert shown["scope"]["model"] == "fares"
    after = str(promoted.json["position"] - 1)
    event = told("log", "tail", "--after", after, "-n", "1", "--json")
    assert f'"causation_position":{position}' in event.out.replace(" ", ""), event.out


def test_a_promotion_from_the_shadow_of_another_version_is_refused(told: Run) -> None:
    words = ("policy", "activate", "default", "1", "--rationale", "why", "--shadow", "999")
    refused = told(*words)
    assert refused.code == 2
    elsewhere = told(*words, "--model", "fares")
    assert elsewhere.code == 2
    assert "excludes" in elsewhere.err
    assert "no shadow began at position 999" in refused.err


def test_a_shadow_is_ended_by_command_and_then_runs_no_more(told: Run) -> None:
    ran = told("policy", "shadow", "default", "1", "--for", "30d", "--rationale", "why", "--json")
    position = str(ran.json["position"])
    assert told("policy", "unshadow", position, "--reason", "enough").code == 0
    again = told("policy", "unshadow", position, "--reason", "enough")
    assert again.code != 0
    assert "has no shadow of position" in again.err
    assert "over" in told("policy", "shadows").out
