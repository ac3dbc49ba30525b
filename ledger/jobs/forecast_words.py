"""The forecast of a job and its error in words, for people; amounts are in micros of a unit."""

from collections.abc import Mapping
from typing import Any

from ledger.events.notation import counted, percent, rounded_money


def forecast_words(made: Mapping[str, Any], unit: str) -> str:
    """Return a forecast, by its members in its event, as a clause.

    Amounts may be texts, as events have them: `5.00 EUR (4.10 to 5.90), 60.0% likely to stay`.
    """
    said = [_amount(made, "cost", unit), f"{percent(made['success_ppm'])} likely to stay"]
    if made["benefit_micros"] is not None:
        said.append(f"benefit {_amount(made, 'benefit', unit)}")
        if made["gains"]:
            held = percent(made["gain_ppm"])
            said.append(f"{held} of what plans say by {counted(made['gains'], 'job')}")
    if made["jobs"]:
        said.append(f"by {counted(made['jobs'], 'job')}, {made['jobs_of_model']} of the model")
    else:
        said.append("by the recipe alone")
    return ", ".join(said)


def error_words(error_micros: int, unit: str, *, is_within: bool) -> str:
    """Return an error of a forecast: `0.50 EUR below the forecast, within its interval`."""
    if not error_micros:
        return "as forecast"  # which is in the interval always
    side = "above" if error_micros > 0 else "below"
    where = "within" if is_within else "outside"
    return f"{rounded_money(abs(error_micros), unit)} {side} the forecast, {where} its interval"


def _amount(made: Mapping[str, Any], name: str, unit: str) -> str:
    mid, low, high = (int(made[f"{name}{end}_micros"]) for end in ("", "_low", "_high"))
    return f"{rounded_money(mid, unit)} ({rounded_money(low)} to {rounded_money(high)})"
