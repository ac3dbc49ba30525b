"""How a decision's numbers came about, as the client hands it out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from ledger.client.enums import Action, ChangeKind, HeldBack
from ledger.client.policy_answers import PolicyAnswer
from ledger.client.policy_scopes import PolicyScope


@dataclass(frozen=True, slots=True)
class BucketReading:
    """One bucket of a signal's window; `decay` in units of 2^-62."""

    begins_at: datetime
    age: int
    observations: int
    samples: int
    severities: int
    mean_ppm: int
    peak_ppm: int
    decay: int
    is_breach: bool


@dataclass(frozen=True, slots=True)
class CountedReport:
    """One observation that counted, as it was recorded."""

    position: int
    observed_at: datetime
    value: Decimal
    sample_size: int
    source: str
    raw: Decimal | None = None
    """The measured value, where `value` is derived from it."""
    indicators: Mapping[str, Decimal] = field(default_factory=dict)
    """Further values that were reported with it, by name."""
    estimated: bool = False
    corrects: int = 0
    """Position of the observation that it took the place of; 0 if it corrects none."""
    report_uri: str = ""
    """Place of the raw report; empty if none was named."""
    report_sha256: str = ""


@dataclass(frozen=True, slots=True)
class SignalGrounds:
    """How the kernel's numbers for one signal came about; buckets and reports newest first."""

    signal: str
    unit: str
    baseline: Decimal
    critical: Decimal
    buckets: tuple[BucketReading, ...]
    decayed_samples: int
    decayed_severities: int
    believed_ppm: int
    gain_ppm: int
    mass: int
    reports: tuple[CountedReport, ...]
    reports_counted: int
    bound: str
    """How far one source alone moves the signal, in a sentence."""


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """The smallest change of one signal's reports, or of its weight, with another outcome."""

    kind: ChangeKind
    signal: str
    value: Decimal
    needed: Decimal
    action: Action
    rule: str
    sentence: str
    tier: str
    held_back: HeldBack | None


@dataclass(frozen=True, slots=True)
class Grounds:
    """How a score came about, computed again from observations."""

    signals: tuple[SignalGrounds, ...]
    mass: int
    weight_ppm: int
    weight_present_ppm: int
    lift_ppm: int
    lift_max_ppm: int
    lift: str
    """Impact, risk and the priority they lead to, in a sentence."""
    counterfactuals: tuple[Counterfactual, ...]


@dataclass(frozen=True, slots=True)
class PolicyStanding:
    """By whose act the policy of a decision was in force."""

    policy: str
    version: int
    title: str
    drafted_by: str
    drafted_at: datetime
    drafted_position: int
    drafted_because: str
    activated_by: str
    activated_at: datetime
    activated_position: int
    activated_because: str
    scope: PolicyScope | None
    answer: PolicyAnswer | None = None
    """The persons who answer for it by now; None where it was erased."""
