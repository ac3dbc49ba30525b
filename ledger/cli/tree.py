"""The tree of commands: every group of them, and the module that each is in."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Group(NamedTuple):
    """Commands under one noun: what it means, their names, and the module that they are in."""

    meaning: str
    names: tuple[str, ...]
    module: str
    elsewhere: Mapping[str, str] = {}
    """The modules of those that are in another one."""


# A command by itself is in the module that is named; its function has the command's own name.
_OF_POLICIES: Final = (
    "init", "schema", "lint", "diff", "try", "draft", "submit", "approve", "withdraw", "reject",
    "shadow", "unshadow", "shadows", "compare", "activate", "ratify", "rollback", "retire",
    "review", "sign-off", "status", "show", "list",
)  # fmt: skip
TREE: Final[dict[str, str | Group]] = {
    "serve": "server",
    "worker": "worker",
    "doctor": "doctor",
    "verify": "verification",
    "why": "priorities",
    "priorities": "priorities",
    "evaluate": "decisions",
    "vkey": "ledgers",
    "erase": "erasure",
    "completion": "completion",
    "signal": Group(
        "Definitions of signals, and observations.",
        ("define", "show", "list", "standard", "states", "submit"),
        "signals",
        {"submit": "submitting"},
    ),
    "model": Group(
        "The fleet and its deployments.",
        ("register", "update", "deploy", "roll-back", "retire", "show", "list"),
        "models",
    ),
    "policy": Group(
        "The rules in force, every version of them.",
        _OF_POLICIES,
        "policies",
        dict.fromkeys(
            ("submit", "approve", "withdraw", "reject", "ratify", "rollback", "retire", "status"),
            "policy_life",
        )
        | dict.fromkeys(("diff", "try"), "policy_trials")
        | dict.fromkeys(("review", "sign-off"), "policy_reviews")
        | dict.fromkeys(("shadow", "unshadow", "shadows", "compare"), "policy_shadows"),
    ),
    "recipe": Group(
        "How models are retrained, every version of it.",
        ("schema", "lint", "draft", "approve", "reject", "retire", "show", "list"),
        "recipes",
    ),
    "benchmark": Group(
        "Versions that models are measured by, and those to fall back to.",
        ("register", "retire", "list"),
        "benchmarks",
    ),
    "plan": Group(
        "Which models to retrain within a budget, and which versions serve again.",
        ("make", "schedule", "schedules", "reuse", "put-backs", "show", "list"),
        "plans",
    ),
    "budget": Group(
        "Budgets of retraining, and when they run out.",
        ("set", "show", "list", "forecast", "overspend"),
        "budgets",
    ),
    "decision": Group(
        "Decisions made, explained and replayed.",
        ("list", "show", "explain", "override", "replay", "receipt"),
        "decisions",
    ),
    "escalation": Group(
        "Escalations of decisions to the people of a tier, and their answers.",
        ("list", "acknowledge", "resolve"),
        "escalations",
    ),
    "job": Group(
        "Retraining jobs, under gates that the ledger judges.",
        ("list", "show", "report", "propose", "approve", "deny", "cancel", "give-up", "reproduce"),
        "jobs",
        {"report": "job_reports"},
    ),
    "run": Group(
        "Everything of one decision to retrain, from the first signal to the last outcome.",
        ("show", "verify"),
        "runs",
    ),
    "task": Group("The work that decisions ask for.", ("list", "take", "close"), "tasks"),
    "log": Group(
        "The events themselves, their proofs and their publication.",
        ("tail", "access", "checkpoint", "prove", "consistency", "seal", "publish"),
        "log",
    ),
    "key": Group(
        "The keys that sign checkpoints, and those that are trusted.",
        ("list", "rotate", "revoke", "pin", "reseal"),
        "keys",
    ),
    "authority": Group(
        "Actors, roles and grants, and changes of them.",
        (
            "table",
            "why",
            "list",
            "begin",
            "register",
            "bind",
            "unbind",
            "grant",
            "withdraw",
            "role",
            "limit",
            "approve",
        ),
        "authority",
    ),
    "token": Group(
        "Tokens of services, by which they call.", ("issue", "list", "revoke"), "tokens"
    ),
    "audit": Group(
        "An audit of the ledger that trusts none of its parts.",
        ("run", "answer", "controls"),
        "audits",
    ),
    "drill": Group("Drills, and what came of them.", ("record", "list", "run"), "drills"),
    "compliance": Group("Tables for auditors and regulators.", ("export",), "compliance"),
    "certificate": Group("Certificates for trying TLS out.", ("dev",), "certificates"),
    "witness": Group(
        "A witness, for any log: it cosigns what is consistent.", ("serve", "key"), "witness"
    ),
    "export": Group(
        "Bundles that anyone can verify without this service.",
        ("create", "list", "delete"),
        "exports",
    ),
    "projection": Group(
        "The read models, and building them again.", ("status", "rebuild"), "projections"
    ),
    "notification": Group(
        "The receivers of notifications, and what did not reach them.",
        ("list", "dead", "replay", "test"),
        "notifications",
    ),
    "ledger": Group(
        "The ledgers of a server.", ("create", "list", "show", "confirm-clock", "adopt"), "ledgers"
    ),
}
