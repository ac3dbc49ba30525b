"""What `bucketed/2` promises of one source among several, and what an attacker makes of it.

Method: generated reports of honest sources and of one that lies, and a search by an attacker who
knows the policy; what comes out is held to the bound that the page of the kernel proves.
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.events.values import PPM
from ledger.kernel.bucketed import SignalOutput, score
from ledger.kernel.buckets import BucketMap
from ledger.kernel.quotas import pooled, source_bound
from ledger.kernel.scoring import Scoring, SignalRule, scoring_problems
from tests.kernel.test_bucketed import NANO, NOW, rules
from tools.known_answers.draws import Draw
from tools.vectors_kernel import KernelObservation, state_of

HOUR = 3_600_000_000
HOURS = 6
LIAR = "services/liar"
HONEST = ("services/a", "services/b", "services/c", "services/d")

RULE = SignalRule(
    signal="drift",
    weight_ppm=PPM,
    baseline=0,
    critical=NANO,
    bucket_seconds=3_600,
    window_seconds=HOURS * 3_600,
    half_life_seconds=3 * 3_600,
    breach_ppm=400_000,
    sustain_ppm=500_000,
    transient_ppm=200_000,
    min_buckets=2,
    sample_cap=1_000,
    prior_samples=50,
    sources_needed=3,
    source_cap=20,
)

nanos = st.integers(-NANO, 2 * NANO)
times = st.integers(0, (HOURS + 1) * HOUR).map(lambda back: NOW + HOUR // 2 - back)
sizes = st.one_of(st.integers(1, 30), st.integers(1, 10**7))


def reports(*sources: str) -> st.SearchStrategy[list[KernelObservation]]:
    """Return what some sources may say: any value, at any time, with any number of samples."""
    one = st.builds(
        KernelObservation,
        signal=st.just("drift"),
        value_nano=nanos,
        observed_at=times,
        sample_size=sizes,
        source=st.sampled_from(sources),
    )
    return st.lists(one, max_size=25)


def scoring_of(rule: SignalRule, kernel: str = "bucketed/2") -> Scoring:
    return Scoring("weighted_mean", 0, 0, (rule,), kernel)


def read(rule: SignalRule, seen: list[KernelObservation]) -> SignalOutput:
    return score(scoring_of(rule), 0, 0, state_of(scoring_of(rule), seen), NOW).signals[0]


def counted(rule: SignalRule, seen: list[KernelObservation]) -> BucketMap:
    return pooled(state_of(scoring_of(rule), seen).buckets_of("drift"))


def steady(value: int, sources: int, *, per_bucket: int = 25) -> list[KernelObservation]:
    """Return honest sources that each report a value every hour, with enough samples."""
    return [
        KernelObservation("drift", value, NOW - age * HOUR, per_bucket, source)
        for source in HONEST[:sources]
        for age in range(HOURS)
    ]


# ---- the bound -----------------------------------------------------------------------------------


@given(
    st.integers(1, 4),
    st.sampled_from([1, 20, 1_000]),
    reports(*HONEST),
    reports(LIAR),
)
def test_one_source_moves_the_mean_of_a_bucket_by_one_part_in_those_needed_at_most(
    needed: int, cap: int, honest: list[KernelObservation], lies: list[KernelObservation]
) -> None:
    rule = replace(RULE, sources_needed=needed, source_cap=cap)
    of_others = counted(replace(rule, sources_needed=0), honest)
    for index, (_, samples, severities, peak) in counted(rule, honest + lies).items():
        _, theirs, their_severities, _ = of_others.get(index, [0, 0, 0, 0])
        assert (samples - theirs) * needed <= samples
        assert peak == severities // samples
        if theirs:
            assert abs(peak - their_severities // theirs) <= -(-PPM // needed)


@given(st.integers(2, 5), st.sampled_from([1, 20]), reports(*HONEST), reports(LIAR))
def test_one_source_alone_cannot_make_a_healthy_signal_look_bad(
    needed: int, cap: int, honest: list[KernelObservation], lies: list[KernelObservation]
) -> None:
    rule = replace(RULE, sources_needed=needed, source_cap=cap)
    bound = source_bound(rule)
    found = read(rule, [one._replace(value_nano=0) for one in honest] + lies)
    assert found.effective <= bound.raised
    assert max(found.peak, found.magnitude) <= bound.share
    assert not found.sustained or bound.is_sustained


@given(st.integers(2, 3), st.integers(3, 4), st.integers(1, NANO), reports(LIAR))
def test_one_source_alone_cannot_hide_decay(
    needed: int, sources: int, worse: int, lies: list[KernelObservation]
) -> None:
    rule = replace(RULE, sources_needed=needed)
    bad = steady(NANO + worse, sources)
    found, alone = read(rule, bad + lies), read(rule, bad)
    assert source_bound(rule).is_kept
    assert found.buckets == found.breaches == alone.breaches == HOURS
    assert found.sustained
    assert found.magnitude >= PPM - -(-PPM // (sources + 1))
    assert found.effective >= alone.effective - -(-PPM // (sources + 1))


@given(
    st.integers(2, 4),
    st.lists(st.tuples(nanos, st.integers(20, 200)), min_size=HOURS * 4, max_size=HOURS * 4),
    reports(LIAR),
)
def test_beside_k_full_sources_one_more_moves_a_signal_by_one_part_in_k_plus_one_at_most(
    sources: int, drawn: list[tuple[int, int]], lies: list[KernelObservation]
) -> None:
    # With transient_ppm = PPM, `effective` is exactly what is believed.
    rule = replace(RULE, sources_needed=2, transient_ppm=PPM)
    ages = itertools.product(HONEST[:sources], range(HOURS))
    honest = [
        KernelObservation("drift", value, NOW - age * HOUR, size, source)
        for (source, age), (value, size) in zip(ages, drawn, strict=False)
    ]
    before, after = read(rule, honest), read(rule, honest + lies)
    most = -(-PPM // (sources + 1))
    assert (before.buckets, before.freshness) == (after.buckets, after.freshness)
    for name in ("peak", "magnitude", "effective"):
        assert abs(getattr(after, name) - getattr(before, name)) <= most, name


# ---- an attacker who knows the policy ------------------------------------------------------------


def attacks(seed: int) -> Iterator[list[KernelObservation]]:
    """Yield what an attacker tries: values, times, sizes and numbers of reports, then the best."""
    for value, size, count in itertools.product(
        (-NANO, 0, NANO // 2, NANO, 100 * NANO), (1, 20, 10**7), (1, 40)
    ):
        for ages in ([0], list(range(HOURS)), [HOURS - 1], list(range(HOURS + 2))):
            yield [
                KernelObservation("drift", value, NOW - age * HOUR - turn, size, LIAR)
                for age in ages
                for turn in range(count)
            ]
    draw = Draw("attack", seed)
    for _ in range(60):
        yield [
            KernelObservation(
                "drift",
                draw.one_of((-NANO, 0, NANO, 10**20)),
                NOW + HOUR - draw.between(1, (HOURS + 2) * HOUR),
                draw.one_of((1, 19, 20, 21, 10**7)),
                LIAR,
            )
            for _ in range(draw.between(1, 40))
        ]


@pytest.mark.parametrize("needed", [2, 3, 4])
def test_an_attacker_who_knows_the_policy_reaches_the_bound_and_never_more(needed: int) -> None:
    rule = replace(RULE, sources_needed=needed, prior_samples=1, transient_ppm=PPM)
    honest = steady(0, needed - 1)
    found = [read(rule, honest + lies).magnitude for lies in attacks(needed)]
    assert max(found) == source_bound(rule).share == PPM // needed


def test_what_buys_a_retraining_under_bucketed_1_is_worth_next_to_nothing_under_quotas() -> None:
    honest = steady(0, 3)
    old = replace(RULE, source_cap=None, sources_needed=0)
    bought = max(read(old, honest + lies).effective for lies in attacks(1))
    assert bought > 900_000
    assert max(read(RULE, honest + lies).effective for lies in attacks(1)) <= PPM // 15


def test_what_hides_decay_under_bucketed_1_hides_nothing_under_quotas() -> None:
    bad = steady(NANO, 3)
    old = replace(RULE, source_cap=None, sources_needed=0)
    assert min(read(old, bad + lies).effective for lies in attacks(2)) < 10_000
    assert min(read(RULE, bad + lies).effective for lies in attacks(2)) > 600_000


def test_asking_for_more_evaluations_moves_nothing() -> None:
    state = state_of(scoring_of(RULE), steady(0, 3) + next(attacks(3)))
    first = score(scoring_of(RULE), 0, 0, state, NOW)
    assert all(score(scoring_of(RULE), 0, 0, state, NOW) == first for _ in range(50))


# ---- the rest of the kernel ----------------------------------------------------------------------


@given(rules("drift"), reports(*HONEST, ""))
def test_a_rule_without_a_cap_gives_under_both_kernels_the_same(
    rule: SignalRule, seen: list[KernelObservation]
) -> None:
    results = [
        score(scoring_of(rule, kernel), 1, 1, state_of(scoring_of(rule, kernel), seen), NOW)
        for kernel in ("bucketed/1", "bucketed/2")
    ]
    assert results[0] == results[1]


@given(reports(*HONEST, ""), st.data(), st.integers(0, 3))
def test_with_quotas_neither_order_nor_pruning_changes_a_score(
    seen: list[KernelObservation], data: st.DataObject, needed: int
) -> None:
    scoring = scoring_of(replace(RULE, sources_needed=needed))
    shuffled = data.draw(st.permutations(seen))
    pruned, whole = state_of(scoring, shuffled), state_of(scoring, seen)
    pruned.prune(NOW)
    for later in (NOW, NOW + 1, NOW + HOUR):
        assert score(scoring, 1, 1, pruned, later) == score(scoring, 1, 1, whole, later)


def test_a_source_keeps_its_mean_when_it_is_cut_to_its_quota() -> None:
    rule = replace(RULE, sources_needed=1, source_cap=10)
    loud = [KernelObservation("drift", value, NOW, 1_000, "services/a") for value in (0, NANO)]
    quiet = KernelObservation("drift", 0, NOW, 10, "services/b")
    assert read(rule, [*loud, quiet]).magnitude == PPM // 4


def test_a_bucket_that_too_few_sources_fill_does_not_count() -> None:
    two = steady(NANO, 2)
    thin = KernelObservation("drift", NANO, NOW, 19, "services/c")
    assert not read(RULE, [*two, thin]).present
    assert read(RULE, [*two, thin._replace(sample_size=20)]).buckets == 1


def test_a_cap_is_refused_under_bucketed_1_and_an_unknown_kernel_everywhere() -> None:
    assert scoring_problems(scoring_of(RULE)) == []
    (found,) = scoring_problems(scoring_of(RULE, "bucketed/1"))
    assert found[0] == 'signals["drift"].source_cap'
    assert scoring_problems(scoring_of(RULE, "bucketed/3"))[0][0] == "kernel"


@pytest.mark.parametrize(
    ("changes", "share", "raised"),
    [
        ({}, 333_333, 66_666),
        ({"breach_ppm": 333_333}, 333_333, 333_333),
        ({"breach_ppm": 333_334}, 333_333, 66_666),
        ({"sustain_ppm": 0}, 333_333, 333_333),
        ({"sources_needed": 0}, PPM, PPM),
        ({"source_cap": None, "sources_needed": 0}, PPM, PPM),
        ({"source_cap": None, "sources_needed": 1}, PPM, PPM),
        ({"source_cap": None, "sources_needed": 2}, 0, 0),
    ],
)
def test_the_bound_of_a_rule_is_what_its_numbers_give(
    changes: dict[str, int], share: int, raised: int
) -> None:
    bound = source_bound(replace(RULE, **changes))  # type: ignore[arg-type]
    assert (bound.share, bound.raised) == (share, raised)
