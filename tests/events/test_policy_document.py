"""A stored policy outside the ranges that its pages state is none; each border itself is taken.

The pages of the kernel and of the planner state the ranges; the stored form alone holds them.
"""

import copy
import json
from typing import Any

import pytest
from pydantic import ValidationError

from ledger.events.policy_document import PolicyDocumentV2
from ledger.events.values import PPM
from tools.golden import GOLDEN

DOCUMENT: dict[str, Any] = json.loads((GOLDEN / "policy.drafted.v2.json").read_bytes())["body"][
    "data"
]["document"]
SIGNAL = ("scoring", "signals", 0)


@pytest.mark.parametrize(
    ("path", "least", "most"),
    [
        (("scoring", "impact_gain_ppm"), 0, 10 * PPM),
        (("scoring", "risk_gain_ppm"), 0, 10 * PPM),
        ((*SIGNAL, "weight_ppm"), 1, PPM),
        ((*SIGNAL, "bucket_seconds"), 1, 10**10),
        ((*SIGNAL, "window_seconds"), 1, 10**10),
        ((*SIGNAL, "half_life_seconds"), 1, 10**10),
        ((*SIGNAL, "reports_every_seconds"), 1, 10**10),
        ((*SIGNAL, "breach_ppm"), 0, PPM),
        ((*SIGNAL, "sustain_ppm"), 0, PPM),
        ((*SIGNAL, "transient_ppm"), 0, PPM),
        ((*SIGNAL, "min_buckets"), 1, 512),
        ((*SIGNAL, "sample_cap"), 1, 1_000_000),
        ((*SIGNAL, "prior_samples"), 1, 1_000_000),
        ((*SIGNAL, "sources_needed"), 0, 100),
        (("decision", "cool_down_hours"), 0, 1_000_000),
        (("decision", "max_priority_step"), 0, PPM),
        (("planning", "period_seconds"), 1, 10**10),
        (("planning", "half_life_seconds"), 1, 10**10),
        (("planning", "max_periods"), 1, 10_000),
        (("planning", "min_models"), 1, 1_000_000),
        (("planning", "quantile_ppm"), 0, PPM),
        (("planning", "common_ppm"), 0, 10 * PPM),
        (("planning", "dead_band_ppm"), 0, 10 * PPM),
        (("planning", "price_up_ppm"), PPM, 10 * PPM),
        (("planning", "price_down_ppm"), 0, PPM),
        (("planning", "probe_ppm"), 0, 10 * PPM),
        (("tiers", 0, "acknowledge_hours"), 0, 1_000_000),
    ],
)
def test_a_number_of_a_policy_is_taken_within_its_range_and_refused_beyond(
    path: tuple[str | int, ...], least: int, most: int
) -> None:
    for value in (least, most):
        assert _validated(path, value).model_dump()["format"] == "policy/1"
    for value in (least - 1, most + 1):
        with pytest.raises(ValidationError) as error:
            _validated(path, value)
        assert [each["loc"] for each in error.value.errors()] == [path]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("scoring", "kernel"), "bucketed/9"),
        (("scoring", "combine"), "sum"),
        (("scoring", "signals"), []),
        ((*SIGNAL, "signal"), ""),
        ((*SIGNAL, "baseline"), "1" + "0" * 12),
        (("decision", "otherwise_action"), "NOTHING"),
        (("decision", "rules", 0, "action"), "SHRUG"),
        (("decision", "rules", 0, "id"), ""),
    ],
)
def test_a_policy_with_a_value_that_its_procedures_do_not_know_is_refused(
    path: tuple[str | int, ...], value: object
) -> None:
    with pytest.raises(ValidationError) as error:
        _validated(path, value)
    assert [each["loc"] for each in error.value.errors()] == [path]


def _validated(path: tuple[str | int, ...], value: object) -> PolicyDocumentV2:
    document = copy.deepcopy(DOCUMENT)
    node: Any = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return PolicyDocumentV2.model_validate(document)
