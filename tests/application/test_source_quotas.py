"""One source that floods, under a policy with quotas, buys nothing and hides nothing.

Method: three honest sources and an attacker who knows the policy, through the service as it runs;
the same attack is carried out under a policy without quotas, where it succeeds.
"""

import json
from pathlib import Path

import pytest

from ledger.application.commands import Caller
from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.events.canonical import encode
from tests.support.explained import explained
from tests.support.world import DAY, HOUR, START, World, policy_text, rule, signal_rule

HONEST = ("a", "b", "c")
RULES = [rule("bad", "priority >= 300000", hold="priority >= 200000")]


def policy(*, is_capped: bool) -> str:
    """Return a policy of format policy/2, with quotas or without."""
    signal = signal_rule(sources_needed=3, source_cap=10, breach=0.5, transient=0.2)
    document = explained(json.loads(policy_text(rules=RULES, signals=[signal])))
    document["scoring"]["kernel"] = "bucketed/2"
    if not is_capped:
        document["scoring"]["signals"][0] |= {"sources_needed": 0, "source_cap": None}
    return json.dumps(document)


def lived(path: Path, *, honest: float, lie: float, is_capped: bool) -> World:
    """Return a ledger after days of honest reports and of an attack on them."""
    world = World(path / "l.sqlite")
    world.begin("m1")
    for source in HONEST:  # a version that takes three sources is drafted once there are three
        world.see("m1", honest, START, size=10, caller=Caller(f"services/{source}"))
    world.activate(policy(is_capped=is_capped))
    for day in range(4):
        at = START + day * DAY
        for source in HONEST:
            world.see("m1", honest, at, size=10, caller=Caller(f"services/{source}"))
        for turn in range(6):
            world.see("m1", lie, at + turn * HOUR, size=10**6, caller=Caller("services/liar"))
        world.settle()
        world.evaluate("m1")  # however often the attacker asks
    return world


@pytest.mark.parametrize("lie", [1.4, 10**6])
def test_a_flood_from_one_source_buys_no_retraining_under_quotas(
    tmp_path: Path, lie: float
) -> None:
    world = lived(tmp_path, honest=0.4, lie=lie, is_capped=True)
    assert {made.action for made in world.decisions("m1")} == {"NO_ACTION"}
    assert max(one.signals[0].effective for one in world.scores("m1")) <= 1_000_000 // 3 // 5
    world.close()


def test_the_same_flood_without_quotas_buys_one(tmp_path: Path) -> None:
    world = lived(tmp_path, honest=0.4, lie=1.4, is_capped=False)
    assert world.decisions("m1")[-1].action == "SCHEDULE_RETRAINING"
    world.close()


def test_a_flood_of_good_news_hides_no_decay_under_quotas(tmp_path: Path) -> None:
    world = lived(tmp_path, honest=1.4, lie=0.4, is_capped=True)
    assert world.decisions("m1")[-1].action == "SCHEDULE_RETRAINING"
    assert all(one.signals[0].sustained for one in world.scores("m1"))
    world.close()
    (tmp_path / "open").mkdir()
    fooled = lived(tmp_path / "open", honest=1.4, lie=0.4, is_capped=False)
    assert fooled.decisions("m1")[-1].action == "NO_ACTION"
    fooled.close()


def test_what_was_decided_under_quotas_names_its_kernel_replays_and_passes_the_auditor(
    tmp_path: Path,
) -> None:
    world = lived(tmp_path, honest=0.9, lie=1.4, is_capped=True)
    assert {one.kernel for one in world.scores("m1")} == {"bucketed/2"}
    assert world.check_replay() > 4
    before = [encode(one.to_data()) for one in world.scores("m1")]
    world.restart()
    world.evaluate("m1")
    after = world.scores("m1")
    assert [encode(one.to_data()) for one in after[: len(before)]] == before
    assert after[-1].signals == after[-2].signals, "warm and cold buckets are the same"
    world.close()
    source = DatabaseSource(str(world.path))
    report = Audit(source, "test").run()
    source.close()
    assert report.findings == (), report.text()
