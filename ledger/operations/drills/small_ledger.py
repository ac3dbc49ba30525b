"""A small ledger that drills make for themselves: one model, two signals, a policy in force."""

import json
from typing import Any, Final

from ledger.application.commands import Caller
from ledger.application.fleet.deployments import DeploymentSpec
from ledger.application.ledger import LedgerApplication
from ledger.clock import Clock
from ledger.events.models import ModelRegistered
from ledger.events.policies import ScopePart
from ledger.events.signals import SignalDefined
from ledger.events.values import DAY
from ledger.service import Service
from ledger.setting_sections import Settings

OWN: Final = "drill.example/own"
MODEL: Final = "fares"
SIGNALS: Final = ("drift", "loss")
PERSON: Final = Caller("users/drill")
SOURCES: Final = tuple(Caller(f"services/monitor-{number}") for number in (1, 2, 3))
_DAYS: Final = 8


def make_small(settings: Settings, clock: Clock) -> None:
    """Make the ledger, with a week of observations by three sources and a decision."""
    with Service(settings, clock) as service:
        service.create_ledger(OWN, clock="wall", actor=PERSON.actor)
        ledger = service.ledger(OWN)
        _furnish(ledger, clock.now_micros() - (_DAYS + 1) * DAY)
        ledger.decisions.evaluate(PERSON, [MODEL], None)
        ledger.attestation.checkpoints.sign()


def _furnish(ledger: LedgerApplication, begin: int) -> None:
    for signal in SIGNALS:
        ledger.definitions.define(PERSON, _defined(signal))
    ledger.commands.register_model(PERSON, ModelRegistered.from_data(_DESCRIBED))
    spec = DeploymentSpec(MODEL, "v1", begin, begin, "0.4", None)
    ledger.stated_deployments.record(PERSON, spec)
    drafted = ledger.commands.draft_policy(PERSON, "drill", json.dumps(_policy()), "For drills.")
    scope = ScopePart(kind="ledger", model=None, labels={})
    ledger.commands.activate_policy(
        PERSON, "drill", drafted.version, drafted.digest, scope, "For drills."
    )
    for caller in SOURCES:
        rows = [
            (MODEL, signal, "v1", "0.41", begin + day * DAY, 100)
            for day in range(1, _DAYS + 1)
            for signal in SIGNALS
        ]
        ledger.intake.submit(caller, rows).result()


def _defined(signal: str) -> SignalDefined:
    return SignalDefined(
        signal=signal,
        kind="performance",
        unit="nats",
        direction="higher_is_worse",
        meaning="How wrong the model is.",
        collection="Made up by a drill.",
    )


_DESCRIBED: Final[dict[str, Any]] = {
    "architecture": "",
    "cost_micros": "1000000",
    "features_version": "",
    "impact_ppm": 0,
    "labels": {},
    "meaning": "",
    "model": MODEL,
    "owner": "users/drill",
    "recipe": "",
    "risk_ppm": 0,
    "schema_version": "",
    "slo_signal": None,
    "tier": "low",
    "unit_value_micros": "1000000",
}


def _policy() -> dict[str, Any]:
    rule = {
        "baseline": 0.4, "critical": 1.4, "bucket": "1d", "window": "8d", "half_life": "4d",
        "breach": 0.3, "sustain": 0.5, "transient": 1, "min_buckets": 1, "sample_cap": 1_000_000,
        "prior_samples": 1, "weight": 1, "sources_needed": 2, "rationale": "For drills.",
    }  # fmt: skip
    return {
        "format": "policy/1",
        "title": "For drills",
        "rationale": "One source alone decides nothing.",
        "scoring": {
            "impact_gain": 0,
            "risk_gain": 0,
            "signals": [{"signal": signal, **rule} for signal in SIGNALS],
        },
        "decision": {
            "cool_down": "0h",
            "rules": [
                {
                    "id": "bad",
                    "when": "priority >= 300000",
                    "action": "SCHEDULE_RETRAINING",
                    "tier": "drill",
                    "rationale": "It is bad.",
                }
            ],
            "error_tier": "drill",
        },
        "evaluation": {"interval": "1h", "silence": "7d"},
        "tiers": [{"name": "drill", "route": "nowhere", "acknowledge": "24h"}],
    }
