"""Forecasts of jobs that are over, beside what came of each: how well they held."""

from typing import Any, Final

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.jobs import RecordedJob, jobs_in, money
from ledger.compliance.tables import Table, table_of
from ledger.events.notation import rounded_money, share
from ledger.events.values import PPM

NEWEST: Final = 50
"""How many jobs are looked at beside all of them."""
_BAND_PPM: Final = PPM // 5


def forecast_jobs(source: FactSource, scope: FactFilter) -> list[RecordedJob]:
    """Return the jobs of a scope that are over and that forecasts learn from, as proposed."""
    return [one for one in jobs_in(source, scope) if one.closed is not None and one.job.teaches]


def forecasts_table(source: FactSource, scope: FactFilter) -> Table:
    """Return what each job that is over was forecast to cost and bring, and what came of it."""
    over = forecast_jobs(source, scope)
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


def calibration_table(jobs: list[RecordedJob]) -> Table:
    """Return how well forecasts held: of all, of the newest, and by how likely success was."""
    groups = [("all", jobs)]
    if len(jobs) > NEWEST:
        by_end = sorted(jobs, key=lambda one: 0 if one.closed is None else one.closed.position)
        groups.append((f"the {NEWEST} that ended last", by_end[-NEWEST:]))
    for low in range(0, PPM, _BAND_PPM):
        high = low + _BAND_PPM
        of_band = [one for one in jobs if low <= _likely(one) < high or _likely(one) == high == PPM]
        groups.append((f"{share(low)} to {share(high)} likely to stay", of_band))
    return table_of(
        "calibration",
        "How well forecasts held",
        (
            ("jobs", "text", "which jobs that are over: all, the newest, or by their forecast"),
            ("count", "integer", "how many"),
            ("likely_ppm", "share", "how likely their versions were to stay, in the mean"),
            ("stayed_ppm", "share", "the share of them that stayed"),
            ("cost_within", "integer", "of how many the cost lay in its interval"),
            ("dearer", "integer", "how many cost more than forecast"),
            ("benefit_seen", "integer", "of how many a forecast benefit was observed"),
            ("benefit_within", "integer", "of how many of these it lay in its interval"),
            ("brought_less", "integer", "how many of these brought less than forecast"),
        ),
        [_calibration_row(name, found) for name, found in groups if found],
    )


def _calibration_row(name: str, jobs: list[RecordedJob]) -> dict[str, Any]:
    rows = [_forecast_row(one) for one in jobs]
    seen = [row for row in rows if row["benefit_error"] is not None]
    ends = [(one.closed.data if one.closed is not None else None) or {} for one in jobs]
    return {
        "jobs": name,
        "count": len(jobs),
        "likely_ppm": sum(map(_likely, jobs)) // len(jobs),
        "stayed_ppm": sum(row["is_success"] for row in rows) * PPM // len(jobs),
        "cost_within": sum(row["is_within"] is True for row in rows),
        "dearer": sum(int(end.get("forecast_error_micros") or 0) > 0 for end in ends),
        "benefit_seen": len(seen),
        "benefit_within": sum(row["is_benefit_within"] is True for row in seen),
        "brought_less": sum(row["benefit_error"].startswith("-") for row in seen),
    }


def _likely(one: RecordedJob) -> int:
    return int(one.data["forecast"]["success_ppm"])
