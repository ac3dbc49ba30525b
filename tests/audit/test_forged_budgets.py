"""Every condition on a budget's events is seen by its rule; the ledger is that of the forgeries."""

from pathlib import Path

import pytest

from tests.audit.overspent import MORE_MONEY
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of


@pytest.mark.parametrize("how", MORE_MONEY)
def test_every_condition_on_money_is_seen_by_its_rule(
    long_paper: Paper, tmp_path: Path, how: str
) -> None:
    rule, forge = MORE_MONEY[how]
    position = forge(long_paper)
    report = audit_of(long_paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [(rule, position)]
