"""Forecasts of jobs that are over, beside what came of each: how well they held."""

from typing import Any

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.jobs import RecordedJob, jobs_in, money
from ledger.compliance.tables import Table, table_of
from ledger.events.notation import rounded_money


def forecasts_table(source: FactSource, scope: FactFilter) -> Table:
    """Return what each job that is over was forecast to cost and bring, and what came of it.

    Of those that forecasts learn from.
    """
    over = [one for one in jobs_in(source, scope) if one.closed is not None and one.job.teaches]
    return table_of(
        "forecasts",
        "Forecasts of jobs",
        (
            ("position", "integer", "where the forecast is recorded"),
            ("job", "text", "which job"),
            ("model", "text", "of which model"),
            ("jobs", "integer", "how many jobs the forecast rests on"),
            ("jobs_of_model", "integer", "how many of the same model"),
            ("forecast", "text", "the forecast cost"),
            ("low", "text", "the interval of the forecast, from"),
            ("high", "text", "to"),
            ("cost", "text", "the cost"),
            ("error", "text", "the cost, less what was forecast"),
            ("is_within", "boolean", "whether the cost lies in the interval"),
            ("success_ppm", "share", "how likely its version was to stay in service"),
            ("is_success", "boolean", "whether it stayed"),
            ("planned", "text", "the benefit in its plan, where one named it"),
            ("gain_ppm", "share", "what jobs before had brought of the benefit in their plans"),
            ("benefit", "text", "the forecast benefit, where a plan named one"),
            ("benefit_low", "text", "the interval of the benefit, from"),
            ("benefit_high", "text", "to"),
            ("realised", "text", "the benefit in its window, as the ledger observed both versions"),
            ("realised_rows", "text", "on so many rows"),
            ("benefit_error", "text", "the realised benefit, less what was forecast"),
            ("is_benefit_within", "boolean", "whether the realised benefit lies in the interval"),
        ),
        [_forecast_row(one) for one in over],
        page=(
            ("Job", ("job", "model", "position")),
            ("Rests on", ("jobs", "jobs_of_model")),
            ("Forecast", ("forecast", "low", "high")),
            ("Cost", ("cost", "error", "is_within")),
            ("In service", ("success_ppm", "is_success")),
            ("Benefit", ("planned", "gain_ppm", "benefit", "benefit_low", "benefit_high")),
            ("Realised", ("realised", "realised_rows", "benefit_error", "is_benefit_within")),
        ),
    )


def _reckoned(one: RecordedJob, micros: int) -> str:
    """Return an amount that was reckoned, not reported, to two places: events have it exactly."""
    return rounded_money(micros, one.unit)


def _forecast_row(one: RecordedJob) -> dict[str, Any]:
    made = one.data["forecast"]
    end = (one.closed.data if one.closed is not None else None) or {}
    error, benefit = end.get("forecast_error_micros"), made["benefit_micros"]
    realised = end.get("realised")
    gained = None if realised is None else int(realised["benefit_micros"])
    return {
        "position": one.proposed.position,
        "job": one.data["job"],
        "model": one.data["model"],
        "jobs": made["jobs"],
        "jobs_of_model": made["jobs_of_model"],
        "forecast": _reckoned(one, int(made["cost_micros"])),
        "low": _reckoned(one, int(made["cost_low_micros"])),
        "high": _reckoned(one, int(made["cost_high_micros"])),
        "cost": money(one, one.cost_micros),
        "error": None if error is None else _reckoned(one, int(error)),
        "is_within": end.get("is_within_forecast"),
        "success_ppm": made["success_ppm"],
        "is_success": one.job.outcome == "succeeded",
        "planned": None if benefit is None else _reckoned(one, int(made["planned_micros"])),
        "gain_ppm": made["gain_ppm"],
        "benefit": None if benefit is None else _reckoned(one, int(benefit)),
        "benefit_low": None if benefit is None else _reckoned(one, int(made["benefit_low_micros"])),
        "benefit_high": None
        if benefit is None
        else _reckoned(one, int(made["benefit_high_micros"])),
        "realised": None if gained is None else _reckoned(one, gained),
        "realised_rows": None if realised is None else realised["rows"],
        "benefit_error": None
        if gained is None or benefit is None
        else _reckoned(one, gained - int(benefit)),
        "is_benefit_within": None
        if gained is None or benefit is None
        else int(made["benefit_low_micros"]) <= gained <= int(made["benefit_high_micros"]),
    }
