"""The planning parts of policies that are made up, as they are stored."""

from typing import Any

from hypothesis import strategies as st

from ledger.events.values import PPM

_ratios = st.integers(0, PPM)
_gains = st.integers(0, 10 * PPM)


@st.composite
def plannings(draw: st.DrawFn, by_excess_1: dict[str, Any], *, is_governed: bool) -> dict[str, Any]:
    """Draw a planning part of either planner, from one by `excess/1`."""
    if not is_governed or draw(st.booleans()):
        return by_excess_1
    rankings = st.sampled_from([{}, {"ranking": "priority"}, {"ranking": "benefit_per_cost"}])
    return (
        by_excess_1
        | draw(rankings)
        | {
            "planner": "excess/2",
            "gate_ppm": draw(_gains),
            "rest_periods": draw(st.integers(1, 10_000)),
            "reuse_versions": draw(st.integers(0, 100)),
            "reuse_half_life_seconds": draw(st.integers(1, 10**10)),
            "reuse_periods": draw(st.integers(1, 10_000)),
            "reuse_prior_ppm": draw(_gains),
            "reuse_margin_ppm": draw(_ratios),
            "season_periods": draw(st.sampled_from([0, 2, 52, 10_000])),
            "season_ppm": draw(_gains),
            "steps": draw(st.none() | plan_steps()),
        }
    )


def plan_steps() -> st.SearchStrategy[dict[str, Any]]:
    """Draw steps, at least one of them."""
    spans = st.integers(1, 10**10)
    counts = st.integers(1, PPM)
    names = st.text(min_size=1, max_size=20)
    share = st.fixed_dictionaries({"team": names, "share_ppm": _ratios})
    steps = st.fixed_dictionaries(
        {
            "cool_down_seconds": st.none() | spans,
            "at_most": st.none() | st.fixed_dictionaries({"jobs": counts, "per_seconds": spans}),
            "concurrency": st.none() | counts,
            "team_shares": st.lists(share, max_size=3, unique_by=lambda one: one["team"]),
            "tier_reserve_ppm": st.none() | _ratios,
            "budgets": st.booleans(),
            "guaranteed_after_seconds": st.none() | spans,
        }
    )
    return steps.filter(lambda one: any(value not in (None, False, []) for value in one.values()))
