"""The inputs that a plan pins, as the audit writes them: a second writing of their form."""

from typing import Any

from ledger.kernel.excess import PlanInputs


def pinned(inputs: PlanInputs) -> dict[str, Any]:
    """Return what the inputs' digest is taken of, as the architecture page lists it."""
    policy = inputs.policy
    return {
        "models": [
            {
                "baseline_nano": str(model.baseline_nano),
                "cost_micros": str(model.cost_micros),
                "gate": model.gate,
                "model": model.id,
                "rest_until": model.rest_until,
                "trained_period": model.trained_period,
                "unit_value_micros": str(model.unit_value_micros),
            }
            for model in inputs.models
        ],
        "now_period": inputs.now_period,
        "periods": [
            {
                "cells": [
                    {
                        "baseline_nano": str(cell.baseline_nano),
                        "mean_nano": str(cell.mean_nano),
                        "model": name,
                        "rows": str(cell.rows),
                    }
                    for name, cell in sorted(cells.items())
                ],
                "period": period,
            }
            for period, cells in inputs.periods.items()
        ],
        "policy": {
            "common_ppm": policy.common_ppm,
            "dead_band_ppm": policy.dead_band_ppm,
            "half_life_seconds": policy.half_life_seconds,
            "max_periods": policy.max_periods,
            "min_models": policy.min_models,
            "period_seconds": policy.period_seconds,
            "price_down_ppm": policy.price_down_ppm,
            "price_up_ppm": policy.price_up_ppm,
            "probe_ppm": policy.probe_ppm,
            "quantile_ppm": policy.quantile_ppm,
            "reserve": policy.reserve,
        },
        "price": None if inputs.price is None else str(inputs.price),
        "purse_cap_micros": str(inputs.purse_cap_micros),
        "purse_micros": str(inputs.purse_micros),
    }
