"""The output of each command with `--json`: the top-level fields, from the types it prints.

The README's table is made from this, and a test runs every command and compares.
"""

import dataclasses
from typing import Any, Final, TypeAlias

from pydantic import BaseModel

from ledger.audit.report import Report, UncheckedCount
from ledger.audit.source import Finding
from ledger.client import (
    authority,
    budgets,
    cases,
    jobs,
    notifications,
    outcomes,
    policy_status,
    proofs,
    ranking,
    recipes,
    records,
    runs,
    shadows,
    trials,
)
from ledger.client.trust import results
from ledger.events.standard_signals import StandardSignal
from ledger.export.publishing import PublicationResult
from ledger.operations.authority import AuthorityTable
from ledger.operations.compliance import ComplianceFiles
from ledger.operations.examination import Check
from ledger.operations.master_key import AdoptedHead
from ledger.operations.provenance import VerifiedProvenance
from ledger.operations.signals import Definition
from ledger.worker.reproducing import Reproduction

Shape: TypeAlias = type[Any] | tuple[str, ...]
"""A result type, or the fields of a document that a command puts together itself."""

EVENT_FIELDS: Final = tuple(field.name for field in dataclasses.fields(records.Event))

_JSON_SCHEMA: Final = (
    "$schema", "$defs", "additionalProperties", "description", "properties", "required", "title",
    "type",
)  # fmt: skip

SHAPES: Final[dict[str, Shape]] = {
    "serve": ("address", "port", "bearer_address", "socket"),
    "worker": ("jobs",),
    "doctor": ("state", "checks"),
    "verify": Report,
    "why": ("model", "rank", "of", "paragraph", "priority", "explained"),
    "priorities": ranking.Priorities,
    "evaluate": outcomes.Evaluation,
    "completion": ("shell", "script"),
    "vkey": ("verifier_key", "keys"),
    "erase": outcomes.Erased,
    "signal define": records.Defined,
    "signal show": ("signal", "versions"),
    "signal list": ("signals",),
    "signal standard": ("standards",),
    "signal states": records.SignalStates,
    "signal submit": (
        "acknowledged",
        "position",
        "already_on_record",
        "rounded",
        "vanished",
        "likely_duplicates",
        "left_out",
    ),
    "signal submit --model": records.Submitted,
    "model register": records.Appended,
    "model update": records.Appended,
    "model deploy": records.Deployed,
    "model roll-back": jobs.AskedRollBack,
    "model retire": records.Appended,
    "model show": records.Model,
    "model list": ("models",),
    "policy init": ("document",),
    "policy schema": _JSON_SCHEMA,
    "policy lint": records.PolicyLint,
    "policy draft": records.DraftedPolicy,
    "policy submit": records.Appended,
    "policy approve": records.Appended,
    "policy withdraw": records.Appended,
    "policy reject": records.Appended,
    "policy shadow": records.Appended,
    "policy unshadow": records.Appended,
    "policy shadows": ("shadows",),
    "policy compare": shadows.ShadowComparison,
    "policy activate": records.Appended,
    "policy ratify": records.Appended,
    "policy rollback": records.Appended,
    "policy retire": records.Appended,
    "policy review": ("pack", "digest", "as_of"),
    "policy sign-off": records.Appended,
    "policy status": policy_status.PolicyStatus,
    "policy show": records.PolicyView,
    "policy list": ("policies",),
    "recipe schema": _JSON_SCHEMA,
    "recipe lint": recipes.RecipeFindings,
    "recipe draft": recipes.DraftedRecipe,
    "recipe approve": records.Appended,
    "recipe reject": records.Appended,
    "recipe retire": records.Appended,
    "recipe show": recipes.RecipeVersion,
    "recipe list": ("recipes",),
    "benchmark register": records.Appended,
    "benchmark retire": records.Appended,
    "benchmark list": ("benchmarks",),
    "policy diff": ("diff", "trial"),
    "policy try": trials.PolicyTrial,
    "plan make": ranking.MadePlan,
    "plan put-backs": ("put_backs",),
    "plan reuse": ranking.ProposedReuse,
    "plan schedule": records.Appended,
    "plan schedules": ("plan_schedules",),
    "plan show": ranking.Plan,
    "plan list": ("plans",),
    "budget set": records.Appended,
    "budget show": budgets.ToldBudget,
    "budget list": budgets.ToldBudgets,
    "budget forecast": budgets.ToldBudget,
    "budget overspend": records.Appended,
    "decision list": ("decisions",),
    "decision show": outcomes.EvaluatedDecision,
    "decision override": records.RecordedOverride,
    "decision explain": outcomes.ExplainedDecision,
    "decision replay": outcomes.ReplayResult,
    "decision replay --all": ("progress",),
    "decision receipt": Report,
    "escalation list": cases.Escalations,
    "escalation acknowledge": records.Appended,
    "escalation resolve": records.Appended,
    "job list": ("jobs",),
    "job show": jobs.JudgedJob,
    "job report": ("report", "digest"),
    "job propose": jobs.ChangedJob,
    "job approve": jobs.ChangedJob,
    "job deny": records.Appended,
    "job cancel": jobs.ChangedJob,
    "job give-up": jobs.ChangedJob,
    "job reproduce": Reproduction,
    "run show": runs.RunLineage,
    "run verify": VerifiedProvenance,
    "task list": cases.ModelTasks,
    "task take": records.Appended,
    "task close": records.Appended,
    "log tail": EVENT_FIELDS,
    "log access": ("accesses", "reads", "refusals"),
    "log checkpoint": results.VerifiedCheckpoint,
    "log checkpoint --list": ("checkpoints",),
    "log prove": results.VerifiedProof,
    "log consistency": results.VerifiedConsistency,
    "log seal": proofs.Seal,
    "log publish": PublicationResult,
    "key list": proofs.SigningKeys,
    "key rotate": proofs.ChangedKey,
    "key revoke": proofs.ChangedKey,
    "key pin": ("origin", "pinned", "trust_file"),
    "authority table": AuthorityTable,
    "authority why": authority.ExplainedAuthority,
    "authority list": authority.LedgerAuthority,
    "authority begin": records.Appended,
    "authority register": records.Appended,
    "authority bind": authority.ActorChange,
    "authority unbind": records.Appended,
    "authority grant": authority.ActorChange,
    "authority withdraw": authority.AuthorityChange,
    "authority role": authority.AuthorityChange,
    "authority limit": records.Appended,
    "authority approve": authority.ApprovedChange,
    "token issue": authority.IssuedToken,
    "token list": ("tokens",),
    "token revoke": records.Appended,
    "audit run": Report,
    "audit answer": ("name", "question", "state", "said", "missing", "callers", "how", "tables"),
    "drill record": records.Appended,
    "drill list": ("drills",),
    "drill run": ("drills",),
    "audit answer --all": ("ledger", "answers"),
    "audit controls": ("frameworks",),
    "compliance export": ComplianceFiles,
    "certificate dev": ("certificates",),
    "witness serve": ("address", "port", "verifier_key", "origins"),
    "witness key": ("verifier_key",),
    "export create": Report,
    "export list": ("exports",),
    "export delete": proofs.Export,
    "projection status": ("projections",),
    "projection rebuild": ranking.RebuiltProjection,
    "notification list": ("subscribers",),
    "notification dead": ("dead_letters",),
    "notification replay": ("count",),
    "notification test": notifications.SubscriberTest,
    "ledger create": records.Ledger,
    "ledger list": ("ledgers",),
    "ledger confirm-clock": records.Appended,
    "ledger show": records.Ledger,
    "ledger adopt": ("adopted",),
    "key reseal": ("database", "key_file", "resealed"),
}
"""By command.

`signal submit --model` is that of one observation by flags; `decision replay --all` is the last
line, after those of `decision replay`."""

ITEMS: Final[dict[str, type[Any]]] = {
    "checks": Check,
    "signals": records.Signal,
    "standards": StandardSignal,
    "versions": Definition,
    "states": records.SignalState,
    "models": records.Model,
    "policies": records.Policy,
    "plans": ranking.Plan,
    "plan_schedules": ranking.ToldPlanSchedule,
    "priorities": ranking.Priority,
    "budgets": budgets.RetrainingBudget,
    "decisions": outcomes.Decision,
    "escalations": cases.Escalation,
    "jobs": jobs.RetrainingJob,
    "put_backs": jobs.PutBack,
    "entries": runs.RunEntry,
    "tasks": cases.ModelTask,
    "exports": proofs.Export,
    "checkpoints": records.Checkpoint,
    "keys": proofs.SigningKey,
    "projections": ranking.Projection,
    "subscribers": notifications.Subscriber,
    "tokens": authority.ListedToken,
    "actors": authority.RegisteredActor,
    "grants": authority.RecordedGrant,
    "proposals": authority.AuthorityProposal,
    "limits": authority.LimitedActor,
    "ledgers": records.Ledger,
    "findings": Finding,
    "gaps": UncheckedCount,
    "adopted": AdoptedHead,
}
"""The items of a list that is all, or nearly all, of a document."""


def fields_of(shape: Shape) -> tuple[str, ...]:
    """Return the names of the fields at the top."""
    if isinstance(shape, tuple):
        return shape
    if issubclass(shape, BaseModel):
        return tuple(shape.model_fields)
    return tuple(field.name for field in dataclasses.fields(shape))
