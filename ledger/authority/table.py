"""The one table of authority: which action each method asks for, and which actions a role has."""

from typing import Final

from ledger.events.authority import ACTIONS

ADMINISTRATOR: Final = "administrator"
EMERGENCY: Final = "policies.emergency"
"""The action by which a policy comes into force without its approvals, for a time."""
REPRESENT: Final = "actors.represent"
"""The action that no method asks for: a gateway needs it beside its own."""

_SEEING: Final = frozenset({"authority.read", "decisions.replay", "fleet.read", "proofs.read"})
_OF_ADMINISTRATION: Final = frozenset(
    {
        "actors.register",
        "drills.record",
        "identities.bind",
        "keys.revoke",
        "keys.rotate",
        "ledgers.create",
        "limits.set",
        "roles.define",
        "roles.grant",
        "tokens.issue",
    }
)

ROLES: Final[dict[str, frozenset[str]]] = {
    "viewer": _SEEING,
    "monitor": frozenset({"proofs.read", "signals.submit"}),
    "operator": _SEEING
    | {
        "checkpoints.cosign",
        "clock.confirm",
        "decisions.evaluate",
        "drills.record",
        "escalations.answer",
        "exports.create",
        "exports.delete",
        "exports.read",
        "jobs.cancel",
        "jobs.propose",
        "models.deploy",
        "models.register",
        "models.update",
        "notifications.read",
        "notifications.send",
        "plans.make",
        "projections.rebuild",
        "signals.define",
        "streams.seal",
        "tasks.work",
    },
    "model-owner": _SEEING
    | {
        "decisions.evaluate",
        "decisions.override",
        "escalations.answer",
        "jobs.approve",
        "jobs.cancel",
        "jobs.propose",
        "models.deploy",
        "models.register",
        "models.retire",
        "models.update",
        "recipes.approve",
        "recipes.draft",
        "tasks.work",
    },
    "policy-author": _SEEING | {"policies.draft", "signals.define"},
    "policy-approver": _SEEING
    | {"policies.activate", "policies.approve", EMERGENCY, "recipes.approve"},
    "budget-owner": _SEEING | {"budgets.overspend", "budgets.set", "plans.make"},
    "executor": frozenset({"fleet.read", "jobs.execute", "proofs.read"}),
    "auditor": _SEEING
    | {"audits.record", "drills.record", "events.read", "exports.create", "exports.read"},
    "data-protection-officer": _SEEING | {"bodies.erase", "events.read", "exports.read"},
    ADMINISTRATOR: _SEEING | _OF_ADMINISTRATION,
}
"""The built-in roles. A team defines others from the same actions, under other names.

An executor deploys by its jobs alone, so by their gates.
"""
ROLES_BEFORE_JOBS: Final[dict[str, frozenset[str]]] = {
    "executor": frozenset({"fleet.read", "models.deploy", "proofs.read"})
}
"""Built-in roles as releases had them that knew no jobs, where they had more than now."""

REPORTING: Final = _SEEING | {
    "audits.record", "checkpoints.cosign", "drills.record", "events.read", "exports.create",
    "exports.read", "jobs.execute", "models.deploy", "notifications.read", "notifications.send",
    "signals.submit",
}  # fmt: skip
"""Actions that see, or state what is so elsewhere: by them no one decides."""

METHODS: Final[dict[str, str]] = {
    "AcknowledgeEscalation": "escalations.answer",
    "ActivateInEmergency": EMERGENCY,
    "ActivatePolicy": "policies.activate",
    "AddCosignature": "checkpoints.cosign",
    "ApproveChange": "roles.grant",
    "ApproveJob": "jobs.approve",
    "ApproveOverspending": "budgets.overspend",
    "ApprovePolicy": "policies.approve",
    "ApproveRecipe": "recipes.approve",
    "BindIdentity": "identities.bind",
    "CancelJob": "jobs.cancel",
    "CloseTask": "tasks.work",
    "CompareShadow": "fleet.read",
    "ConfirmClock": "clock.confirm",
    "CreateExport": "exports.create",
    "CreateLedger": "ledgers.create",
    "DefineRole": "roles.define",
    "DefineSignal": "signals.define",
    "DeleteExport": "exports.delete",
    "DenyJob": "jobs.approve",
    "DeployJobVersion": "jobs.execute",
    "DiffPolicy": "fleet.read",
    "DraftPolicy": "policies.draft",
    "DraftRecipe": "recipes.draft",
    "EndShadow": "policies.draft",
    "EraseBodies": "bodies.erase",
    "Evaluate": "decisions.evaluate",
    "ExplainAuthority": "authority.read",
    "ExplainDecision": "fleet.read",
    "GetAuthority": "authority.read",
    "GetBudget": "fleet.read",
    "GetCheckpoint": "proofs.read",
    "GetDecision": "fleet.read",
    "GetExport": "exports.read",
    "GetJob": "fleet.read",
    "GetLedger": "proofs.read",
    "GetModel": "fleet.read",
    "GetPlan": "fleet.read",
    "GetPlanOperation": "fleet.read",
    "GetPolicy": "fleet.read",
    "GetPolicyStatus": "fleet.read",
    "GetProjection": "fleet.read",
    "GetRecipe": "fleet.read",
    "GetReviewPack": "fleet.read",
    "GetRun": "fleet.read",
    "GetRunDocument": "fleet.read",
    "GiveUpJob": "jobs.execute",
    "GrantRole": "roles.grant",
    "HeartbeatJob": "jobs.execute",
    "IssueToken": "tokens.issue",
    "LeaseJob": "jobs.execute",
    "LintPolicy": "fleet.read",
    "LintRecipe": "fleet.read",
    "ListBenchmarks": "fleet.read",
    "ListBudgets": "fleet.read",
    "ListCheckpoints": "proofs.read",
    "ListDeadLetters": "notifications.read",
    "ListDecisions": "fleet.read",
    "ListEscalations": "fleet.read",
    "ListEvents": "events.read",
    "ListExports": "exports.read",
    "ListJobs": "fleet.read",
    "ListKeys": "proofs.read",
    "ListLedgers": "proofs.read",
    "ListModels": "fleet.read",
    "ListPlanSchedules": "fleet.read",
    "ListPlans": "fleet.read",
    "ListPolicies": "fleet.read",
    "ListPriorities": "fleet.read",
    "ListPutBacks": "fleet.read",
    "ListProjections": "fleet.read",
    "ListRecipes": "fleet.read",
    "ListShadows": "fleet.read",
    "ListSignalStates": "fleet.read",
    "ListSignals": "fleet.read",
    "ListSubscribers": "notifications.read",
    "ListTasks": "fleet.read",
    "BeginPlan": "plans.make",
    "MakePlan": "plans.make",
    "OverrideDecision": "decisions.override",
    "ProposeJob": "jobs.propose",
    "ProposeReuse": "plans.make",
    "SchedulePlans": "plans.make",
    "ProveConsistency": "proofs.read",
    "ProveInclusion": "proofs.read",
    "PutBackVersion": "jobs.execute",
    "RatifyPolicy": "policies.activate",
    "ReadExport": "exports.read",
    "RebuildProjection": "projections.rebuild",
    "RecordAudit": "audits.record",
    "RecordDeployment": "models.deploy",
    "RecordEnvironment": "jobs.execute",
    "RecordDrill": "drills.record",
    "RegisterActor": "actors.register",
    "RegisterBenchmark": "recipes.draft",
    "RegisterModel": "models.register",
    "ReplayDeadLetters": "notifications.send",
    "RejectPolicy": "policies.approve",
    "RejectRecipe": "recipes.approve",
    "ReplayDecision": "decisions.replay",
    "ReplayRange": "decisions.replay",
    "ReportGate": "jobs.execute",
    "ResolveEscalation": "escalations.answer",
    "RetireBenchmark": "recipes.draft",
    "RetireModel": "models.retire",
    "RetirePolicy": "policies.activate",
    "RetireRecipe": "recipes.approve",
    "RevokeKey": "keys.revoke",
    "RevokeToken": "tokens.issue",
    "RollBackJob": "jobs.execute",
    "RollBackModel": "models.deploy",
    "RollBackPolicy": "policies.activate",
    "RotateKey": "keys.rotate",
    "SealStreams": "streams.seal",
    "SetBudget": "budgets.set",
    "SetLimits": "limits.set",
    "ShadowPolicy": "policies.draft",
    "SignOffPolicy": "policies.approve",
    "StreamSignals": "signals.submit",
    "SubmitPolicy": "policies.draft",
    "SubmitSignals": "signals.submit",
    "TakeTask": "tasks.work",
    "TestSubscriber": "notifications.send",
    "TryPolicy": "fleet.read",
    "UnbindIdentity": "identities.bind",
    "UpdateModel": "models.update",
    "WatchEvents": "events.read",
    "WatchPriorities": "fleet.read",
    "WithdrawApproval": "policies.approve",
    "WithdrawGrant": "roles.grant",
    "WithdrawSchedule": "policies.activate",
}
"""Each method's one action. `NameAdministrator` has none: it is for the machine's operator."""

ALSO_LEFT_BY: Final[dict[str, str]] = {
    "ActivatePolicy": "ActivateInEmergency",
    "RecordDeployment": "DeployJobVersion",
    "SealStreams": "CreateExport",
}
"""The method that leaves an event of another one too: to export one stream, all are sealed, and a
job deploys a version.

An activation says its basis, and an emergency is judged by its own action beside this.
"""

assert set(METHODS.values()) | {REPRESENT} == ACTIONS.keys(), "an action without a use"
assert all(actions <= ACTIONS.keys() for actions in ROLES.values()), "a role with no such action"
