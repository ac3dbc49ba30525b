"""The later events of the golden ledger, in order: a new type is added at the end."""

from collections.abc import Callable
from typing import Final

from tools import (
    golden_access,
    golden_authority,
    golden_budgets,
    golden_decisions,
    golden_governance,
    golden_jobs,
    golden_planning,
    golden_policies,
    golden_proving,
    golden_recipes,
    golden_reviews,
    golden_shadows,
    golden_signals,
)
from tools.golden_proving import Appender

RECORDS: Final[tuple[Callable[[Appender], None], ...]] = (
    golden_authority.grant,
    golden_access.record,
    golden_authority.represent,
    golden_authority.limit,
    golden_signals.adopt,
    golden_governance.draft,
    golden_proving.count_hosts,
    golden_governance.ask,
    golden_access.drill,
    golden_signals.correct,
    golden_policies.steps,
    golden_policies.terms,
    golden_shadows.run,
    golden_reviews.review,
    golden_shadows.plan,
    golden_budgets.run,
    golden_access.govern,
    golden_recipes.run,
    golden_governance.lapse,
    golden_reviews.sign,
    golden_jobs.run,
    golden_decisions.overrule,
    golden_planning.run,
    golden_planning.schedule,
    golden_planning.explain,
    golden_jobs.lapse,
    golden_planning.ask_back,
)
