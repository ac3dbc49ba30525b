"""Closed choices of the contract, as text: a name equals the contract's without its prefix.

They are `str`, so they compare with plain text and print as such; "not stated" is None, never a
member. A value that a newer server may send and this release does not know is refused on reading.
"""

from enum import StrEnum


class SignalKind(StrEnum):
    """The sort of degradation that a signal reports."""

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
    """The state of a signal in a model's last score."""

    CLEAR = "CLEAR"
    BREACHED = "BREACHED"
    SUSTAINED = "SUSTAINED"
    SILENT = "SILENT"


class DeploymentKind(StrEnum):
    """How a model version came into service."""

    TRAINED = "TRAINED"
    REINSTATED = "REINSTATED"


class DeploymentBasis(StrEnum):
    """Why a version serves that no job deployed."""

    ROLL_BACK = "ROLL_BACK"
    EMERGENCY = "EMERGENCY"


class Severity(StrEnum):
    """How much a finding of the policy linter weighs; an ERROR keeps the document out."""

    WARNING = "WARNING"
    ERROR = "ERROR"


class RecipeState(StrEnum):
    """The state of a version of a recipe."""

    DRAFT = "DRAFT"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    RETIRED = "RETIRED"


class BenchmarkKind(StrEnum):
    """How a version of a model serves others: they are measured by it, or fall back to it."""

    BENCHMARK = "BENCHMARK"
    KNOWN_GOOD = "KNOWN_GOOD"


class DrillKind(StrEnum):
    """How a drill was held: by people talking, by people attacking, or by a program."""

    TABLETOP = "TABLETOP"
    RED_TEAM = "RED_TEAM"
    BUILT_IN = "BUILT_IN"


class BudgetEnvelope(StrEnum):
    """The part of a budget that pays: for jobs, or for tests of candidates."""

    JOBS = "JOBS"
    TESTS = "TESTS"


class TaskOutcome(StrEnum):
    """How a task ended."""

    CAUSE_FOUND = "CAUSE_FOUND"
    SIGNAL_FIXED = "SIGNAL_FIXED"
    FALSE_ALARM = "FALSE_ALARM"
    RETRAIN_AFTER_ALL = "RETRAIN_AFTER_ALL"


class PolicyChangeKind(StrEnum):
    """The sort of a difference between two policies."""

    ADDED = "ADDED"
    REMOVED = "REMOVED"
    CHANGED = "CHANGED"
    MOVED = "MOVED"


class Action(StrEnum):
    """The action for a model."""

    NO_ACTION = "NO_ACTION"
    INVESTIGATE = "INVESTIGATE"
    ADJUST_DATA_COLLECTION = "ADJUST_DATA_COLLECTION"
    SCHEDULE_RETRAINING = "SCHEDULE_RETRAINING"


class EvaluationTrigger(StrEnum):
    """The cause of an evaluation."""

    INGEST = "INGEST"
    SCHEDULE = "SCHEDULE"
    REQUEST = "REQUEST"


class DecisionReason(StrEnum):
    """How a decision came to its action."""

    RULE = "RULE"
    OTHERWISE = "OTHERWISE"
    RULE_ERROR = "RULE_ERROR"


class HeldBack(StrEnum):
    """The reason why a decision is not the action its rule gave."""

    COOL_DOWN = "COOL_DOWN"


class RuleOutcome(StrEnum):
    """The outcome of a rule of the policy."""

    MATCHED = "MATCHED"
    NOT_MATCHED = "NOT_MATCHED"
    ERROR = "ERROR"
    NOT_REACHED = "NOT_REACHED"


class ReplayKind(StrEnum):
    """The kind of event that was replayed."""

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
    """The place of a model in a plan."""

    ADMITTED = "ADMITTED"
    RESTING = "RESTING"
    TOO_DEAR = "TOO_DEAR"
    SAVING = "SAVING"
    OVER_BUDGET = "OVER_BUDGET"
    BELOW_PRICE = "BELOW_PRICE"
    NO_EVIDENCE = "NO_EVIDENCE"
    IN_PROGRESS = "IN_PROGRESS"
    NOT_DECIDED = "NOT_DECIDED"
    AT_CONCURRENCY = "AT_CONCURRENCY"
    COOLING_DOWN = "COOLING_DOWN"
    AT_MOST = "AT_MOST"
    OVER_TEAM_SHARE = "OVER_TEAM_SHARE"
    TIER_RESERVED = "TIER_RESERVED"
    BUDGET_SHORT = "BUDGET_SHORT"
    BUDGET_SAVED = "BUDGET_SAVED"


class ProjectionState(StrEnum):
    """The state of a projection."""

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
    """The state of a signing key."""

    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"
    REVOKED = "REVOKED"


class AuditSource(StrEnum):
    """The source that an auditor read."""

    SERVER = "SERVER"
    DATABASE = "DATABASE"
    BUNDLE = "BUNDLE"
    TILES = "TILES"


class ExportKind(StrEnum):
    """The scope of a bundle."""

    FULL = "FULL"
    RANGE = "RANGE"
    STREAM = "STREAM"


class ExportState(StrEnum):
    """How far an export has come."""

    WRITING = "WRITING"
    READY = "READY"
    FAILED = "FAILED"


class SubscriberKind(StrEnum):
    """How a subscriber is told."""

    WEBHOOK = "WEBHOOK"
    SMTP = "SMTP"
    COMMAND = "COMMAND"


class ChangeKind(StrEnum):
    """A kind of change that would have led to another decision."""

    REPORTS = "REPORTS"
    WEIGHT = "WEIGHT"


class JobState(StrEnum):
    """The state of a job: what it waits for."""

    PROPOSED = "PROPOSED"
    READY = "READY"
    LEASED = "LEASED"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    OBSERVING = "OBSERVING"
    ROLLING_BACK = "ROLLING_BACK"
    CLOSED = "CLOSED"


class JobOutcome(StrEnum):
    """How a job ended."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    DENIED = "DENIED"
    CANCELLED = "CANCELLED"
    ROLLED_BACK = "ROLLED_BACK"
    LAPSED = "LAPSED"


class JobGate(StrEnum):
    """A gate of a job, in the order in which they come."""

    DATA_INTEGRITY = "DATA_INTEGRITY"
    REPRESENTATIVENESS = "REPRESENTATIVENESS"
    CANDIDATE = "CANDIDATE"
    TRAINING = "TRAINING"
    HOLDOUT = "HOLDOUT"
    APPROVAL = "APPROVAL"
    DEPLOYMENT = "DEPLOYMENT"
    OBSERVATION = "OBSERVATION"


class RunForm(StrEnum):
    """A form in which a run, or a job of it, is told as one document."""

    OPENLINEAGE = "OPENLINEAGE"
    PROVENANCE = "PROVENANCE"
    REPORT = "REPORT"
