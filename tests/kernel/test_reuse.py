"""What reuse and the candidate test promise for any numbers."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ledger.events.values import PPM
from ledger.kernel.reuse import (
    GatePolicy,
    ReusePolicy,
    ServedVersion,
    VersionLoss,
    judge_candidate,
    reuse,
)

NOW = 100
POLICY = ReusePolicy(
    period_seconds=604_800,
    versions=8,
    half_life_seconds=423_360,
    periods=8,
    prior_ppm=PPM,
    margin_ppm=20_000,
    season_periods=0,
    season_ppm=300_000,
)
LOSSES = st.builds(
    VersionLoss, rows=st.sampled_from([0, 400, 500]), loss_nano=st.integers(-(10**6), 10**9)
)
PERIODS = st.dictionaries(st.integers(40, NOW + 2), LOSSES, max_size=12)
TRAINED = st.integers(40, NOW + 1)
POLICIES = st.builds(
    ReusePolicy,
    period_seconds=st.just(604_800),
    versions=st.integers(0, 4),
    half_life_seconds=st.integers(1, 10**7),
    periods=st.integers(1, 12),
    prior_ppm=st.integers(0, 2 * PPM),
    margin_ppm=st.integers(0, PPM),
    season_periods=st.sampled_from([0, 2, 10, 52]),
    season_ppm=st.integers(0, PPM),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[ServedVersion, tuple[ServedVersion, ...]]:
    serving = ServedVersion("r", draw(TRAINED), draw(PERIODS))
    count = draw(st.integers(0, 5))
    others = tuple(ServedVersion(f"v{at}", draw(TRAINED), draw(PERIODS)) for at in range(count))
    return serving, others


@given(POLICIES, histories())
def test_only_the_last_versions_count_and_the_best_of_them_is_put_back(
    policy: ReusePolicy, history: tuple[ServedVersion, tuple[ServedVersion, ...]]
) -> None:
    serving, others = history
    result = reuse(policy, NOW, serving, others)
    assert [one.name for one in result.compared] == [
        other.name for other in others[max(0, len(others) - policy.versions) :]
    ]
    known = {one.name: one.advantage_ppm for one in result.compared}
    better = [value for value in known.values() if value is not None and value > policy.margin_ppm]
    assert (result.put_back is None) == (not better)
    assert result.put_back is None or known[result.put_back] == max(better)


@given(POLICIES, histories())
def test_what_lies_outside_the_window_or_before_the_training_changes_nothing(
    policy: ReusePolicy, history: tuple[ServedVersion, tuple[ServedVersion, ...]]
) -> None:
    serving, others = history

    def seen(version: ServedVersion) -> ServedVersion:
        kept = {
            period: loss
            for period, loss in version.periods.items()
            if serving.trained_period < period <= NOW and NOW - period < policy.window
        }
        return replace(version, periods=kept)

    trimmed = reuse(policy, NOW, seen(serving), tuple(seen(other) for other in others))
    assert trimmed == reuse(policy, NOW, serving, others)


@given(POLICIES, histories())
def test_a_version_never_beats_its_own_losses(
    policy: ReusePolicy, history: tuple[ServedVersion, tuple[ServedVersion, ...]]
) -> None:
    serving, _ = history
    result = reuse(policy, NOW, serving, (replace(serving, name="twin"),))
    assert result.put_back is None


def test_more_evidence_for_the_same_gain_is_more_advantage() -> None:
    def served(name: str, weeks: int, loss: int) -> ServedVersion:
        return ServedVersion(name, 0, {NOW - week: VersionLoss(500, loss) for week in range(weeks)})

    shares = [
        reuse(POLICY, NOW, served("r", weeks, 100), (served("q", weeks, 80),))
        .compared[0]
        .advantage_ppm
        for weeks in range(1, 9)
    ]
    known = [share for share in shares if share is not None]
    assert known == sorted(known)
    assert known[0] == 100_000  # a fifth better, and one period weighs as much as the prior
    assert known[-1] < 200_000


def test_the_season_a_year_ago_speaks_for_the_version_that_knew_it() -> None:
    yearly = replace(POLICY, season_periods=52, season_ppm=PPM)
    lately = {NOW: VersionLoss(500, 100)}
    serving = ServedVersion("r", 0, {**lately, NOW - 51: VersionLoss(500, 200)})
    other = ServedVersion("q", 0, {**lately, NOW - 51: VersionLoss(500, 100)})
    assert reuse(POLICY, NOW, serving, (other,)).put_back is None
    assert reuse(yearly, NOW, serving, (other,)).put_back == "q"


@given(st.integers(0, 10 * PPM), st.integers(0, 10**40), st.integers(0, 10**40))
def test_a_candidate_that_loses_less_is_never_judged_worse(
    gate_ppm: int, champion: int, candidate: int
) -> None:
    policy = GatePolicy(probe_ppm=100_000, gate_ppm=gate_ppm, rest_periods=2)
    verdict = judge_candidate(policy, NOW, champion, candidate)
    assert verdict.rest_until == (None if verdict.passes else NOW + 2)
    better = judge_candidate(policy, NOW, champion, candidate // 2)
    assert better.passes or not verdict.passes
    assert not judge_candidate(policy, NOW, 0, candidate).passes
