"""What scoring promises, tried on generated rules and observations rather than on chosen ones."""

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.events.values import PPM
from ledger.kernel.bucketed import KernelScore, score
from ledger.kernel.buckets import BucketMap
from ledger.kernel.scoring import Scoring, SignalRule, scoring_problems
from tools.vectors_kernel import KernelObservation, state_of

NANO = 10**9
NOW = 1_000 * 3_600 * 1_000_000
NAMES = ("accuracy", "drift", "nulls")
SOURCES = ("", "services/a", "services/b", "services/c")

ppm = st.integers(0, PPM)
small_nano = st.integers(-20 * NANO, 20 * NANO)
any_nano = st.integers(1 - 10**21, 10**21 - 1)


@st.composite
def rules(draw: st.DrawFn, signal: str, sources_needed: int | None = None) -> SignalRule:
    baseline = draw(st.one_of(small_nano, any_nano))
    critical = draw(st.one_of(small_nano, any_nano).filter(lambda value: value != baseline))
    bucket_seconds = draw(st.sampled_from([1, 60, 3_600]))
    needed = draw(st.integers(0, 3)) if sources_needed is None else sources_needed
    return SignalRule(
        signal=signal,
        weight_ppm=draw(st.integers(1, PPM)),
        baseline=baseline,
        critical=critical,
        bucket_seconds=bucket_seconds,
        window_seconds=bucket_seconds * draw(st.integers(1, 512)),
        half_life_seconds=draw(st.sampled_from([1, 59, 3_600, 10**8])),
        breach_ppm=draw(ppm),
        sustain_ppm=draw(ppm),
        transient_ppm=draw(ppm),
        min_buckets=draw(st.integers(1, 5)),
        sample_cap=draw(st.sampled_from([1, 100, 1_000_000])),
        prior_samples=draw(st.sampled_from([1, 1_000, 1_000_000])),
        sources_needed=needed,
    )


@st.composite
def scorings(draw: st.DrawFn) -> Scoring:
    return Scoring(
        combine=draw(st.sampled_from(["weighted_mean", "noisy_or", "max"])),
        impact_gain_ppm=draw(st.integers(0, 10 * PPM)),
        risk_gain_ppm=draw(st.integers(0, 10 * PPM)),
        signals=tuple(draw(rules(name)) for name in NAMES[: draw(st.integers(1, 3))]),
    )


observations = st.builds(
    KernelObservation,
    signal=st.sampled_from((*NAMES, "unruled")),
    value_nano=st.one_of(small_nano, any_nano),
    observed_at=st.integers(0, 7_200 * 1_000_000).map(lambda back: NOW + 600_000_000 - back),
    sample_size=st.integers(1, 10**7),
    source=st.sampled_from(SOURCES),
)


def _rule(**changes: object) -> SignalRule:
    plain = SignalRule(
        signal="drift",
        weight_ppm=PPM,
        baseline=0,
        critical=NANO,
        bucket_seconds=3_600,
        window_seconds=24 * 3_600,
        half_life_seconds=6 * 3_600,
        breach_ppm=500_000,
        sustain_ppm=500_000,
        transient_ppm=250_000,
        min_buckets=1,
        sample_cap=1_000,
        prior_samples=100,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def _scoring(*signals: SignalRule, combine: str = "weighted_mean") -> Scoring:
    return Scoring(combine=combine, impact_gain_ppm=0, risk_gain_ppm=0, signals=signals)


def _buckets(scoring: Scoring, seen: list[KernelObservation]) -> dict[str, dict[str, BucketMap]]:
    state = state_of(scoring, seen)
    return {rule.signal: state.buckets_of(rule.signal).sources for rule in scoring.signals}


def _score(scoring: Scoring, seen: list[KernelObservation]) -> KernelScore:
    return score(scoring, 0, 0, state_of(scoring, seen), NOW)


@given(scorings(), st.lists(observations, max_size=30), st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(
    scoring: Scoring, seen: list[KernelObservation], random: object
) -> None:
    shuffled = list(seen)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _buckets(scoring, shuffled) == _buckets(scoring, seen)
    assert _score(scoring, shuffled) == _score(scoring, seen)


@given(scorings(), st.lists(observations, max_size=30))
def test_pruning_what_no_later_evaluation_sees_changes_no_score(
    scoring: Scoring, seen: list[KernelObservation]
) -> None:
    whole, pruned = state_of(scoring, seen), state_of(scoring, seen)
    pruned.prune(NOW)
    for later in (NOW, NOW + 1, NOW + 600_000_000):
        assert score(scoring, 1, 1, pruned, later) == score(scoring, 1, 1, whole, later)


@given(scorings(), st.lists(observations, min_size=1, max_size=30))
def test_a_bucket_that_was_emptied_and_is_observed_again_is_as_it_was(
    scoring: Scoring, seen: list[KernelObservation]
) -> None:
    state, chosen = state_of(scoring, seen), seen[0]
    bounds = state.empty(chosen.signal, chosen.observed_at)
    if bounds is not None:
        assert bounds[0] <= chosen.observed_at <= bounds[1]
        left = {rule.signal: state.buckets_of(rule.signal).sources for rule in scoring.signals}
        assert left != _buckets(scoring, seen)
        for one in seen:
            if one.signal == chosen.signal and bounds[0] <= one.observed_at <= bounds[1]:
                state.observe(*one)
    found = {rule.signal: state.buckets_of(rule.signal).sources for rule in scoring.signals}
    assert found == _buckets(scoring, seen)


@given(scorings(), ppm, ppm, st.lists(observations, max_size=30))
def test_every_result_keeps_its_range_and_fits_53_bits(
    scoring: Scoring, impact: int, risk: int, seen: list[KernelObservation]
) -> None:
    assert scoring_problems(scoring) == []
    result = score(scoring, impact, risk, state_of(scoring, seen), NOW)
    for value in (result.degradation, result.coverage, result.priority):
        assert 0 <= value <= PPM
    for output in result.signals:
        fields = asdict(output)
        trend = fields.pop("trend")
        assert -PPM <= trend <= PPM
        for name, value in fields.items():
            if isinstance(value, int):
                assert 0 <= value < 2**53, name
        for name in ("peak", "magnitude", "persistence", "freshness", "effective", "share"):
            assert fields[name] <= PPM, name
        assert output.present == (output.buckets > 0)
    assert sum(output.share for output in result.signals) <= PPM


@given(
    rules("drift", sources_needed=0),
    st.lists(observations, max_size=20),
    st.integers(0, 7_200 * 1_000_000),
    st.integers(1, 10**7),
)
def test_one_more_sample_at_its_worst_never_lowers_what_is_believed(
    rule: SignalRule, seen: list[KernelObservation], back: int, size: int
) -> None:
    # With transient_ppm = PPM, `effective` is exactly what is believed.
    scoring = _scoring(replace(rule, transient_ppm=PPM))
    of_drift = [item._replace(signal="drift") for item in seen]
    before = _score(scoring, of_drift).signals[0].effective
    worst = KernelObservation("drift", rule.critical, NOW - back, size)
    healthy = worst._replace(value_nano=rule.baseline)
    assert _score(scoring, [*of_drift, worst]).signals[0].effective >= before
    assert _score(scoring, [*of_drift, healthy]).signals[0].effective <= before


@given(
    rules("drift", sources_needed=2),
    st.lists(observations, max_size=20),
    st.lists(observations, max_size=20),
)
def test_one_loud_source_cannot_raise_a_signal_above_what_another_reports(
    rule: SignalRule, quiet: list[KernelObservation], loud: list[KernelObservation]
) -> None:
    scoring = _scoring(rule)
    others = [item._replace(signal="drift", source="services/a") for item in quiet]
    crying = [item._replace(signal="drift", source="services/z") for item in loud]
    alone = _score(_scoring(replace(rule, sources_needed=1)), others).signals[0].effective
    assert _score(scoring, others + crying).signals[0].effective <= alone
    assert not _score(scoring, crying).signals[0].present


def test_a_signal_lower_is_worse_when_its_critical_lies_below_its_baseline() -> None:
    scoring = _scoring(_rule(baseline=900_000_000, critical=700_000_000))
    seen = [KernelObservation("drift", 800_000_000, NOW)]
    assert _score(scoring, seen).signals[0].peak == 500_000


def test_an_observation_later_than_the_evaluation_counts_only_in_its_own_bucket() -> None:
    scoring = _scoring(_rule())
    same_bucket = KernelObservation("drift", NANO, NOW + 3_600_000_000 - 1)
    next_bucket = KernelObservation("drift", NANO, NOW + 3_600_000_000)
    assert _score(scoring, [same_bucket]).signals[0].buckets == 1
    assert _score(scoring, [next_bucket]).signals[0].buckets == 0


def test_empty_buckets_do_not_interrupt_a_streak_and_healthy_ones_do() -> None:
    hour = 3_600_000_000
    bad = [KernelObservation("drift", NANO, NOW - age * hour) for age in (0, 3, 5)]
    good = KernelObservation("drift", 0, NOW - 4 * hour)
    assert _score(_scoring(_rule()), bad).signals[0].streak == 3
    assert _score(_scoring(_rule()), [*bad, good]).signals[0].streak == 2


def test_an_absent_signal_has_only_its_name_and_its_weight() -> None:
    result = _score(_scoring(_rule()), [])
    fields = asdict(result.signals[0])
    assert fields.pop("signal") == "drift"
    assert fields.pop("weight") == PPM
    assert not any(fields.values())
    assert (result.degradation, result.coverage, result.priority) == (0, 0, 0)


def test_signals_come_in_order_of_name_however_the_policy_lists_them() -> None:
    scoring = _scoring(_rule(signal="z"), _rule(signal="a"), _rule(signal="Z"))
    assert [rule.signal for rule in scoring.signals] == ["Z", "a", "z"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"critical": 0}, "critical"),
        ({"window_seconds": 3_601}, "window_seconds"),
        ({"window_seconds": 0}, "window_seconds"),
        ({"window_seconds": 513 * 3_600}, "window_seconds"),
    ],
)
def test_a_rule_whose_values_do_not_fit_each_other_is_refused_with_the_field_named(
    change: dict[str, int], field: str
) -> None:
    problems = scoring_problems(_scoring(_rule(**change)))
    assert [path for path, _ in problems] == [f'signals["drift"].{field}']


def test_a_signal_with_two_rules_is_refused() -> None:
    twice = scoring_problems(_scoring(_rule(), _rule()))
    assert twice == [('signals["drift"]', "is there twice")]
