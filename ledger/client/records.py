"""Records of the ledger, as the client hands them out: signals, models, policies, events.

Frozen values without protobuf. Times are aware datetimes in UTC to the microsecond, money and other
integers plain `int`, decimals `Decimal`, hashes raw bytes. Signal and Model are also what one sends
to define or register; the server fills in the fields that are marked as its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from ledger.client.enums import (
    BreachState,
    DeploymentKind,
    LedgerClock,
    Severity,
    SignalDirection,
    SignalKind,
)
from ledger.client.hashes import hex_repr
from ledger.client.policy_answers import PolicyAnswer
from ledger.client.policy_scopes import PolicySchedule, PolicyScope
from ledger.errors import event_unreadable
from ledger.reading import parse_json


@hex_repr
@dataclass(frozen=True, slots=True)
class Appended:
    """Proof that a request is on record; a repeat of the request gets the same."""

    position: int
    """Position of its last event; send it as `min_position` to read your own write."""
    event_hash: bytes
    recorded_at: datetime
    first_position: int
    repeated_request: bool = False
    """True if an earlier attempt with this request id had written it already."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Changes to the values of a batch, and the repeats that were on record already."""

    rounded: int = 0
    """Values of more than 9 decimals, recorded rounded half to even at 9."""
    vanished: int = 0
    """Those of them that were too small and were recorded as 0."""
    likely_duplicates: int = 0
    """Observations that repeat one on record, or an earlier one of the batch."""
    left_out: int = 0
    """Those of them that were not recorded again."""
    duplicates_first_position: int = 0
    """Where what they repeat is, first and last; 0 if there is none."""
    duplicates_last_position: int = 0


@hex_repr
@dataclass(frozen=True, slots=True)
class Submitted(Appended):
    """Where a batch is, and what was done to it.

    Where all of it was left out, `position` is that of the newest event and `first_position` the
    one after it.
    """

    intake: Intake = field(default_factory=Intake)

    @property
    def places(self) -> tuple[int, int]:
        """The positions, first and last, that this request has on record; zeros for none."""
        is_empty = self.position < self.first_position
        return (0, 0) if is_empty else (self.first_position, self.position)


@hex_repr
@dataclass(frozen=True, slots=True)
class Deployed(Appended):
    """Where a deployment is, and which version is in service now, by stated times."""

    version_in_service: str = ""
    """Another one where the deployment is stated to lie before it, and was recorded as what was."""
    rounded: int = 0
    """1 if the baseline loss had more than 9 decimals and was rounded half to even at 9."""


@hex_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedOverride(Appended):
    """Where an override is, and when it holds."""

    effective_from: datetime
    effective_until: datetime
    decision_position: int
    """The decision that was in force; 0 if there was none."""
    role: str
    """The role in which it was set; empty if the ledger had no administrator."""


@dataclass(frozen=True, slots=True)
class PolicyReplacement:
    """A document that replaces a policy version in force with the definition that touches it."""

    policy: str
    """Its id; `main/versions/2` where several versions of it are touched."""
    document: str
    rationale: str
    """Why; recorded for good."""


@dataclass(frozen=True, slots=True)
class Signal:
    """The definition of a signal: its meaning, its unit, how it is collected."""

    signal: str
    kind: SignalKind | str
    unit: str
    direction: SignalDirection | str
    meaning: str
    collection: str = ""
    name: str = ""
    """Filled in by the server, as is `position`."""
    position: int = 0
    owner: str = ""
    standard: str = ""
    """The entry of the catalogue that it adopts: what is left out here is the entry's."""
    standard_version: int = 0
    """Filled in by the server, as is `version`."""
    version: int = 0


@hex_repr
@dataclass(frozen=True, slots=True)
class Defined(Appended):
    """Where a definition is, and which policies in force read the signal.

    It is at `first_position`; what replaces policies follows it.
    """

    policies_in_force: tuple[str, ...] = ()
    """Such as `main version 1`."""
    policies_replaced: tuple[str, ...] = ()
    """The versions that were in force before, and were replaced with it."""
    signal: Signal | None = None
    """The definition as recorded."""


@dataclass(frozen=True, slots=True)
class SignalState:
    """The state of one signal of one model."""

    model: str
    signal: str
    model_version: str
    latest_value: Decimal | None
    observed_at: datetime | None
    position: int
    observations: int
    trend_ppm: int | None
    """Above 0 is worsening; None, like `magnitude_ppm`, if the signal was not scored yet."""
    magnitude_ppm: int | None
    breach: BreachState | None
    """None where no score has covered it."""
    previous_value: Decimal | None
    change: Decimal | None
    shadow_observations: int
    """Of versions that were not in service."""
    share_ppm: int
    likely_duplicates: int
    """Of the model's newest 1000 observations, those of this signal that repeat another one."""


@dataclass(frozen=True, slots=True)
class SignalStates:
    """The states of signals, by model and signal, and the position they show."""

    states: tuple[SignalState, ...]
    position: int
    recorded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A version of a model in service."""

    model: str
    model_version: str
    kind: DeploymentKind
    in_service_at: datetime
    trained_through: datetime
    baseline_loss: Decimal
    replaces: str
    position: int


@dataclass(frozen=True, slots=True)
class Model:
    """One model of the fleet: its owner, what it is worth, how it is rebuilt."""

    model: str
    owner: str
    unit_value_micros: int
    """Value of one unit of loss on one row, in millionths of your currency."""
    cost_micros: int
    """The cost of one retraining, in millionths of your currency; 1 or more."""
    tier: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    impact_ppm: int = 0
    risk_ppm: int = 0
    slo_signal: str = ""
    recipe: str = ""
    schema_version: str = ""
    features_version: str = ""
    architecture: str = ""
    meaning: str = ""
    name: str = ""
    """Filled in by the server, as is everything below."""
    etag: str = ""
    retired: bool = False
    version_in_service: str = ""
    deployments: tuple[Deployment, ...] = ()
    position: int = 0


@dataclass(frozen=True, slots=True)
class PolicyActivation:
    """One activation of one version of a policy."""

    policy: str
    version: int
    digest: str
    scope: PolicyScope | None
    rationale: str
    actor: str
    activated_at: datetime
    position: int
    in_force: bool
    unratified: bool
    """Whether it is in force by an emergency that was not ratified."""
    review_overdue: bool
    """Whether it is in force and its review is overdue."""
    answer: PolicyAnswer | None = None
    """Of one in force, who answers for it."""
    shadow: int = 0
    """The position of the shadow that it cites, from which it was promoted; 0 for none."""


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of a policy, which never changes."""

    name: str
    policy: str
    version: int
    digest: str
    canonical_json: str
    document: str
    """The same document in YAML with human units."""
    rationale: str
    author: str
    drafted_at: datetime | None
    position: int
    title: str
    bounds: tuple[str, ...] = ()
    """How far one source alone moves each signal, a sentence each."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy and where it is in force, or is to be."""

    name: str
    policy: str
    title: str
    newest_version: int
    activations: tuple[PolicyActivation, ...]
    schedules: tuple[PolicySchedule, ...]


@dataclass(frozen=True, slots=True)
class PolicyProblem:
    """One finding in a policy document; line and column count from 1, 0 is unknown."""

    path: str
    line: int
    column: int
    severity: Severity
    message: str
    remedy: str
    code: str


@dataclass(frozen=True, slots=True)
class PolicyLint:
    """Everything the linter found, and what would be stored if nothing of it is an error."""

    valid: bool
    problems: tuple[PolicyProblem, ...]
    digest: str
    canonical_json: str
    bounds: tuple[str, ...] = ()
    """How far one source alone moves each signal, a sentence each; empty unless valid."""


@dataclass(frozen=True, slots=True)
class DraftedPolicy:
    """A version as recorded, and what the linter thought worth a look."""

    appended: Appended
    version: PolicyVersion
    warnings: tuple[PolicyProblem, ...]


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy with one of its versions."""

    policy: Policy
    version: PolicyVersion


@hex_repr
@dataclass(frozen=True, slots=True)
class Ledger:
    """One ledger and where its head is."""

    origin: str
    clock: LedgerClock
    skew_seconds: int
    verifier_key: str
    head_position: int
    head_hash: bytes
    head_recorded_at: datetime | None
    newest_observed_at: datetime | None
    unit_of_cost: str = ""
    """The unit of cost and value; empty if none was given."""
    leap_seconds: int = 0
    """How far a stated time may lie ahead of the newest one; 0 for no bound."""


@hex_repr
@dataclass(frozen=True, slots=True)
class Event:
    """One event with the bytes that were hashed, so that any reader can verify the chain."""

    position: int
    stream: str
    stream_version: int
    type: str
    recorded_at: datetime
    body: bytes
    """Canonical JSON, exactly as hashed; empty if it was erased."""
    salt: bytes
    body_hash: bytes
    prev_hash: bytes
    event_hash: bytes

    @property
    def content(self) -> dict[str, Any]:
        """The decoded body: actor, data and all else that it holds; empty if it was erased."""
        if not self.body:
            return {}
        try:
            decoded: dict[str, Any] = dict(parse_json(self.body.decode()))
        except (ValueError, TypeError) as error:
            raise event_unreadable(self.position, str(error)) from None
        return decoded

    @property
    def data(self) -> dict[str, Any]:
        """The data of the event, decoded at each access; empty if the body was erased."""
        data: dict[str, Any] = self.content.get("data", {})
        return data


@hex_repr
@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement that a ledger's first `size` events have this Merkle root."""

    origin: str
    size: int
    root: bytes
    note: str
    verifier_key: str
    """Compare it with one obtained elsewhere: a key that comes with a signature proves nothing."""
    witnesses: tuple[str, ...] = ()
    """Names of the witnesses whose cosignatures the note carries, as the server says."""
