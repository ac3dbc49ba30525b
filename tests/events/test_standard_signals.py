"""The catalogue of standard signals covers what it promises, and what a version says never changes.

Method: every entry is made into a definition, its hints into limits; a digest of each is pinned.
"""

import hashlib
import json
from dataclasses import asdict
from typing import get_args

from ledger.events.signals import SignalDefinedV2, StandardPart
from ledger.events.standard_signals import CATALOGUE, Family, StandardSignal, standard, standards
from ledger.events.values import parse_decimal

PINNED = {
    "accuracy 1": "59906c8ca739",
    "accuracy-estimated 1": "a003033e52e1",
    "roc-auc 1": "b7170bc5e9bf",
    "roc-auc-estimated 1": "bd5c1ab8004e",
    "f1 1": "436d3f760beb",
    "log-loss 1": "f390cda8fe79",
    "log-loss-estimated 1": "baeb9d1a4fa9",
    "relative-rmse 1": "94ee5f2cc8f7",
    "relative-mae 1": "94cf3926de02",
    "relative-mae-estimated 1": "9ac5036601b4",
    "calibration-error 1": "c7fe479bf5c7",
    "brier-score 1": "ad938dd56f1e",
    "psi 1": "af63da672d08",
    "js-distance 1": "8bdeae64e479",
    "wasserstein 1": "41a013ff575e",
    "ks-p 1": "761ee7dfb204",
    "chi-squared-p 1": "9db80fcbc3f4",
    "drifted-features 1": "7b795dcac952",
    "prediction-psi 1": "c8e44dd9efbc",
    "prediction-ks-p 1": "ba32306d8852",
    "missing-values 1": "85717cbe4089",
    "schema-violations 1": "74c274a2fc53",
    "data-age 1": "058b1652baa8",
    "label-delay 1": "c184580b7aff",
    "latency-p95 1": "999a90e63fd0",
    "volume-ratio 1": "1fb11832fe5d",
    "parity-gap 1": "460c859d6c72",
    "opportunity-gap 1": "189c144385bb",
    "cost-ratio 1": "ffe195dd5ff3",
}


def digest_of(entry: StandardSignal) -> str:
    return hashlib.sha256(json.dumps(asdict(entry), sort_keys=True).encode()).hexdigest()[:12]


def test_a_version_of_an_entry_never_changes_and_none_is_taken_out() -> None:
    found = {f"{one.name} {one.version}": digest_of(one) for one in CATALOGUE}
    assert found == PINNED


def test_every_family_that_is_promised_has_an_entry() -> None:
    assert {one.family for one in CATALOGUE} == set(get_args(Family))


def test_every_entry_is_a_definition_that_can_be_recorded() -> None:
    for entry in CATALOGUE:
        defined = SignalDefinedV2(
            signal=entry.name,
            kind=entry.kind,
            unit=entry.unit,
            direction=entry.direction,
            meaning=entry.meaning,
            collection=entry.collection,
            owner="team",
            standard=StandardPart(name=entry.name, version=entry.version),
        )
        assert entry.is_followed_by(defined)
        assert entry.meaning
        assert entry.collection
        assert entry.rationale


def test_the_critical_of_every_hint_lies_on_the_bad_side_of_its_baseline() -> None:
    for entry in CATALOGUE:
        assert (entry.baseline is None) == (entry.critical is None)
        if entry.baseline is None or entry.critical is None:
            assert "No hint: " in entry.rationale, f"{entry.name} does not say why it has no hint"
            continue
        is_higher = parse_decimal(entry.critical) > parse_decimal(entry.baseline)
        assert is_higher == (entry.direction == "higher_is_worse"), entry.name


def test_p_values_grow_as_they_worsen_and_estimates_have_a_realised_twin() -> None:
    for entry in standards():
        if entry.name.endswith("-p"):
            assert (entry.unit, entry.direction) == ("-log10 p", "higher_is_worse")
        assert entry.is_estimated == entry.name.endswith("-estimated")
        if entry.is_estimated:
            twin = standard(entry.name.removesuffix("-estimated"))
            assert twin is not None
            assert (twin.unit, twin.direction) == (entry.unit, entry.direction)


def test_an_entry_is_found_by_version_and_the_newest_by_name_alone() -> None:
    for entry in CATALOGUE:
        assert standard(entry.name, entry.version) == entry
    assert standard("psi") == max(
        (one for one in CATALOGUE if one.name == "psi"), key=lambda one: one.version
    )
    assert standard("psi", 99) is None
    assert standard("no-such") is None
