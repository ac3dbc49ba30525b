"""Bad policies: steps around the planner that bound nothing, or leave nothing to admit."""

from typing import Final

from tests.application.bad_policy import Bad

STEPS: Final = """\
format: policy/2
title: Loss
rationale: x
scoring:
  signals:
    - {signal: log-loss, weight: 100%, baseline: 0.46, critical: 0.49, bucket: 1d, window: 28d,
       rationale: {weight: x, thresholds: x}}
decision:
  rules:
    - {id: bad, when: priority >= 40%, action: SCHEDULE_RETRAINING, tier: owner, rationale: x}
tiers: [{name: owner, route: x}]
planning:
  loss_signal: log-loss
  steps:
    cool_down: 7d
    at_most: {jobs: 2, per: 28d}
    team_shares: [{team: risk, share: 40%}]
    tier_reserve: 20%
    guaranteed_after: 56d
"""


def steps(old: str, new: str) -> str:
    """Return the text with one thing in it that is otherwise."""
    assert old in STEPS
    return STEPS.replace(old, new, 1)


# fmt: off
OF_STEPS: Final = (
    Bad("a rest that is over before the next period", "STEP_BELOW_PERIOD", 15, 16, "",
        steps("cool_down: 7d", "cool_down: 6d")),
    Bad("a count of jobs within less than a period", "STEP_BELOW_PERIOD", 16, 29, "",
        steps("per: 28d", "per: 24h")),
    Bad("a turn that is guaranteed before another was lost", "STEP_BELOW_PERIOD", 19, 23, "",
        steps("56d", "1d")),
    Bad("a share of a team that has no model", "STEP_FOR_NONE", 17, 26, "",
        steps("team: risk", "team: rsik")),
    Bad("budgets that pay for no model", "STEP_FOR_NONE", 19, 14, "",
        steps("guaranteed_after: 56d", "budgets: true")),
    Bad("a reserve for a tier at which nothing is decided", "STEP_FOR_NONE", 18, 19, "",
        steps("route: x}", "route: x, next: top}, {name: top, route: x}")),
    Bad("a reserve that leaves nothing", "STEP_ADMITS_NOTHING", 18, 19, "",
        steps("tier_reserve: 20%", "tier_reserve: 100%")),
    Bad("a team that is admitted nothing", "STEP_ADMITS_NOTHING", 17, 39, "",
        steps("share: 40%", "share: 0%")),
)
# fmt: on
