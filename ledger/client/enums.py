"""Closed choices of the contract, as text: a name equals the contract's without its prefix.

They are `str`, so they compare with plain text and print as such; "not stated" is None, never a
member. A value that a newer server may send and this release does not know is refused on reading.
"""

from enum import StrEnum


class SignalKind(StrEnum):
    """What sort of degradation a signal reports."""

    PERFORMANCE = "PERFORMANCE"
    DRIFT = "DRIFT"
    DATA_QUALITY = "DATA_QUALITY"
    LATENCY = "LATENCY"
    FAIRNESS = "FAIRNESS"
    COST = "COST"
    CUSTOM = "CUSTOM"


class SignalDirection(StrEnum):
    """Which way is worse."""

    HIGHER_IS_WORSE = "HIGHER_IS_WORSE"
    LOWER_IS_WORSE = "LOWER_IS_WORSE"


class BreachState(StrEnum):
    """What a model's last score says of a signal."""

    CLEAR = "CLEAR"
    BREACHED = "BREACHED"
    SUSTAINED = "SUSTAINED"
    SILENT = "SILENT"


class DeploymentKind(StrEnum):
    """How a model version came into service."""

    TRAINED = "TRAINED"
    REINSTATED = "REINSTATED"


class Severity(StrEnum):
    """How much a finding of the policy linter weighs; an ERROR keeps the document out."""

    WARNING = "WARNING"
    ERROR = "ERROR"


class Action(StrEnum):
    """What to do about a model."""

    NO_ACTION = "NO_ACTION"
    INVESTIGATE = "INVESTIGATE"
    ADJUST_DATA_COLLECTION = "ADJUST_DATA_COLLECTION"
    SCHEDULE_RETRAINING = "SCHEDULE_RETRAINING"


class EvaluationTrigger(StrEnum):
    """What caused an evaluation."""

    INGEST = "INGEST"
    SCHEDULE = "SCHEDULE"
    REQUEST = "REQUEST"


class DecisionReason(StrEnum):
    """How a decision came to its action."""

    RULE = "RULE"
    OTHERWISE = "OTHERWISE"
    RULE_ERROR = "RULE_ERROR"


class HeldBack(StrEnum):
    """What kept a decision from the action its rule gave."""

    COOL_DOWN = "COOL_DOWN"


class RuleOutcome(StrEnum):
    """What became of a rule of the policy."""

    MATCHED = "MATCHED"
    NOT_MATCHED = "NOT_MATCHED"
    ERROR = "ERROR"
    NOT_REACHED = "NOT_REACHED"


class ReplayKind(StrEnum):
    """What was replayed."""

    DECISION = "DECISION"
    SCORE = "SCORE"
    PLAN = "PLAN"


class ReplayOutcome(StrEnum):
    """How recorded and recomputed compare."""

    IDENTICAL = "IDENTICAL"
    DIVERGENT = "DIVERGENT"
    NOT_REPLAYABLE = "NOT_REPLAYABLE"


class PriorityOrder(StrEnum):
    """By what a list of priorities is ordered."""

    PRIORITY = "PRIORITY"
    LAST_PLAN = "LAST_PLAN"


class PlanOutcome(StrEnum):
    """What a plan does with a model."""

    ADMITTED = "ADMITTED"
    RESTING = "RESTING"
    TOO_DEAR = "TOO_DEAR"
    SAVING = "SAVING"
    OVER_BUDGET = "OVER_BUDGET"
    BELOW_PRICE = "BELOW_PRICE"
    NO_EVIDENCE = "NO_EVIDENCE"
    IN_PROGRESS = "IN_PROGRESS"
    NOT_DECIDED = "NOT_DECIDED"


class ProjectionState(StrEnum):
    """What a projection is doing."""

    LIVE = "LIVE"
    REBUILDING = "REBUILDING"
    STOPPED = "STOPPED"


class LedgerClock(StrEnum):
    """How a ledger tells time."""

    WALL = "WALL"
    DATA = "DATA"


class RebuildOutcome(StrEnum):
    """How the rebuild of a projection ended; the rebuilt one serves if EQUAL or DIFFERENT."""

    EQUAL = "EQUAL"
    DIFFERENT = "DIFFERENT"
    INTERRUPTED = "INTERRUPTED"
    STOPPED = "STOPPED"


class KeyState(StrEnum):
    """What a signing key is to its ledger."""

    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"
    REVOKED = "REVOKED"


class AuditSource(StrEnum):
    """What an auditor read."""

    SERVER = "SERVER"
    DATABASE = "DATABASE"
    BUNDLE = "BUNDLE"
    TILES = "TILES"


class ExportKind(StrEnum):
    """What a bundle covers."""

    FULL = "FULL"
    RANGE = "RANGE"
    STREAM = "STREAM"


class ExportState(StrEnum):
    """How far an export has come."""

    WRITING = "WRITING"
    READY = "READY"
    FAILED = "FAILED"
