"""Every rule there is: importing this registers them all."""

from ledger.audit.rules import (
    access,
    authority,
    bodies,
    budgets,
    cases,
    corrections,
    decisions,
    deployments,
    fleet,
    governance,
    horizons,
    job_origins,
    job_versions,
    jobs,
    meanings,
    obligations,
    overrides,
    plan_schedules,
    proving,
    recipes,
    replay,
    reuse,
    reviews,
    shadow_plans,
    shadows,
    soundness,
)

__all__ = [
    "access", "authority", "bodies", "budgets", "cases", "corrections", "decisions", "deployments",
    "fleet", "governance", "horizons", "job_origins", "job_versions", "jobs", "meanings",
    "obligations", "overrides", "plan_schedules", "proving", "recipes", "replay", "reuse",
    "reviews", "shadow_plans", "shadows", "soundness",
]  # fmt: skip
