"""A forecast follows from the jobs that are over, in integers, drawn towards what the fleet shows.

Method: known answers worked out by hand, and what must hold of any jobs.
"""

from hypothesis import given
from hypothesis import strategies as st

from ledger.jobs.forecast import (
    PRIOR_JOBS,
    PastJob,
    forecast,
    margin_fault,
    margin_verdict,
)

EUR = 1_000_000
JOBS = st.lists(
    st.builds(
        PastJob,
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 10**12),
        st.integers(0, 10**12),
        st.booleans(),
        st.none() | st.integers(0, 10**12),
        st.none() | st.integers(-(10**12), 10**12),
    ),
    max_size=12,
)


def test_without_jobs_it_is_as_the_recipe_expects_and_as_likely_as_not() -> None:
    made = forecast([], "a", 10 * EUR, 80 * EUR)
    assert (made.jobs, made.jobs_of_model) == (0, 0)
    assert (made.cost_low_micros, made.cost_micros, made.cost_high_micros) == (
        "0", str(10 * EUR), str(20 * EUR),
    )  # fmt: skip
    assert (made.success_ppm, made.benefit_micros) == (500_000, str(40 * EUR))
    # Two mean deviations of a share of one half, counted four times: 2 * isqrt(0.25 / 4) = 0.5; and
    # of what plans hold two of one half likewise.
    assert (made.benefit_low_micros, made.benefit_high_micros) == ("0", str(160 * EUR))
    assert (made.planned_micros, made.gains, made.gain_ppm) == (str(80 * EUR), 0, 1_000_000)


def test_one_job_of_a_model_moves_its_mean_by_a_fifth_of_the_way_from_the_fleets() -> None:
    twice = PastJob("a", 10 * EUR, 20 * EUR, is_success=True)
    of_fleet = (2_000_000 + PRIOR_JOBS * 1_000_000) // 5
    assert of_fleet == 1_200_000
    assert forecast([twice], "b", EUR, None).cost_micros == "1200000"
    of_model = (2_000_000 + PRIOR_JOBS * of_fleet) // 5
    assert forecast([twice], "a", EUR, None).cost_micros == str(of_model) == "1360000"
    assert forecast([twice], "b", EUR, None).success_ppm == 600_000
    assert forecast([twice], "a", EUR, None).success_ppm == 680_000
    assert forecast([twice], "a", EUR, None).benefit_micros is None


def test_what_plans_hold_is_learned_of_versions_that_stayed_and_were_observed() -> None:
    half = PastJob("a", EUR, EUR, True, 10 * EUR, 5 * EUR)  # noqa: FBT003
    made = forecast([half], "b", EUR, 100 * EUR)
    of_fleet = (500_000 + PRIOR_JOBS * 1_000_000) // 5
    assert (made.gains, made.gain_ppm) == (1, of_fleet) == (1, 900_000)
    assert made.benefit_micros == str(100 * EUR * 600_000 // 10**6 * 900_000 // 10**6)
    of_model = (500_000 + PRIOR_JOBS * of_fleet) // 5
    assert forecast([half], "a", EUR, None).gain_ppm == of_model == 820_000
    says_nothing = (
        PastJob("a", EUR, EUR, False, 10 * EUR, 5 * EUR),  # noqa: FBT003 - did not stay
        PastJob("a", EUR, EUR, True, None, 5 * EUR),  # noqa: FBT003 - of no plan
        PastJob("a", EUR, EUR, True, 10 * EUR, None),  # noqa: FBT003 - not observed
    )
    made = forecast(says_nothing, "a", EUR, 100 * EUR)
    assert (made.gains, made.gain_ppm) == (0, 1_000_000)
    worse = PastJob("a", EUR, EUR, True, 10 * EUR, -5 * EUR)  # noqa: FBT003
    assert worse.gain_ppm == 0


def test_what_jobs_bring_decides_whether_the_next_one_is_worth_it() -> None:
    poor = [PastJob("a", EUR, EUR, True, 10 * EUR, EUR)] * 20  # noqa: FBT003
    assert margin_fault(forecast([], "a", EUR, 4 * EUR), 0) == ""
    assert "is below its forecast cost" in margin_fault(forecast(poor, "a", EUR, 4 * EUR), 0)


def test_a_margin_is_none_met_or_not_judged() -> None:
    planned, stated = forecast([], "a", EUR, 9 * EUR), forecast([], "a", EUR, None)
    assert margin_verdict(planned, None) == margin_verdict(stated, None) == "none"
    assert margin_verdict(planned, 0) == "met"
    assert margin_verdict(stated, 0) == "not_judged"


def test_many_jobs_that_agree_narrow_the_interval() -> None:
    alike = [PastJob("a", EUR, EUR, is_success=True)] * 36
    made = forecast(alike, "a", EUR, None)
    assert (made.cost_micros, made.success_ppm) == ("1000000", 995_000)
    assert (made.cost_low_micros, made.cost_high_micros) == ("900000", "1100000")


@given(JOBS, st.integers(0, 10**12), st.none() | st.integers(0, 10**15))
def test_an_interval_holds_its_forecast_and_the_order_of_jobs_does_not_matter(
    jobs: list[PastJob], expected: int, benefit: int | None
) -> None:
    made = forecast(jobs, "a", expected, benefit)
    assert int(made.cost_low_micros) <= int(made.cost_micros) <= int(made.cost_high_micros)
    assert 0 <= made.success_ppm <= 1_000_000
    if benefit is not None:
        assert made.benefit_low_micros is not None
        assert made.benefit_micros is not None
        assert made.benefit_high_micros is not None
        low, mid, high = (
            int(one)
            for one in (made.benefit_low_micros, made.benefit_micros, made.benefit_high_micros)
        )
        assert 0 <= low <= mid <= high
    assert forecast(jobs[::-1], "a", expected, benefit) == made


def test_a_benefit_below_the_cost_by_the_margin_is_a_fault_and_at_the_border_it_is_none() -> None:
    made = forecast([], "a", 10 * EUR, 24 * EUR)  # 12 for 10
    assert margin_fault(made, None) == ""
    assert margin_fault(made, 200_000) == ""
    assert margin_fault(made, 200_001) == (
        "its forecast benefit of 12.00 is below its forecast cost of 10.00 and the margin of "
        "20.0001% that its policy asks"
    )
    assert margin_fault(forecast([], "a", 10 * EUR, None), 200_001) == ""
