"""The texts of policies that tests begin from."""

from pathlib import Path

import pytest

from ledger.application.policies.text import parse
from ledger.errors import LedgerError, Reason

DEFAULT = (Path(__file__).parent / "default_policy.yaml").read_text(encoding="utf-8")
MINIMAL = """\
format: policy/1
title: Least
scoring:
  signals:
    - {signal: loss, baseline: 0.1, critical: 0.2}
"""


def refused(text: str) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        parse(text)
    assert caught.value.reason is Reason.POLICY_INVALID
    assert caught.value.remedy
    return caught.value


def with_signal(**changes: str) -> str:
    values = {"signal": "loss", "baseline": "0.1", "critical": "0.2"} | changes
    inner = ", ".join(f"{name}: {value}" for name, value in values.items() if value != "-")
    return MINIMAL.replace("{signal: loss, baseline: 0.1, critical: 0.2}", "{" + inner + "}")
