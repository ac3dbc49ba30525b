"""The compliance export: every table of a scope, and what each is for."""

from collections.abc import Callable
from typing import Final

from ledger.compliance.access import accesses_table, reads_table
from ledger.compliance.budgets import spending_table
from ledger.compliance.callers import callers_table
from ledger.compliance.cases import escalations_table, tasks_table
from ledger.compliance.conduct import conduct_table, refusals_table
from ledger.compliance.decisions import (
    UNEXPLAINED,
    Explainer,
    decisions_table,
    overrides_table,
    plan_rows_table,
)
from ledger.compliance.deployments import deployments_table
from ledger.compliance.drills import drills_table
from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.forecasts import forecasts_table
from ledger.compliance.governance_answers import approvals_table
from ledger.compliance.job_approvals import job_approvals_table
from ledger.compliance.jobs import jobs_table, verdicts_table
from ledger.compliance.policies import changes_table
from ledger.compliance.reviews import reviews_table
from ledger.compliance.rules import rules_table
from ledger.compliance.shadows import shadows_table
from ledger.compliance.silent_signals import silence_table
from ledger.compliance.tables import Table

TABLES: Final[dict[str, Callable[[FactSource, FactFilter], Table]]] = {
    "decisions": decisions_table,
    "overrides": overrides_table,
    "escalations": escalations_table,
    "tasks": tasks_table,
    "plan_places": plan_rows_table,
    "jobs": jobs_table,
    "forecasts": forecasts_table,
    "gates": verdicts_table,
    "job_approvals": job_approvals_table,
    "spending": spending_table,
    "deployments": deployments_table,
    "policy_changes": changes_table,
    "approvals": approvals_table,
    "reviews": reviews_table,
    "rules": rules_table,
    "shadows": shadows_table,
    "silent_sources": silence_table,
    "refused_requests": refusals_table,
    "ledger_conduct": conduct_table,
    "believed_callers": callers_table,
    "accesses": accesses_table,
    "ordinary_reads": reads_table,
    "drills": drills_table,
}
"""Name → what makes it, in the order of reports."""


def tables_of(
    source: FactSource, scope: FactFilter, explainer: Explainer = UNEXPLAINED
) -> list[Table]:
    """Return every table of the scope."""
    return [
        decisions_table(source, scope, explainer)
        if make is decisions_table
        else make(source, scope)
        for make in TABLES.values()
    ]
