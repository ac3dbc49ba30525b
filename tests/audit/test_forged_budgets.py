"""Every condition on a budget's events is seen by its rule; the ledger is that of the forgeries."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.events.plans import PLAN_TYPES
from tests.audit.overspent import (
    MORE_MONEY,
    leave_the_end_of_the_money_out,
    leave_the_money_of_a_test_out,
)
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of


@pytest.mark.parametrize("how", MORE_MONEY)
def test_every_condition_on_money_is_seen_by_its_rule(
    long_paper: Paper, tmp_path: Path, how: str
) -> None:
    rules, forge = MORE_MONEY[how]
    position = forge(long_paper)
    report = audit_of(long_paper, tmp_path)
    found = sorted((one.rule, one.position) for one in report.findings)
    told = [one for one in found if one not in of_later_plans(long_paper, position)]
    assert told == [(rule, position) for rule in rules]


def of_later_plans(paper: Paper, position: int) -> set[tuple[str, int]]:
    """Return what may be found besides: plans record what budgets had, and had something else."""
    return {
        (rule, later)
        for rule in ("plans.budgets", "plans.steps")
        for later, event in enumerate(paper.events, 1)
        if event.type in PLAN_TYPES and later > position
    }


@pytest.mark.parametrize("forge", [leave_the_end_of_the_money_out, leave_the_money_of_a_test_out])
def test_money_that_was_left_out_is_missed_at_the_event_of_its_job(
    long_paper: Paper, tmp_path: Path, forge: Callable[[Paper], int]
) -> None:
    position = forge(long_paper)
    report = audit_of(long_paper, tmp_path)
    seen = {(one.rule, one.position) for one in report.findings}
    assert ("budgets.moved", position) in seen, report.text()
