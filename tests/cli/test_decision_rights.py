"""A decision or a score is shown by its position to a person who may read the fleet alone.

Method: a served ledger with an administrator, on which a decision was made; a viewer asks.
"""

from pathlib import Path

from tests.cli.administered import WHY, administered, done, refused_with
from tests.support.live_fleet import POLICY

OP, VIEWER = "users/op", "users/vi"
AS_OP = ("--actor", OP)


def test_a_viewer_without_the_right_to_read_events_names_a_decision_by_its_position(
    tmp_path: Path,
) -> None:
    roles = {OP: ("operator", "monitor", "policy-author", "policy-approver"), VIEWER: ("viewer",)}
    (tmp_path / "policy.yaml").write_text(POLICY)
    with administered(tmp_path) as run:
        for number, (actor, held) in enumerate(roles.items(), start=2):
            done(run("authority", "register", actor, "--person", f"staff-{number}"))
            for role in held:
                done(run("authority", "grant", actor, role, *WHY))
        kind = ("--kind", "performance", "--unit", "nats", "--direction", "higher-is-worse")
        done(run("signal", "define", "log-loss", *kind, "--meaning", "Loss.", *AS_OP))
        money = ("--cost", "50", "--unit-value", "2")
        done(run("model", "register", "fares", "--owner", "team", *money, *AS_OP))
        deployed = ("--baseline-loss", "0.40", "--trained-through", "2026-01-01")
        done(run("model", "deploy", "fares", "v1", *deployed, *AS_OP))
        because = ("--rationale", "Because.", *AS_OP)
        done(run("policy", "draft", "fleet", str(tmp_path / "policy.yaml"), *because))
        done(run("policy", "activate", "fleet", "1", *because))
        made = run("evaluate", "fares", *AS_OP, "--json").json["evaluated"][0]["decision"]
        position = str(made["position"])
        for command in ("show", "explain"):
            shown = run("decision", command, position, "--actor", VIEWER, "--json").json
            assert shown["decision"]["name"] == made["name"]
        score = str(made["position"] - 1)  # it is right before its decision
        explained = run("decision", "explain", score, "--actor", VIEWER, "--json").json
        told = explained["decision"]
        assert (told["model"], told["action"], told["position"]) == ("fares", made["action"], 0)
        other = run("decision", "explain", "1", "--actor", VIEWER)
        assert "no decision and no score" in refused_with(other, "DECISION_UNKNOWN")
        moved = ("priorities", "--as-of", position, "--since", "1d", "--actor", VIEWER)
        assert "fares" in done(run(*moved))
        refused_with(run("log", "tail", "--actor", VIEWER), "ACTOR_NOT_AUTHORISED")
        other = run("decision", "show", "1", "--actor", VIEWER)
        assert "no decision at position 1" in refused_with(other, "DECISION_UNKNOWN")
