"""A forecast and its error are told to people in the notation of people."""

import pytest

from ledger.jobs.forecast import PastJob, forecast
from ledger.jobs.forecast_words import error_words, forecast_words

EUR = 1_000_000


def test_a_forecast_is_told_with_its_interval_its_likelihood_and_what_it_rests_on() -> None:
    past = [PastJob(model, EUR, EUR, is_success=True) for model in ("a", "b", "b")]
    made = forecast(past, "b", 10 * EUR, None).model_dump()
    assert forecast_words(made, "EUR") == (
        "10.00 EUR (4.29 to 15.71), 80.9% likely to stay, by 3 jobs, 2 of the model"
    )
    one = forecast(past[:1], "b", 10 * EUR, None).model_dump()
    assert forecast_words(one, "EUR").endswith(", by 1 job, 0 of the model")


def test_a_benefit_is_told_where_a_plan_names_one() -> None:
    made = forecast([], "a", 10 * EUR, 80 * EUR).model_dump()
    assert forecast_words(made, "EUR") == (
        "10.00 EUR (0.00 to 20.00), 50.0% likely to stay, benefit 40.00 EUR (0.00 to 160.00), "
        "by the recipe alone"
    )


def test_what_plans_hold_is_told_where_jobs_show_it() -> None:
    held = [PastJob("a", EUR, EUR, True, 10 * EUR, 5 * EUR)]  # noqa: FBT003
    made = forecast(held, "a", 10 * EUR, 80 * EUR).model_dump()
    said = forecast_words(made, "EUR")
    assert said.endswith("82.0% of what plans say by 1 job, by 1 job, 1 of the model")


@pytest.mark.parametrize(
    ("error", "is_within", "said"),
    [
        (500_000, True, "0.50 EUR above the forecast, within its interval"),
        (-500_000, True, "0.50 EUR below the forecast, within its interval"),
        (7 * EUR, False, "7.00 EUR above the forecast, outside its interval"),
        (0, True, "as forecast"),
    ],
    ids=["above", "below", "outside", "none"],
)
def test_an_error_says_its_side_and_whether_the_interval_holds_it(
    error: int,
    is_within: bool,  # noqa: FBT001
    said: str,
) -> None:
    assert error_words(error, "EUR", is_within=is_within) == said
