"""A recorded policy document as the kernels take it: the audit's own reading of the stored form."""

import hashlib
from dataclasses import dataclass, fields
from typing import Any

from ledger.events.canonical import encode
from ledger.events.policy_document import DecisionPart
from ledger.events.values import SECOND, parse_decimal
from ledger.kernel.excess import PlannerPolicy
from ledger.kernel.scoring import Scoring, SignalRule, scoring_problems
from ledger.rules.procedure import rule_problems

_DECIMALS = frozenset({"baseline", "critical"})
_NOT_SCORED = frozenset({"rationale", "reports_every_seconds"})
_PLANNED = frozenset(one.name for one in fields(PlannerPolicy))


@dataclass(frozen=True, slots=True)
class Parameters:
    """The kernel parameters of one version of one policy."""

    policy: str
    version: int
    digest: str
    scoring: Scoring
    rules: DecisionPart
    intervals: dict[str, int] | None
    planner: PlannerPolicy | None
    loss_signal: str
    candidates: str
    interval_seconds: int
    silence_seconds: int
    document: dict[str, Any]
    """The whole, as it is stored."""

    @property
    def reference(self) -> tuple[str, int, str]:
        """The version as scores, decisions and plans name it."""
        return self.policy, self.version, self.digest

    @property
    def is_by_record(self) -> bool:
        """Whether the version recorded last is in service, as `rules/1` has it."""
        return self.rules.procedure == "rules/1"

    @property
    def window_micros(self) -> int:
        """The longest window of any signal."""
        return max(rule.window_seconds for rule in self.scoring.signals) * SECOND


def digest_of(document: object) -> str:
    """Return the digest by which a document is known: SHA-256 of its canonical JSON, in hex."""
    return hashlib.sha256(encode(document)).hexdigest()


def parameters_of(policy: str, version: int, digest: str, document: dict[str, Any]) -> Parameters:
    """Return the parameters in a stored document that fits its type."""
    scoring, decision = document["scoring"], document["decision"]
    planning = document["planning"]
    return Parameters(
        policy,
        version,
        digest,
        Scoring(
            combine=scoring["combine"],
            impact_gain_ppm=scoring["impact_gain_ppm"],
            risk_gain_ppm=scoring["risk_gain_ppm"],
            signals=tuple(_signal_rule(part) for part in scoring["signals"]),
            kernel=scoring["kernel"],
        ),
        DecisionPart.model_validate(decision),
        {
            part["signal"]: -(-part["reports_every_seconds"] // 3_600)
            for part in scoring["signals"]
            if "reports_every_seconds" in part
        }
        or None,
        None
        if planning is None
        else PlannerPolicy(**{name: value for name, value in planning.items() if name in _PLANNED}),
        "" if planning is None else planning["loss_signal"],
        "" if planning is None else planning["candidates"],
        document=document,
        **document["evaluation"],
    )


def _signal_rule(part: dict[str, Any]) -> SignalRule:
    members: dict[str, Any] = {
        name: parse_decimal(value) if name in _DECIMALS else value
        for name, value in part.items()
        if name not in _NOT_SCORED
    }
    return SignalRule(**members)


def problem_of(parameters: Parameters) -> str:
    """Return the first thing for which the kernels refuse a policy; empty if they take it."""
    for field, what in scoring_problems(parameters.scoring):
        return f"{field} {what}"
    names = [rule.signal for rule in parameters.scoring.signals]
    for field, what in rule_problems(parameters.rules, names):
        return f"{field}: {what}"
    return ""
