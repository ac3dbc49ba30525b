"""A flapping signal does not flap decisions: hysteresis, cool-down and sustained windows bound it.

Method: any series of scores, at any times, is decided in turn, each decision seeing the one before;
the number of changes is held to what the policy's own numbers allow.
"""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ledger.events.decisions import ModelFactsPart
from ledger.events.policy_document import DecisionPart
from ledger.events.values import HOUR, PPM
from ledger.kernel.bucketed import SignalOutput, score
from ledger.kernel.scoring import Scoring, SignalRule
from ledger.rules.procedure import Outcome, decide, environment_of, hours_in_force
from tests.rules.parts import rule, rules_of
from tools.vectors_kernel import KernelObservation, state_of

DWELL = 24
COOL_DOWN = 48
HELD = rules_of(
    (
        rule(
            "bad",
            "priority >= 400000",
            "SCHEDULE_RETRAINING",
            "ds",
            hold=f"priority >= 200000 || hours_in_force < {DWELL}",
        ),
    ),
    "NO_ACTION",
    "",
    "ds",
    cool_down_hours=COOL_DOWN,
)

# Hours since the last score, and its priority: anything at all.
series = st.lists(
    st.tuples(st.integers(0, 40), st.one_of(st.just(PPM), st.just(0), st.integers(0, PPM))),
    min_size=1,
    max_size=60,
)


def decided(
    rules: DecisionPart, seen: list[tuple[int, int]], *, is_retrained: bool = False
) -> list[tuple[int, Outcome]]:
    """Return what is decided at each time, in hours; `is_retrained` deploys what is scheduled."""
    now, since, deployed = 0, 0, -1
    prior: Outcome | None = None
    made: list[tuple[int, Outcome]] = []
    for hours, priority in seen:
        now += hours
        environment = environment_of(
            (SignalOutput("loss", PPM),),
            {"loss": 24},
            priority=priority,
            raw_priority=priority,
            degradation=priority,
            coverage=PPM,
            impact=0,
            risk=0,
            model=ModelFactsPart(owner="a", tier="", labels={}),
            hours_since_deployed=-1 if deployed < 0 else now - deployed,
            retrainings_30d=0,
            in_force=prior.action if prior else "NO_ACTION",
            in_force_rule=prior.rule if prior and prior.reason == "RULE" else "",
            hours_in_force=hours_in_force(since * HOUR, now * HOUR, "rules/2") if prior else 0,
            slo_hours_left=-1,
        )
        found = decide(rules, environment)
        if prior is None or found.action != prior.action:
            since = now
        if is_retrained and found.action == "SCHEDULE_RETRAINING":
            deployed = now
        prior = found
        made.append((now, found))
    return made


def changes(actions: list[str]) -> int:
    return sum(one != other for one, other in pairwise(["NO_ACTION", *actions]))


@given(series)
def test_the_number_of_changes_of_a_held_rule_has_a_bound_however_the_input_flaps(
    seen: list[tuple[int, int]],
) -> None:
    made = decided(HELD, seen)
    hours = made[-1][0] - made[0][0]
    # An action that is in force stays for DWELL hours, and each ends at most once.
    assert changes([one.action for _, one in made]) <= 2 * (hours // DWELL + 1)


def test_without_hysteresis_the_same_input_changes_the_decision_every_time() -> None:
    flapping = [(1, PPM if turn % 2 else 0) for turn in range(100)]
    bare = rules_of((rule("bad", "priority >= 400000", "INVESTIGATE", ""),), "NO_ACTION", "", "")
    assert changes([one.action for _, one in decided(bare, flapping)]) == 99
    assert changes([one.action for _, one in decided(HELD, flapping)]) <= 2 * (99 // DWELL + 1)


@given(series)
def test_within_the_cool_down_no_input_schedules_a_second_retraining(
    seen: list[tuple[int, int]],
) -> None:
    made = decided(HELD, seen, is_retrained=True)
    asked = [at for at, one in made if one.action == "SCHEDULE_RETRAINING"]
    assert all(later - at >= COOL_DOWN for at, later in pairwise(asked))
    held = [one for _, one in made if one.held_back]
    assert all(one.action == "INVESTIGATE" for one in held)


@given(
    st.lists(st.booleans(), min_size=24, max_size=24),
    st.integers(PPM // 4, PPM),
    st.integers(1, 30),
)
def test_a_signal_is_not_sustained_by_fewer_bad_buckets_than_its_policy_asks_for(
    bad: list[bool], sustain: int, prior: int
) -> None:
    watched = SignalRule(
        "loss", PPM, 0, 10**9, 3_600, 24 * 3_600, 24 * 3_600, PPM // 2, sustain, PPM // 10,
        min_buckets=6, sample_cap=100, prior_samples=prior,
    )  # fmt: skip
    scoring = Scoring("weighted_mean", 0, 0, (watched,))
    seen = [
        KernelObservation("loss", 10**9 if is_bad else 0, age * HOUR)
        for age, is_bad in enumerate(bad)
    ]
    found = score(scoring, 0, 0, state_of(scoring, seen), 23 * HOUR)
    is_enough = sum(bad) * PPM // 24 >= sustain
    assert found.signals[0].sustained == is_enough
    if not is_enough:  # a flap counts for its transient share, and no more
        assert found.degradation <= PPM // 10
