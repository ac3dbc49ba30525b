"""An attacker who knows `max_priority_step` gets one step for each score on record, and no more.

Method: one source reports the worst value over and over, or healthy ones about a model that decays,
through the service as it runs; the priorities on record are compared with the bound.
"""

from itertools import pairwise
from pathlib import Path

import pytest

from ledger.application.commands import Caller
from tests.support.world import HOUR, START, World, policy_text, rule, signal_rule

STEP = 50_000  # 5% of a priority, for each score
NEEDED = 300_000
LIAR = Caller("services/liar")
MINUTES = 60_000_000


def attacked(path: Path, *, before: float, lie: float) -> World:
    """Return a ledger after a day as it should be and seven hours of an attack."""
    world = World(path / "l.sqlite")
    signal = signal_rule(bucket="1h", window="4h", half_life="1h", transient=1)
    rules = [rule("bad", f"priority >= {NEEDED}")]
    policy = policy_text(signals=[signal], rules=rules, interval="1h", max_priority_step=0.05)
    world.begin("m1", policy=policy)
    for hour in range(24):
        world.see("m1", before, START + hour * HOUR)
        world.settle()
    for turn in range(7 * 6):
        at = START + 24 * HOUR + turn * 10 * MINUTES
        world.see("m1", lie, at, size=10**6, caller=LIAR)
        world.settle()
    return world


@pytest.mark.parametrize("lie", [1.4, 10**6])
def test_a_flood_of_bad_news_takes_as_many_scores_as_the_steps_to_a_retraining(
    tmp_path: Path, lie: float
) -> None:
    world = attacked(tmp_path, before=0.4, lie=lie)
    scores = world.scores("m1")
    rising = [one for one in scores if one.raw_priority > NEEDED]
    assert len(rising) == 7, "one score an hour, however often is reported"
    assert [one.priority for one in rising] == [STEP * (turn + 1) for turn in range(7)]
    (last,) = world.decisions("m1")
    assert last.action == "SCHEDULE_RETRAINING"
    assert last.evaluated_at == rising[NEEDED // STEP - 1].evaluated_at
    world.check_replay()
    world.close()


def test_a_flood_of_good_news_hides_decay_no_faster(tmp_path: Path) -> None:
    world = attacked(tmp_path, before=1.4, lie=0.4)
    priorities = [one.priority for one in world.scores("m1")]
    assert max(abs(after - before) for before, after in pairwise(priorities)) == STEP
    assert world.decisions("m1")[-1].action == "SCHEDULE_RETRAINING"
    world.check_replay()
    world.close()
